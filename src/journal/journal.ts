import type { Delivery } from './contract/delivery.ts';
import type { Jobs, Registration, Reports } from './contract/operate.ts';
import type { Ownership } from './contract/ownership.ts';
import type { RecordLog } from './contract/records.ts';

export type * from './contract/delivery.ts';
export type * from './contract/operate.ts';
export type { MissingReplica, Ownership, OwnershipListener, Replica } from './contract/ownership.ts';
export type * from './contract/records.ts';
export type { SettleCounts, SinkTotals, SourceTotals } from './counts.ts';

/**
 * The durable log between collect and deliver. Asynchronous and log-shaped, so that another engine can stand in for it: every commit is
 * one self-contained value. Rejects with PEN_JOURNAL_FULL (no room for an append), PEN_JOURNAL_UNWRITABLE (I/O), PEN_JOURNAL_CORRUPT,
 * PEN_JOURNAL_UNAVAILABLE (no answer: it may or may not have been done; ask again with the same attempt), PEN_JOURNAL_FENCED (another
 * process owns the source by now; nothing was written).
 */
export interface Journal extends RecordLog, Delivery, Jobs, Reports, Registration, AsyncDisposable {
  readonly ownership: Ownership;
  /** What to add to this machine's wall clock so that all who share the journal go by one, milliseconds; absent where nobody shares it. */
  skewMs?(): number;
}
