// Sinks that no replica is configured with any more, and holds of replicas that are no more. configured -> away, as while a replica starts anew
// or its file is changed before those of the others -> configured again, or gone after ten minutes: what is old is then passed by, counted.
import { Absence } from '../../base/absence.ts';
import { alone, type Core } from './core.ts';
import { configuredNames } from './members.ts';
import { passRecords } from './offsets.ts';
import { isMismarked, markConfigured } from './registration.ts';

interface Stale {
  readonly sink: number;
  readonly name: string;
  readonly source: number;
  readonly kind: number;
  readonly sourceName: string;
  readonly upto: number;
}

interface Away {
  /** Some sink is marked as what it is not. */
  readonly mismarked: boolean;
  readonly sinks: readonly string[];
  readonly replicas: readonly string[];
}

export class Orphans {
  readonly #core: Core;
  readonly #sinks: Absence<string>;
  readonly #replicas: Absence<string>;

  constructor(core: Core) {
    this.#core = core;
    this.#sinks = new Absence(core.clock);
    this.#replicas = new Absence(core.clock);
  }

  /** Looks who is away; sinks that are gone pass what was appended before a journal time, counted as abandoned. */
  async round(before: number): Promise<void> {
    const away = await whoIsAway(this.#core);
    if (away === undefined) return;
    const gone = this.#sinks.look(away.sinks);
    if (away.mismarked || gone.length > 0) await this.#abandon(gone, before);
    const replicas = this.#replicas.look(away.replicas);
    if (replicas.length > 0) await dropHolds(this.#core, replicas);
  }

  async #abandon(gone: readonly string[], before: number): Promise<void> {
    const { log } = this.#core;
    for (const fields of await passBy(this.#core, gone, before))
      log.error(fields, 'abandoned records of a sink that is not configured any more');
  }
}

/** Who is away at this moment. Whether sources are configured is asked only by who registers: thousands of them would be gone through. */
async function whoIsAway({ db }: Core): Promise<Away | undefined> {
  const { s } = db;
  const [away] = await db.query<Away>(
    `SELECT EXISTS (SELECT 1 FROM ${s}.sinks t WHERE ${isMismarked(s, 'sink')}) AS mismarked, ARRAY(SELECT name FROM ${s}.sinks WHERE name NOT IN (${configuredNames(s, 'sink')})) AS sinks,
     ARRAY(SELECT DISTINCT member FROM ${s}.holds WHERE member <> '' AND member NOT IN (SELECT name FROM ${s}.members WHERE expires > now())) AS replicas`,
    [],
  );
  return away;
}

async function passBy(core: Core, orphans: readonly string[], before: number): Promise<readonly object[]> {
  const { s } = core.db;
  return alone(core, [], async (sql) => {
    await markConfigured(sql, s);
    const stale = await sql.query<Stale>(
      `SELECT k.id AS sink, k.name, l.source, l.kind, o.name AS "sourceName", q.upto FROM ${s}.sinks k CROSS JOIN ${s}.lanes l JOIN ${s}.sources o ON o.id = l.source
       CROSS JOIN LATERAL (SELECT max(first + count - 1) AS upto FROM ${s}.pages p WHERE p.source = l.source AND p.kind = l.kind AND p.received_last < $1) q
       WHERE NOT k.configured AND k.name = ANY($2::text[]) AND q.upto IS NOT NULL`,
      [before, orphans],
    );
    const passed: { sink: string; source: string; records: number }[] = [];
    for (const { sink, name, source, kind, sourceName, upto } of stale) {
      const records = await passRecords(sql, { s, sink, source }, kind, upto, 'abandoned');
      if (records > 0) passed.push({ sink: name, source: sourceName, records });
    }
    return passed;
  });
}

/** A replica that was replaced by one of another name holds nothing any more. */
async function dropHolds(core: Core, replicas: readonly string[]): Promise<void> {
  const { s } = core.db;
  await alone(core, undefined, async (sql) => {
    await sql.run(`DELETE FROM ${s}.holds WHERE member = ANY($1::text[])`, [replicas]);
  });
}
