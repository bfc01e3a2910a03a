// Small things that are remembered by name: checkpoints and notes of sources, holds, jobs.
import { PenstockError } from '../../base/errors.ts';
import { type Json, parseJson } from '../../base/json.ts';
import type { GivenUp, Job, Jobs, RecordLog, Reports } from '../journal.ts';
import { givenUpOf, isGivenUp, type NamedNote } from '../records/given-up.ts';
import { textChecksum } from '../records/pages.ts';
import { type JobRow, jobOf, noSource } from '../records/rows.ts';
import { Changes, type Core } from './core.ts';
import type { Sql } from './database.ts';
import { Gathered } from './gathered.ts';
import { ensureSource } from './names.ts';

interface Named {
  readonly source: string;
  readonly name: string;
}

interface Text {
  readonly value: string | null;
  readonly crc: number;
}

const noText: Text = { value: null, crc: 0 };

/** Checkpoints and notes by the name of their source: those that are asked for at the same time are read together. */
export function openMemos({ db, clock }: Core): Pick<RecordLog, 'checkpoint' | 'note'> {
  const { s } = db;
  const readIn = (table: string, columns: string) => (asked: readonly Named[]) =>
    db.query<Text>(
      `SELECT ${columns} FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(source, name, n) LEFT JOIN ${s}.sources o ON o.name = w.source
       LEFT JOIN ${s}.${table} t ON t.source = coalesce(o.id, CASE w.source WHEN '' THEN ${noSource} END) AND t.name = w.name ORDER BY w.n`,
      [asked.map(({ source }) => source), asked.map(({ name }) => name)],
    );
  // Each poll begins with its checkpoint.
  const checkpoints = new Gathered<Named, Text>(readIn('checkpoints', 't.value, t.crc'), clock);
  const notes = new Gathered<Named, Text>(readIn('notes', 't.value, 0 AS crc'));
  return {
    async checkpoint(source, name) {
      const { value, crc } = (await checkpoints.ask({ source, name })) ?? noText;
      if (value === null) return undefined;
      if (crc === textChecksum(value)) return parseJson(value);
      throw new PenstockError('PEN_JOURNAL_CORRUPT', `the checkpoint "${name}" of source "${source}" is damaged`, {
        where: db.where,
        fix: `see what happened to the database; "penstock sources reset ${source} --from TIME" begins it anew`,
      });
    },
    async note(source, name) {
      const { value } = (await notes.ask({ source, name })) ?? noText;
      return value === null ? undefined : parseJson(value);
    },
  };
}

/** Replaces a checkpoint. Only inside a transaction. */
export async function putCheckpoint(sql: Sql, s: string, source: number, name: string, value: Json): Promise<void> {
  if (value === null || value === undefined) {
    await sql.run(`DELETE FROM ${s}.checkpoints WHERE source = $1 AND name = $2`, [source, name]);
    return;
  }
  const text = JSON.stringify(value);
  await sql.run(
    `INSERT INTO ${s}.checkpoints (source, name, value, crc) VALUES ($1, $2, $3, $4) ON CONFLICT (source, name) DO UPDATE SET value = excluded.value, crc = excluded.crc`,
    [source, name, text, textChecksum(text)],
  );
}

/** The note of that name of every source that has one, by source. */
export async function readNoteOfAll({ db }: Core, name: string): Promise<ReadonlyMap<string, Json>> {
  const rows = await db.query<{ source: string; value: string }>(
    `SELECT o.name AS source, n.value FROM ${db.s}.notes n JOIN ${db.s}.sources o ON o.id = n.source WHERE n.name = $1`,
    [name],
  );
  return new Map(rows.map(({ source, value }) => [source, parseJson(value)]));
}

/** What people gave up. */
export async function readGivenUp({ db }: Core): Promise<GivenUp> {
  const notes = await db.query<NamedNote>(`SELECT name, value FROM ${db.s}.notes WHERE source = $1 AND (${isGivenUp})`, [
    noSource,
  ]);
  return givenUpOf(notes);
}

type NoteWriters = Pick<RecordLog, 'setNote' | 'changeNote'>;

/** Notes of sources, or of none. */
export function openNoteWriters({ db }: Core): NoteWriters {
  const { s } = db;
  const inNotes = <T>(source: string, write: (sql: Sql, id: number) => Promise<T>): Promise<T> =>
    db.transaction(async (sql) => write(sql, source === '' ? noSource : await ensureSource(sql, s, source)));
  return {
    setNote: (source, name, value) => inNotes(source, (sql, id) => putNote(sql, s, id, name, value)),
    changeNote: (source, name, change) =>
      inNotes(source, async (sql, id) => {
        // Locked, also where there is none yet: two replicas that read the same note would each write what the other does not know of.
        const [row] = await sql.query<{ value: string }>(
          `INSERT INTO ${s}.notes AS n (source, name, value) VALUES ($1, $2, 'null')
           ON CONFLICT (source, name) DO UPDATE SET value = n.value RETURNING value`,
          [id, name],
        );
        await putNote(sql, s, id, name, change(parseJson(row?.value ?? 'null') ?? undefined));
      }),
  };
}

/** Sets a note unless there is one, and returns the one that stands. */
export async function setNoteIfAbsent({ db }: Core, sourceName: string, name: string, value: Json): Promise<Json> {
  return db.transaction(async (sql) => {
    const source = sourceName === '' ? noSource : await ensureSource(sql, db.s, sourceName);
    await sql.run(`INSERT INTO ${db.s}.notes (source, name, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, [
      source,
      name,
      JSON.stringify(value ?? null),
    ]);
    const [row] = await sql.query<{ value: string }>(`SELECT value FROM ${db.s}.notes WHERE source = $1 AND name = $2`, [
      source,
      name,
    ]);
    return row === undefined ? value : parseJson(row.value);
  });
}

/** Replaces a note. Only inside a transaction. */
export async function putNote(sql: Sql, s: string, source: number, name: string, value: Json): Promise<void> {
  await sql.run(
    `INSERT INTO ${s}.notes (source, name, value) VALUES ($1, $2, $3) ON CONFLICT (source, name) DO UPDATE SET value = excluded.value`,
    [source, name, JSON.stringify(value ?? null)],
  );
}

interface HoldRow {
  readonly kind: 'source' | 'sink';
  readonly name: string;
  readonly since: number;
  readonly reason: string;
  readonly fix: string | null;
}

type StoredHolds = Awaited<ReturnType<Reports['holds']>>;

/** A sink may hold in one replica and deliver in another: its holds are each replica's own, and only who is no replica sees all. */
export function openHolds({ db, member }: Core): Pick<Reports, 'setHold' | 'holds'> {
  const { s } = db;
  const holds = new Gathered<undefined, StoredHolds>(async (asked) => {
    const rows = await db.query<HoldRow>(
      `SELECT DISTINCT ON (kind COLLATE "C", name COLLATE "C") kind, name, since, reason, fix FROM ${s}.holds WHERE $1::text IS NULL OR member IN ($1, '')
       ORDER BY kind COLLATE "C", name COLLATE "C", since`,
      [member?.name ?? null],
    );
    const all = rows.map(({ kind, name, since, reason, fix }) => ({
      kind,
      name,
      hold: { since, reason, fix: fix ?? undefined },
    }));
    return asked.map(() => all);
  });
  return {
    async setHold(kind, name, hold) {
      const whose = kind === 'sink' ? (member?.name ?? '') : '';
      if (hold === null)
        await db.run(`DELETE FROM ${s}.holds WHERE kind = $1 AND name = $2 AND member IN ($3, '')`, [kind, name, whose]);
      else
        await db.run(
          `INSERT INTO ${s}.holds (kind, name, since, reason, fix, member) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (kind, name, member) DO UPDATE SET since = excluded.since, reason = excluded.reason, fix = excluded.fix`,
          [kind, name, hold.since, hold.reason, hold.fix ?? null, whose],
        );
    },
    // Each source asks once when it begins.
    holds: async () => (await holds.ask(undefined)) ?? [],
  };
}

/** Jobs that have ended are listed as long as they are among so many. */
const mostEnded = 1000;
export const ended = "('done', 'failed', 'cancelled')";

/** The table of jobs: queued -> running -> done, failed or cancelled. */
export function openJobs(core: Core): Jobs {
  const { db, changes } = core;
  return {
    async insertJob(kind, args, token) {
      const job = await db.transaction((sql) => insertJob(core, sql, kind, args, token));
      changes.notify();
      return job;
    },
    async jobs({ states, id, kind, after = 0 } = {}) {
      const rows = await db.query<JobRow>(
        `SELECT * FROM ${db.s}.jobs WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text[] IS NULL OR state = ANY($2)) AND ($3::text IS NULL OR kind = $3) AND id > $4 ORDER BY id`,
        [id ?? null, states ?? null, kind ?? null, after],
      );
      return rows.map(jobOf);
    },
    async claimJob(id) {
      const claimed = await db.run(
        `UPDATE ${db.s}.jobs j SET owner = $2 WHERE id = $1 AND NOT state IN ${ended} AND (owner IS NULL OR owner = $2 OR NOT EXISTS (SELECT 1 FROM ${db.s}.members m WHERE m.id = j.owner AND m.expires > now())
         OR (j.args::jsonb->>'sink' IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${db.s}.registrations r WHERE r.member = j.owner AND r.kind = 'sink' AND r.name = j.args::jsonb->>'sink'))
         OR EXISTS (SELECT 1 FROM ${db.s}.sources o JOIN ${db.s}.units u ON u.id = o.unit WHERE u.owner = $2 AND j.args::jsonb->>'sink' IS NULL AND o.name = j.args::jsonb->>'source'))`,
        [id, core.member?.id ?? ''],
      );
      return claimed > 0;
    },
    async cancelJob(id) {
      const row = await db.transaction((sql) => cancelJob(core, sql, id));
      changes.notify();
      return row && jobOf(row);
    },
    async updateJob(id, change) {
      const updated = await db.transaction((sql) => updateJob(core, sql, id, change));
      if (updated === 0) throw await whyNotUpdated(core, id);
      changes.notify();
    },
  };
}

async function cancelJob({ db: { s }, clock }: Core, sql: Sql, id: number): Promise<JobRow | undefined> {
  const cancelled = await sql.run(
    `UPDATE ${s}.jobs SET state = 'cancelled', finished = $2 WHERE id = $1 AND NOT state IN ${ended}`,
    [id, clock.now()],
  );
  if (cancelled > 0) await sql.run(`DELETE FROM ${s}.replays WHERE job = $1`, [id]);
  await Changes.tell(sql, s);
  const [row] = await sql.query<JobRow>(`SELECT * FROM ${s}.jobs WHERE id = $1`, [id]);
  return row;
}

async function whyNotUpdated({ db }: Core, id: number): Promise<PenstockError> {
  const known = await db.query(`SELECT 1 FROM ${db.s}.jobs WHERE id = $1`, [id]);
  const fix = 'see "penstock jobs"';
  return known.length > 0
    ? new PenstockError('PEN_JOURNAL_FENCED', `another replica has job ${id}, or has ended it`, { fix })
    : new PenstockError('PEN_NOT_FOUND', `there is no job ${id}`, { fix });
}

async function insertJob(
  { db: { s }, clock }: Core,
  sql: Sql,
  kind: string,
  args: Json,
  token: string | undefined,
): Promise<Job> {
  const known = token === undefined ? [] : await sql.query<JobRow>(`SELECT * FROM ${s}.jobs WHERE token = $1`, [token]);
  if (known[0] !== undefined) return jobOf(known[0]);
  const [row] = await sql.query<JobRow>(
    `INSERT INTO ${s}.jobs (kind, args, state, progress, created, token) VALUES ($1, $2, 'queued', 'null', $3, $4) RETURNING *`,
    [kind, JSON.stringify(args ?? null), clock.now(), token ?? null],
  );
  if (row === undefined) throw new PenstockError('PEN_INTERNAL', 'the journal returned no row for a new job');
  await sql.run(`DELETE FROM ${s}.jobs WHERE id <= $1 AND state IN ${ended}`, [row.id - mostEnded]);
  await Changes.tell(sql, s);
  return jobOf(row);
}

async function updateJob(
  { db: { s }, clock, member }: Core,
  sql: Sql,
  id: number,
  { state, progress, error }: Parameters<Jobs['updateJob']>[1],
): Promise<number> {
  const updated = await sql.run(
    `UPDATE ${s}.jobs SET state = coalesce($2, state), progress = coalesce($3, progress), error = coalesce($4, error),
     started = CASE WHEN $2 = 'running' THEN coalesce(started, $5) ELSE started END,
     finished = CASE WHEN $2 IN ${ended} THEN $5 WHEN $2 IN ('queued', 'running') THEN NULL ELSE finished END
     WHERE id = $1 AND state <> 'cancelled' AND NOT (coalesce($2, '') = 'running' AND state IN ${ended})
     AND (owner IS NULL OR owner = $6 OR NOT EXISTS (SELECT 1 FROM ${s}.members m WHERE m.id = owner AND m.expires > now()))`,
    [id, state ?? null, progress === undefined ? null : JSON.stringify(progress), error ?? null, clock.now(), member?.id ?? ''],
  );
  await Changes.tell(sql, s);
  return updated;
}
