// Who owns how much: the statements by which replicas share the units.
import type { Replica } from '../journal.ts';
import type { Database, Sql } from './database.ts';

const fewestClaimed = 20;
const claimedPart = 0.05;

/**
 * Takes units that nobody alive owns, up to the member's share and, beside others, some at a time; each replica begins elsewhere, so that they
 * seldom run for the same. A member takes what it is configured with, and what nobody alive is: sinks deliver what such a source left.
 * Returns the share.
 */
export async function claim(sql: Sql, s: string, id: string, justLeft: readonly number[]): Promise<number> {
  const working = `SELECT m.id FROM ${s}.members m WHERE m.expires > now() AND EXISTS (SELECT 1 FROM ${s}.registrations r WHERE r.member = m.id)`;
  const named = `SELECT 1 FROM ${s}.sources o JOIN ${s}.registrations r ON r.kind = 'source' AND r.name = o.name WHERE o.unit = u.id AND r.member`;
  const [share] = await sql.query<{ units: number; members: number; have: number }>(
    `SELECT (SELECT count(*) FROM ${s}.units u WHERE u.kind = 'source' AND (EXISTS (${named} = $1) OR NOT EXISTS (${named} IN (${working})))) AS units,
     (SELECT count(*) FROM (${working}) w) AS members, (SELECT count(*) FROM ${s}.units u WHERE u.kind = 'source' AND u.owner = $1) AS have`,
    [id],
  );
  const { units, members, have } = share ?? { units: 0, members: 1, have: 0 };
  const want = Math.ceil(units / Math.max(1, members));
  const most = members <= 1 ? units : Math.max(fewestClaimed, Math.ceil(units * claimedPart));
  const count = Math.min(most, want - have);
  if (count <= 0) return want;
  await sql.run(
    `WITH working AS MATERIALIZED (${working}),
     free AS (SELECT u.id FROM ${s}.units u WHERE u.kind = 'source' AND (u.owner IS NULL OR NOT EXISTS (SELECT 1 FROM ${s}.members m WHERE m.id = u.owner AND m.expires > now()))
       AND NOT u.id = ANY($3::bigint[]) AND (EXISTS (${named} = $1) OR NOT EXISTS (${named} IN (SELECT id FROM working)))
       ORDER BY hashtextextended(u.name || $1, 0) LIMIT $2 FOR UPDATE OF u SKIP LOCKED)
     UPDATE ${s}.units u SET owner = $1, epoch = u.epoch + 1, since = now() FROM free WHERE u.id = free.id`,
    [id, count, justLeft],
  );
  return want;
}

interface ReplicaRow {
  readonly name: string;
  readonly version: string;
  readonly since: number;
  readonly sources: number;
  readonly seen: number;
  readonly report: string | null;
}

/** Who lives and works on the journal. */
export async function readReplicas(db: Database): Promise<Replica[]> {
  const { s } = db;
  const rows = await db.query<ReplicaRow>(
    `SELECT m.name, m.version, (extract(epoch FROM m.joined) * 1000)::bigint AS since, (extract(epoch FROM m.seen) * 1000)::bigint AS seen, m.report,
     (SELECT count(*) FROM ${s}.units u JOIN ${s}.sources o ON o.unit = u.id WHERE u.owner = m.id) AS sources
     FROM ${s}.members m WHERE m.expires > now() AND EXISTS (SELECT 1 FROM ${s}.registrations r WHERE r.member = m.id) ORDER BY m.name COLLATE "C", m.joined`,
  );
  return rows.map(({ name, version, since, sources, seen, report }) => ({
    name,
    version,
    since,
    sources,
    lastSeen: seen,
    ...(report !== null && { report: JSON.parse(report) as unknown }),
  }));
}
