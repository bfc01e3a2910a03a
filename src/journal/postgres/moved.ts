// Where a journal is while it moves between a file and a schema, and afterwards: one row of the schema says so.
import { PenstockError } from '../../base/errors.ts';
import type { Database, Sql } from './database.ts';
import { assertMigrated, assertNotNewer, hasMeta, leaving, type Meta } from './schema.ts';

/**
 * Where the journal was moved to, or how far a move has come: to here `unfinished`, `filled`, away from here {@link leaving}. null: it is here, or
 * nothing is.
 */
export async function readMoved(db: Database): Promise<string | null> {
  if (!(await hasMeta(db, db.s))) return null;
  const [meta] = await db.query<Meta>(`SELECT version, min_reader, moved FROM ${db.s}.meta`);
  return meta?.moved ?? null;
}

/**
 * What {@link readMoved} says of a journal that may leave: nobody works on it, and it has the shape that this program reads. Throws otherwise,
 * as {@link setAside} does, which asks again.
 */
export async function inspectLeaving(db: Database): Promise<string | null> {
  const { s, where } = db;
  if (!(await hasMeta(db, s)))
    throw new PenstockError('PEN_NOT_FOUND', 'there is no journal in this schema', {
      where,
      fix: 'see journal.schema, or --schema',
    });
  const [meta] = await db.query<Meta>(`SELECT version, min_reader, moved FROM ${s}.meta`);
  if (meta !== undefined) {
    assertNotNewer(meta, where);
    assertMigrated(meta, where);
  }
  await refuseLiving(db, db);
  return meta?.moved ?? null;
}

async function refuseLiving(sql: Sql, { s, where }: Database): Promise<void> {
  const living = await sql.query<{ name: string }>(
    `SELECT name FROM ${s}.members WHERE expires > clock_timestamp() ORDER BY name COLLATE "C" LIMIT 10`,
  );
  if (living.length === 0) return;
  const names = living.map(({ name }) => `"${name}"`).join(', ');
  throw new PenstockError('PEN_JOURNAL_LOCKED', `replicas work on this journal: ${names}`, {
    where,
    fix: 'stop all replicas, and try again; one that was killed counts until its lease is over',
  });
}

export async function writeMoved(db: Database, moved: string | null): Promise<void> {
  await db.run(`UPDATE ${db.s}.meta SET moved = $1`, [moved]);
}

/** Takes a journal out of use: nobody can join any more, and whoever comes back late owns nothing. Throws PEN_JOURNAL_LOCKED while a member lives. */
export function setAside(db: Database): Promise<void> {
  const { s } = db;
  return db.transaction(async (sql) => {
    // Whoever joins reads it first, and waits for this or this for them.
    await sql.query(`SELECT 1 FROM ${s}.meta FOR UPDATE`);
    await refuseLiving(sql, db);
    await sql.run(`UPDATE ${s}.units SET owner = NULL, epoch = epoch + 1`);
    await sql.run(`DELETE FROM ${s}.registrations`);
    await sql.run(`DELETE FROM ${s}.members`);
    await sql.run(`UPDATE ${s}.meta SET moved = $1`, [leaving]);
  });
}

/** Deletes every table of a schema, but not the schema: the role may work in one that belongs to somebody else. */
export async function emptySchema(db: Database): Promise<void> {
  const [found] = await db.query<{ tables: string | null }>(
    `SELECT string_agg(format('%s.%I', $1::text, relname), ', ') AS tables FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'`,
    [db.s],
  );
  if (typeof found?.tables === 'string') await db.run(`DROP TABLE ${found.tables}`);
}
