import { counted } from '../../base/quantity.ts';
import type { PostgresEngine } from '../contract/open.ts';
import { isBalanced } from '../counts.ts';
import { type PageRow, pageColumns, readWhole } from '../records/page-rows.ts';
import { textChecksum } from '../records/pages.ts';
import { kindName } from '../records/positions.ts';
import { type JournalCheck } from '../records/rows.ts';
import { Database, type Sql } from './database.ts';
import { readLedgerIn } from './ledger.ts';
import { inspectSchema, schemaVersion } from './schema.ts';

const batchPages = 50;

/** Reads a journal from end to end, also beside running replicas, and changes nothing. Throws as an observer's opening does. */
export async function checkPostgres(engine: PostgresEngine, onProgress?: PagesDone): Promise<JournalCheck> {
  const db = new Database({ ...engine, connections: 1 });
  try {
    await inspectSchema(db);
    const read = await checkPages(db, onProgress);
    const small = await db.snapshot(async (sql) => [
      ...(await checkpointProblems(sql, db.s)),
      ...(await laneProblems(sql, db.s)),
    ]);
    return { path: db.where, version: schemaVersion, ...read, problems: [...small, ...read.problems] };
  } finally {
    await db.close();
  }
}

/** Told of pages that are done, of how many. */
export type PagesDone = (done: number, total: number) => void;

/** Reads every page, and says what is wrong with any. */
export async function checkPages(
  db: Database,
  onProgress?: PagesDone,
): Promise<{ pages: number; records: number; bytes: number; problems: string[] }> {
  const found = { pages: 0, records: 0, bytes: 0, problems: [] as string[] };
  const total = await countPages(db);
  for (let after = 0; ; ) {
    const rows = await db.query<PageRow>(
      `SELECT ${pageColumns} FROM ${db.s}.pages WHERE id > $1 ORDER BY id LIMIT ${batchPages}`,
      [after],
    );
    for (const row of rows) {
      found.pages += 1;
      found.records += row.count;
      found.bytes += row.body.length;
      await readWhole(row, db.where).catch((error: unknown) =>
        found.problems.push(error instanceof Error ? error.message : String(error)),
      );
    }
    const last = rows.at(-1);
    if (last === undefined) return found;
    onProgress?.(found.pages, total);
    after = last.id;
  }
}

export async function countPages(db: Database): Promise<number> {
  const [row] = await db.query<{ n: number }>(`SELECT count(*) AS n FROM ${db.s}.pages`);
  return row?.n ?? 0;
}

async function checkpointProblems(sql: Sql, s: string): Promise<string[]> {
  const rows = await sql.query<{ source: string; name: string; value: string; crc: number }>(
    `SELECT o.name AS source, c.name, c.value, c.crc FROM ${s}.checkpoints c JOIN ${s}.sources o ON o.id = c.source`,
  );
  return rows
    .filter(({ value, crc }) => textChecksum(value) !== crc)
    .map(({ source, name }) => `checkpoint "${name}" of source "${source}" is damaged`);
}

interface LaneRow {
  readonly name: string;
  readonly kind: number;
  readonly appended: number;
  readonly settled: number;
  readonly beyond: number;
  /** Records stored after what every sink has settled. */
  readonly stored: number;
}

/** Records that are missing though not every sink has them, offsets beyond the end, and counts that do not add up. */
async function laneProblems(sql: Sql, s: string): Promise<string[]> {
  const lanes = await sql.query<LaneRow>(
    `SELECT l.name, l.kind, l.appended, l.settled, l.beyond, (SELECT coalesce(sum(first + count - 1 - greatest(first - 1, l.settled)), 0) FROM ${s}.pages p
       WHERE p.source = l.source AND p.kind = l.kind AND p.first + p.count - 1 > l.settled) AS stored
     FROM (SELECT l.source, o.name, l.kind, l.appended, (SELECT coalesce(min(coalesce(f.position, 0)), l.appended) FROM ${s}.sinks k
         LEFT JOIN ${s}.offsets f ON f.sink = k.id AND f.source = l.source AND f.kind = l.kind) AS settled,
       (SELECT count(*) FROM ${s}.offsets f WHERE f.source = l.source AND f.kind = l.kind AND f.position > l.appended) AS beyond
       FROM ${s}.lanes l JOIN ${s}.sources o ON o.id = l.source) l`,
  );
  const { rows } = await readLedgerIn(sql, s);
  return [
    ...lanes.flatMap(({ name, kind, appended, settled, beyond, stored }) => [
      ...(stored === appended - settled
        ? []
        : [
            `lane ${kindName(kind)} of source "${name}" holds ${counted(stored, 'record')} after ${settled}, and counts ${appended - settled}`,
          ]),
      ...(beyond === 0
        ? []
        : [`${counted(beyond, 'offset')} in lane ${kindName(kind)} of source "${name}" beyond its last record`]),
    ]),
    ...rows
      .filter((row) => !isBalanced(row))
      .map(({ sink, source }) => `the ledger of sink "${sink}" and source "${source}" does not balance`),
  ];
}
