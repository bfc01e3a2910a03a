import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { iso } from '../../../base/quantity.ts';
import { type PageRow, readWhole } from '../../records/page-rows.ts';
import { textChecksum } from '../../records/pages.ts';
import { all, one, pragma } from '../file/database.ts';

/** Tables besides the pages, with the columns that order them. `connectors` and the names come first: the rest refers to them. */
const tables: Readonly<Record<string, string>> = {
  sources: 'id',
  sinks: 'id',
  connectors: 'hash',
  lanes: 'source, kind',
  offsets: 'sink, source, kind',
  totals: 'sink, source',
  checkpoints: 'source, name',
  notes: 'source, name',
  seen_days: 'source, day',
  seen: 'source, day, id, fingerprint',
  seen_blocks: 'id',
  windows: 'source, key, kind',
  dead_letters: 'id',
  jobs: 'id',
  replays: 'job, source',
  holds: 'kind, name',
  skips: 'id',
};

/** Copies every readable row of the small tables. Returns what was lost, one sentence each. */
export function copyTables(from: DatabaseSync, to: DatabaseSync): string[] {
  const notes = Object.entries(tables).flatMap(([table, order]) => copyTable(from, to, table, order));
  copySequences(from, to);
  return [...notes, ...dropDamagedCheckpoints(to)];
}

function copyTable(from: DatabaseSync, to: DatabaseSync, table: string, order: string): string[] {
  const columns = columnsOf(to, table);
  const insert = to.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  const descending = order
    .split(', ')
    .map((column) => `${column} DESC`)
    .join(', ');
  if (isGone(from, table)) return [`the table "${table}" could not be found: ${consequences[table] ?? 'what it held is lost'}`];
  const forward = copyRun(from, table, order, columns, insert);
  if (forward === undefined) return [];
  // From the other end as far as it goes: what lies between the two damaged places is lost.
  copyRun(from, table, descending, columns, insert);
  return [
    `part of the table "${table}" could not be read (${forward}): ${consequences[table] ?? 'it is kept as far as it could be read'}`,
  ];
}

// Versions of the journal; every other table is in every one.
const cameWith: Readonly<Record<string, number>> = { skips: 2, seen_blocks: 7 };

function isGone(from: DatabaseSync, table: string): boolean {
  try {
    return columnsOf(from, table).length === 0 && Number(pragma(from, 'user_version')) >= (cameWith[table] ?? 1);
  } catch {
    // Reading it fails too, with the reason.
    return false;
  }
}

const consequences: Readonly<Record<string, string>> = {
  seen: 'events collected again from the overlap may be delivered twice',
  seen_blocks: 'events collected again from the overlap may be delivered twice',
  checkpoints: 'sources without a checkpoint collect again from their start',
  offsets: 'sinks without an offset deliver again what is stored',
  dead_letters: 'the dead letters in it are lost',
  sources: 'names that are missing are written as recovered-<number>; rename them with "penstock sources rename"',
};

/** Returns what stopped the run, undefined when it reached the end. */
function copyRun(
  from: DatabaseSync,
  table: string,
  order: string,
  columns: readonly string[],
  insert: ReturnType<DatabaseSync['prepare']>,
): string | undefined {
  try {
    const present = columnsOf(from, table);
    if (present.length === 0) return undefined;
    for (const row of from.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).iterate())
      insert.run(...columns.map((column) => (row[column] ?? null) as SQLInputValue));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function columnsOf(db: DatabaseSync, table: string): string[] {
  return all<{ name: string }>(db.prepare(`PRAGMA table_info(${table})`)).map(({ name }) => name);
}

// Ids never start again: a letter or job that somebody wrote down must not come to mean another one.
function copySequences(from: DatabaseSync, to: DatabaseSync): void {
  try {
    const put = to.prepare(
      'INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)',
    );
    const raise = to.prepare('UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1');
    for (const { name, seq } of all<{ name: string; seq: number }>(from.prepare('SELECT name, seq FROM sqlite_sequence'))) {
      put.run(name, seq);
      raise.run(name, seq);
    }
  } catch {
    // Unreadable: the rows that were copied set the sequences to the largest id that is known.
    return;
  }
}

function dropDamagedCheckpoints(to: DatabaseSync): string[] {
  const rows = all<{ source: number; name: string; value: string; crc: number; sourceName: string }>(
    to.prepare(
      "SELECT c.*, ifnull(s.name, 'recovered-' || c.source) AS sourceName FROM checkpoints c LEFT JOIN sources s ON s.id = c.source",
    ),
  );
  const remove = to.prepare('DELETE FROM checkpoints WHERE source = ? AND name = ?');
  const lastWindow = to.prepare('SELECT max(to_time) AS last FROM windows WHERE source = ? AND kind = 0 AND complete = 1');
  return rows
    .filter(({ value, crc }) => textChecksum(value) !== crc)
    .map(({ source, name, sourceName }) => {
      remove.run(source, name);
      const last = one<{ last: number | null }>(lastWindow, source)?.last ?? null;
      const from = last === null ? '' : `, then fill the gap with "penstock backfill ${sourceName} --from ${iso(last)}"`;
      return `the checkpoint "${name}" of source "${sourceName}" was damaged and is dropped: the source collects again from its start${from}`;
    });
}

/** Copies every page that is whole. */
export async function copyPages(
  from: DatabaseSync,
  to: DatabaseSync,
  path: string,
  onProgress: (done: number, total: number) => void,
): Promise<{ pages: number; records: number; unreadable: number }> {
  const columns = columnsOf(to, 'pages');
  const insert = to.prepare(
    `INSERT OR IGNORE INTO pages (${columns.join(', ')}) VALUES (${columns.map((column) => `:${column}`).join(', ')})`,
  );
  const at = from.prepare('SELECT * FROM pages WHERE id = ?');
  const { first, last } = idRange(from);
  let pages = 0;
  let records = 0;
  let unreadable = 0;
  // Id by id: a walk along the table would end at the first damaged place.
  for (let id = first; id <= last; id++) {
    const row = await readable(() => one<PageRow>(at, id), path);
    onProgress(id - first + 1, last - first + 1);
    if (row === 'damaged') unreadable++;
    if (row === undefined || row === 'damaged') continue;
    insert.run(row as unknown as Record<string, SQLInputValue>);
    pages++;
    records += row.count;
  }
  nameTheNameless(to);
  return { pages, records, unreadable };
}

async function readable(read: () => PageRow | undefined, path: string): Promise<PageRow | 'damaged' | undefined> {
  try {
    const row = read();
    if (row !== undefined) await readWhole(row, path);
    return row;
  } catch {
    // Whatever makes the row unreadable, it is counted and not copied.
    return 'damaged';
  }
}

function idRange(db: DatabaseSync): { first: number; last: number } {
  const value = (sql: string): number | undefined => {
    try {
      return one<{ id: number | null }>(db.prepare(sql))?.id ?? undefined;
    } catch {
      // What would say so is damaged: the next is asked.
      return undefined;
    }
  };
  const first =
    value('SELECT min(id) AS id FROM pages') ?? value('SELECT min(id) AS id FROM pages INDEXED BY pages_by_lane') ?? 1;
  const last =
    value("SELECT seq AS id FROM sqlite_sequence WHERE name = 'pages'") ?? value('SELECT max(id) AS id FROM pages') ?? 0;
  return { first, last };
}

// What belongs to a source whose row is lost must stay reachable: by a name that can be changed.
const ofSources = ['pages', 'lanes', 'checkpoints', 'seen_days', 'windows', 'dead_letters', 'totals'];

// What its lanes took in is all that is still known of its counters; what was filtered is not.
const stored = '(SELECT ifnull(sum(appended), 0) FROM lanes l WHERE l.source = t.source)';

function nameTheNameless(to: DatabaseSync): void {
  for (const table of ofSources)
    to.exec(
      `INSERT OR IGNORE INTO sources (id, name, fetched, new) SELECT DISTINCT source, 'recovered-' || source, ${stored}, ${stored} FROM ${table} t
       WHERE source NOT IN (SELECT id FROM sources)`,
    );
}
