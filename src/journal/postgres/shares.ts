// Who owns how much: the statements by which replicas share the units.
import type { OwnershipListener } from '../journal.ts';
import type { Database, Sql } from './database.ts';

const fewestClaimed = 20;
const claimedPart = 0.1;

/** Who has not come to claim for longer than that is not waited for. */
const longestPause = '5 seconds';

/** SQL: who lives, and who of them comes to claim what is free. */
const whoLives = (s: string): string =>
  `live AS MATERIALIZED (SELECT id, seen > now() - interval '${longestPause}' AS comes FROM ${s}.members WHERE expires > now())`;

/** SQL: who lives, who of them works, and for each unit whether this member ($1) is configured with it; no row where nobody is. */
const whoIsNamed = (s: string): string => `${whoLives(s)},
  working AS MATERIALIZED (SELECT l.id, l.comes FROM live l WHERE EXISTS (SELECT 1 FROM ${s}.registrations r WHERE r.member = l.id)),
  naming AS MATERIALIZED (SELECT r.member, o.unit FROM ${s}.registrations r JOIN working w ON w.id = r.member JOIN ${s}.sources o ON o.name = r.name WHERE r.kind = 'source' GROUP BY 1, 2),
  named AS MATERIALIZED (SELECT unit, bool_or(member = $1) AS mine, count(*) AS replicas FROM naming GROUP BY unit)`;

/**
 * SQL, after `whoIsNamed`: what each replica is to own at most and at least, and how many that is more than it does; which others come to take more, and
 * of what, and how many of these they lack. A unit counts for a part where several could take it.
 */
const shares = (
  s: string,
): string => `shares AS MATERIALIZED (SELECT w.id, w.comes, ceil(p.parts) AS want, floor(p.parts) AS least, ceil(p.parts) - h.have AS room, floor(p.parts) - h.have AS lack
  FROM working w CROSS JOIN LATERAL (SELECT coalesce(sum(1.0 / d.replicas), 0) AS parts FROM naming g JOIN named d ON d.unit = g.unit WHERE g.member = w.id) n
  CROSS JOIN LATERAL (SELECT count(*) AS have FROM ${s}.units u WHERE u.owner = w.id AND u.kind = 'source') h
  CROSS JOIN (SELECT count(*)::numeric / greatest(1, (SELECT count(*) FROM working)) AS parts FROM ${s}.units u WHERE u.kind = 'source' AND NOT EXISTS (SELECT 1 FROM named d WHERE d.unit = u.id)) o
  CROSS JOIN LATERAL (SELECT round(n.parts + o.parts, 6) AS parts) p),
  others AS MATERIALIZED (SELECT id, greatest(0, lack) AS lack FROM shares WHERE room > 0 AND comes AND id <> $1),
  taking AS MATERIALIZED (SELECT g.unit, sum(h.lack) AS lack FROM naming g JOIN others h ON h.id = g.member GROUP BY 1)`;

/** How many units change hands with one heartbeat: few enough that none of those who begin or end them is overrun. */
const atOnce = (units: number): number => Math.max(fewestClaimed, Math.ceil(units * claimedPart));
/** How many are handed over at once: all of them wait for what is under way of any. */
const mostLeaving = (units: number): number => Math.max(300, Math.ceil(units / 3));

const isFree = '(u.owner IS NULL OR u.owner NOT IN (SELECT id FROM live))';

/** What a member sees in a glance: whether it has to look closer. */
export interface Glance {
  /** How many replicas work and come to claim, and how often anybody was configured anew. */
  readonly members: number;
  readonly names: number;
  /** Whether any unit is nobody's. */
  readonly free: boolean;
  /** How many units the member owns, and the sum of their epochs: it changes with every one that comes or goes. */
  readonly have: number;
  readonly epochs: number;
}

/** What the server answers to a heartbeat: a glance, and its clock, milliseconds. `alive`: it had heard of the member in time. */
export interface Beat extends Glance {
  readonly alive: boolean;
  readonly now: number;
  /** How often anything was changed, as `Changes` counts it. */
  readonly changes: number;
}

const nothing: Glance = { members: 1, names: 0, free: true, have: 0, epochs: 0 };

const glanceColumns = (s: string): string =>
  `(SELECT count(*) FROM live l WHERE (l.comes OR l.id = $1) AND EXISTS (SELECT 1 FROM ${s}.registrations r WHERE r.member = l.id)) AS members, (SELECT names FROM ${s}.meta) AS names,
   coalesce(bool_or(${isFree}), false) AS free, count(*) FILTER (WHERE u.owner = $1) AS have, coalesce(sum(u.epoch) FILTER (WHERE u.owner = $1), 0) AS epochs
   FROM ${s}.units u WHERE u.kind = 'source'`;

/**
 * Tells the server that a member lives: one statement, so that it takes one turn of a busy event loop. `comes`: others leave it what it could
 * take; who does not, lives and keeps what it has.
 */
export async function beat(db: Database, id: string, leaseMs: number, comes: boolean): Promise<Beat> {
  const { s } = db;
  const [row] = await db.queryAsMember<Beat>(
    `WITH beat AS (UPDATE ${s}.members SET expires = now() + $2::interval, seen = CASE WHEN $3 THEN now() ELSE seen END
       WHERE id = $1 AND expires > now() RETURNING id),
     ${whoLives(s)}
     SELECT (SELECT count(*) FROM beat) > 0 AS alive, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, (SELECT changes FROM ${s}.meta) AS changes, ${glanceColumns(s)}`,
    [id, `${leaseMs} milliseconds`, comes],
  );
  return row ?? { alive: false, now: 0, changes: 0, ...nothing };
}

/** Asks for an answer, and does nothing. */
export const knock = (db: Database): Promise<unknown> => db.queryAsMember('SELECT 1 AS heard', []);

export async function glance(sql: Sql, s: string, id: string): Promise<Glance> {
  const [row] = await sql.query<Glance>(`WITH ${whoLives(s)} SELECT ${glanceColumns(s)}`, [id]);
  return row ?? nothing;
}

/** How many units a member is to own, at most and at least: one apart, where they cannot be shared evenly. */
export interface Share {
  readonly want: number;
  readonly least: number;
}

interface Claimed extends Share, Pick<Glance, 'members' | 'names'> {
  readonly isMore: boolean;
}

const nobody = { units: 0, working: 1, members: 0, names: 0, want: 0, least: 0, room: 0, lack: 0, free: 0, othersLack: false };

/**
 * Takes units that nobody alive owns, up to the member's share and, beside others, some at a time; each replica begins elsewhere, so that they
 * seldom run for the same. A member takes what it is configured with, and what nobody alive is: sinks deliver what such a source left.
 * First come those that few others could take. Beyond its share a member takes what nobody with room comes to take, and beyond the least of it what nobody
 * who lacks of that comes to take. Returns the share, who came
 * as it was counted, and whether there may be more to take.
 */
export async function claim(sql: Sql, s: string, id: string, justLeft: readonly number[]): Promise<Claimed> {
  const [share] = await sql.query<
    Omit<Claimed, 'isMore'> & { units: number; working: number; room: number; lack: number; free: number; othersLack: boolean }
  >(
    `WITH ${whoIsNamed(s)}, ${shares(s)} SELECT count(*) FILTER (WHERE n.mine IS NOT FALSE) AS units, (SELECT count(*) FROM working) AS working,
     (SELECT count(*) FROM working WHERE comes OR id = $1) AS members, (SELECT names FROM ${s}.meta) AS names,
     coalesce(max(me.want), 0) AS want, coalesce(max(me.least), 0) AS least, coalesce(max(me.room), 0) AS room, coalesce(max(me.lack), 0) AS lack,
     count(*) FILTER (WHERE n.mine IS NOT FALSE AND ${isFree}) AS free, EXISTS (SELECT 1 FROM others WHERE lack > 0) AS "othersLack"
     FROM ${s}.units u LEFT JOIN named n ON n.unit = u.id LEFT JOIN shares me ON me.id = $1 WHERE u.kind = 'source'`,
    [id],
  );
  const { units, working, room, lack, free, othersLack, ...counted } = share ?? nobody;
  if (free === 0) return { ...counted, isMore: false };
  const most = working <= 1 ? units : atOnce(units);
  const others = (which: string): string =>
    `AND NOT (EXISTS (SELECT 1 FROM taking t WHERE t.unit = u.id ${which}) OR n.unit IS NULL AND EXISTS (SELECT 1 FROM others t WHERE true ${which}))`;
  const nobodyElse = room <= 0 ? others('') : lack <= 0 ? others('AND t.lack > 0') : '';
  const enough = lack > 0 && othersLack ? lack : room;
  const taken = await sql.run(
    `WITH ${whoIsNamed(s)}, ${shares(s)}, free AS (SELECT u.id FROM ${s}.units u LEFT JOIN named n ON n.unit = u.id WHERE u.kind = 'source' AND ${isFree}
       AND n.mine IS NOT FALSE ${nobodyElse} AND NOT u.id = ANY($3::bigint[]) ORDER BY n.replicas, hashtextextended(u.name || $1, 0) LIMIT $2 FOR UPDATE OF u SKIP LOCKED)
     UPDATE ${s}.units u SET owner = $1, epoch = u.epoch + 1, since = now() FROM free WHERE u.id = free.id`,
    [id, room > 0 ? Math.min(most, enough) : most, justLeft],
  );
  return { ...counted, isMore: taken === most };
}

export interface Unit {
  readonly unit: number;
  readonly epoch: number;
}

export interface UnitRow extends Unit {
  readonly source: string;
  /** Only other replicas are configured with it. */
  readonly isOthers: boolean;
  /** How many replicas could have it; null where nobody is configured with it. */
  readonly replicas: number | null;
  /** Another replica could have it, and has less than its share. */
  readonly isWanted: boolean;
  /** How many units those of them lack of the least that they are to own, beyond what is free. */
  readonly lacking: number;
}

/** What a member owns, as of a heartbeat. */
export interface Tick {
  readonly mine: readonly UnitRow[];
  readonly share: Share;
}

/** Nothing asks for a close look that a glance does not show; who is wrong all the same is so no longer than that many heartbeats. */
const closeLookEvery = 60;

/** What a member remembers from one heartbeat to the next: thousands of rows that are known are not read again each time. */
export class Outlook {
  #known: (Pick<Glance, 'have' | 'epochs'> & Tick) | undefined;
  #share: Claimed | undefined;
  #looks = 0;

  /** As many units were taken as may be at once, and more may be left: nobody collects them until they are taken. */
  get isMore(): boolean {
    return this.#share?.isMore === true;
  }

  forget(): void {
    this.#known = undefined;
    this.#share = undefined;
  }

  /** Whether to count and claim: only where a glance shows a reason, and now and then. */
  isOld({ members, names, free }: Glance): boolean {
    const isSame = members === this.#share?.members && names === this.#share.names;
    return free || !isSame || this.#looks % closeLookEvery === 0;
  }

  /** What was read before, where a glance shows that nothing came or went. */
  asKnown({ have, epochs }: Glance): Tick | undefined {
    this.#looks += 1;
    return this.#known?.have === have && this.#known.epochs === epochs ? this.#known : undefined;
  }

  /** Reads what is the member's, after it has claimed what is its share where `justLeft` is given: units that it gave back this moment. */
  async look(
    sql: Sql,
    { s, id }: { readonly s: string; readonly id: string },
    glanced: Glance,
    justLeft: readonly number[] | undefined,
  ): Promise<Tick> {
    this.#looks += 1;
    let seen = glanced;
    if (justLeft !== undefined) {
      // Who came when it was counted, not when the heartbeat was sent: who comes in between would be waited for by nobody.
      this.#share = await claim(sql, s, id, justLeft);
      seen = await glance(sql, s, id);
    }
    const mine = await readOwned(sql, s, id);
    this.#known = { have: seen.have, epochs: seen.epochs, mine, share: this.#share ?? { want: 0, least: 0 } };
    return this.#known;
  }
}

/** Reads the units that a member owns. */
export function readOwned(sql: Sql, s: string, id: string): Promise<UnitRow[]> {
  return sql.query<UnitRow>(
    `WITH ${whoIsNamed(s)}, ${shares(s)} SELECT o.name AS source, u.id AS unit, u.epoch, n.mine IS FALSE AS "isOthers", n.replicas,
     CASE WHEN n.unit IS NULL THEN EXISTS (SELECT 1 FROM others) ELSE t.unit IS NOT NULL END AS "isWanted",
     greatest(0, CASE WHEN n.unit IS NULL THEN (SELECT sum(lack) FROM others) ELSE t.lack END - (SELECT count(*) FROM ${s}.units u WHERE u.kind = 'source' AND ${isFree})) AS lacking
     FROM ${s}.units u JOIN ${s}.sources o ON o.unit = u.id LEFT JOIN named n ON n.unit = u.id LEFT JOIN taking t ON t.unit = u.id WHERE u.owner = $1`,
    [id],
  );
}

/**
 * Which units to hand over: what only others are configured with, and of what is more than the share what another wants; of what is more than the
 * least of it as many as others lack. What few could take stays. Some at a time, as they are taken: what is handed over is nobody's until then.
 */
export function excess(mine: readonly UnitRow[], { want, least }: Share, isLeaving: (unit: number) => boolean): number[] {
  const staying = mine.filter(({ unit }) => !isLeaving(unit));
  const leaving = countOf(mine) - countOf(staying);
  const rank = ({ replicas }: UnitRow): number => replicas ?? Number.MAX_SAFE_INTEGER;
  const own = staying.filter(({ isOthers }) => !isOthers).toSorted((one, other) => rank(one) - rank(other));
  const others = staying.filter(({ isOthers }) => isOthers);
  const lacking = Math.max(0, ...own.map((row) => row.lacking)) - leaving;
  const toLacking = last(
    own.filter((row) => row.lacking > 0),
    Math.min(lacking, countOf(own) - least),
  );
  const wanted = own.filter(({ isWanted, unit }) => isWanted && !toLacking.includes(unit));
  const going = [...unitsOf(others), ...last(wanted, countOf(own) - want - toLacking.length), ...toLacking];
  return going.slice(0, Math.max(0, mostLeaving(mine.length) - leaving));
}

const unitsOf = (rows: readonly UnitRow[]): number[] => [...new Set(rows.map(({ unit }) => unit))];
const countOf = (rows: readonly UnitRow[]): number => unitsOf(rows).length;
const last = (rows: readonly UnitRow[], count: number): number[] => (count > 0 ? unitsOf(rows).slice(-count) : []);

/** Gives units back; one that a commit still holds stays for the next time, so that nobody's heartbeat waits for it. */
export async function giveBack(sql: Sql, s: string, id: string, units: readonly number[]): Promise<void> {
  await sql.run(
    `UPDATE ${s}.units SET owner = NULL, since = now() WHERE id IN (SELECT id FROM ${s}.units WHERE id = ANY($1::bigint[]) AND owner = $2 FOR UPDATE SKIP LOCKED)`,
    [units, id],
  );
}

/** Gives a unit that the member owns another epoch: what was asked for under the one before is refused. */
export const renewUnit = (
  db: Database,
  { unit, epoch }: { readonly unit: number; readonly epoch: number },
  id: string,
): Promise<number> =>
  db.run(`UPDATE ${db.s}.units SET epoch = epoch + 1 WHERE id = $1 AND owner = $2 AND epoch = $3`, [unit, id, epoch]);

/** Who is told which sources come and go. */
export class Listeners {
  readonly #listeners = new Set<OwnershipListener>();

  add(listener: OwnershipListener, owned: readonly string[]): Disposable {
    this.#listeners.add(listener);
    if (owned.length > 0) listener.gained(owned);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  tell(what: 'gained' | 'lost', sources: readonly string[]): void {
    if (sources.length > 0) for (const listener of this.#listeners) listener[what](sources);
  }

  /** Resolves when nothing of the sources is under way any more, or was cut off by `signal`. */
  async releasing(sources: readonly string[], signal: AbortSignal): Promise<void> {
    await Promise.allSettled([...this.#listeners].map((one) => one.releasing?.(sources, signal) ?? Promise.resolve()));
  }
}
