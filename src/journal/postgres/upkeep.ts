// What the journal does beside its callers: it deletes what is old, and when space is short, more. One replica at a time: whoever holds the
// row of the unit `upkeep`; a replay that is being opened holds it too, so that no page goes between being counted and being pinned.

import { Outage } from '../../base/outage.ts';
import { iso } from '../../base/quantity.ts';
import type { UpkeepTrouble } from '../contract/operate.ts';
import { kindName } from '../records/positions.ts';
import { logSkipped } from '../records/rows.ts';
import { roomOutage, sameSkipMs, UpkeepRounds, windowsKeptMs } from '../upkeep-rounds.ts';
import { alone, type Core } from './core.ts';
import type { Sql } from './database.ts';
import { expireFarAhead } from './members.ts';
import { passRecords } from './offsets.ts';
import { Orphans } from './orphans.ts';
import type { Room } from './room.ts';
import type { SeenIndex } from './seen.ts';
import { ended } from './state.ts';

interface UpkeepOptions {
  readonly core: Core;
  readonly room: Room;
  readonly seen: SeenIndex;
  readonly keepMs: number;
}

/** Rounds of a minute: no more often are lanes and days gone through for what is old, unless there is some, and the journal's time is noted. */
const minute = 6;
const expireIds = 5000;
/** What goes because space is short, no more than has to, and what goes because it is old: finding it takes as long as there are lanes. */
const [batchPages, agedPages] = [64, 1000];
// How far into a lane the search looks, so that a lane of very many pages holds nobody up.
const searchPages = 2000;

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #rounds: UpkeepRounds;
  readonly #outage: Outage;
  readonly #orphans: Orphans;
  #done = 0;
  /** Something was old in the last round. */
  #isAged = false;
  #relieving: Promise<void> | undefined;

  constructor(options: UpkeepOptions) {
    const { clock, log } = options.core;
    this.#options = options;
    this.#outage = new Outage(log, roomOutage);
    this.#orphans = new Orphans(options.core);
    options.room.relieveWith((bytes) => this.#relieve(bytes));
    this.#rounds = new UpkeepRounds({ clock, log, round: () => this.#round() });
  }

  /** Why rounds fail; undefined while they do not. */
  get trouble(): UpkeepTrouble | undefined {
    return this.#rounds.trouble;
  }

  /** Says that what is configured may be another: looks at once. */
  registered(): void {
    void this.#rounds.run();
  }

  async close(): Promise<void> {
    await this.#rounds.close();
    await this.#relieving;
  }

  get #closed(): boolean {
    return this.#rounds.isClosed;
  }

  async #round(): Promise<void> {
    const { core, room, seen, keepMs } = this.#options;
    const before = core.time.now() - keepMs;
    const due = await whatIsDue(core, before, this.#isAged || this.#done % minute === 0);
    this.#isAged = due.pages || due.ids;
    await this.#orphans.round(before);
    let trimmed = 0;
    for (let pages = due.pages ? 1 : 0; pages > 0 && !this.#closed; trimmed += pages)
      pages = await trimDelivered(core, before, agedPages);
    while (due.ids && !this.#closed && (await seen.expire(expireIds, false)) > 0);
    this.#done += 1;
    if (due.ended || trimmed > 0 || this.#done % minute === 1) await sweep(core, trimmed > 0);
    if (trimmed > 0) await room.refresh();
  }

  // Delivered pages go first, then ids beyond overlap and sweep; only then do sinks that may skip pay for it.
  #relieve(bytes: number): Promise<void> {
    const { core, room, seen, keepMs } = this.#options;
    const steps = [
      () => trimDelivered(core, Number.MAX_SAFE_INTEGER, batchPages),
      () => seen.expire(expireIds, true),
      () => skip(core),
    ];
    const run = async (): Promise<void> => {
      await this.#orphans.round(core.time.now() - keepMs);
      await room.refresh();
      for (const step of steps) while (!this.#closed && !room.fits(bytes) && (await step()) > 0) await room.refresh();
      this.#outage.worked();
    };
    this.#relieving ??= run()
      .catch((error: unknown) => this.#outage.failed(error, 'error'))
      .finally(() => {
        this.#relieving = undefined;
      });
    return this.#relieving;
  }
}

interface Due {
  readonly pages: boolean;
  readonly ids: boolean;
  readonly ended: boolean;
}

/** SQL, of a lane `l`: its first page is older than $1 or, by a clock that was wrong, newer than now ($2). */
const beginsOld = (s: string): string =>
  `(SELECT received_last < $1 OR received_last > $2::bigint FROM ${s}.pages WHERE source = l.source AND kind = l.kind ORDER BY first LIMIT 1)`;

/** What there is to do; each replica asks in every round, and mostly there is nothing. */
async function whatIsDue({ db, time }: Core, before: number, looksForOld: boolean): Promise<Due> {
  const { s } = db;
  const [due] = await db.query<Due>(
    `SELECT $3 AND EXISTS (SELECT 1 FROM ${s}.lanes l WHERE l.appended > 0 AND ${beginsOld(s)}) AS pages,
     $3 AND EXISTS (SELECT 1 FROM ${s}.seen_days d JOIN ${s}.sources o ON o.id = d.source WHERE d.touched < $2::bigint - o.seen_ttl_ms) AS ids,
     EXISTS (SELECT 1 FROM ${s}.windows WHERE stamp < $2::bigint - ${windowsKeptMs}) OR EXISTS (${endedReplays(s)}) OR EXISTS (SELECT 1 FROM ${s}.letter_counts WHERE letters <= 0) AS ended`,
    [before, time.now(), looksForOld],
  );
  return due ?? { pages: true, ids: true, ended: true };
}

const endedReplays = (s: string): string =>
  `SELECT job FROM ${s}.replays WHERE job IN (SELECT id FROM ${s}.jobs WHERE state IN ${ended})`;

interface Candidate {
  readonly id: number;
  readonly source: number;
  readonly name: string;
  readonly kind: number;
  readonly last: number;
  readonly records: number;
  readonly bytes: number;
}

/**
 * Pages that may go, oldest first: settled by the sinks that `which` selects, appended before a journal time, and not needed by a replay. A
 * page is as old as the oldest-looking page after it in its lane: times of receipt may run backwards, positions never do.
 */
function findPages(sql: Sql, { db: { s }, time }: Core, which: string, before: number, most: number): Promise<Candidate[]> {
  return sql.query<Candidate>(
    `SELECT p.id, l.source, l.name, l.kind, p.last, p.records, p.bytes FROM (
       SELECT l.source, o.name, l.kind, (SELECT min(coalesce(f.position, 0)) FROM ${s}.sinks k LEFT JOIN ${s}.offsets f ON f.sink = k.id AND f.source = l.source AND f.kind = l.kind WHERE ${which}) AS settled
       FROM ${s}.lanes l JOIN ${s}.sources o ON o.id = l.source WHERE l.appended > 0 AND ${beginsOld(s)}) l
     CROSS JOIN LATERAL (
       SELECT id, first, first + count - 1 AS last, count AS records, octet_length(body) AS bytes, min_time, max_time, max(first) FILTER (WHERE received_last < $1) OVER () AS old
       FROM (SELECT * FROM ${s}.pages WHERE source = l.source AND kind = l.kind ORDER BY first LIMIT ${searchPages}) near) p
     WHERE l.settled > 0 AND p.last <= l.settled AND p.first <= p.old AND NOT EXISTS (SELECT 1 FROM ${s}.replays r WHERE r.kind = 'stored' AND r.remaining > 0
       AND r.source = l.source AND p.id BETWEEN r.after / 131072 AND r.upto AND p.min_time <= r.max_time AND p.max_time >= r.min_time)
     ORDER BY p.id LIMIT ${most}`,
    [before, time.now()],
  );
}

/** Deletes up to a batch of pages that every sink has settled and that were appended before a journal time. Returns how many. */
function trimDelivered(core: Core, before: number, most: number): Promise<number> {
  const { s } = core.db;
  return alone(core, 0, async (sql) => {
    const pages = await findPages(sql, core, 'true', before, most);
    await deletePages(sql, s, pages);
    return pages.length;
  });
}

async function deletePages(sql: Sql, s: string, pages: readonly Candidate[]): Promise<void> {
  if (pages.length === 0) return;
  // Always in one order, so that two transactions do not wait for each other.
  await sql.run(
    `WITH gone AS (SELECT source, sum(bytes) AS bytes, count(*) AS pages, sum(records) AS records FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS g(source, bytes, records) GROUP BY source),
     held AS (SELECT c.source FROM ${s}.counters c JOIN gone USING (source) ORDER BY c.source FOR UPDATE OF c)
     UPDATE ${s}.counters c SET bytes = c.bytes - gone.bytes, pages = c.pages - gone.pages, records = c.records - gone.records
     FROM gone JOIN held USING (source) WHERE c.source = gone.source`,
    [pages.map(({ source }) => source), pages.map(({ bytes }) => bytes), pages.map(({ records }) => records)],
  );
  await sql.run(`DELETE FROM ${s}.pages WHERE id = ANY($1::bigint[])`, [pages.map(({ id }) => id)]);
}

/** Moves sinks that may skip past a batch of pages that only they still pin, and deletes these. Returns how many. */
async function skip(core: Core): Promise<number> {
  const { db, log } = core;
  const { s } = db;
  const { count, skipped } = await alone(core, { count: 0, skipped: [] as object[] }, async (sql) => {
    const pages = await findPages(sql, core, "k.when_full = 'wait' OR NOT k.configured", Number.MAX_SAFE_INTEGER, batchPages);
    const sinks = await sql.query<{ id: number; name: string }>(
      `SELECT id, name FROM ${s}.sinks WHERE when_full = 'skip' AND configured`,
    );
    const skipped: object[] = [];
    const lasts = new Map(pages.map((page) => [`${page.source}/${page.kind}`, page]));
    for (const { id, name } of sinks) {
      for (const page of lasts.values()) {
        const records = await passRecords(sql, { s, sink: id, source: page.source }, page.kind, page.last, 'skipped');
        if (records === 0) continue;
        const range = await noteSkip(core, sql, id, page, records);
        skipped.push({ sink: name, source: page.name, lane: kindName(page.kind), records, ...range });
      }
    }
    await deletePages(sql, s, pages);
    return { count: pages.length, skipped };
  });
  logSkipped(log, skipped);
  return count;
}

async function noteSkip({ db: { s }, clock }: Core, sql: Sql, sink: number, { source, kind, last }: Candidate, records: number) {
  const [range] = await sql.query<{ from: number; to: number }>(
    `SELECT min(min_time) AS "from", max(max_time) AS "to" FROM ${s}.pages WHERE source = $1 AND kind = $2 AND first <= $3 AND first + count > $4`,
    [source, kind, last, last - records + 1],
  );
  const { from, to } = range ?? { from: 0, to: 0 };
  const row = [sink, source, kind, from, to, records, clock.now()];
  const extended = await sql.run(
    `UPDATE ${s}.skips SET from_time = least(from_time, $4), to_time = greatest(to_time, $5), records = records + $6, last_at = $7
     WHERE id = (SELECT max(id) FROM ${s}.skips WHERE sink = $1 AND source = $2 AND kind = $3) AND last_at >= $7::bigint - ${sameSkipMs}`,
    row,
  );
  if (extended === 0)
    await sql.run(
      `INSERT INTO ${s}.skips (sink, source, kind, from_time, to_time, records, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
      row,
    );
  return { from: iso(from), to: iso(to) };
}

/** Rows that are old or ended, leases that no clock gave, and the journal's time. */
async function sweep(core: Core, trimmed: boolean): Promise<void> {
  const { s } = core.db;
  await alone(core, undefined, async (sql) => {
    await sql.run(`DELETE FROM ${s}.windows WHERE stamp < $1`, [core.time.now() - windowsKeptMs]);
    await sql.run(`DELETE FROM ${s}.replays WHERE job IN (${endedReplays(s)})`);
    await sql.run(`DELETE FROM ${s}.letter_counts WHERE letters <= 0`);
    await expireFarAhead(sql, s);
    await core.time.save(sql, s);
  });
  if (!trimmed) return;
  // A page that is appended at this moment keeps its connector: the foreign key says so, and the next round tries again.
  await core.db
    .run(
      `DELETE FROM ${s}.connectors c WHERE NOT EXISTS (SELECT 1 FROM ${s}.pages p WHERE p.connector_hash = c.hash)
       AND NOT EXISTS (SELECT 1 FROM ${s}.dead_letters d WHERE d.connector_hash = c.hash)`,
    )
    .catch((error: unknown) => core.log.debug({ err: error }, 'connectors that seemed unused are used again'));
}
