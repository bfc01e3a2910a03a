import type { Json } from '../base/json.ts';
import type { SettleCounts, SinkTotals, SourceTotals } from './counts.ts';

export type { SettleCounts, SinkTotals, SourceTotals } from './counts.ts';

/** Live first, then replay, then backfill: the order in which a sink's reading favours lanes is `deliver`'s. */
export type LaneKind = 'live' | 'backfill' | 'replay';

/**
 * One source's records of one kind, in order. A replay lane belongs to one job and one sink: it is a view of stored pages or of
 * dead letters, and ends with its job.
 */
export interface Lane {
  readonly kind: LaneKind;
  readonly source: string;
  readonly job?: number;
}

/** A place in a lane: opaque, comparable only within it. */
export type Position = number & { readonly __position: never };

/** A record as the journal keeps it; the journal never looks inside. */
export interface StoredRecord {
  readonly uid: string;
  readonly received: number;
  readonly record: Json;
  readonly unreadable?: string;
  readonly labels?: readonly string[];
}

/** One page to append: at most 100,000 records. */
export interface NewPage {
  readonly lane: 'live' | 'backfill';
  readonly connector: { readonly name: string; readonly hash: string; readonly text: string };
  readonly tenant?: string;
  readonly labels: readonly string[];
  /** Event times, milliseconds; records without time count with their receipt. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly records: readonly StoredRecord[];
}

/** What was seen: (day of the record's own time, id hash, fingerprint). */
export interface Seen {
  /** Days since the epoch of the record's time; 0 when it has none. */
  readonly day: number;
  /** 32 hex digits: the uid that the record has without conflict. */
  readonly id: string;
  /** 16 hex digits. */
  readonly fingerprint: string;
}

/** Counts to add to a window's row in the ledger. */
export interface WindowDelta extends SourceTotals {
  /** Identity of the window in the ledger: `2026-11-21T10:00:00.000Z/...`, a file's path and hash, an hour. */
  readonly key: string;
  readonly lane: 'live' | 'backfill';
  /** Event time, milliseconds, both inclusive; null where the source has no time order (files). */
  readonly from: number | null;
  readonly to: number | null;
  /** Set true by the commit that completes it. */
  readonly complete?: boolean;
}

/** One self-contained change, atomic and durable: a page, the checkpoint behind it, what was seen, what to count. */
export interface Commit {
  readonly source: string;
  readonly page?: NewPage;
  /** Replaces the named checkpoint: `live`, or `job:7` for a backfill. null deletes it. */
  readonly checkpoint?: { readonly name: string; readonly value: Json };
  readonly seen?: readonly Seen[];
  readonly window?: WindowDelta;
  /** Notes that the source remembers (lateness histogram, unknown actions...); replaces by name. */
  readonly notes?: Readonly<Record<string, Json>>;
}

/** A run of stored records with what the page says of all of them. */
export interface StoredPage {
  readonly source: string;
  readonly connector: { readonly name: string; readonly hash: string };
  readonly tenant: string | undefined;
  readonly labels: readonly string[];
  readonly records: readonly StoredRecord[];
  /** Position of each record; settle with the last settled one's. */
  readonly positions: readonly Position[];
  /** For a lane over stored pages: which of its records are meant. A page is kept whole, so it holds others too. */
  readonly only?: ReplaySelection;
  /** In a replay lane: the letter behind each record, of those that have one. */
  readonly letters?: readonly (number | undefined)[];
}

/** What a replay is about: event times in milliseconds, both inclusive, and one action. */
export interface ReplaySelection {
  readonly from: number;
  readonly to: number;
  readonly action?: string;
}

/** A page that was just made durable, as a reading of its lane would hand it out. */
export interface AppendedPage {
  readonly lane: Lane;
  /** Position before its first record: nothing lies between the two. */
  readonly before: Position;
  readonly page: StoredPage;
  /** Size of the records' texts. */
  readonly textBytes: number;
}

export interface NewDeadLetter {
  readonly record: StoredRecord;
  readonly source: string;
  readonly connector: { readonly name: string; readonly hash: string };
  readonly tenant: string | undefined;
  readonly labels: readonly string[];
  readonly eventTime: number;
  readonly action: string | undefined;
  readonly code: string;
  /** What the receiver said: at most 1,000 characters, scrubbed. */
  readonly text: string;
  readonly attempts: number;
  /** First attempt and last refusal, milliseconds. */
  readonly first: number;
  readonly last: number;
}

export interface DeadLetter extends NewDeadLetter {
  readonly id: number;
  readonly sink: string;
  /** True for an event that the ledger had settled before a replay of it was refused: no part of `dead_lettered`. */
  readonly replayed?: true;
}

/** A lane as a sink sees it. */
export interface LaneState {
  readonly lane: Lane;
  /** Position after which reading goes on. */
  readonly offset: Position;
  readonly pending: number;
  /** Receipt of the oldest record not yet settled, milliseconds; undefined when nothing is pending. */
  readonly oldestReceived: number | undefined;
}

export interface SinkRegistration {
  readonly name: string;
  readonly type: string;
  /** `now`, `oldest`, or milliseconds since the epoch; decides only when the sink is new. */
  readonly start: 'now' | 'oldest' | number;
  /** A sink that may skip pins no space. */
  readonly whenFull: 'wait' | 'skip';
}

export interface SourceRegistration {
  readonly name: string;
  readonly connector: string;
  readonly identity: Readonly<Record<string, string>>;
  /** How long ids are remembered after their day was last touched, milliseconds. */
  readonly seenTtlMs: number;
  /** The part of it that never gives way under pressure: overlap and sweep. */
  readonly seenPinnedMs: number;
}

export interface RegistrationReport {
  /** Sinks that appeared, with the records they start behind (`skipped`) and before (`pending`). */
  readonly newSinks: readonly { readonly name: string; readonly pending: number }[];
  /** In the journal, but not registered. */
  readonly orphanSinks: readonly { readonly name: string; readonly pending: number }[];
  readonly orphanSources: readonly string[];
  /** Sources whose stored identity differs: name, then what was and what is. */
  readonly changedSources: readonly {
    readonly name: string;
    readonly was: Readonly<Record<string, string>>;
    readonly is: Readonly<Record<string, string>>;
  }[];
}

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface Job {
  readonly id: number;
  readonly kind: string;
  readonly args: Json;
  readonly state: JobState;
  /** Free form; `done` and `total` where it can be told. */
  readonly progress: Json;
  readonly error: string | undefined;
  readonly created: number;
  readonly started: number | undefined;
  readonly finished: number | undefined;
}

export interface LedgerRow {
  readonly sink: string;
  readonly source: string;
  readonly totals: SinkTotals;
  /** The source's `new`: equal to what the totals account for. */
  readonly new: number;
}

export interface LedgerWindow extends Omit<WindowDelta, 'complete'> {
  readonly source: string;
  readonly complete: boolean;
  /** When it was last written, milliseconds. */
  readonly updated: number;
}

/** Records that a sink with `when_full: skip` left out under pressure; a backfill or replay of the time brings them. */
export interface SkippedRange {
  readonly sink: string;
  readonly source: string;
  readonly lane: 'live' | 'backfill';
  /** Event time, milliseconds, both inclusive. */
  readonly from: number;
  readonly to: number;
  readonly records: number;
  /** When it began and last went on, milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface Ledger {
  readonly skipped?: readonly SkippedRange[];
  readonly sources: Readonly<Record<string, SourceTotals>>;
  readonly rows: readonly LedgerRow[];
}

/** A count that disagreed with others and was set right. */
export interface Correction {
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  /** One sentence with the numbers. */
  readonly what: string;
}

export interface JournalUsage {
  readonly usedBytes: number;
  readonly maxBytes: number;
  readonly pages: number;
  readonly records: number;
  readonly oldestReceived: number | undefined;
  readonly hasRoom: boolean;
  /** What was set right at a start of the last week, because counts disagreed. No record was at risk. */
  readonly corrections: readonly Correction[];
}

export interface LetterFilter {
  readonly sink?: string;
  readonly source?: string;
  readonly code?: string;
  readonly action?: string;
  /** Event time, milliseconds, both inclusive. */
  readonly from?: number;
  readonly to?: number;
  readonly ids?: readonly number[];
}

/** What a hold says, durable so that a command can show it without the daemon. */
export interface HoldNote {
  readonly since: number;
  readonly reason: string;
  readonly fix: string | undefined;
}

/**
 * The durable log between collect and deliver. Asynchronous and log-shaped, so that another engine can stand behind it: every commit is
 * one self-contained value. Rejects with PEN_JOURNAL_FULL (no room for an append), PEN_JOURNAL_UNWRITABLE (I/O), PEN_JOURNAL_CORRUPT.
 */
export interface Journal extends AsyncDisposable {
  /** Tells the journal what is configured. Sinks that are new get their starting offsets durably. */
  register(sources: readonly SourceRegistration[], sinks: readonly SinkRegistration[]): Promise<RegistrationReport>;

  append(commit: Commit): Promise<void>;
  /** Tells about every page that was appended, after it is durable; for a cache. Engines may leave it out. */
  onAppend?(listener: (page: AppendedPage) => void): Disposable;
  /** False while a poll must not begin. */
  hasRoom(): boolean;
  /** Fingerprints known for each entry's (day, id), in the order asked; empty when unseen. */
  seen(
    source: string,
    entries: readonly { readonly day: number; readonly id: string }[],
  ): Promise<readonly (readonly string[])[]>;
  /** undefined when there is none. */
  checkpoint(source: string, name: string): Promise<Json>;
  /** undefined when there is none. */
  note(source: string, name: string): Promise<Json>;
  /** Replaces a note that belongs to no source with source ''. */
  setNote(source: string, name: string, value: Json): Promise<void>;
  windows(source: string, from: number, to: number): Promise<readonly LedgerWindow[]>;

  /** Lanes with something to read for the sink, in no order. */
  lanes(sink: string): Promise<readonly LaneState[]>;
  /** Pages of a lane after a position, about `limit` records; empty when there is none. */
  read(sink: string, lane: Lane, after: Position, limit: number): Promise<readonly StoredPage[]>;
  /**
   * In a stored lane acknowledged, unconfirmed, not_routed and the letters must account for every record between the offset and `upTo`,
   * otherwise PEN_INTERNAL. In a replay lane only `replayed` counts: the records have been counted once before. A replay keeps one
   * letter per event, and writes none for a letter that left the journal meanwhile.
   *
   * Moves the sink's offset in a lane, writes dead letters and adds counts, atomically. `resolvedLetters`: letters delivered at last.
   */
  settle(
    sink: string,
    lane: Lane,
    upTo: Position,
    letters: readonly NewDeadLetter[],
    counts: SettleCounts,
    resolvedLetters?: readonly number[],
  ): Promise<void>;
  /**
   * Resolves when something may have changed (an append, a job, a registration, about a second after another process wrote), or the signal
   * aborts (resolves too). May resolve without cause.
   */
  changed(signal: AbortSignal): Promise<void>;
  /** Text of a stored connector version. */
  connectorText(hash: string): Promise<string | undefined>;

  deadLetters(filter: LetterFilter, limit: number, after?: number): Promise<readonly DeadLetter[]>;
  countDeadLetters(filter: LetterFilter): Promise<number>;
  /** Drops letters for good, counted as discarded. Returns how many. */
  discardDeadLetters(filter: LetterFilter): Promise<number>;

  /**
   * Opens replay lanes for a running job: stored pages of `source` (all when undefined) that hold an event time in range, or dead letters.
   * A page is handed out whole: who delivers leaves out records outside the range. Calling it again resumes behind the job's offset;
   * `total` is what is left.
   */
  openReplay(job: number, sink: string, what: ReplayRequest): Promise<{ readonly total: number }>;
  /** Ends a job's replay lanes and unpins their pages. */
  closeReplay(job: number): Promise<void>;

  insertJob(kind: string, args: Json): Promise<Job>;
  jobs(filter?: { readonly states?: readonly JobState[]; readonly id?: number }): Promise<readonly Job[]>;
  updateJob(id: number, change: { readonly state?: JobState; readonly progress?: Json; readonly error?: string }): Promise<void>;

  ledger(): Promise<Ledger>;
  usage(): JournalUsage;
  /** Remembers or ends (null) a hold. */
  setHold(kind: 'source' | 'sink', name: string, hold: HoldNote | null): Promise<void>;
  holds(): Promise<readonly { readonly kind: 'source' | 'sink'; readonly name: string; readonly hold: HoldNote }[]>;

  renameSource(from: string, to: string): Promise<void>;
  renameSink(from: string, to: string): Promise<void>;
  /** Drops a sink's state; what it had pending counts as abandoned. */
  forgetSink(name: string): Promise<void>;
  /** Gives a source a new identity and a live checkpoint; ids stay known. */
  resetSource(name: string, checkpoint: Json): Promise<void>;
}

export interface ReplayRequest {
  readonly kind: 'stored' | 'dead_letters';
  readonly source?: string;
  readonly from?: number;
  readonly to?: number;
  /** The action as a connector's table keys it; only events know it, so whoever delivers selects by it. */
  readonly action?: string;
  readonly letters?: LetterFilter;
}
