// Who works on the journal, what they are configured with, and what they say of themselves. The row of a life: alive -> over when its lease
// ran out (missing, until one of its name, or of a name that is new, joins) or when it left (`expires` is -infinity); forgotten after a day.
import { hostname } from 'node:os';
import type { MissingReplica, Replica } from '../journal.ts';
import type { Database, Sql } from './database.ts';

type Kind = 'source' | 'sink';

/** What stands in a configuration: what is disabled there is no orphan, and is left to who has it enabled. */
export type Registered = readonly [kind: Kind | `disabled ${Kind}`, name: string];

export const registeredAs = (
  kind: Kind,
  { name, enabled }: { readonly name: string; readonly enabled?: boolean },
): Registered => [enabled === false ? `disabled ${kind}` : kind, name];

/** SQL: a kind, enabled or not. */
export const either = (kind: Kind): string => `('${kind}', 'disabled ${kind}')`;

/** Puts what a member is configured with in place of what it was. */
export async function putRegistered(sql: Sql, s: string, id: string, registered: readonly Registered[]): Promise<void> {
  await sql.run(`DELETE FROM ${s}.registrations WHERE member = $1`, [id]);
  await sql.run(
    `INSERT INTO ${s}.registrations (member, kind, name) SELECT $1, e.kind, e.name FROM unnest($2::text[], $3::text[]) AS e(kind, name)`,
    [id, registered.map(([kind]) => kind), registered.map(([, name]) => name)],
  );
}

/** Gives back what a member owns; it is none any more. Its name is kept: who comes back under it takes nobody's place. */
export async function depart(sql: Sql, s: string, id: string): Promise<void> {
  await sql.run(`UPDATE ${s}.units SET owner = NULL, since = now() WHERE owner = $1`, [id]);
  await sql.run(`DELETE FROM ${s}.registrations WHERE member = $1`, [id]);
  await sql.run(`UPDATE ${s}.members SET expires = '-infinity', seen = now(), report = NULL WHERE id = $1`, [id]);
}

interface ReplicaRow {
  readonly name: string;
  readonly version: string;
  readonly since: number;
  readonly sources: number;
  readonly seen: number;
  readonly self: boolean;
  readonly sinks: readonly string[];
  readonly disabledSinks: readonly string[];
  readonly report: string | null;
}

/** Who lives and works on the journal, as a member sees it; what they say of themselves is long where they have thousands of sources. */
export async function readReplicas(db: Database, id: string, { reports = false } = {}): Promise<Replica[]> {
  const { s } = db;
  const rows = await db.query<ReplicaRow>(
    `SELECT m.name, m.version, (extract(epoch FROM m.joined) * 1000)::bigint AS since, (extract(epoch FROM m.seen) * 1000)::bigint AS seen,
     m.id = $1 AS self, CASE WHEN $2 AND m.id <> $1 THEN m.report END AS report,
     (SELECT count(*) FROM ${s}.units u JOIN ${s}.sources o ON o.unit = u.id WHERE u.owner = m.id) AS sources,
     ARRAY(SELECT r.name FROM ${s}.registrations r WHERE r.member = m.id AND r.kind = 'sink' ORDER BY r.name COLLATE "C") AS sinks,
     ARRAY(SELECT r.name FROM ${s}.registrations r WHERE r.member = m.id AND r.kind = 'disabled sink' ORDER BY r.name COLLATE "C") AS "disabledSinks"
     FROM ${s}.members m WHERE m.expires > now() AND EXISTS (SELECT 1 FROM ${s}.registrations r WHERE r.member = m.id) ORDER BY m.name COLLATE "C", m.joined`,
    [id, reports],
  );
  return rows.map(({ name, version, since, sources, sinks, disabledSinks, seen, self, report }) => ({
    name,
    version,
    since,
    sources,
    lastSeen: seen,
    sinks,
    disabledSinks,
    isSelf: self,
    ...(report !== null && { report: JSON.parse(report) as unknown }),
  }));
}

const keptFor = '1 day';

/** SQL, of a member `m`: it was not heard of any more, and nobody of its name was since. */
const isMissing = (s: string): string =>
  `m.expires <= now() AND m.expires > '-infinity' AND m.seen > now() - interval '${keptFor}'
   AND NOT EXISTS (SELECT 1 FROM ${s}.members l WHERE l.name = m.name AND l.expires > now())`;

/**
 * SQL: the names that some replica is configured with. One that is missing counts, as it will come back with the file that it had; what keeps
 * records or a name for it goes by this, and who is to do work by those that live.
 */
export const configuredNames = (s: string, kind: Kind): string =>
  `SELECT r.name FROM ${s}.registrations r WHERE r.kind IN ${either(kind)} AND r.member IN (SELECT m.id FROM ${s}.members m WHERE m.expires > now() OR (${isMissing(s)}))`;

/** Who is missing, by name. */
export function readMissing(db: Database): Promise<MissingReplica[]> {
  const { s } = db;
  return db.query<MissingReplica>(
    `SELECT m.name, (extract(epoch FROM max(m.seen)) * 1000)::bigint AS "lastSeen",
     ARRAY(SELECT DISTINCT r.name FROM ${s}.registrations r JOIN ${s}.members l ON l.id = r.member WHERE l.name = m.name AND r.kind IN ${either('sink')}) AS sinks FROM ${s}.members m WHERE ${isMissing(s)} GROUP BY m.name ORDER BY m.name COLLATE "C"`,
  );
}

/** True where somebody who lives has it enabled. */
export async function isNamed(db: Database, kind: 'source' | 'sink', name: string): Promise<boolean> {
  const [row] = await db.query<{ named: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM ${db.s}.registrations r JOIN ${db.s}.members m ON m.id = r.member WHERE m.expires > now() AND r.kind = $1 AND r.name = $2) AS named`,
    [kind, name],
  );
  return row?.named === true;
}

/** Where the server's clock was set back, who died before that would live for as long: no lease is that far ahead. */
export async function expireFarAhead(sql: Sql, s: string): Promise<void> {
  await sql.run(
    `UPDATE ${s}.members SET expires = now(), seen = least(seen, now()) WHERE expires > now() + interval '2 minutes'`,
  );
}

export interface MembershipOptions {
  /** How people know this process. */
  readonly name: string;
  readonly labels: readonly string[];
  readonly version: string;
  readonly leaseMs: number;
  /** Told with each heartbeat what was changed. */
  readonly changes?: { heard(counts: { readonly changes: number; readonly names: number }): void };
}

/** Notes a new life. One of a name that was not there takes the place of who is missing longest. Only inside a transaction. */
export async function arrive(sql: Sql, s: string, id: string, options: MembershipOptions): Promise<void> {
  const before = await sql.query<{ name: string }>(
    `DELETE FROM ${s}.members WHERE expires <= now() AND (name = $1 OR seen <= now() - interval '${keptFor}') RETURNING name`,
    [options.name],
  );
  if (!before.some(({ name }) => name === options.name))
    await sql.run(
      `DELETE FROM ${s}.members WHERE id = (SELECT m.id FROM ${s}.members m WHERE ${isMissing(s)} ORDER BY m.seen LIMIT 1)`,
    );
  await sql.run(`DELETE FROM ${s}.registrations r WHERE NOT EXISTS (SELECT 1 FROM ${s}.members m WHERE m.id = r.member)`);
  await sql.run(
    `INSERT INTO ${s}.members (id, name, expires, host, version, labels) VALUES ($1, $2, now() + $3::interval, $4, $5, $6)`,
    [id, options.name, `${options.leaseMs} milliseconds`, hostname(), options.version, options.labels],
  );
}
