// What `deliver` sees of the journal: lanes to read and to settle, and dead letters.
import type { SettleCounts } from '../counts.ts';
import type { Lane, Position, StoredPage, StoredRecord } from './records.ts';

/** A lane as a sink sees it. */
export interface LaneState {
  readonly lane: Lane;
  /** Position after which reading goes on. */
  readonly offset: Position;
  readonly pending: number;
  /** Receipt of the oldest record not yet settled, milliseconds; undefined when nothing is pending. */
  readonly oldestReceived: number | undefined;
}

export interface NewDeadLetter {
  readonly record: StoredRecord;
  readonly source: string;
  readonly connector: { readonly name: string; readonly hash: string };
  readonly tenant: string | undefined;
  readonly labels: readonly string[];
  /** Milliseconds. */
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

export interface LetterFilter {
  readonly sink?: string;
  readonly source?: string;
  readonly code?: string;
  readonly action?: string;
  /** Event time, milliseconds, both inclusive. */
  readonly from?: number;
  readonly to?: number;
  readonly ids?: readonly number[];
  readonly uids?: readonly string[];
}

/** What is left of a dead letter that a person discarded: its record is gone. */
export interface DiscardedLetter {
  readonly id: number;
  readonly uid: string;
  /** Milliseconds. */
  readonly eventTime: number;
  readonly action?: string;
  readonly code: string;
  /** As of the letter. */
  readonly replayed?: true;
}

/** Letters of a sink and source that went together; a discard of very many stands here in several parts. */
export interface Discard {
  /** Milliseconds. */
  readonly at: number;
  readonly sink: string;
  readonly source: string;
  /** What was asked for. */
  readonly filter: LetterFilter;
  readonly letters: readonly DiscardedLetter[];
}

/** A sink or a source whose state was deleted, with its counts. */
export interface Forgotten {
  readonly sink?: string;
  readonly source?: string;
  /** Milliseconds. */
  readonly at: number;
  /** What the sink, or each of the sinks together, had not been given, and dead letters. */
  readonly abandoned: number;
  readonly discarded: number;
}

/** What people gave up, oldest first, under the names of that time. */
export interface GivenUp {
  readonly discards: readonly Discard[];
  readonly forgotten: readonly Forgotten[];
}

export interface ReplayRequest {
  readonly kind: 'stored' | 'dead_letters';
  readonly source?: string;
  readonly from?: number;
  readonly to?: number;
  /** The action as a connector's table keys it; only events know it, so whoever delivers selects by it. */
  readonly action?: string;
  readonly letters?: Omit<LetterFilter, 'sink' | 'source'>;
}

export interface Delivery {
  /** Lanes with something to read for the sink, in no order. Of a worker: of the sources that it owns at that moment. */
  lanes(sink: string): Promise<readonly LaneState[]>;
  /** Pages of a lane after a position, about `limit` records; empty when there is none. */
  read(sink: string, lane: Lane, after: Position, limit: number): Promise<readonly StoredPage[]>;
  /**
   * Moves the sink's offset in a lane, writes dead letters and adds counts, atomically. `resolvedLetters`: letters delivered at last.
   *
   * In a stored lane acknowledged, unconfirmed, not_routed and the letters must account for every record between the offset and `upTo`,
   * otherwise PEN_INTERNAL. In a replay lane only `replayed` counts: the records have been counted once before. A replay keeps one
   * letter per event, and writes none for a letter that left the journal meanwhile.
   *
   * `attempt`: a UUID made once for this settlement and kept when it is asked for again because its answer was lost. The last one of a sink
   * and lane is remembered: asked with it again, the journal answers as if it had just settled.
   */
  settle(
    sink: string,
    lane: Lane,
    upTo: Position,
    letters: readonly NewDeadLetter[],
    counts: SettleCounts,
    resolvedLetters?: readonly number[],
    attempt?: string,
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
  /** Deletes letters, counted as discarded, and notes down which. Returns how many. */
  discardDeadLetters(filter: LetterFilter): Promise<number>;
  givenUp(): Promise<GivenUp>;

  /**
   * Opens replay lanes for a running job: stored pages of `source` (all when undefined) that hold an event time in range, or dead letters.
   * A page is handed out whole: who delivers leaves out records outside the range. Calling it again resumes after the job's offset;
   * `total` is what is left.
   */
  openReplay(job: number, sink: string, what: ReplayRequest): Promise<{ readonly total: number }>;
  /** Records that a job's replay lanes hold that are not settled, whoever delivers them. */
  replayPending(job: number): Promise<number>;
  /** Ends a job's replay lanes and unpins their pages. */
  closeReplay(job: number): Promise<void>;
}
