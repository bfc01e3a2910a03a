// What `collect` sees of the journal: lanes of records with the checkpoint that covers them, and what is remembered between polls.
import type { Json, JsonText } from '../../base/json.ts';
import type { SourceTotals } from '../counts.ts';

/** The order in which a sink's reading favours lanes is `deliver`'s. */
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
  /** Milliseconds. */
  readonly received: number;
  readonly record: Json;
  /** The record's text, where it is at hand: one line without line breaks, written as it is. */
  readonly json?: JsonText | undefined;
  /** Why the record could not be read; then `record` is what text it has. */
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

/** A record that was collected before: (day of its own time, id hash, fingerprint). */
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

export interface LedgerWindow extends Omit<WindowDelta, 'complete'> {
  readonly source: string;
  readonly complete: boolean;
  /** When it was last written, milliseconds. */
  readonly updated: number;
}

/** One self-contained change, atomic and durable: a page, the checkpoint after it, what was seen, what to count. */
export interface Commit {
  readonly source: string;
  /**
   * A UUID made once for this commit and kept when it is asked for again because its answer was lost: a journal that has it answers as if it
   * had just made it. The last one of a source is remembered, so nothing else of the source may come between. Without one it is made again.
   */
  readonly attempt?: string;
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
  /** In a replay lane: the id of the dead letter of each record, of those that have one. */
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

export interface RecordLog {
  append(commit: Commit): Promise<void>;
  /** Calls the listener with every page that was appended, after it is durable; for a cache. Engines may leave it out. */
  onAppend?(listener: (page: AppendedPage) => void): Disposable;
  /** False while a poll must not begin; last known where the engine is behind a network. */
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
  /** The note of that name of every source that has one, by source. */
  noteOfAll(name: string): Promise<ReadonlyMap<string, Json>>;
  /** Replaces a note; the source '' is for notes that belong to none. */
  setNote(source: string, name: string, value: Json): Promise<void>;
  /** Sets a note unless there is one, and returns the one that stands. */
  setNoteIfAbsent(source: string, name: string, value: Json): Promise<Json>;
  /**
   * Replaces a note by what `change` makes of the one that stands, undefined where there is none; nobody else writes it meanwhile.
   * `change` may be asked again, and waits for nothing.
   */
  changeNote(source: string, name: string, change: (note: Json) => Json): Promise<void>;
  /** Windows that touch a range of event time, milliseconds, both inclusive, and those without time. */
  windows(source: string, from: number, to: number): Promise<readonly LedgerWindow[]>;
}
