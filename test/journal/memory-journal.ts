import { addCounts, type SettleCounts } from '../../src/journal/counts.ts';
import type { HoldNote, Job, Journal, Lane, StoredRecord } from '../../src/journal/journal.ts';
import { type Entry, emptyDisk, laneKey, type MemoryDisk, type MemoryReplay, valueAt } from './memory/disk.ts';
import { openMemoryJournal } from './memory/journal.ts';

export { emptyDisk } from './memory/disk.ts';

/** A journal in memory with what tests ask of its disk. */
export interface MemoryJournal
  extends Journal,
    Pick<MemoryDisk, 'commits' | 'records' | 'checkpoints' | 'notes' | 'held' | 'letters' | 'room'> {
  readonly disk: MemoryDisk;
  /** The journal itself. */
  readonly journal: MemoryJournal;
  /** Appends records to a lane, or to a replay for whichever sink asks, and wakes readers. */
  put(lane: Lane, records: readonly StoredRecord[], more?: { readonly letters?: readonly number[] }): void;
  /** Makes a call of the name reject with what the function gives, until it gives undefined. */
  readonly failing: Partial<Record<keyof Journal, () => unknown>>;
  /** The same after the call was done: its answer is lost. */
  readonly losing: Partial<Record<keyof Journal, () => unknown>>;
  /** What all settles counted together. */
  readonly settled: Required<SettleCounts> & { readonly dead_lettered: number };
  readonly settles: number;
  /** Notes of the holds of sinks, by name. */
  readonly holdNotes: Pick<Map<string, HoldNote>, 'get' | 'set' | 'size'> & Iterable<[string, HoldNote]>;
  readonly inserted: readonly Job[];
  offsetOf(lane: Lane): number;
  sizeOf(lane: Lane): number;
}

/** Opens a journal over a disk. `step` comes before and after every operation; when it never resolves, the process is dead there. */
export function memoryJournal(disk: MemoryDisk = emptyDisk(), step?: () => Promise<void>): MemoryJournal {
  const failing: MemoryJournal['failing'] = {};
  const losing: MemoryJournal['losing'] = {};
  const settled = { acknowledged: 0, unconfirmed: 0, not_routed: 0, replayed: 0, possible_duplicates: 0, dead_lettered: 0 };
  let settles = 0;
  const opened = openMemoryJournal(disk, {
    before(operation) {
      const error = failing[operation]?.();
      if (error !== undefined) throw error;
      return step?.();
    },
    after(operation) {
      const error = losing[operation]?.();
      if (error !== undefined) throw error;
      return step?.();
    },
  });
  const replayAt = ({ kind, job = 0, source }: Lane): MemoryReplay | undefined =>
    kind === 'replay' ? disk.replays.find((replay) => replay.job === job && replay.source === source) : undefined;
  const journal: MemoryJournal = {
    ...opened,
    async settle(sink, lane, upTo, letters, counts, ...more) {
      await opened.settle(sink, lane, upTo, letters, counts, ...more);
      settles += 1;
      addCounts(settled, counts);
      settled.dead_lettered += letters.length;
    },
    disk,
    ...pick(disk),
    failing,
    losing,
    settled,
    holdNotes: holdsOfSinks(disk),
    inserted: disk.jobs,
    get journal() {
      return journal;
    },
    get settles() {
      return settles;
    },
    get room() {
      return disk.room;
    },
    set room(hasRoom) {
      disk.room = hasRoom;
    },
    put(lane, records, { letters } = {}) {
      const entries = records.map((record, index) => ({ record, page: demoPage, letter: letters?.[index] }));
      if (lane.kind === 'replay') putReplay(disk, lane, entries, letters === undefined ? 'stored' : 'dead_letters');
      else valueAt(disk.lanes, laneKey(lane), (): Entry[] => []).push(...entries);
      opened.wake();
    },
    offsetOf: (lane) =>
      replayAt(lane)?.offset ??
      Math.max(0, ...[...disk.sinks.keys()].map((sink) => disk.offsets.get(`${sink} ${laneKey(lane)}`) ?? 0)),
    sizeOf: (lane) => (replayAt(lane)?.entries ?? disk.lanes.get(laneKey(lane)) ?? []).length,
  };
  return journal;
}

const demoPage = { connector: { name: 'demo', hash: 'h1', text: '' }, labels: [], minTime: 0, maxTime: 0 };

const pick = ({ commits, records, checkpoints, notes, held, letters }: MemoryDisk) => ({
  commits,
  records,
  checkpoints,
  notes,
  held,
  letters,
});

function putReplay(disk: MemoryDisk, { job = 0, source }: Lane, entries: readonly Entry[], kind: MemoryReplay['kind']): void {
  const known = disk.replays.find((replay) => replay.job === job && replay.source === source);
  if (known === undefined)
    disk.replays.push({ job, source, sink: undefined, kind, only: undefined, entries: [...entries], offset: 0 });
  else known.entries.push(...entries);
}

function holdsOfSinks({ held }: MemoryDisk): MemoryJournal['holdNotes'] {
  const own = (): [string, HoldNote][] =>
    [...held].flatMap(([key, note]) => (key.startsWith('sink ') ? [[key.slice(5), note]] : []));
  return {
    get: (name) => held.get(`sink ${name}`),
    set: (name, note) => new Map(held.set(`sink ${name}`, note)),
    get size() {
      return own().length;
    },
    [Symbol.iterator]: () => own()[Symbol.iterator](),
  };
}
