// A journal in memory that keeps the promises of the real one, without I/O: a virtual clock alone decides what happens when. The
// contract suite and the model run over both. It never deletes a record, so it has no retention and no skipping.
import { PenstockError } from '../../../src/base/errors.ts';
import { ownsEverything } from '../../../src/journal/contract/ownership.ts';
import { addCounts, sortedOut, zeroCounts } from '../../../src/journal/counts.ts';
import type { Commit, Journal, StoredRecords } from '../../../src/journal/journal.ts';
import { givenUpOf } from '../../../src/journal/records/given-up.ts';
import { plain } from '../records.ts';
import { discard, lanesOf, matches, read, replaysOf, settle } from './delivery.ts';
import { countsAt, type Entry, laneKey, type MemoryDisk, removeFrom, valueAt } from './disk.ts';
import { forgetSink, forgetSource, formerNames, ledgerRows, register, renameSink, renameSource, resetSource } from './names.ts';

/** What happens around each operation. */
export interface Steps {
  /** Where it never resolves, the process is dead; where it rejects or throws, the operation fails and has done nothing. */
  readonly before?: (operation: keyof Journal) => Promise<void> | undefined;
  /** Where it rejects or throws, the operation was done and its answer is lost. */
  readonly after?: ((operation: keyof Journal) => Promise<void> | undefined) | undefined;
}

export function openMemoryJournal(disk: MemoryDisk, { before, after }: Steps = {}): Journal & { wake(): void } {
  const waiting = new Set<() => void>();
  const appending = new Map<string, Promise<void>>();
  const wake = (): void => {
    for (const resolve of Array.from(waiting)) resolve();
  };
  const stepped = async <T>(operation: keyof Journal, work: () => T): Promise<T> => {
    await before?.(operation);
    const result = work();
    await after?.(operation);
    return result;
  };
  const requireSink = (sink: string): void => {
    if (disk.sinks.has(sink)) return;
    if (disk.strict) throw new PenstockError('PEN_NOT_FOUND', `the journal knows no sink "${sink}"`);
    disk.sinks.set(sink, { configured: true });
  };
  const changing = async <T>(operation: keyof Journal, work: () => T): Promise<T> => {
    const result = await stepped(operation, work);
    wake();
    return result;
  };
  return {
    wake,
    ownership: ownsEverything,
    register: (sources, sinks) => changing('register', () => register(disk, sources, sinks)),
    formerNames: (source) => stepped('formerNames', () => formerNames(disk, source)),
    renameSource: (from, to) => stepped('renameSource', () => renameSource(disk, from, to)),
    renameSink: (from, to) => stepped('renameSink', () => renameSink(disk, from, to)),
    forgetSink: (name) => stepped('forgetSink', () => forgetSink(disk, name)),
    forgetSource: (name) => stepped('forgetSource', () => forgetSource(disk, name)),
    resetSource: (name, checkpoint) => stepped('resetSource', () => resetSource(disk, name, checkpoint)),

    append(commit) {
      // A commit that was asked for after one that failed fails with it.
      const earlier = appending.get(commit.source);
      const run = async (): Promise<void> => {
        if (earlier !== undefined) await earlier;
        await changing('append', () => {
          if (!isMade(disk, `append ${commit.source}`, commit.attempt)) store(disk, commit);
        });
      };
      const done = run();
      appending.set(commit.source, done);
      const forget = (): void => {
        if (appending.get(commit.source) === done) appending.delete(commit.source);
      };
      done.then(forget, forget);
      return done;
    },
    hasRoom: () => disk.room,
    seen: (source, entries) =>
      stepped('seen', () => entries.map(({ day, id }) => [...(disk.seen.get(`${source} ${day} ${id}`) ?? [])])),
    checkpoint: (source, name) => stepped('checkpoint', () => disk.checkpoints.get(`${source} ${name}`)),
    note: (source, name) => stepped('note', () => disk.notes.get(`${source} ${name}`)),
    noteOfAll: (name) =>
      stepped('note', () => {
        const own = [...disk.notes].filter(([key]) => key.endsWith(` ${name}`) && !key.startsWith(' '));
        return new Map(own.map(([key, value]) => [key.slice(0, -name.length - 1), value]));
      }),
    setNote: (source, name, value) =>
      stepped('setNote', () => void disk.notes.set(`${source} ${name}`, structuredClone(value ?? null))),
    setNoteIfAbsent: (source, name, value) =>
      stepped('setNoteIfAbsent', () => valueAt(disk.notes, `${source} ${name}`, () => structuredClone(value ?? null))),
    changeNote: (source, name, change) =>
      stepped('changeNote', () => {
        const key = `${source} ${name}`;
        disk.notes.set(key, structuredClone(change(structuredClone(disk.notes.get(key) ?? undefined)) ?? null));
      }),
    windows: (source, from, to) =>
      stepped('windows', () =>
        [...disk.windows.values()]
          .filter((w) => w.source === source && (w.from === null || w.to === null || (w.to >= from && w.from <= to)))
          .sort((a, b) => (a.from ?? Number.NEGATIVE_INFINITY) - (b.from ?? Number.NEGATIVE_INFINITY)),
      ),
    connectorText: (hash) => stepped('connectorText', () => disk.connectors.get(hash)),

    lanes: (sink) =>
      stepped('lanes', () => {
        requireSink(sink);
        return lanesOf(disk, sink);
      }),
    read: (sink, lane, after, limit) =>
      stepped('read', () => {
        requireSink(sink);
        return read(disk, sink, lane, after, limit);
      }),
    settle: (sink, lane, upTo, letters, counts, resolved = [], attempt) =>
      stepped('settle', () => {
        requireSink(sink);
        if (!isMade(disk, `settle ${sink} ${laneKey(lane)} ${lane.job ?? ''}`, attempt))
          settle(disk, { sink, lane, upTo, letters, counts, resolved });
      }),
    changed: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const wakeOne = (): void => {
          waiting.delete(wakeOne);
          signal.removeEventListener('abort', wakeOne);
          resolve();
        };
        waiting.add(wakeOne);
        signal.addEventListener('abort', wakeOne, { once: true });
      }),

    deadLetters: (filter, limit, after = 0) =>
      stepped('deadLetters', () => disk.letters.filter((letter) => letter.id > after && matches(letter, filter)).slice(0, limit)),
    countDeadLetters: (filter) =>
      stepped('countDeadLetters', () => disk.letters.filter((letter) => matches(letter, filter)).length),
    discardDeadLetters: (filter) => stepped('discardDeadLetters', () => discard(disk, filter)),
    givenUp: () =>
      stepped('givenUp', () =>
        givenUpOf([...disk.notes].map(([name, value]) => ({ name: name.trimStart(), value: JSON.stringify(value) }))),
      ),
    openReplay: (job, sink, what) =>
      changing('openReplay', () => {
        requireSink(sink);
        if (disk.jobs.some(({ id, state }) => id === job && !['queued', 'running'].includes(state))) return { total: 0 };
        if (!disk.replays.some((replay) => replay.job === job)) disk.replays.push(...replaysOf(disk, job, sink, what));
        const own = disk.replays.filter((replay) => replay.job === job);
        return { total: own.reduce((sum, { entries, offset }) => sum + entries.length - offset, 0) };
      }),
    replayPending: (job) =>
      stepped('replayPending', () =>
        disk.replays
          .filter((replay) => replay.job === job)
          .reduce((sum, { entries, offset }) => sum + entries.length - offset, 0),
      ),
    closeReplay: (job) => stepped('closeReplay', () => void removeFrom(disk.replays, (replay) => replay.job === job)),

    insertJob: (kind, args, token) =>
      changing('insertJob', () => {
        const known = disk.jobs.find(({ id }) => token !== undefined && disk.attempts.get(`job ${id}`) === token);
        if (known !== undefined) return { ...known };
        const none = { progress: null, error: undefined, started: undefined, finished: undefined };
        const job = { id: disk.jobs.length + 1, kind, args, state: 'queued' as const, created: disk.now(), ...none };
        disk.jobs.push(job);
        if (token !== undefined) disk.attempts.set(`job ${job.id}`, token);
        return { ...job };
      }),
    claimJob: () => Promise.resolve(true),
    jobs: ({ states, id, kind, after = 0 } = {}) =>
      stepped('jobs', () =>
        disk.jobs
          .filter((job) => (id === undefined || job.id === id) && (states === undefined || states.includes(job.state)))
          .filter((job) => job.id > after && (kind === undefined || job.kind === kind))
          .map((job) => ({ ...job })),
      ),
    cancelJob: (id) =>
      changing('cancelJob', () => {
        const job = disk.jobs.find((one) => one.id === id);
        if (job?.state === 'queued' || job?.state === 'running') {
          updateJob(disk, id, { state: 'cancelled' });
          removeFrom(disk.replays, (replay) => replay.job === id);
        }
        return job && { ...job };
      }),
    updateJob: (id, change) => changing('updateJob', () => updateJob(disk, id, change)),

    ledger: () =>
      stepped('ledger', () => ({
        skipped: [],
        sources: Object.fromEntries([...disk.counts].sort(([a], [b]) => (a < b ? -1 : 1))),
        rows: ledgerRows(disk),
      })),
    stored: () => stepped('stored', () => [...disk.sources.keys()].sort().map((source) => storedOf(disk, source))),
    sinkStarts: () =>
      stepped('sinkStarts', () =>
        [...disk.sinks].flatMap(([sink, { start }]) =>
          Object.entries(start?.passed ?? {}).map(([source, passed]) => ({ sink, source, at: start?.at ?? 0, passed })),
        ),
      ),
    usage: () => ({
      usedBytes: 0,
      maxBytes: 0,
      pages: new Set([...disk.lanes.values()].flat().map(({ page }) => page)).size,
      records: disk.records.length,
      oldestReceived: disk.records[0]?.received,
      hasRoom: disk.room,
      corrections: [],
    }),
    setHold: (kind, name, hold) =>
      stepped(
        'setHold',
        () => void (hold === null ? disk.held.delete(`${kind} ${name}`) : disk.held.set(`${kind} ${name}`, hold)),
      ),
    holds: () =>
      stepped('holds', () =>
        [...disk.held].map(([key, hold]) => {
          const [kind, name = ''] = key.split(' ');
          return { kind: kind === 'source' ? ('source' as const) : ('sink' as const), name, hold };
        }),
      ),
    async [Symbol.asyncDispose]() {
      wake();
    },
  };
}

/** It deletes nothing. */
function storedOf({ lanes }: MemoryDisk, source: string): StoredRecords {
  const all = (['live', 'backfill'] as const).flatMap((kind) => lanes.get(laneKey({ kind, source })) ?? []);
  const received = all.map(({ record }) => record.received);
  const since = received.length === 0 ? undefined : Math.min(...received);
  return { source, collected: all.length, stored: all.length, since };
}

/** Whether the last call under the key was of the same attempt; takes note of it when not. */
function isMade(disk: MemoryDisk, key: string, attempt: string | undefined): boolean {
  if (attempt === undefined) return false;
  const made = disk.attempts.get(key) === attempt;
  disk.attempts.set(key, attempt);
  return made;
}

/** Records may be of classes, which have what they hold behind getters. */
const plainCommit = ({ page, ...rest }: Commit): Commit =>
  page === undefined ? rest : { ...rest, page: { ...page, records: page.records.map(plain) } };

/** Stores a commit as if it had never been asked for. */
export const store = (disk: MemoryDisk, commit: Commit): void => append(disk, structuredClone(plainCommit(commit)));

function append(disk: MemoryDisk, commit: Commit): void {
  const { source, page, checkpoint, seen = [], window, notes = {} } = commit;
  const stored = page?.records.length ?? 0;
  if (window !== undefined && (window.fetched !== sortedOut(window) || window.new !== stored))
    throw new PenstockError('PEN_INTERNAL', 'a commit counts other than it holds');
  if (stored > 100_000) throw new PenstockError('PEN_INTERNAL', 'a page is too large');
  disk.commits.push(commit);
  valueAt(disk.sources, source, () => ({ identity: undefined, registered: undefined, configured: false }));
  addCounts(countsAt(disk, source), window ?? { fetched: stored, new: stored });
  if (window !== undefined) addWindow(disk, source, window);
  if (page !== undefined) {
    disk.connectors.set(page.connector.hash, page.connector.text);
    const entries = valueAt(disk.lanes, laneKey({ kind: page.lane, source }), (): Entry[] => []);
    for (const record of page.records) {
      entries.push({ record, page });
      disk.records.push({ ...record, lane: page.lane });
    }
  }
  for (const { day, id, fingerprint } of seen) {
    const known = valueAt(disk.seen, `${source} ${day} ${id}`, (): string[] => []);
    if (!known.includes(fingerprint)) known.push(fingerprint);
  }
  if (checkpoint?.value === null) disk.checkpoints.delete(`${source} ${checkpoint.name}`);
  else if (checkpoint !== undefined) disk.checkpoints.set(`${source} ${checkpoint.name}`, checkpoint.value);
  for (const [name, value] of Object.entries(notes)) disk.notes.set(`${source} ${name}`, value ?? null);
}

function addWindow(disk: MemoryDisk, source: string, { complete = false, ...window }: NonNullable<Commit['window']>): void {
  const key = `${source} ${window.lane} ${window.key}`;
  const was = disk.windows.get(key);
  const counts = zeroCounts();
  addCounts(counts, window);
  addCounts(counts, was ?? {});
  disk.windows.set(key, { ...window, ...counts, source, complete: complete || was?.complete === true, updated: disk.now() });
}

type JobChange = Parameters<Journal['updateJob']>[1];

function updateJob(disk: MemoryDisk, id: number, { state, progress, error }: JobChange): void {
  const job = disk.jobs.find((one) => one.id === id);
  if (job === undefined) throw new PenstockError('PEN_NOT_FOUND', `there is no job ${id}`);
  if (job.state === 'cancelled') throw new PenstockError('PEN_JOURNAL_FENCED', `job ${id} was cancelled`);
  if (state !== undefined) {
    const isOver = state !== 'queued' && state !== 'running';
    job.finished = isOver ? disk.now() : undefined;
    if (state === 'running') job.started ??= disk.now();
    job.state = state;
  }
  if (progress !== undefined) job.progress = structuredClone(progress);
  if (error !== undefined) job.error = error;
}
