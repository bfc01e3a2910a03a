import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { PenstockError } from '../../base/errors.ts';
import { counted } from '../../base/quantity.ts';
import type { StoredPage, StoredRecord } from '../journal.ts';
import { one } from '../sqlite/file/database.ts';
import { decodeRow, type PageFacts, pageChecksum } from './pages.ts';
import { position } from './positions.ts';

/** A row of `pages` as read for delivery. */
export interface PageRow extends PageFacts {
  readonly id: number;
  readonly crc: number;
  readonly body: Uint8Array;
}

/** Columns of a {@link PageRow}. */
export const pageColumns = 'id, source, kind, first, count, connector_name, connector_hash, tenant, labels, raw_bytes, crc, body';

/** A run of rows of one reading stops at this size, whatever the limit of records; bytes before compression. */
export const maxReadBytes = 16 * 1024 * 1024;

/** Where a reading goes on: the next row at or after a place, and the row after another. */
export interface Steps {
  readonly first: () => PageRow | undefined;
  readonly next: (row: PageRow) => PageRow | undefined;
  /** Position of a row's record by its 0-based index. */
  readonly positionOf: (row: PageRow, index: number) => number;
  /** How many of the first row's records to leave out. */
  readonly leaveOut: (row: PageRow) => number;
}

/** Steps along rows that an engine read at once. */
export function stepsOver(rows: readonly PageRow[], places: Pick<Steps, 'positionOf' | 'leaveOut'>): Steps {
  let at = 0;
  return { first: () => rows[0], next: () => rows[(at += 1)], ...places };
}

/** Reads rows until `limit` records or the size of a reading are reached. No statement is open while a row is decoded. */
export async function readRows(steps: Steps, source: string, limit: number, path: string): Promise<StoredPage[]> {
  const pages: StoredPage[] = [];
  let records = 0;
  let bytes = 0;
  for (let row = steps.first(); row !== undefined && records < limit && bytes < maxReadBytes; row = steps.next(row)) {
    const page = pageOf(
      row,
      source,
      await decodeChecked(row, path),
      pages.length === 0 ? steps.leaveOut(row) : 0,
      steps.positionOf,
    );
    if (page.records.length > 0) pages.push(page);
    records += page.records.length;
    bytes += row.raw_bytes;
  }
  return pages;
}

/** What a row holds, from its record of an index on. */
function pageOf(
  row: PageRow,
  source: string,
  decoded: readonly StoredRecord[],
  from: number,
  positionOf: Steps['positionOf'],
): StoredPage {
  const records = from === 0 ? decoded : decoded.slice(from);
  return {
    source,
    connector: { name: row.connector_name, hash: row.connector_hash },
    tenant: row.tenant ?? undefined,
    labels: JSON.parse(row.labels) as string[],
    records,
    positions: records.map((_record, index) => position(positionOf(row, from + index))),
  };
}

/** Decodes a row after its checksum held; throws PEN_JOURNAL_CORRUPT. Its records are parsed when they are read. */
export async function decodeChecked(row: PageRow, path: string): Promise<StoredRecord[]> {
  if (pageChecksum(row, row.body) !== row.crc) throw damaged(row, path);
  try {
    const records = await decodeRow(row.body, row.raw_bytes);
    if (records.length === row.count) return records;
  } catch (error) {
    throw damaged(row, path, error);
  }
  throw damaged(row, path);
}

/** Reads every record of a row; throws PEN_JOURNAL_CORRUPT where one cannot be read. */
export async function readWhole(row: PageRow, path: string): Promise<void> {
  const records = await decodeChecked(row, path);
  try {
    for (const each of records) void each.record;
  } catch (error) {
    throw damaged(row, path, error);
  }
}

function damaged(row: PageRow, path: string, cause?: unknown): PenstockError {
  return new PenstockError(
    'PEN_JOURNAL_CORRUPT',
    `page ${row.id} of the journal is damaged: ${counted(row.count, 'record')} cannot be read`,
    {
      where: path,
      cause,
      fix: 'stop the daemon and run "penstock journal check", then "penstock journal repair"',
    },
  );
}

/** Steps along one stored lane, from the record after `after`. */
export function openLaneSteps(db: DatabaseSync): (source: number, kind: number, after: number) => Steps {
  const holding = db.prepare(
    `SELECT ${pageColumns} FROM pages WHERE source = ? AND kind = ? AND first <= ? ORDER BY first DESC LIMIT 1`,
  );
  const following = db.prepare(
    `SELECT ${pageColumns} FROM pages WHERE source = ? AND kind = ? AND first > ? ORDER BY first LIMIT 1`,
  );
  const page = (statement: StatementSync, ...values: number[]): PageRow | undefined => one<PageRow>(statement, ...values);
  return (source, kind, after) => ({
    first() {
      const row = page(holding, source, kind, after + 1);
      return row !== undefined && row.first + row.count > after + 1 ? row : page(following, source, kind, after);
    },
    next: (row) => page(following, source, kind, row.first),
    positionOf: (row, index) => row.first + index,
    leaveOut: (row) => Math.max(0, after + 1 - row.first),
  });
}
