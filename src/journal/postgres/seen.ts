import type { Commit } from '../journal.ts';
import type { Core } from './core.ts';

export const dayMs = 86_400_000;
/** Touching a day with every page would write for nothing; ages are counted in days. */
export const touchEveryMs = 3_600_000;
const noTime = 0;

/** Records without a time would share one bucket that is touched for ever: they are kept by the day of receipt, as a negative number. */
export function noTimeBucket({ clock }: Pick<Core, 'clock'>): number {
  return -Math.max(1, Math.floor(clock.now() / dayMs));
}

/** A list as PostgreSQL writes arrays; for values that hold nothing to quote. */
export const listOf = (values: readonly (string | number | bigint)[]): string => `{${values.join(',')}}`;

/** 16 hex digits as the signed number that a bigint keeps. */
export const signed = (hex: string): string => BigInt.asIntN(64, BigInt(`0x${hex}`)).toString();

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
    /** Fingerprints of each entry, in the order asked. */
    async lookup(sourceName: string, entries: readonly { readonly day: number; readonly id: string }[]): Promise<string[][]> {
      const source = await names.source(sourceName);
      const found = entries.map((): string[] => []);
      if (source === undefined || entries.length === 0) return found;
      const days = touched.get(source) ?? new Set();
      touched.set(source, days);
      for (const { n, day, fingerprint } of await find(core, source, entries)) {
        days.add(day);
        found[n - 1]?.push(fingerprint);
      }
      return found;
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

function find(
  { db: { s }, db }: Core,
  source: number,
  entries: readonly { readonly day: number; readonly id: string }[],
): Promise<Found[]> {
  const wanted = `unnest($2::int[], $3::uuid[]) WITH ORDINALITY AS w(day, id, n)`;
  const columns = `w.n::int AS n, e.day, lpad(to_hex(e.fingerprint), 16, '0') AS fingerprint`;
  // Each id by the index: where statistics are old, the server would go through all ids of the source. OFFSET 0 keeps this apart from the rest.
  const known = (day: string): string =>
    `CROSS JOIN LATERAL (SELECT day, fingerprint FROM ${s}.seen WHERE source = $1 AND day = ${day} AND id = w.id OFFSET 0) e`;
  const byDay = `SELECT ${columns} FROM ${wanted} ${known('w.day')}`;
  // A record without a time may have come on any day.
  const withoutTime = `SELECT ${columns} FROM ${wanted} JOIN ${s}.seen_days d ON d.source = $1 AND d.day < 0 AND w.day = ${noTime} ${known('d.day')}`;
  const values = [source, listOf(entries.map(({ day }) => day)), listOf(entries.map(({ id }) => id))];
  return db.query<Found>(entries.some(({ day }) => day === noTime) ? `${byDay} UNION ALL ${withoutTime}` : byDay, values);
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
