// What rows say that every engine stores alike: windows of the ledger, jobs, replays, identities of sources; and what is said of them in words.

import { PenstockError } from '../../base/errors.ts';
import { parseJson } from '../../base/json.ts';
import type { Log } from '../../base/log.ts';
import { hourMs } from '../../base/quantity.ts';
import { addCounts, type SinkTotals, type SourceTotals, zeroCounts } from '../counts.ts';
import type { Job, LedgerWindow, StoredRecords } from '../journal.ts';
import { kindName } from './positions.ts';

/** The id under which notes of the journal itself are kept; ids of sources start above it. */
export const noSource = 0;

/** Touching a day with every page would write for nothing; ages are counted in days. */
export const touchEveryMs = hourMs;

/** What a sink's ledger counts of a source. */
export interface LedgerSqlRow extends SinkTotals {
  readonly sink: string;
  readonly source: string;
  readonly new: number;
  readonly letters: number;
}

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

export interface StoredRow extends Omit<StoredRecords, 'since'> {
  readonly since: number | null;
}

/** What a row says of a source's records. */
export const storedOf = ({ since, ...row }: StoredRow): StoredRecords => ({ ...row, since: since ?? undefined });

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

/** A lane of a replay: what of a source a job sends again to a sink. */
export interface ReplayRow {
  readonly job: number;
  readonly source: number;
  readonly sink: number;
  readonly kind: 'stored' | 'dead_letters';
  readonly after: number;
  readonly upto: number;
  readonly min_time: number;
  readonly max_time: number;
  readonly filter: string;
  readonly remaining: number;
}

/** What a look at every page of a journal found. */
export interface JournalCheck {
  readonly path: string;
  readonly version: number;
  readonly pages: number;
  readonly records: number;
  readonly bytes: number;
  /** One sentence each; empty when all is well. */
  readonly problems: readonly string[];
}

/** The refusal to rename to a name with a history of its own. */
export function nameTaken(kind: 'source' | 'sink', from: string, to: string): PenstockError {
  return new PenstockError(
    'PEN_OPERATION_FAILED',
    `the ${kind} "${from}" cannot be renamed: "${to}" has a history of its own in the journal`,
    {
      fix: `choose another name; or take "${to}" out of the configuration, drop it with "penstock ${kind}s forget ${to}", and write it back after the renaming`,
    },
  );
}

/** Logs what sinks with `when_full: skip` passed by. */
export function logSkipped(log: Log, skipped: readonly object[]): void {
  for (const fields of skipped)
    log.error(
      fields,
      'the journal is full: a sink skipped records; docs/operations.md, "When the journal fills", says how it gets them',
    );
}

export function notFound(kind: 'source' | 'sink', name: string): never {
  throw new PenstockError('PEN_NOT_FOUND', `the journal knows no ${kind} "${name}"`, {
    fix: `see "penstock ${kind}s" for the names`,
  });
}
