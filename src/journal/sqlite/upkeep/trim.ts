import { iso } from '../../../base/quantity.ts';
import { kindName } from '../../records/positions.ts';
import { logSkipped } from '../../records/rows.ts';
import { sameSkipMs } from '../../upkeep-rounds.ts';
import type { Core } from '../core.ts';
import type { OffsetStore } from '../delivery/offsets.ts';
import { all, one } from '../file/database.ts';

const batchPages = 64;
// How far into a lane the search looks, so that a lane of very many pages cannot stall the loop.
const searchPages = 10_000;

interface LaneEnd {
  readonly source: number;
  readonly name: string;
  readonly kind: number;
  /** Settled by all sinks, and by all sinks that wait; null when there is no such sink. */
  readonly settled: number | null;
  readonly waiting: number | null;
}

interface Candidate {
  readonly id: number;
  readonly last: number;
  readonly records: number;
  readonly lane: LaneEnd;
}

export type Trimmer = ReturnType<typeof openTrimmer>;

/**
 * Deletes pages. All of it works in small transactions, oldest first, and never touches a page that a running replay still needs. A page
 * is as old as the oldest-looking page after it in its lane: times of receipt may run backwards, positions never do.
 */
export function openTrimmer(core: Core, offsets: OffsetStore) {
  const { db, writer } = core;
  const find = openFind(core);
  const remove = db.prepare('DELETE FROM pages WHERE id = ?');
  const deletePages = (pages: readonly Candidate[]): void => {
    for (const { id } of pages) remove.run(id);
  };
  return {
    /** Deletes up to a batch of pages that every sink has settled and that were appended before a journal time. Returns how many. */
    delivered: (before: number): Promise<number> =>
      writer.write(() => {
        const pages = find((lane) => lane.settled, before);
        deletePages(pages);
        return pages.length;
      }),
    /** Moves orphan sinks past what was appended before a journal time, counted as abandoned. */
    abandon: openAbandon(core, offsets),
    /** Moves sinks that may skip past a batch of pages that only they still pin, and deletes these. Returns how many. */
    skip: openSkip(core, offsets, find, deletePages),
  };
}

type Find = (settledOf: (lane: LaneEnd) => number | null, before: number) => Candidate[];

function openFind({ db }: Core): Find {
  const lanes = db.prepare(`
    SELECT l.source AS source, s.name AS name, l.kind AS kind,
      (SELECT min(ifnull(o.position, 0)) FROM sinks k LEFT JOIN offsets o ON o.sink = k.id AND o.source = l.source AND o.kind = l.kind) AS settled,
      (SELECT min(ifnull(o.position, 0)) FROM sinks k LEFT JOIN offsets o ON o.sink = k.id AND o.source = l.source AND o.kind = l.kind
        WHERE k.when_full = 'wait' OR k.configured = 0) AS waiting
    FROM lanes l JOIN sources s ON s.id = l.source`);
  const pages = db.prepare(`
    SELECT id, first + count - 1 AS last, count AS records FROM (SELECT * FROM pages WHERE source = ?1 AND kind = ?2 ORDER BY first LIMIT ${searchPages}) p
    WHERE first + count - 1 <= ?3
      AND first <= (SELECT max(first) FROM (SELECT first, received_last FROM pages WHERE source = ?1 AND kind = ?2 ORDER BY first LIMIT ${searchPages}) WHERE received_last < ?4)
      AND NOT EXISTS (
      SELECT 1 FROM replays r WHERE r.kind = 'stored' AND r.remaining > 0 AND r.source = p.source AND p.id BETWEEN r.after / 131072 AND r.upto
      AND p.min_time <= r.max_time AND p.max_time >= r.min_time)
    ORDER BY first LIMIT ${batchPages}`);
  return (settledOf, before) => {
    const found = all<LaneEnd>(lanes).flatMap((lane) => {
      const settled = settledOf(lane);
      if (settled === null) return [];
      return all<Omit<Candidate, 'lane'>>(pages, lane.source, lane.kind, settled, before).map((page) => ({ ...page, lane }));
    });
    return found.sort((a, b) => a.id - b.id).slice(0, batchPages);
  };
}

function openAbandon({ db, writer, log }: Core, offsets: OffsetStore) {
  const stale = db.prepare(`
    SELECT k.id AS sink, k.name AS name, l.source AS source, l.kind AS kind, s.name AS sourceName,
      (SELECT max(first + count - 1) FROM pages p WHERE p.source = l.source AND p.kind = l.kind AND p.received_last < ?1) AS upTo
    FROM sinks k CROSS JOIN lanes l JOIN sources s ON s.id = l.source WHERE k.configured = 0`);
  return async (before: number): Promise<void> => {
    const gone = await writer.write(() =>
      all<{ sink: number; name: string; source: number; sourceName: string; kind: number; upTo: number | null }>(
        stale,
        before,
      ).flatMap((row) => {
        const records = offsets.pass(row.sink, row.source, row.kind, row.upTo ?? 0, 'abandoned');
        return records === 0 ? [] : [{ sink: row.name, source: row.sourceName, records }];
      }),
    );
    for (const fields of gone) log.error(fields, 'abandoned records of a sink that is not configured any more');
  };
}

function openSkip(core: Core, offsets: OffsetStore, find: Find, deletePages: (pages: readonly Candidate[]) => void) {
  const { db, writer, log } = core;
  const skippers = db.prepare("SELECT id, name FROM sinks WHERE when_full = 'skip' AND configured = 1");
  const note = openNote(core);
  return async (): Promise<number> => {
    const { count, skipped } = await writer.write(() => {
      const pages = find((lane) => lane.waiting, Number.MAX_SAFE_INTEGER);
      const skipped = all<{ id: number; name: string }>(skippers).flatMap(({ id, name }) =>
        [...lastOfLanes(pages)].flatMap(([lane, last]) => {
          const records = offsets.pass(id, lane.source, lane.kind, last, 'skipped');
          if (records === 0) return [];
          const range = note(id, lane, last, records);
          return [{ sink: name, source: lane.name, lane: kindName(lane.kind), records, ...range }];
        }),
      );
      deletePages(pages);
      return { count: pages.length, skipped };
    });
    logSkipped(log, skipped);
    return count;
  };
}

function lastOfLanes(pages: readonly Candidate[]): Map<LaneEnd, number> {
  const last = new Map<string, readonly [LaneEnd, number]>();
  for (const page of pages) last.set(`${page.lane.source}/${page.lane.kind}`, [page.lane, page.last]);
  return new Map(last.values());
}

function openNote({ db, clock }: Core) {
  const range = db.prepare(
    'SELECT min(min_time) AS "from", max(max_time) AS "to" FROM pages WHERE source = ? AND kind = ? AND first <= ? AND first + count > ?',
  );
  const extend =
    db.prepare(`UPDATE skips SET from_time = min(from_time, :from), to_time = max(to_time, :to), records = records + :records, last_at = :now
    WHERE id = (SELECT max(id) FROM skips WHERE sink = :sink AND source = :source AND kind = :kind) AND last_at >= :now - ${sameSkipMs}`);
  const insert = db.prepare(`INSERT INTO skips (sink, source, kind, from_time, to_time, records, first_at, last_at)
    VALUES (:sink, :source, :kind, :from, :to, :records, :now, :now)`);
  return (sink: number, { source, kind }: LaneEnd, last: number, records: number) => {
    const { from, to } = one<{ from: number; to: number }>(range, source, kind, last, last - records + 1) ?? { from: 0, to: 0 };
    const row = { sink, source, kind, from, to, records, now: clock.now() };
    if (extend.run(row).changes === 0) insert.run(row);
    return { from: iso(from), to: iso(to) };
  };
}
