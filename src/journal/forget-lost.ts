import type { DatabaseSync } from 'node:sqlite';
import { all, one } from './database.ts';
import { decodeChecked, type PageRow, pageColumns } from './page-rows.ts';
import type { LostRange } from './repair-ledger.ts';

/**
 * Forgets the ids of sources that lost records, except of records that are still stored or lie in the dead letters: what is gone has to
 * count as new when it is collected again. What was delivered and trimmed before may then arrive twice, with the same id.
 * Returns a sentence for each source, with the command that collects again. Call it inside a transaction.
 */
export async function forgetLost(db: DatabaseSync, lost: readonly LostRange[], path: string): Promise<string[]> {
  db.exec('CREATE TEMP TABLE kept (id BLOB PRIMARY KEY) WITHOUT ROWID');
  const forget = db.prepare('DELETE FROM seen WHERE source = ? AND id NOT IN (SELECT id FROM kept)');
  const sentences: string[] = [];
  for (const name of new Set(lost.map(({ source }) => source))) {
    const source = one<{ id: number }>(db.prepare('SELECT id FROM sources WHERE name = ?'), name)?.id;
    if (source === undefined) continue;
    db.exec('DELETE FROM kept');
    await keepStored(db, source, path);
    forget.run(source);
    sentences.push(adviceFor(db, name, source));
  }
  db.exec('DROP TABLE kept');
  return sentences;
}

async function keepStored(db: DatabaseSync, source: number, path: string): Promise<void> {
  const insert = db.prepare('INSERT OR IGNORE INTO kept (id) VALUES (?)');
  const keep = (uid: string): void => void insert.run(Buffer.from(uid, 'hex'));
  const next = db.prepare(`SELECT ${pageColumns} FROM pages WHERE source = ? AND id > ? ORDER BY id LIMIT 1`);
  for (let row = one<PageRow>(next, source, 0); row !== undefined; row = one<PageRow>(next, source, row.id))
    for (const { uid } of await decodeChecked(row, path)) keep(uid);
  for (const { uid } of all<{ uid: string }>(db.prepare('SELECT uid FROM dead_letters WHERE source = ?'), source)) keep(uid);
}

function adviceFor(db: DatabaseSync, name: string, source: number): string {
  const range = db.prepare('SELECT min(from_time) AS "from", max(to_time) AS "to" FROM windows WHERE source = ?');
  const { from = null, to = null } = one<{ from: number | null; to: number | null }>(range, source) ?? {};
  if (from === null || to === null) return `collect what source "${name}" lost again: penstock import ${name} FILE...`;
  const [first, last] = [from, to].map((at) => new Date(at).toISOString());
  return `collect what source "${name}" lost again, with the daemon running or not: penstock verify ${name} --from ${first} --to ${last} --repair`;
}
