import type { Json } from '../../src/base/json.ts';
import type { Commit, HoldNote, Journal, LedgerWindow, StoredRecord } from '../../src/journal/journal.ts';

/** The part of a journal that collect uses, in memory: without I/O, so that a virtual clock alone decides what happens when. */
export interface MemoryJournal {
  readonly journal: Journal;
  readonly commits: Commit[];
  readonly records: (StoredRecord & { readonly lane: string })[];
  readonly windows: Map<string, LedgerWindow>;
  readonly checkpoints: Map<string, Json>;
  readonly notes: Map<string, Json>;
  readonly held: Map<string, HoldNote>;
  room: boolean;
}

/** What survives a crash: hand it to the next journal. */
export type Disk = Omit<MemoryJournal, 'journal'> & { readonly seen: Map<string, string[]> };

export function emptyDisk(): Disk {
  return {
    commits: [],
    records: [],
    windows: new Map(),
    checkpoints: new Map(),
    notes: new Map(),
    held: new Map(),
    seen: new Map(),
    room: true,
  };
}

/** Opens a journal over a disk. `step` comes before and after every operation; when it never resolves, the process is dead there. */
export function memoryJournal(
  disk: Disk = emptyDisk(),
  step: () => Promise<void> = () => Promise.resolve(),
): MemoryJournal & { disk: Disk } {
  const apply = (commit: Commit): void => {
    const { source, page, checkpoint, seen = [], window, notes = {} } = commit;
    const key = (name: string): string => `${source} ${name}`;
    disk.commits.push(commit);
    if (window !== undefined) {
      if (window.fetched !== window.new + window.duplicate + window.excluded) throw new Error('the window does not balance');
      if (window.new !== (page?.records.length ?? 0)) throw new Error('the window counts other records than the page holds');
      const { complete = false, ...delta } = window;
      const was = disk.windows.get(key(window.key));
      const add = (name: 'fetched' | 'new' | 'duplicate' | 'excluded' | 'unreadable' | 'id_conflict'): number =>
        (was?.[name] ?? 0) + delta[name];
      const counts = { fetched: add('fetched'), new: add('new'), duplicate: add('duplicate'), excluded: add('excluded') };
      const rest = { unreadable: add('unreadable'), id_conflict: add('id_conflict') };
      disk.windows.set(key(window.key), {
        ...delta,
        ...counts,
        ...rest,
        source,
        complete: complete || was?.complete === true,
        updated: 0,
      });
    }
    for (const record of page?.records ?? []) disk.records.push({ ...record, lane: page?.lane ?? 'live' });
    for (const { day, id, fingerprint } of seen) {
      const entry = `${source} ${day} ${id}`;
      disk.seen.set(entry, [...(disk.seen.get(entry) ?? []), fingerprint]);
    }
    if (checkpoint !== undefined) disk.checkpoints.set(key(checkpoint.name), structuredClone(checkpoint.value));
    for (const [name, value] of Object.entries(notes)) disk.notes.set(key(name), structuredClone(value));
  };

  const stepped = async <T>(work: () => T): Promise<T> => {
    await step();
    const result = work();
    await step();
    return result;
  };

  const journal: Partial<Journal> = {
    append: (commit) => stepped(() => apply(structuredClone(commit))),
    hasRoom: () => disk.room,
    seen: (source, entries) => stepped(() => entries.map(({ day, id }) => disk.seen.get(`${source} ${day} ${id}`) ?? [])),
    checkpoint: (source, name) => stepped(() => disk.checkpoints.get(`${source} ${name}`)),
    note: (source, name) => stepped(() => disk.notes.get(`${source} ${name}`)),
    setNote: (source, name, value) => stepped(() => void disk.notes.set(`${source} ${name}`, value)),
    windows: (source, from, to) =>
      stepped(() =>
        [...disk.windows.values()].filter(
          (w) => w.source === source && (w.from === null || w.to === null || (w.to >= from && w.from <= to)),
        ),
      ),
    setHold: (kind, name, hold) =>
      stepped(() => void (hold === null ? disk.held.delete(`${kind} ${name}`) : disk.held.set(`${kind} ${name}`, hold))),
    holds: () =>
      stepped(() =>
        [...disk.held].map(([key, hold]) => ({
          kind: key.startsWith('source') ? ('source' as const) : ('sink' as const),
          name: key.split(' ')[1] ?? '',
          hold,
        })),
      ),
    resetSource: (name, checkpoint) => stepped(() => void disk.checkpoints.set(`${name} live`, checkpoint)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return {
    journal: journal as Journal,
    disk,
    commits: disk.commits,
    records: disk.records,
    windows: disk.windows,
    checkpoints: disk.checkpoints,
    notes: disk.notes,
    held: disk.held,
    get room() {
      return disk.room;
    },
    set room(value) {
      disk.room = value;
    },
  };
}
