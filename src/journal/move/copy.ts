import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { sourceCounters } from '../counts.ts';
import { countPages, type PagesDone } from '../postgres/check.ts';
import { type Database, type Sql, Values } from '../postgres/database.ts';
import { readLedger } from '../postgres/ledger.ts';
import { openNames } from '../sqlite/core.ts';
import { openLedger } from '../sqlite/delivery/ledger.ts';
import { all, inTransaction, one } from '../sqlite/file/database.ts';
import { type Block, damagedBlock, isWhole } from '../sqlite/records/id-blocks.ts';
import { idBytes, rowBytes } from '../sqlite/records/id-table.ts';
import { counted, hex, type Row, seenToDatabase, seenToFile, sourceColumns, type Table, tables } from './tables.ts';

/** A table that was moved, with how many rows it has in both places. */
export interface Moved {
  readonly table: string;
  readonly rows: number;
}

const batchRows = 1000;
const batchPages = 20;
// Kept by others than the tables that are copied: counts of letters follow from the letters, and SQLite's own.
const derived = new Set([
  'letter_counts',
  'sources',
  'seen',
  'seen_blocks',
  'holds',
  'sqlite_sequence',
  ...tables.map(({ name }) => name),
]);

/** Copies every row of a file into an empty schema. Rejects for a file that holds what this program does not know. */
export async function copyToDatabase(file: DatabaseSync, db: Database, onProgress?: PagesDone): Promise<void> {
  for (const { name } of all<{ name: string }>(file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")))
    if (!derived.has(name)) throw new Error(`the table ${name} is of a newer version`);
  await copySources(file, db);
  const told = pagesTold(one<{ n: number }>(file.prepare('SELECT count(*) AS n FROM pages'))?.n ?? 0, onProgress);
  for (const table of tables) await copyTable(file, db, table, told);
  await copySeen(file, db);
  for (const { kind, name, since, reason, fix } of all<Row>(file.prepare('SELECT * FROM holds')))
    await insert(db, db.s, 'holds', [{ kind, name, since, reason, fix }]);
  await complete(file, db);
}

async function copySources(file: DatabaseSync, db: Database): Promise<void> {
  const rows = all<Row>(file.prepare('SELECT * FROM sources ORDER BY id'));
  for (const row of rows) {
    const [unit] = await db.query<{ id: number }>(`INSERT INTO ${db.s}.units (kind, name) VALUES ('source', $1) RETURNING id`, [
      row['name'],
    ]);
    const source = Object.fromEntries(sourceColumns.map((column) => [column, row[column]]));
    await insert(db, db.s, 'sources', [{ ...source, unit: unit?.id, configured: row['configured'] === 1 }]);
    const attempts = typeof row['attempt'] === 'string' ? [row['attempt']] : [];
    const numbers = Object.fromEntries(sourceCounters.map((name) => [name, row[name]]));
    await insert(db, db.s, 'counters', [{ source: row['id'], ...numbers, attempts }]);
  }
}

/** Says how many pages are copied, among the rows of all tables. */
function pagesTold(total: number, onProgress?: PagesDone): (table: string, rows: number) => void {
  let done = 0;
  return (table, rows) => {
    if (table !== 'pages') return;
    done += rows;
    onProgress?.(done, total);
  };
}

async function copyTable(
  file: DatabaseSync,
  db: Database,
  { name, columns, key, toDatabase }: Table,
  told: (table: string, rows: number) => void,
): Promise<void> {
  const size = name === 'pages' ? batchPages : batchRows;
  const order = key.join(', ');
  const first = file.prepare(`SELECT * FROM ${name} ORDER BY ${order} LIMIT ${size}`);
  const next = file.prepare(
    `SELECT * FROM ${name} WHERE (${order}) > (${key.map(() => '?').join(', ')}) ORDER BY ${order} LIMIT ${size}`,
  );
  for (let rows = all<Row>(first); rows.length > 0; ) {
    const kept = rows.map((row) => ({
      ...Object.fromEntries(columns.map((column) => [column, row[column]])),
      ...toDatabase?.(row),
    }));
    await insert(db, db.s, name, kept);
    told(name, rows.length);
    const last = rows.at(-1);
    rows = all<Row>(next, ...key.map((column) => last?.[column] as SQLInputValue));
  }
}

async function copySeen(file: DatabaseSync, db: Database): Promise<void> {
  const first = file.prepare(`SELECT * FROM seen ORDER BY source, day, id, fingerprint LIMIT ${batchRows}`);
  const next = file.prepare(
    `SELECT * FROM seen WHERE (source, day, id, fingerprint) > (?, ?, ?, ?) ORDER BY source, day, id, fingerprint LIMIT ${batchRows}`,
  );
  for (let rows = all<Row>(first); rows.length > 0; ) {
    await insert(db, db.s, 'seen', rows.map(seenToDatabase));
    const last = rows.at(-1);
    rows = all<Row>(next, ...['source', 'day', 'id', 'fingerprint'].map((column) => last?.[column] as SQLInputValue));
  }
  for (const rows of blocksOf(file)) await insert(db, db.s, 'seen', rows.map(seenToDatabase));
}

/** Ids that wait in blocks, a block at a time: each is id and fingerprint, one behind the other. */
function* blocksOf(file: DatabaseSync): Generator<Row[]> {
  if (one(file.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'seen_blocks'")) === undefined) return;
  const next = file.prepare('SELECT id, source, day, count, crc, ids FROM seen_blocks WHERE id > ? ORDER BY id LIMIT 1');
  for (let block = one<Block>(next, 0); block !== undefined; block = one<Block>(next, block.id)) {
    if (!isWhole(block)) throw damagedBlock(block, file.location() ?? '');
    const { source, day, ids } = block;
    for (let from = 0; from < ids.length; from += batchRows * rowBytes) {
      const part = ids.subarray(from, from + batchRows * rowBytes);
      yield Array.from({ length: part.length / rowBytes }, (_none, index) => {
        const row = part.subarray(index * rowBytes, (index + 1) * rowBytes);
        return { source, day, id: row.subarray(0, idBytes), fingerprint: row.subarray(idBytes) };
      });
    }
  }
}

/** Writes rows; what stands there already stays. */
async function insert(sql: Sql, s: string, table: string, rows: readonly Row[]): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const columns = Object.keys(first);
  const values = new Values();
  const tuples = rows.map((row) => `(${columns.map((column) => values.add(row[column])).join(', ')})`);
  await sql.run(
    `INSERT INTO ${s}.${table} (${columns.join(', ')}) VALUES ${tuples.join(', ')} ON CONFLICT DO NOTHING`,
    values.list,
  );
}

/** What follows from the rows, and the ids that come next. */
async function complete(file: DatabaseSync, db: Database): Promise<void> {
  const { s } = db;
  await db.run(
    `INSERT INTO ${s}.lanes (source, kind) SELECT o.id, k FROM ${s}.sources o CROSS JOIN generate_series(0, 1) AS k ON CONFLICT DO NOTHING`,
  );
  await db.run(
    `UPDATE ${s}.counters c SET (pages, records, bytes) = (SELECT count(*), coalesce(sum(count), 0), coalesce(sum(octet_length(body)), 0) FROM ${s}.pages p WHERE p.source = c.source),
     ids = (SELECT count(*) FROM ${s}.seen e WHERE e.source = c.source)`,
  );
  await db.run(
    `INSERT INTO ${s}.letter_counts (sink, source, code, action, letters) SELECT sink, source, code, coalesce(action, ''), count(*) FROM ${s}.dead_letters GROUP BY 1, 2, 3, 4`,
  );
  for (const table of counted) {
    const used = one<{ seq: number }>(file.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?'), table)?.seq ?? 0;
    await db.query(
      `SELECT setval(pg_get_serial_sequence($1, 'id'), greatest(1, n), n > 0) FROM (SELECT greatest($2::bigint, coalesce(max(id), 0)) AS n FROM ${s}.${table}) q`,
      [`${s}.${table}`, used],
    );
  }
}

/** Copies every row of a schema into an empty file. */
export async function copyToFile(db: Database, file: DatabaseSync, onProgress?: PagesDone): Promise<void> {
  const { s } = db;
  const sources = await db.query<Row>(`SELECT * FROM ${s}.sources o JOIN ${s}.counters c ON c.source = o.id ORDER BY o.id`);
  write(
    file,
    'sources',
    sources.map((row) => ({
      ...pick(row, [...sourceColumns, ...sourceCounters]),
      configured: row['configured'] === true ? 1 : 0,
      attempt: (row['attempts'] as readonly string[]).at(-1) ?? null,
    })),
  );
  const told = pagesTold(await countPages(db), onProgress);
  for (const table of tables) await copyBack(db, file, table, told);
  await readAll(db, 'seen', ['source', 'day', 'id', 'fingerprint'], 'source, day, id, fingerprint::text AS fingerprint', (rows) =>
    write(file, 'seen', rows.map(seenToFile)),
  );
  const holds = await db.query<Row>(
    `SELECT DISTINCT ON (kind, name) kind, name, since, reason, fix FROM ${s}.holds ORDER BY kind, name, since`,
  );
  write(file, 'holds', holds);
  const put = file.prepare('UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1');
  const begin = file.prepare(
    'INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)',
  );
  for (const table of counted) {
    const [row] = await db.query<{ next: string | null }>('SELECT pg_get_serial_sequence($1, $2) AS next', [
      `${s}.${table}`,
      'id',
    ]);
    const [used] = await db.query<{ n: number }>(
      `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM ${row?.next ?? ''}`,
    );
    begin.run(table);
    put.run(table, used?.n ?? 0);
  }
}

const pick = (row: Row, columns: readonly string[]): Row => Object.fromEntries(columns.map((column) => [column, row[column]]));

function copyBack(
  db: Database,
  file: DatabaseSync,
  { name, columns, key, toFile }: Table,
  told: (table: string, rows: number) => void,
): Promise<void> {
  return readAll(db, name, key, '*', (rows) => {
    write(
      file,
      name,
      rows.map((row) => ({ ...pick(row, columns), ...toFile?.(row) })),
    );
    told(name, rows.length);
  });
}

/** Hands every row of a table to `use`, some at a time, in the order of its key. */
async function readAll(
  db: Database,
  table: string,
  key: readonly string[],
  columns: string,
  use: (rows: readonly Row[]) => void,
): Promise<void> {
  const order = key.join(', ');
  const size = table === 'pages' ? batchPages : batchRows;
  let last: Row | undefined;
  for (;;) {
    const after = last === undefined ? '' : `WHERE (${order}) > (${key.map((_name, index) => `$${index + 1}`).join(', ')})`;
    const values = key.map((column) => last?.[column]);
    const rows = await db.query<Row>(
      `SELECT ${columns} FROM ${db.s}.${table} ${after} ORDER BY ${key.map((column) => `${table}.${column}`).join(', ')} LIMIT ${size}`,
      last === undefined ? [] : values,
    );
    if (rows.length === 0) return;
    use(rows);
    last = rows.at(-1);
  }
}

function write(file: DatabaseSync, table: string, rows: readonly Row[]): void {
  const [first] = rows;
  if (first === undefined) return;
  const columns = Object.keys(first);
  const put = file.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`);
  inTransaction(file, () => {
    for (const row of rows) put.run(...columns.map((column) => row[column] as SQLInputValue));
  });
}

// Where the one place keeps more rows, for what is 0 in the other.
const counts: Readonly<Record<string, string>> = { lanes: 'WHERE appended > 0', offsets: 'WHERE position > 0' };

/** Compares what is in both places, table by table and as the ledger says it. Rejects with what differs. */
export async function compare(file: DatabaseSync, db: Database): Promise<Moved[]> {
  const moved: Moved[] = [];
  for (const { name, columns } of [{ name: 'sources', columns: ['id'] }, ...tables]) {
    const sum = columns.includes('crc') ? 'coalesce(sum(crc), 0)' : columns.includes('id') ? 'coalesce(sum(id), 0)' : '0';
    const text = `SELECT count(*) AS n, ${sum} AS sum FROM`;
    const here = one<{ n: number; sum: number }>(file.prepare(`${text} ${name} ${counts[name] ?? ''}`));
    const [there] = await db.query<{ n: number; sum: number }>(`${text} ${db.s}.${name} ${counts[name] ?? ''}`);
    if (JSON.stringify(here) !== JSON.stringify(there))
      throw new Error(`table ${name} has ${here?.n ?? 0} rows in the file and ${there?.n ?? 0} in the database, or other ones`);
    moved.push({ table: name, rows: here?.n ?? 0 });
  }
  const ids = one<{ n: number }>(file.prepare('SELECT count(*) AS n FROM seen'))?.n ?? 0;
  const [seen] = await db.query<{ n: number }>(`SELECT count(*) AS n FROM ${db.s}.seen`);
  const waiting = new Set(
    [...blocksOf(file)].flat().map(({ source, day, id, fingerprint }) => [source, day, hex(id), hex(fingerprint)].join()),
  );
  if ((seen?.n ?? 0) < ids || (seen?.n ?? 0) > ids + waiting.size)
    throw new Error(`${ids + waiting.size} ids became ${seen?.n ?? 0}`);
  moved.push({ table: 'seen', rows: seen?.n ?? 0 });
  const inFile = openLedger({ db: file, names: openNames(file) }).ledger();
  if (JSON.stringify(inFile) !== JSON.stringify(await readLedger({ db }))) throw new Error('the ledger says something else');
  return moved;
}
