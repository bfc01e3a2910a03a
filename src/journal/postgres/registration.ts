import { PenstockError } from '../../base/errors.ts';
import type { Registration, RegistrationReport, SinkRegistration, SourceRegistration } from '../journal.ts';
import { forgottenNote } from '../records/given-up.ts';
import { connectorOf, identityOf, identityText, nameTaken, noSource, notFound } from '../records/rows.ts';
import { Changes, type Core } from './core.ts';
import type { Sql } from './database.ts';
import { discardLetters } from './letters.ts';
import { configuredNames, either, registeredAs } from './members.ts';
import { ensureSource, formerNames } from './names.ts';
import { putCheckpoint, putNote } from './state.ts';

/** The names that the journal keeps state for: configured, renamed, forgotten, reset. */
export function openRegistration(core: Core): Registration {
  return {
    register: (sources, sinks) => register(core, sources, sinks),
    formerNames: (source) => formerNames(core.db, source),
    renameSource: (from, to) => rename(core, 'source', from, to),
    renameSink: (from, to) => rename(core, 'sink', from, to),
    forgetSink: (name) => forget(core, 'sink', name),
    forgetSource: (name) => forget(core, 'source', name),
    resetSource: (name, checkpoint) => resetSource(core, name, checkpoint),
  };
}

/** Runs what changes names or what is configured: one at a time among all replicas, and all are told. */
async function change<T>({ db, names, changes }: Core, work: (sql: Sql) => Promise<T>): Promise<T> {
  const result = await db.transaction(async (sql) => {
    await Changes.tell(sql, db.s, { names: true });
    return work(sql);
  });
  names.forget();
  changes.notify();
  return result;
}

/** Gives new sinks their starting offsets and finds orphans and changed identities. */
async function register(
  core: Core,
  sources: readonly SourceRegistration[],
  sinks: readonly SinkRegistration[],
): Promise<RegistrationReport> {
  const { s } = core.db;
  const { member } = core;
  const named = [...sources.map((one) => registeredAs('source', one)), ...sinks.map((one) => registeredAs('sink', one))];
  const report = await change(core, async (sql) => {
    const as = await member?.noteRegistered(sql, named);
    const changedSources = await putSources(sql, s, sources);
    const appeared = await putSinks(core, sql, sinks);
    await markConfigured(sql, s);
    const orphans = await sql.query<{ id: number; name: string }>(
      `SELECT id, name FROM ${s}.sinks WHERE NOT configured ORDER BY name COLLATE "C"`,
    );
    const orphanSources = await sql.query<{ name: string }>(
      `SELECT name FROM ${s}.sources WHERE NOT configured ORDER BY name COLLATE "C"`,
    );
    return {
      as,
      newSinks: await withPending(sql, s, appeared),
      orphanSinks: await withPending(sql, s, orphans),
      orphanSources: orphanSources.map(({ name }) => name),
      changedSources,
    };
  });
  const { as, ...told } = report;
  // Only what is durable: a registration that was refused leaves this replica as it was.
  member?.registers(named, as);
  await countRows(core);
  return told;
}

/** Lets the server count what was registered: it comes to that by itself only a minute later, and until then takes thousands of rows for one. */
async function countRows({ db, log }: Core): Promise<void> {
  const tables = ['registrations', 'sources', 'units', 'lanes', 'counters', 'sinks'].map((table) => `${db.s}.${table}`);
  await db
    .run(`ANALYZE (SKIP_LOCKED) ${tables.join(', ')}`)
    .catch((error: unknown) => log.debug({ err: error }, 'the rows were not counted, statements may be slow for a minute'));
}

/** A source or sink is configured while any replica names it: two versions of a configuration may run at once. */
export async function markConfigured(sql: Sql, s: string): Promise<void> {
  for (const kind of ['source', 'sink'] as const)
    await sql.run(`UPDATE ${s}.${kind}s t SET configured = NOT configured WHERE ${isMismarked(s, kind)}`);
}

/** SQL, of a source or a sink `t`: what it is marked as is not so. */
export const isMismarked = (s: string, kind: 'source' | 'sink'): string =>
  `t.configured <> (t.name IN (${configuredNames(s, kind)}))`;

async function withPending(sql: Sql, s: string, sinks: readonly { readonly id: number; readonly name: string }[]) {
  const reported: { name: string; pending: number }[] = [];
  for (const { id, name } of sinks) reported.push({ name, pending: await pendingOf(sql, s, id) });
  return reported;
}

/** Records that wait for a sink, or of a source for all sinks together. */
async function pendingOf(sql: Sql, s: string, id: number, kind: 'source' | 'sink' = 'sink'): Promise<number> {
  const [row] = await sql.query<{ n: number }>(
    `SELECT coalesce(sum(l.appended - coalesce(o.position, 0)), 0) AS n FROM ${s}.lanes l CROSS JOIN ${s}.sinks k
     LEFT JOIN ${s}.offsets o ON o.sink = k.id AND o.source = l.source AND o.kind = l.kind WHERE ${kind === 'sink' ? 'k.id' : 'l.source'} = $1`,
    [id],
  );
  return row?.n ?? 0;
}

async function putSources(
  sql: Sql,
  s: string,
  sources: readonly SourceRegistration[],
): Promise<RegistrationReport['changedSources']> {
  const names = sources.map(({ name }) => name);
  const missing = `SELECT n FROM unnest($1::text[]) AS n WHERE NOT EXISTS (SELECT 1 FROM ${s}.sources o WHERE o.name = n)`;
  await sql.run(`INSERT INTO ${s}.units (kind, name) SELECT 'source', n FROM (${missing}) AS q(n) ON CONFLICT DO NOTHING`, [
    names,
  ]);
  await sql.run(
    `INSERT INTO ${s}.sources (name, unit) SELECT u.name, u.id FROM (${missing}) AS q(n) JOIN ${s}.units u ON u.kind = 'source' AND u.name = q.n ON CONFLICT DO NOTHING`,
    [names],
  );
  const bare = `SELECT o.id FROM ${s}.sources o WHERE o.name = ANY($1::text[]) AND NOT EXISTS (SELECT 1 FROM ${s}.counters c WHERE c.source = o.id)`;
  await sql.run(
    `INSERT INTO ${s}.lanes (source, kind) SELECT q.id, k FROM (${bare}) q CROSS JOIN generate_series(0, 1) AS k ON CONFLICT DO NOTHING`,
    [names],
  );
  await sql.run(`INSERT INTO ${s}.counters (source) ${bare} ON CONFLICT DO NOTHING`, [names]);
  // Where two versions of a configuration run at once, what either needs is kept.
  const shared = `o.name IN (SELECT r.name FROM ${s}.registrations r JOIN ${s}.members m ON m.id = r.member AND m.expires > now() WHERE r.kind IN ${either('source')} GROUP BY r.name HAVING count(*) > 1)`;
  const rows = await sql.query<{ name: string; is: string; was: string }>(
    `UPDATE ${s}.sources o SET registered = e.identity, identity = coalesce(o.identity, e.identity), seen_ttl_ms = CASE WHEN ${shared} THEN greatest(o.seen_ttl_ms, e.ttl) ELSE e.ttl END, seen_pinned_ms = CASE WHEN ${shared} THEN greatest(o.seen_pinned_ms, e.pinned) ELSE e.pinned END
     FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS e(name, identity, ttl, pinned) WHERE o.name = e.name
     RETURNING o.name, e.identity AS is, o.identity AS was`,
    [
      names,
      sources.map(({ connector, identity }) => identityText(connector, identity)),
      sources.map(({ seenTtlMs }) => seenTtlMs),
      sources.map(({ seenPinnedMs }) => seenPinnedMs),
    ],
  );
  const changed = new Map(rows.filter(({ was, is }) => was !== is).map((row) => [row.name, row]));
  return sources.flatMap(({ name, connector }) => {
    const row = changed.get(name);
    return row === undefined ? [] : [{ name, was: identityOf(row.was, connector), is: identityOf(row.is, connectorOf(row.was)) }];
  });
}

async function putSinks({ db: { s }, clock }: Core, sql: Sql, sinks: readonly SinkRegistration[]) {
  const appeared: { id: number; name: string }[] = [];
  for (const { name, type, whenFull, start } of sinks) {
    const known = await sql.run(`UPDATE ${s}.sinks SET type = $2, when_full = $3 WHERE name = $1`, [name, type, whenFull]);
    if (known > 0) continue;
    const [row] = await sql.query<{ id: number }>(
      `INSERT INTO ${s}.sinks (name, type, when_full, created) VALUES ($1, $2, $3, $4) RETURNING id`,
      [name, type, whenFull, clock.now()],
    );
    if (row === undefined) continue;
    await startSink(sql, s, row.id, start);
    appeared.push({ id: row.id, name });
  }
  return appeared;
}

/** Sets the offsets of a new sink; what lies before its start was never meant for it, and the balance says so. */
async function startSink(sql: Sql, s: string, sink: number, start: SinkRegistration['start']): Promise<void> {
  // Pages pinned by a replay may stay behind when their neighbours are trimmed: only the run of pages without a hole can be read as a lane.
  const oldest = `SELECT first FROM (SELECT first, lag(first + count) OVER (ORDER BY first) AS expected FROM ${s}.pages p WHERE p.source = l.source AND p.kind = l.kind) q
    WHERE expected IS NULL OR expected <> first ORDER BY first DESC LIMIT 1`;
  const since = `SELECT p.first FROM ${s}.pages p WHERE p.source = l.source AND p.kind = l.kind AND p.first >= (${oldest}) AND p.max_time >= $2 ORDER BY p.first LIMIT 1`;
  const first = start === 'now' ? 'NULL' : start === 'oldest' ? `(${oldest})` : `(${since})`;
  await sql.run(
    `WITH starts AS (SELECT l.source, l.kind, coalesce(${first} - 1, l.appended) AS at FROM ${s}.lanes l),
     placed AS (INSERT INTO ${s}.offsets (sink, source, kind, position) SELECT $1, source, kind, at FROM starts),
     passed AS (SELECT source, sum(at)::bigint AS n FROM starts GROUP BY source HAVING sum(at) > 0),
     noted AS (INSERT INTO ${s}.notes (source, name, value) SELECT ${noSource}, 'start:' || $1::bigint, json_object_agg(source, n)::text FROM passed HAVING count(*) > 0)
     INSERT INTO ${s}.totals (sink, source, not_routed) SELECT $1, source, n FROM passed`,
    typeof start === 'number' ? [sink, start] : [sink],
  );
}

async function idOf(sql: Sql, s: string, kind: 'source' | 'sink', name: string): Promise<number | undefined> {
  const [row] = await sql.query<{ id: number }>(`SELECT id FROM ${s}.${kind}s WHERE name = $1`, [name]);
  return row?.id;
}

async function forget(core: Core, kind: 'source' | 'sink', name: string): Promise<void> {
  const { s } = core.db;
  const gone = await change(core, async (sql) => {
    const id = (await idOf(sql, s, kind, name)) ?? notFound(kind, name);
    await refuseUsed(core, sql, kind, name);
    const abandoned = await pendingOf(sql, s, id, kind);
    const discarded = await discardLetters(core, sql, { [kind]: name });
    await drop(sql, s, kind, id);
    await sql.run(`DELETE FROM ${s}.holds WHERE kind = $1 AND name = $2`, [kind, name]);
    // Its rows of the ledger go with it; what it left undelivered stays on record.
    const forgotten = { [kind]: name, at: core.clock.now(), abandoned, discarded };
    await putNote(sql, s, noSource, forgottenNote(kind, id), forgotten);
    return { abandoned, discarded };
  });
  core.log.warn({ [kind]: name, ...gone }, 'forgotten');
}

async function resetSource(core: Core, name: string, checkpoint: unknown): Promise<void> {
  const { s } = core.db;
  await change(core, async (sql) => {
    await refuseUsed(core, sql, 'source', name);
    const source = await ensureSource(sql, s, name);
    await sql.run(`UPDATE ${s}.sources SET identity = registered WHERE id = $1`, [source]);
    await putCheckpoint(sql, s, source, 'live', checkpoint);
    // Whoever owned it and is only late would put its own back.
    await sql.run(
      `UPDATE ${s}.units u SET owner = CASE WHEN owner = $2 THEN owner END, epoch = epoch + 1 FROM ${s}.sources o WHERE o.id = $1 AND u.id = o.unit`,
      [source, core.member?.id ?? ''],
    );
  });
}

/** Gives a source or a sink another name; everything stored refers to its id and stays. */
async function rename(core: Core, kind: 'source' | 'sink', from: string, to: string): Promise<void> {
  const { s } = core.db;
  await change(core, async (sql) => {
    const id = (await idOf(sql, s, kind, from)) ?? notFound(kind, from);
    const other = await idOf(sql, s, kind, to);
    if (other === id) return;
    await refuseUsed(core, sql, kind, from);
    await refuseUsed(core, sql, kind, to);
    if (other !== undefined) {
      // A name that stands in the configuration already has a row by the first start after the edit. As long as nothing happened under
      // it, that row gives way to the one with the history.
      if (await isUsed(sql, s, kind, other)) throw nameTaken(kind, from, to);
      const [{ configured } = { configured: false }] = await sql.query<{ configured: boolean }>(
        `SELECT configured FROM ${s}.${kind}s WHERE id = $1`,
        [other],
      );
      await drop(sql, s, kind, other);
      if (configured) await sql.run(`UPDATE ${s}.${kind}s SET configured = true WHERE id = $1`, [id]);
    }
    await sql.run(`UPDATE ${s}.${kind}s SET name = $2 WHERE id = $1`, [id, to]);
    // Whoever owns it under the old name is fenced from here on.
    if (kind === 'source')
      await sql.run(
        `UPDATE ${s}.units u SET name = $2, epoch = epoch + 1 FROM ${s}.sources o WHERE o.id = $1 AND u.id = o.unit`,
        [id, to],
      );
    await sql.run(`DELETE FROM ${s}.holds WHERE kind = $1 AND name = $2`, [kind, to]);
    await sql.run(`UPDATE ${s}.holds SET name = $3 WHERE kind = $1 AND name = $2`, [kind, from, to]);
  });
}

/** Whoever is configured with a name would make it anew, or go on under what it was: such a change needs them stopped. */
async function refuseUsed({ db: { s, where }, member }: Core, sql: Sql, kind: 'source' | 'sink', name: string): Promise<void> {
  const [user] = await sql.query<{ name: string }>(
    `SELECT m.name FROM ${s}.registrations r JOIN ${s}.members m ON m.id = r.member WHERE r.kind IN ${either(kind)} AND r.name = $1 AND m.expires > now() AND m.id <> $2 LIMIT 1`,
    [name, member?.id ?? ''],
  );
  if (user === undefined) return;
  throw new PenstockError('PEN_JOURNAL_LOCKED', `the replica "${user.name}" runs with the ${kind} "${name}"`, {
    where,
    fix: 'stop all replicas, or take the name out of their configuration, and try again',
  });
}

async function isUsed(sql: Sql, s: string, kind: 'source' | 'sink', id: number): Promise<boolean> {
  const used =
    kind === 'source'
      ? `SELECT 1 FROM ${s}.counters c WHERE c.source = $1 AND (c.fetched > 0 OR EXISTS (SELECT 1 FROM ${s}.checkpoints k WHERE k.source = $1))`
      : `SELECT 1 FROM ${s}.totals WHERE sink = $1 AND acknowledged + unconfirmed + dead_lettered + discarded + replayed > 0`;
  return (await sql.query(used, [id])).length > 0;
}

const tablesOf = {
  source: [
    'lanes',
    'offsets',
    'totals',
    'checkpoints',
    'notes',
    'seen',
    'seen_days',
    'windows',
    'replays',
    'skips',
    'counters',
    'pages',
  ],
  sink: ['offsets', 'totals', 'dead_letters', 'letter_counts', 'replays', 'skips'],
} as const;

/** Deletes a source or a sink with everything that refers to it. Only inside a transaction. */
async function drop(sql: Sql, s: string, kind: 'source' | 'sink', id: number): Promise<void> {
  for (const table of tablesOf[kind]) await sql.run(`DELETE FROM ${s}.${table} WHERE ${kind} = $1`, [id]);
  const units = kind === 'sink' ? [] : await sql.query<{ unit: number }>(`SELECT unit FROM ${s}.sources WHERE id = $1`, [id]);
  await sql.run(`DELETE FROM ${s}.${kind}s WHERE id = $1`, [id]);
  for (const { unit } of units)
    await sql.run(`DELETE FROM ${s}.units u WHERE u.id = $1 AND NOT EXISTS (SELECT 1 FROM ${s}.sources o WHERE o.unit = u.id)`, [
      unit,
    ]);
}
