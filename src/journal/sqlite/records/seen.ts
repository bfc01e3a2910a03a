import type { SQLInputValue } from 'node:sqlite';
import { dayMs } from '../../../base/quantity.ts';
import type { Seen, WindowDelta } from '../../journal.ts';
import { onceEach, type Wanted } from '../../records/once-each.ts';
import { touchEveryMs } from '../../records/rows.ts';
import type { Core } from '../core.ts';
import { all, one } from '../file/database.ts';
import { type IdBlocks, openIdBlocks, openMoveBlocks } from './id-blocks.ts';

// Records without a time would share one bucket that is touched for ever: they are kept by the day of receipt, as a negative number.
const noTime = 0;

export type SeenIndex = ReturnType<typeof openSeen>;

/**
 * The exact index of what was collected: (source, day of the record's time, hash of id) to fingerprints. What is new lies in blocks, the rest in
 * `seen`; an id is known when either knows it.
 */
export function openSeen(core: Core) {
  const { db, names, clock, time } = core;
  const blocks = openIdBlocks(core);
  const look = openLook(db, blocks);
  const put = openPut(db, blocks);
  const touch = openTouch({ db, time });
  const touches = createTouches();

  return {
    /** Fingerprints of each entry, in the order asked; entries of one id share a list. */
    lookup(sourceName: string, entries: readonly Wanted[]): (readonly string[])[] {
      const source = names.source(sourceName);
      if (source === undefined) return entries.map(() => []);
      const { wanted, places } = onceEach(entries);
      const found = look(source, wanted, touches.of(source));
      return places.map((place) => found[place] ?? []);
    },
    /**
     * Remembers entries and that their days were touched, with those of the window that they came from: as long as it is being read, it may
     * be read again from its beginning. Only inside a write.
     */
    remember(source: number, entries: readonly Seen[], window?: Pick<WindowDelta, 'from' | 'to'>): void {
      // Days that were only looked up count as touched as well, with the next commit of their source.
      const touched = touches.of(source);
      const today = -Math.max(1, Math.floor(clock.now() / dayMs));
      for (const [day, places] of placesByDay(entries)) {
        const bucket = day === noTime ? today : day;
        const ofDay = places.flatMap((place) => entries[place] ?? []);
        touched.add(bucket);
        put(source, bucket, ofDay);
      }
      touch(source, touched, window);
      touches.forget(source);
    },
    /** Forgets up to `limit` ids of days that nobody touched within the source's time; `pinned` keeps only overlap and sweep. Only inside a write. */
    expire: openExpiry({ db, time }, blocks),
    /** Moves days into `seen` while more than `most` ids lie in blocks. */
    moveBlocks: openMoveBlocks(core, blocks),
  };
}

/** Finds the fingerprints of entries of which no two are alike, and notes the days on which any are. */
function openLook(db: Core['db'], blocks: IdBlocks) {
  const find = openFind(db, blocks);
  const bucketsOf = openBuckets(db);
  return (source: number, wanted: readonly Wanted[], touched: Set<number>): (readonly string[])[] => {
    const found = wanted.map((): string[] => []);
    for (const [day, ofDay] of placesByDay(wanted)) {
      const ids = ofDay.map((place) => wanted[place]?.id ?? '');
      for (const bucket of bucketsOf(source, day)) {
        const rows = find(source, bucket, ids);
        if (rows.length > 0) touched.add(bucket);
        for (const [index, fingerprint] of rows) found[ofDay[index] ?? -1]?.push(fingerprint);
      }
    }
    return found.map(withoutCopies);
  };
}

// While a day is being moved, both know an id.
const withoutCopies = (fingerprints: readonly string[]): readonly string[] =>
  fingerprints.length > 1 ? [...new Set(fingerprints)] : fingerprints;

/** Writes the entries of a bucket: as a block, or where they are few into `seen`. Only inside a write. */
function openPut(db: Core['db'], blocks: IdBlocks): (source: number, day: number, entries: readonly Seen[]) => void {
  const insert = db.prepare('INSERT OR IGNORE INTO seen (source, day, id, fingerprint) VALUES (?, ?, ?, ?)');
  return (source, day, entries) => {
    if (blocks.put(source, day, entries)) return;
    for (const { id, fingerprint } of entries) insert.run(source, day, Buffer.from(id, 'hex'), Buffer.from(fingerprint, 'hex'));
  };
}

/** Which of the ids (by index) a bucket knows, with each fingerprint. One statement for all: a call for each costs far more than the search. */
function openFind(
  db: Core['db'],
  blocks: IdBlocks,
): (source: number, day: number, ids: readonly string[]) => [index: number, fingerprint: string][] {
  const isThere = db.prepare('SELECT 1 AS there FROM seen WHERE source = ? AND day = ? LIMIT 1');
  const select = db.prepare(
    `SELECT wanted.key, lower(hex(seen.fingerprint)) FROM json_each(?3) AS wanted
     CROSS JOIN seen ON seen.source = ?1 AND seen.day = ?2 AND seen.id = unhex(wanted.value)`,
  );
  select.setReturnArrays(true);
  return (source, day, ids) => {
    const found = blocks.find(source, day, ids);
    if (one(isThere, source, day) === undefined) return found;
    return [...found, ...(select.all(source, day, JSON.stringify(ids)) as unknown as [number, string][])];
  };
}

/** Where the entries of each day stand. */
function placesByDay(entries: readonly { readonly day: number }[]): Map<number, number[]> {
  const byDay = new Map<number, number[]>();
  for (const [place, { day }] of entries.entries()) {
    const places = byDay.get(day);
    if (places === undefined) byDay.set(day, [place]);
    else places.push(place);
  }
  return byDay;
}

/** Notes when days of a source were last in use; of the window only days that are known. */
function openTouch({ db, time }: Pick<Core, 'db' | 'time'>) {
  const day = db.prepare(
    'INSERT INTO seen_days (source, day, touched) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET touched = ?3 WHERE touched < ?3 - ?4 OR touched > ?3',
  );
  const range = db.prepare('UPDATE seen_days SET touched = ?4 WHERE source = ?1 AND day BETWEEN ?2 AND ?3 AND touched < ?4 - ?5');
  return (source: number, days: Iterable<number>, window?: Pick<WindowDelta, 'from' | 'to'>): void => {
    for (const each of days) day.run(source, each, time.now(), touchEveryMs);
    if (typeof window?.from !== 'number' || typeof window.to !== 'number') return;
    range.run(source, Math.floor(window.from / dayMs), Math.floor(window.to / dayMs), time.now(), touchEveryMs);
  };
}

/** Days of each source that were touched since its last commit. */
function createTouches() {
  const bySource = new Map<number, Set<number>>();
  return {
    of(source: number): Set<number> {
      const days = bySource.get(source) ?? new Set();
      bySource.set(source, days);
      return days;
    },
    forget: (source: number) => bySource.delete(source),
  };
}

/** Where the ids of a day are kept: under the day, or under every day on which a record without a time was received. */
function openBuckets(db: Core['db']): (source: number, day: number) => number[] {
  const withoutTime = db.prepare('SELECT day FROM seen_days WHERE source = ? AND day < 0');
  return (source, day) => (day === noTime ? all<{ day: number }>(withoutTime, source).map((bucket) => bucket.day) : [day]);
}

function openExpiry({ db, time }: Pick<Core, 'db' | 'time'>, blocks: IdBlocks) {
  const old = db.prepare(
    'SELECT d.source, d.day FROM seen_days d JOIN sources s ON s.id = d.source WHERE d.touched < ?1 - s.seen_ttl_ms ORDER BY d.touched LIMIT 1',
  );
  // Counted from the source's newest commit, not from now: collection that pauses for want of room reads again from where it paused. A
  // touch is noted at most so often, so a day in use may look older by that.
  const unpinned = db.prepare(
    `SELECT d.source, d.day FROM seen_days d JOIN sources s ON s.id = d.source
     WHERE d.touched < (SELECT max(touched) FROM seen_days WHERE source = d.source) - s.seen_pinned_ms - ${touchEveryMs} ORDER BY d.touched LIMIT 1`,
  );
  const cut = db.prepare('SELECT id FROM seen WHERE source = ? AND day = ? ORDER BY id LIMIT 1 OFFSET ?');
  const deleteTo = db.prepare('DELETE FROM seen WHERE source = ? AND day = ? AND id < ?');
  const deleteDay = db.prepare('DELETE FROM seen WHERE source = ? AND day = ?');
  const deleteBlocks = db.prepare('DELETE FROM seen_blocks WHERE source = ? AND day = ?');
  const forgetDay = db.prepare('DELETE FROM seen_days WHERE source = ? AND day = ?');
  return (limit: number, pinned: boolean): number => {
    const [bucket] = pinned
      ? all<{ source: number; day: number }>(unpinned)
      : all<{ source: number; day: number }>(old, time.now());
    if (bucket === undefined) return 0;
    const key: SQLInputValue[] = [bucket.source, bucket.day];
    const end = one<{ id: Uint8Array }>(cut, ...key, limit);
    if (end !== undefined) {
      const deleted = Number(deleteTo.run(...key, end.id).changes);
      if (deleted > 0) return deleted;
    }
    const deleted = Number(deleteDay.run(...key).changes);
    deleteBlocks.run(...key);
    forgetDay.run(...key);
    blocks.forget(bucket.source, bucket.day);
    return Math.max(1, deleted);
  };
}
