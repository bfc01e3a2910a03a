import type { Delivery } from './contract/delivery.ts';
import type { Jobs } from './contract/jobs.ts';
import type { Reports } from './contract/ledger.ts';
import type { RecordLog } from './contract/records.ts';
import type { Registration } from './contract/registration.ts';

export type * from './contract/delivery.ts';
export type * from './contract/jobs.ts';
export type * from './contract/lanes.ts';
export type * from './contract/ledger.ts';
export type * from './contract/records.ts';
export type * from './contract/registration.ts';
export type { SettleCounts, SinkTotals, SourceTotals } from './counts.ts';

/**
 * The durable log between collect and deliver. Asynchronous and log-shaped, so that another engine can stand in for it: every commit is
 * one self-contained value. Rejects with PEN_JOURNAL_FULL (no room for an append), PEN_JOURNAL_UNWRITABLE (I/O), PEN_JOURNAL_CORRUPT.
 */
export interface Journal extends RecordLog, Delivery, Jobs, Reports, Registration, AsyncDisposable {}
