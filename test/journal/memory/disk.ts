import type { Json } from '../../../src/base/json.ts';
import { type SinkTotals, type SourceTotals, zeroCounts, zeroTotals } from '../../../src/journal/counts.ts';
import type {
  Commit,
  DeadLetter,
  HoldNote,
  Job,
  Lane,
  LedgerWindow,
  NewPage,
  ReplayRequest,
  ReplaySelection,
  StoredRecord,
} from '../../../src/journal/journal.ts';

export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A record in a lane with the page that brought it; `letter` in a replay, for a record that has one. */
export interface Entry {
  readonly record: StoredRecord;
  readonly page: Pick<NewPage, 'connector' | 'tenant' | 'labels' | 'minTime' | 'maxTime'>;
  readonly letter?: number | undefined;
}

export interface MemoryReplay {
  readonly job: number;
  readonly source: string;
  /** undefined for one that belongs to whichever sink asks. */
  readonly sink: string | undefined;
  readonly kind: ReplayRequest['kind'];
  readonly only: ReplaySelection | undefined;
  readonly entries: Entry[];
  offset: number;
}

/** What a journal in memory has made durable: hand it to the next journal, as a crash would. Names hold no blank: keys are made of them. */
export interface MemoryDisk {
  /** False while there is no room: the journal's `hasRoom`. */
  room: boolean;
  /** True to refuse sinks that were not registered; else a sink that asks is registered, from the oldest record. */
  strict: boolean;
  now: () => number;
  nextLetter: number;
  readonly commits: Commit[];
  /** Every record in the order of its arrival. */
  readonly records: (StoredRecord & { readonly lane: string })[];
  /** By `kind source`. */
  readonly lanes: Map<string, Entry[]>;
  readonly sources: Map<string, { identity: string | undefined; registered: string | undefined; configured: boolean }>;
  readonly counts: Map<string, Mutable<SourceTotals>>;
  readonly sinks: Map<string, { configured: boolean; readonly start?: { readonly at: number; passed: Record<string, number> } }>;
  /** By `sink kind source`. */
  readonly offsets: Map<string, number>;
  /** By `sink source`. */
  readonly totals: Map<string, Mutable<SinkTotals>>;
  readonly replays: MemoryReplay[];
  readonly letters: DeadLetter[];
  readonly jobs: Mutable<Job>[];
  /** By `source lane key`. */
  readonly windows: Map<string, LedgerWindow>;
  /** By `source name`. */
  readonly checkpoints: Map<string, Json>;
  readonly notes: Map<string, Json>;
  /** By `source day id`. */
  readonly seen: Map<string, string[]>;
  /** By `kind name`. */
  readonly held: Map<string, HoldNote>;
  readonly connectors: Map<string, string>;
  /** Last attempt of a source's commits, of a sink's settlements in a lane, and of each job. */
  readonly attempts: Map<string, string>;
}

export function emptyDisk(change: Partial<Pick<MemoryDisk, 'strict' | 'now'>> = {}): MemoryDisk {
  return {
    room: true,
    strict: false,
    now: () => 0,
    nextLetter: 1,
    commits: [],
    records: [],
    lanes: new Map(),
    sources: new Map(),
    counts: new Map(),
    sinks: new Map(),
    offsets: new Map(),
    totals: new Map(),
    replays: [],
    letters: [],
    jobs: [],
    windows: new Map(),
    checkpoints: new Map(),
    notes: new Map(),
    seen: new Map(),
    held: new Map(),
    connectors: new Map(),
    attempts: new Map(),
    ...change,
  };
}

export function countsAt(disk: MemoryDisk, source: string): Mutable<SourceTotals> {
  return valueAt(disk.counts, source, zeroCounts);
}

export function totalsAt(disk: MemoryDisk, sink: string, source: string): Mutable<SinkTotals> {
  return valueAt(disk.totals, `${sink} ${source}`, zeroTotals);
}

export function valueAt<T>(map: Map<string, T>, key: string, make: () => T): T {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}

export const laneKey = ({ kind, source }: Pick<Lane, 'kind' | 'source'>): string => `${kind} ${source}`;

export function laneOf(key: string): { readonly kind: 'live' | 'backfill'; readonly source: string } {
  const [kind, source = ''] = key.split(' ');
  return { kind: kind === 'backfill' ? 'backfill' : 'live', source };
}

/** Puts another name in place of one part of every key. */
export function renameKeys<T>(map: Map<string, T>, part: number, from: string, to: string): void {
  for (const [key, value] of Array.from(map)) {
    const parts = key.split(' ');
    if (parts[part] !== from) continue;
    map.delete(key);
    map.set(parts.with(part, to).join(' '), value);
  }
}

/** Removes every entry with the name in one part of its key. */
export function dropKeys(map: Map<string, unknown>, part: number, name: string): void {
  for (const key of Array.from(map.keys())) if (key.split(' ')[part] === name) map.delete(key);
}

export function removeFrom<T>(items: T[], isGone: (item: T) => boolean): T[] {
  const gone = items.filter(isGone);
  for (const item of gone) items.splice(items.indexOf(item), 1);
  return gone;
}
