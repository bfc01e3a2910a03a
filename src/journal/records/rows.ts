// What rows say that every engine stores alike: windows of the ledger, jobs, identities of sources.
import { parseJson } from '../../base/json.ts';
import { addCounts, type SourceTotals, zeroCounts } from '../counts.ts';
import type { Job, LedgerWindow } from '../journal.ts';
import { kindName } from './positions.ts';

export interface WindowRow extends SourceTotals, Pick<LedgerWindow, 'key' | 'updated'> {
  readonly kind: number;
  readonly from_time: number | null;
  readonly to_time: number | null;
  readonly complete: number;
}

/** The window of a row. */
export function windowOf(source: string, row: WindowRow): LedgerWindow {
  const { key, updated } = row;
  const counts = zeroCounts();
  addCounts(counts, row);
  return {
    source,
    key,
    lane: kindName(row.kind),
    from: row.from_time,
    to: row.to_time,
    ...counts,
    complete: row.complete === 1,
    updated,
  };
}

export interface JobRow extends Pick<Job, 'id' | 'kind' | 'state' | 'created'> {
  readonly args: string;
  readonly progress: string;
  readonly error: string | null;
  readonly started: number | null;
  readonly finished: number | null;
}

/** The job of a row. */
export function jobOf({ id, kind, args, state, progress, error, created, started, finished }: JobRow): Job {
  return {
    id,
    kind,
    args: parseJson(args),
    state,
    progress: parseJson(progress),
    error: error ?? undefined,
    created,
    started: started ?? undefined,
    finished: finished ?? undefined,
  };
}

/** A source's identity as it is stored, to be compared. */
export function identityText(connector: string, identity: Readonly<Record<string, string>>): string {
  return JSON.stringify([connector, Object.entries(identity).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/** The connector that a stored identity names. */
export function connectorOf(text: string): string {
  return (JSON.parse(text) as [string])[0];
}

/** A stored identity as people read it. The connector is part of it, named only where it is what changed. */
export function identityOf(text: string, otherConnector: string): Record<string, string> {
  const [connector, entries] = JSON.parse(text) as [string, [string, string][]];
  return Object.fromEntries(connector === otherConnector ? entries : [['connector', connector], ...entries]);
}
