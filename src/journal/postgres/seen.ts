import { dayMs } from '../../base/quantity.ts';
import type { Commit } from '../journal.ts';
import { onceEach, type Wanted } from '../records/once-each.ts';
import { touchEveryMs } from '../records/rows.ts';
import { intsOf, numbersOf, uuidsOf } from './binary-arrays.ts';
import { onDay } from './commit-rows.ts';
import type { Core } from './core.ts';
import type { Values } from './database.ts';

const noTime = 0;

/** Records without a time would share one bucket that is touched for ever: they are kept by the day of receipt, as a negative number. */
function noTimeBucket({ clock }: Pick<Core, 'clock'>): number {
  return -Math.max(1, Math.floor(clock.now() / dayMs));
}

/** A list as PostgreSQL writes arrays; for values that hold nothing to quote. */
export const listOf = (values: readonly (string | number | bigint)[]): string => `{${values.join(',')}}`;

export type SeenIndex = ReturnType<typeof openSeen>;

interface Found {
  readonly n: number;
  readonly day: number;
  readonly fingerprint: string;
}

/** The exact index of what was collected: (source, day of the record's time, hash of id) to fingerprints. */
export function openSeen(core: Core) {
  const { names } = core;
  // Days of each source that were looked up since its last commit: that counts as touching them, with the next.
  const touched = new Map<number, Set<number>>();
  return {
    /** Fingerprints of each entry, in the order asked; entries of one id share a list. */
    async lookup(sourceName: string, entries: readonly Wanted[]): Promise<(readonly string[])[]> {
      const source = await names.source(sourceName);
      if (source === undefined || entries.length === 0) return entries.map(() => []);
      const { wanted, places } = onceEach(entries);
      const found = wanted.map((): string[] => []);
      const days = touched.get(source) ?? new Set();
      touched.set(source, days);
      for (const { n, day, fingerprint } of await find(core, source, wanted)) {
        days.add(day);
        found[n - 1]?.push(fingerprint);
      }
      return places.map((place) => found[place] ?? []);
    },
    /** The days that a commit touches, each once. */
    daysOf(source: number, { seen = [] }: Commit): number[] {
      return [
        ...new Set([...(touched.get(source) ?? []), ...seen.map(({ day }) => (day === noTime ? noTimeBucket(core) : day))]),
      ];
    },
    /** A commit of the source was stored. */
    stored: (source: number): void => void touched.delete(source),
    /** Forgets up to `limit` ids of a day that nobody touched within the source's time; `pinned` keeps only overlap and sweep. */
    expire: (limit: number, pinned: boolean): Promise<number> => expire(core, limit, pinned),
  };
}

function find({ db: { s }, db }: Core, source: number, entries: readonly Wanted[]): Promise<Found[]> {
  const wanted = `unnest($2::int[], $3::uuid[]) WITH ORDINALITY AS w(day, id, n)`;
  const columns = `w.n::int AS n, e.day, lpad(to_hex(e.fingerprint), 16, '0') AS fingerprint`;
  // Each id by the index: where statistics are old, the server would go through all ids of the source. OFFSET 0 keeps this apart from the rest.
  const known = (day: string): string =>
    `CROSS JOIN LATERAL (SELECT day, fingerprint FROM ${s}.seen WHERE source = $1 AND day = ${day} AND id = w.id OFFSET 0) e`;
  const byDay = `SELECT ${columns} FROM ${wanted} ${known('w.day')}`;
  // A record without a time may have come on any day.
  const withoutTime = `SELECT ${columns} FROM ${wanted} JOIN ${s}.seen_days d ON d.source = $1 AND d.day < 0 AND w.day = ${noTime} ${known('d.day')}`;
  const values = [source, intsOf(entries.map(({ day }) => day)), uuidsOf(entries.map(({ id }) => id))];
  return db.query<Found>(entries.some(({ day }) => day === noTime) ? `${byDay} UNION ALL ${withoutTime}` : byDay, values);
}

/** What a commit does to the index besides its ids. */
export interface CommitIds {
  readonly days: readonly number[];
  /** Some of the ids stand in the index already, which is rare and takes longer to store. */
  readonly areKnown: boolean;
}

interface IdStatement {
  readonly commit: Commit;
  readonly ids: CommitIds;
}

/** What a commit stores and touches of the index, as parts of its statement. */
export function idParts(core: Core, { commit, ids: { days, areKnown } }: IdStatement, values: Values): string[] {
  const { s } = core.db;
  const parts: string[] = [];
  const entries = commit.seen ?? [];
  const now = `${core.time.now()}::bigint`;
  if (entries.length > 0) {
    const bucket = noTimeBucket(core);
    const columns = [
      values.add(intsOf(entries.map(({ day }) => (day === noTime ? bucket : day))), 'int[]'),
      values.add(uuidsOf(entries.map(({ id }) => id)), 'uuid[]'),
      values.add(numbersOf(entries.map(({ fingerprint }) => fingerprint)), 'bigint[]'),
    ];
    parts.push(`ids AS (INSERT INTO ${s}.seen (source, day, id, fingerprint) SELECT counted.source, e.day, e.id, e.fingerprint
      FROM counted, unnest(${columns.join(', ')}) AS e(day, id, fingerprint)${areKnown ? ' ON CONFLICT DO NOTHING' : ''})`);
  }
  if (days.length > 0) {
    const touched = values.add(listOf(days), 'int[]');
    parts.push(`days AS (INSERT INTO ${s}.seen_days AS d (source, day, touched) SELECT counted.source, e.day, ${now} FROM counted, unnest(${touched}) AS e(day)
      ${onDay})`);
  }
  const { from, to } = commit.window ?? { from: null, to: null };
  if (typeof from !== 'number' || typeof to !== 'number') return parts;
  // As long as a window is being read, it may be read again from its beginning.
  const [first, last] = [from, to].map((time) => values.add(Math.floor(time / dayMs), 'bigint'));
  parts.push(`span AS (UPDATE ${s}.seen_days d SET touched = ${now} FROM counted WHERE d.source = counted.source AND d.day BETWEEN ${first} AND ${last}
    AND NOT d.day = ANY(${values.add(listOf(days), 'int[]')}) AND d.touched < ${now} - ${touchEveryMs})`);
  return parts;
}

interface Bucket {
  readonly source: number;
  readonly day: number;
}

// Counted from the source's newest commit, not from now: collection that pauses for want of room reads again from where it paused.
const oldDays = (s: string): string => `SELECT d.source, d.day FROM ${s}.seen_days d JOIN ${s}.sources o ON o.id = d.source
  WHERE d.touched < $1::bigint - o.seen_ttl_ms ORDER BY d.touched LIMIT 1 FOR UPDATE OF d`;
const unpinnedDays = (s: string): string => `SELECT d.source, d.day FROM ${s}.seen_days d JOIN ${s}.sources o ON o.id = d.source
  WHERE d.touched < (SELECT max(touched) FROM ${s}.seen_days n WHERE n.source = d.source) - o.seen_pinned_ms - ${touchEveryMs} AND $1::bigint > 0
  ORDER BY d.touched LIMIT 1 FOR UPDATE OF d`;

function expire({ db, time }: Core, limit: number, pinned: boolean): Promise<number> {
  const { s } = db;
  return db.transaction(async (sql) => {
    const [bucket] = await sql.query<Bucket>(pinned ? unpinnedDays(s) : oldDays(s), [time.now()]);
    if (bucket === undefined) return 0;
    const key = [bucket.source, bucket.day];
    const gone = await sql.run(
      `DELETE FROM ${s}.seen WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${s}.seen WHERE source = $1 AND day = $2 LIMIT ${limit}))`,
      key,
    );
    if (gone < limit) await sql.run(`DELETE FROM ${s}.seen_days WHERE source = $1 AND day = $2`, key);
    await sql.run(`UPDATE ${s}.counters SET ids = greatest(0, ids - $2) WHERE source = $1`, [bucket.source, gone]);
    return Math.max(1, gone);
  });
}
