// What an operator sees of the journal: where every record went, how full it is, who holds.
import type { HoldNote } from '../../base/hold.ts';
import type { SinkTotals, SourceTotals } from '../counts.ts';

export type { HoldNote };

export interface LedgerRow {
  readonly sink: string;
  readonly source: string;
  readonly totals: SinkTotals;
  /** The source's `new`: equal to what the totals account for. */
  readonly new: number;
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
  /** Milliseconds; undefined when nothing is stored. */
  readonly oldestReceived: number | undefined;
  readonly hasRoom: boolean;
  /** What was set right at a start of the last week, because counts disagreed. No record was at risk. */
  readonly corrections: readonly Correction[];
}

export interface Reports {
  ledger(): Promise<Ledger>;
  usage(): JournalUsage;
  /** Remembers or ends (null) a hold. */
  setHold(kind: 'source' | 'sink', name: string, hold: HoldNote | null): Promise<void>;
  holds(): Promise<readonly { readonly kind: 'source' | 'sink'; readonly name: string; readonly hold: HoldNote }[]>;
}
