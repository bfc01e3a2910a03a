import { PenstockError } from '../../../src/base/errors.ts';
import { addCounts, type SettleCounts, settledBy, settlingCounters } from '../../../src/journal/counts.ts';
import type {
  DeadLetter,
  Lane,
  LaneState,
  LetterFilter,
  NewDeadLetter,
  Position,
  ReplayRequest,
  StoredPage,
} from '../../../src/journal/journal.ts';
import { discardNotes } from '../../../src/journal/records/given-up.ts';
import { type Entry, laneKey, laneOf, type MemoryDisk, type MemoryReplay, removeFrom, totalsAt, valueAt } from './disk.ts';

// A position is the number of records before it in its lane, and in a replay in its view.
const at = (place: number): Position => place as Position;

export function lanesOf(disk: MemoryDisk, sink: string): LaneState[] {
  const stored = [...disk.lanes].map(([key, entries]) => {
    const offset = disk.offsets.get(`${sink} ${key}`) ?? 0;
    const oldestReceived = entries[offset]?.record.received;
    return { lane: laneOf(key), offset: at(offset), pending: entries.length - offset, oldestReceived };
  });
  const replays = disk.replays
    .filter((replay) => replay.sink === undefined || replay.sink === sink)
    .map(({ job, source, entries, offset }) => ({
      lane: { kind: 'replay' as const, source, job },
      offset: at(offset),
      pending: entries.length - offset,
      oldestReceived: undefined,
    }));
  return [...stored, ...replays].filter(({ pending }) => pending > 0);
}

interface Run {
  readonly page: Entry['page'];
  readonly entries: Entry[];
  readonly positions: Position[];
}

export function read(disk: MemoryDisk, sink: string, lane: Lane, after: number, limit: number): StoredPage[] {
  const replay = replayAt(disk, lane);
  const entries = replay?.entries ?? disk.lanes.get(laneKey(lane)) ?? [];
  const runs: Run[] = [];
  let left = limit;
  for (let index = after; index < entries.length && left > 0; index++) {
    const entry = entries[index];
    if (entry === undefined || isGone(disk, replay, entry)) continue;
    const run = runs.at(-1);
    if (run?.page !== entry.page) runs.push({ page: entry.page, entries: [entry], positions: [at(index + 1)] });
    else {
      run.entries.push(entry);
      run.positions.push(at(index + 1));
    }
    left -= 1;
  }
  // Everything that was read is settled, and the letters that are left have gone: the replay is at its end.
  if (replay !== undefined && runs.length === 0 && replay.offset >= after) replay.offset = entries.length;
  return runs.map((run) => ({ ...pageOf(lane.source, run), ...replayOf(disk, sink, lane.source, replay, run.entries) }));
}

function isGone(disk: MemoryDisk, replay: MemoryReplay | undefined, { letter }: Entry): boolean {
  return replay?.kind === 'dead_letters' && !disk.letters.some(({ id }) => id === letter);
}

function pageOf(source: string, { page, entries, positions }: Run): StoredPage {
  return {
    source,
    connector: { name: page.connector.name, hash: page.connector.hash },
    tenant: page.tenant,
    labels: page.labels,
    records: entries.map(({ record }) => record),
    positions,
  };
}

function replayOf(
  disk: MemoryDisk,
  sink: string,
  source: string,
  replay: MemoryReplay | undefined,
  entries: readonly Entry[],
): Pick<StoredPage, 'only' | 'letters'> {
  if (replay === undefined) return {};
  const letterOf = (uid: string): number | undefined =>
    disk.letters.find((letter) => letter.sink === sink && letter.source === source && letter.record.uid === uid)?.id;
  const letters = entries.map(({ letter, record }) => letter ?? letterOf(record.uid));
  return {
    ...(replay.only !== undefined && { only: replay.only }),
    ...(letters.some((letter) => letter !== undefined) && { letters }),
  };
}

function replayAt(disk: MemoryDisk, { kind, source, job }: Lane): MemoryReplay | undefined {
  return kind === 'replay' ? disk.replays.find((replay) => replay.job === job && replay.source === source) : undefined;
}

/** One replay for each source that has something to deliver again. */
export function replaysOf(disk: MemoryDisk, job: number, sink: string, what: ReplayRequest): MemoryReplay[] {
  const { kind, from = Number.MIN_SAFE_INTEGER, to = Number.MAX_SAFE_INTEGER, action } = what;
  const only = kind === 'stored' ? { from, to, ...(action !== undefined && { action }) } : undefined;
  return [...disk.sources.keys()]
    .filter((source) => what.source === undefined || what.source === source)
    .map((source) => {
      const entries =
        kind === 'stored'
          ? storedIn(disk, source, from, to)
          : letteredOf(disk, { ...what.letters, ...(action !== undefined && { action }), sink, source, from, to });
      return { job, source, sink, kind, only, entries, offset: 0 };
    });
}

function storedIn(disk: MemoryDisk, source: string, from: number, to: number): Entry[] {
  return (['live', 'backfill'] as const)
    .flatMap((kind) => disk.lanes.get(laneKey({ kind, source })) ?? [])
    .filter(({ page }) => page.minTime <= to && page.maxTime >= from);
}

function letteredOf(disk: MemoryDisk, filter: LetterFilter): Entry[] {
  const pages = new Map<string, Entry['page']>();
  return disk.letters
    .filter((letter) => matches(letter, filter))
    .map(({ id, record, connector, tenant, labels }) => {
      const page = {
        connector: { ...connector, text: '' },
        ...(tenant !== undefined && { tenant }),
        labels,
        minTime: 0,
        maxTime: 0,
      };
      return { record, letter: id, page: valueAt(pages, JSON.stringify(page), () => page) };
    });
}

export interface Settle {
  readonly sink: string;
  readonly lane: Lane;
  readonly upTo: number;
  readonly letters: readonly NewDeadLetter[];
  readonly counts: SettleCounts;
  readonly resolved: readonly number[];
}

export function settle(disk: MemoryDisk, what: Settle): void {
  const { sink, lane, counts } = what;
  if (lane.kind === 'replay') settleReplay(disk, what);
  else settleStored(disk, what);
  resolve(disk, what);
  addCounts(totalsAt(disk, sink, lane.source), { possible_duplicates: counts.possible_duplicates ?? 0 });
}

function settleStored(disk: MemoryDisk, { sink, lane, upTo, letters, counts }: Settle): void {
  const key = `${sink} ${laneKey(lane)}`;
  const passed = Math.max(0, upTo - (disk.offsets.get(key) ?? 0));
  const end = disk.lanes.get(laneKey(lane))?.length;
  if (end === undefined) throw new PenstockError('PEN_NOT_FOUND', `there is no lane ${laneKey(lane)}`);
  if (settledBy(counts) + letters.length !== passed || upTo > end)
    throw new PenstockError('PEN_INTERNAL', `a settle to ${upTo} accounts for other than the ${passed} records that it passes`);
  disk.offsets.set(key, Math.max(upTo, disk.offsets.get(key) ?? 0));
  const totals = totalsAt(disk, sink, lane.source);
  for (const name of settlingCounters) totals[name] += counts[name] ?? 0;
  totals.dead_lettered += letters.length;
  for (const letter of letters) insertLetter(disk, { ...letter, sink });
}

function settleReplay(disk: MemoryDisk, { sink, lane, upTo, letters, counts }: Settle): void {
  const replay = replayAt(disk, lane);
  const replayed = counts.replayed ?? (counts.acknowledged ?? 0) + (counts.unconfirmed ?? 0);
  // The job was cancelled meanwhile.
  if (replay === undefined) addCounts(totalsAt(disk, sink, lane.source), { replayed });
  if (replay === undefined || upTo <= replay.offset) return;
  replay.offset = upTo;
  for (const letter of letters) {
    const index = disk.letters.findIndex((known) => known.sink === sink && known.record.uid === letter.record.uid);
    const known = disk.letters[index];
    const { code, text, last } = letter;
    if (known !== undefined) disk.letters[index] = { ...known, code, text, last, attempts: known.attempts + letter.attempts };
    else if (replay.kind === 'stored') insertLetter(disk, { ...letter, sink, replayed: true });
  }
  addCounts(totalsAt(disk, sink, lane.source), { replayed });
}

function insertLetter(disk: MemoryDisk, letter: Omit<DeadLetter, 'id'>): void {
  disk.letters.push({ id: disk.nextLetter, ...letter });
  disk.nextLetter += 1;
}

function resolve(disk: MemoryDisk, { sink, resolved, counts }: Settle): void {
  let sent = counts.unconfirmed ?? 0;
  for (const { source, replayed } of removeFrom(disk.letters, (letter) => letter.sink === sink && resolved.includes(letter.id))) {
    if (replayed === true) continue;
    addCounts(totalsAt(disk, sink, source), { dead_lettered: -1, [sent > 0 ? 'unconfirmed' : 'acknowledged']: 1 });
    sent -= 1;
  }
}

export function matches(letter: DeadLetter, filter: LetterFilter): boolean {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, ids, uids } = filter;
  const sameNames = (['sink', 'source', 'code', 'action'] as const).every(
    (name) => filter[name] === undefined || filter[name] === letter[name],
  );
  const isNamed = ids?.includes(letter.id) !== false && uids?.includes(letter.record.uid) !== false;
  return sameNames && isNamed && letter.eventTime >= from && letter.eventTime <= to;
}

export function discard(disk: MemoryDisk, filter: LetterFilter): number {
  const gone = removeFrom(disk.letters, (letter) => matches(letter, filter));
  const rows = gone.map(({ record, eventTime, action = '', ...letter }) => ({
    ...letter,
    uid: record.uid,
    event_time: eventTime,
    action,
    counted: letter.replayed === true ? 0 : 1,
  }));
  for (const { name, ...note } of discardNotes(rows, filter, disk.now())) disk.notes.set(` ${name}`, structuredClone(note));
  for (const { sink, source, replayed } of gone)
    if (replayed !== true) addCounts(totalsAt(disk, sink, source), { dead_lettered: -1, discarded: 1 });
  return gone.length;
}
