// What an operator sees of the journal: where every record went, how full it is, who holds; the names that it knows; long operations.
import type { HoldNote } from '../../base/hold.ts';
import type { Json } from '../../base/json.ts';
import type { SinkTotals, SourceTotals } from '../counts.ts';

export type { HoldNote };

export interface LedgerRow {
  readonly sink: string;
  readonly source: string;
  readonly totals: SinkTotals;
  /** The source's `new`: equal to what the totals account for. */
  readonly new: number;
  /** Dead letters that are there, those of refused replays included: no fewer than the totals count. */
  readonly letters: number;
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

/** What the journal still has of what was collected from a source. */
export interface StoredRecords {
  readonly source: string;
  /** Records that were collected, and how many of these are stored. */
  readonly collected: number;
  readonly stored: number;
  /** When the oldest that is stored was received, milliseconds; undefined when none is. */
  readonly since: number | undefined;
}

/** Records of a source that lie before the start of a sink. */
export interface SinkStart {
  readonly sink: string;
  readonly source: string;
  /** When the sink appeared, milliseconds. */
  readonly at: number;
  readonly passed: number;
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
  /** Milliseconds; undefined when nothing is stored. */
  readonly oldestReceived: number | undefined;
  readonly hasRoom: boolean;
  /** When it was counted, milliseconds: an engine behind a network looks every few seconds. */
  readonly at?: number;
  /** What was set right at a start of the last week, because counts disagreed. No record was at risk. */
  readonly corrections: readonly Correction[];
  /** Where the journal is a file and this process writes it. */
  readonly disk?: DiskUsage | undefined;
  /** Where the journal is in a database. */
  readonly server?: ServerState;
  /** Why nothing is deleted at the moment; undefined while upkeep works. */
  readonly upkeep?: UpkeepTrouble | undefined;
}

/** What rounds of upkeep fail with. */
export interface UpkeepTrouble {
  /** When that began, milliseconds. */
  readonly since: number;
  readonly error: string;
  /** It ends by itself, as an outage does. */
  readonly passes: boolean;
}

/** What a database server says to a replica, or does not. */
export interface ServerState {
  readonly answers: boolean;
  /** Why it stored nothing a moment ago: its disk is full, say. */
  readonly refusal?: { readonly what: string; readonly fix: string } | undefined;
}

/** The volume that a journal in files lies on, as the process sees it that writes there. */
interface DiskUsage {
  /** It was found full, and has no space again yet: collection waits, delivery goes on. */
  readonly isFull: boolean;
  /** There is no reserve for a full disk. */
  readonly lacksBallast: boolean;
  /** So much has to be free for collection to go on after a full disk. */
  readonly neededBytes: number;
  readonly volumeBytes?: number;
}

export interface Reports {
  ledger(): Promise<Ledger>;
  /** What sinks were not given because it had been collected before they were there. */
  sinkStarts(): Promise<readonly SinkStart[]>;
  /** Of each source, in the order of their names. */
  stored(): Promise<readonly StoredRecords[]>;
  usage(): JournalUsage;
  /** Remembers or ends (null) a hold. */
  setHold(kind: 'source' | 'sink', name: string, hold: HoldNote | null): Promise<void>;
  holds(): Promise<readonly { readonly kind: 'source' | 'sink'; readonly name: string; readonly hold: HoldNote }[]>;
}

export interface SinkRegistration {
  readonly name: string;
  readonly type: string;
  /** `now`, `oldest`, or milliseconds since the epoch; decides only when the sink is new. */
  readonly start: 'now' | 'oldest' | number;
  /** A sink that may skip pins no space. */
  readonly whenFull: 'wait' | 'skip';
  /** False where it stands in the configuration and is not to run: another replica may run it. */
  readonly enabled?: boolean;
}

export interface SourceRegistration {
  readonly name: string;
  readonly connector: string;
  readonly identity: Readonly<Record<string, string>>;
  /** How long ids are remembered after their day was last touched, milliseconds. */
  readonly seenTtlMs: number;
  /** The part of it that never gives way under pressure: overlap and sweep. */
  readonly seenPinnedMs: number;
  /** False where it stands in the configuration and is not to run: another replica may run it. */
  readonly enabled?: boolean;
}

export interface RegistrationReport {
  /** Sinks that appeared, with the records that they are to deliver. */
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

/** The names that the journal keeps state for. */
export interface Registration {
  /** Replaces what the journal knows as configured. Sinks that are new get their starting offsets durably. */
  register(sources: readonly SourceRegistration[], sinks: readonly SinkRegistration[]): Promise<RegistrationReport>;
  /** Names of sources that read the same as this one, by connector and identity, and are not configured any more. */
  formerNames(source: string): Promise<readonly string[]>;
  renameSource(from: string, to: string): Promise<void>;
  renameSink(from: string, to: string): Promise<void>;
  /** Deletes a sink's state; what it had pending counts as abandoned. */
  forgetSink(name: string): Promise<void>;
  /** Deletes all that is known and stored of a source; what sinks had pending of it counts as abandoned. */
  forgetSource(name: string): Promise<void>;
  /** Gives a source a new identity and a live checkpoint; ids stay known. */
  resetSource(name: string, checkpoint: Json): Promise<void>;
}

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

/** Times in milliseconds. */
export interface Job {
  readonly id: number;
  readonly kind: string;
  readonly args: Json;
  readonly state: JobState;
  /** Free form; `done` and `total` where these are known. */
  readonly progress: Json;
  readonly error: string | undefined;
  readonly created: number;
  readonly started: number | undefined;
  readonly finished: number | undefined;
}

/** Long operations, as rows: a daemon that restarts goes on with those that ran. */
export interface Jobs {
  /**
   * Takes a job that is queued or was cut off, so that nobody else does its work; false when another process that lives has it, or has
   * ended it. Where the journal is one process's alone, every job is its own.
   */
  claimJob(id: number): Promise<boolean>;
  /** `token`: a UUID made once for this job and kept when it is asked for again because the answer was lost; then the same job is returned. */
  insertJob(kind: string, args: Json, token?: string): Promise<Job>;
  /** `kind` and `after`, an id: those of a kind that were inserted later than another. */
  jobs(filter?: {
    readonly states?: readonly JobState[];
    readonly id?: number;
    readonly kind?: string;
    readonly after?: number;
  }): Promise<readonly Job[]>;
  /**
   * Ends a job that waits or runs as cancelled, whoever has it, with its replay lanes; returns the job as it is then, also where it had ended,
   * and undefined where there is none.
   */
  cancelJob(id: number): Promise<Job | undefined>;
  /** Rejects with PEN_JOURNAL_FENCED where another process has the job, or where it was cancelled. */
  updateJob(id: number, change: { readonly state?: JobState; readonly progress?: Json; readonly error?: string }): Promise<void>;
}
