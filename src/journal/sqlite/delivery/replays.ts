import type { Lane, LaneState, LetterFilter, Position, ReplayRequest, ReplaySelection, StoredPage } from '../../journal.ts';
import { filterOf, pagesOf } from '../../records/letter-rows.ts';
import { type PageRow, pageColumns, readRows, type Steps } from '../../records/page-rows.ts';
import { packPosition, position, unpackPosition } from '../../records/positions.ts';
import { type ReplayRow } from '../../records/rows.ts';
import type { Core } from '../core.ts';
import { all, one } from '../file/database.ts';
import type { LetterStore } from './dead-letters.ts';
import type { LedgerStore } from './ledger.ts';
import type { Settle } from './offsets.ts';

/** Replay lanes: views of stored pages or of dead letters, with an offset of their own, that last as long as their job. */
export function openReplays(core: Core, ledger: LedgerStore, letters: LetterStore) {
  const { db, names, writer, changes } = core;
  const find = db.prepare('SELECT * FROM replays WHERE job = ? AND source = ?');
  const remove = db.prepare('DELETE FROM replays WHERE job = ?');
  const pending = db.prepare('SELECT ifnull(sum(remaining), 0) AS n FROM replays WHERE job = ?');
  const open = db.prepare(
    'SELECT r.*, s.name AS name FROM replays r JOIN sources s ON s.id = r.source WHERE r.sink = ? AND r.remaining > 0',
  );
  const stored = openStored(core);
  const begin = openBegin(core, letters);
  const row = (lane: Lane): ReplayRow | undefined => {
    const source = names.source(lane.source);
    return source === undefined ? undefined : one<ReplayRow>(find, lane.job ?? 0, source);
  };
  return {
    async open(job: number, sink: string, what: ReplayRequest): Promise<{ readonly total: number }> {
      const total = await writer.write(() => begin(job, names.requireSink(sink), sink, what));
      changes.notify();
      return { total };
    },
    pending: (job: number): number => one<{ n: number }>(pending, job)?.n ?? 0,
    close: (job: number): Promise<void> => writer.write(() => void remove.run(job)),
    lanes: (sink: number): LaneState[] =>
      all<ReplayRow & { readonly name: string }>(open, sink).map(({ job, name, after, remaining }) => ({
        lane: { kind: 'replay', source: name, job },
        offset: position(after),
        pending: remaining,
        oldestReceived: undefined,
      })),
    read: openRead(core, row, stored, letters),
    settle: openSettle(core, { row, stored, ledger, letters }),
  };
}

function openRead(
  { db, writer, path }: Core,
  row: (lane: Lane) => ReplayRow | undefined,
  stored: ReturnType<typeof openStored>,
  letters: LetterStore,
) {
  const end = db.prepare('UPDATE replays SET remaining = 0 WHERE job = ?1 AND source = ?2 AND after >= ?3');
  return async (lane: Lane, after: Position, limit: number): Promise<StoredPage[]> => {
    const replay = row(lane);
    if (replay === undefined) return [];
    if (replay.kind === 'stored') {
      const pages = await readRows(stored.steps(replay, after), lane.source, limit, path);
      if (pages.length > 0) return pages.map((page) => withLetters(replay, page, letters));
    } else {
      const pages = pagesOf(letters.list(JSON.parse(replay.filter) as LetterFilter, limit, after, replay.upto));
      if (pages.length > 0) return pages;
    }
    // What was counted when the lane was opened may have left the journal since: another replay delivered a letter, or a person discarded it.
    // Where everything that was read is settled, nothing is left to wait for.
    if (replay.after >= after) await writer.write(() => void end.run(replay.job, replay.source, after));
    return [];
  };
}

function withLetters(replay: ReplayRow, page: StoredPage, letters: LetterStore): StoredPage {
  const uids = page.records.map(({ uid }) => uid);
  const known = letters.of(replay.sink, replay.source, uids);
  return { ...page, only: selectionOf(replay), letters: known };
}

function selectionOf({ min_time, max_time, filter }: ReplayRow): ReplaySelection {
  const { action } = JSON.parse(filter) as LetterFilter;
  return { from: min_time, to: max_time, action };
}

const inView = 'source = ?1 AND id <= ?2 AND min_time <= ?3 AND max_time >= ?4';

function openStored({ db }: Core) {
  const from = db.prepare(`SELECT ${pageColumns} FROM pages WHERE ${inView} AND id >= ?5 ORDER BY id LIMIT 1`);
  const counts = db.prepare(`SELECT ifnull(sum(count), 0) AS n FROM pages WHERE ${inView} AND id >= ?5`);
  const view = ({ source, upto, min_time, max_time }: ReplayRow, upTo = upto): [number, number, number, number] => [
    source,
    upTo,
    max_time,
    min_time,
  ];
  const count = (replay: ReplayRow, fromId: number, toId: number): number =>
    one<{ n: number }>(counts, ...view(replay, toId), fromId)?.n ?? 0;
  return {
    steps(replay: ReplayRow, after: number): Steps {
      const { pageId, index } = unpackPosition(after);
      const at = (id: number): PageRow | undefined => one<PageRow>(from, ...view(replay), id);
      const leaveOut = (row: PageRow): number => (row.id === pageId ? index : 0);
      return {
        // A page that was settled to its end is passed over, so that reading after it does not come back empty.
        first() {
          const row = at(pageId);
          return row !== undefined && leaveOut(row) >= row.count ? at(row.id + 1) : row;
        },
        next: (row) => at(row.id + 1),
        positionOf: (row, at) => packPosition(row.id, at + 1),
        leaveOut,
      };
    },
    /** Records of the view between two positions. */
    between(replay: ReplayRow, after: number, upTo: number): number {
      const start = unpackPosition(after);
      const end = unpackPosition(upTo);
      const startIndex = count(replay, start.pageId, start.pageId) === 0 ? 0 : start.index;
      return count(replay, start.pageId, end.pageId - 1) + end.index - startIndex;
    },
  };
}

function openBegin({ db, names }: Core, letters: LetterStore) {
  const total = db.prepare(
    'SELECT ifnull(sum(count), 0) AS n, ifnull(max(id), 0) AS last FROM pages WHERE source = ? AND min_time <= ? AND max_time >= ?',
  );
  const lastLetter = db.prepare('SELECT ifnull(max(id), 0) AS last FROM dead_letters');
  const allSources = db.prepare('SELECT name FROM sources');
  const insert = db.prepare(
    'INSERT INTO replays (job, source, sink, kind, after, upto, min_time, max_time, filter, remaining) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const select = db.prepare('SELECT ifnull(sum(remaining), 0) AS n FROM replays WHERE job = ?');
  const ended = db.prepare("SELECT 1 FROM jobs WHERE id = ? AND state IN ('done', 'failed', 'cancelled')");
  return (job: number, sink: number, sinkName: string, what: ReplayRequest): number => {
    // Somebody cancelled it between its beginning and this moment: what is opened now would be sent all the same.
    if (one(ended, job) !== undefined) return 0;
    const sources = what.source === undefined ? all<{ name: string }>(allSources).map(({ name }) => name) : [what.source];
    const min = what.from ?? Number.MIN_SAFE_INTEGER;
    const max = what.to ?? Number.MAX_SAFE_INTEGER;
    for (const name of sources) {
      const source = names.requireSource(name);
      const filter = filterOf(what, sinkName, name);
      const pages = what.kind === 'stored' ? one<{ n: number; last: number }>(total, source, max, min) : undefined;
      const upto = pages?.last ?? one<{ last: number }>(lastLetter)?.last ?? 0;
      insert.run(
        job,
        source,
        sink,
        what.kind,
        upto,
        min,
        max,
        JSON.stringify(filter),
        pages?.n ?? letters.count(filter, { upTo: upto }),
      );
    }
    // A job that is resumed finds its rows and resumes after its offset.
    return one<{ n: number }>(select, job)?.n ?? 0;
  };
}

function openSettle(
  { db, names }: Core,
  parts: {
    readonly row: (lane: Lane) => ReplayRow | undefined;
    readonly stored: ReturnType<typeof openStored>;
    readonly ledger: LedgerStore;
    readonly letters: LetterStore;
  },
): Settle {
  const { row, stored, ledger, letters } = parts;
  const move = db.prepare('UPDATE replays SET after = ?, remaining = ? WHERE job = ? AND source = ?');
  return (sink, lane, upTo, refused, counts) => {
    const replay = row(lane);
    // Whatever word the caller used, a delivery on a replay lane has been counted once before.
    const delivered = counts.replayed ?? (counts.acknowledged ?? 0) + (counts.unconfirmed ?? 0);
    if (replay === undefined) {
      // The job was cancelled while these were on their way: nothing is left to move, and they were sent again all the same.
      ledger.add(sink, names.requireSource(lane.source), 'replayed', delivered);
      return;
    }
    if (upTo <= replay.after) return;
    const left =
      replay.kind === 'stored'
        ? replay.remaining - stored.between(replay, replay.after, upTo)
        : lettersLeft(letters, replay, upTo, delivered + refused.length);
    for (const letter of refused) {
      // A letter that is gone was delivered by another replay or discarded by a person, and has been counted as that.
      if (!letters.refuseAgain(sink, letter) && replay.kind === 'stored') letters.insert(sink, replay.source, letter, false);
    }
    move.run(upTo, Math.max(0, left), replay.job, replay.source);
    ledger.add(sink, replay.source, 'replayed', delivered);
  };
}

/** Above so many ids a batch only takes off what it settled: counting a million letters with each batch would stall everything else. */
const countedIds = 20_000;

function lettersLeft(letters: LetterStore, { filter, upto, remaining }: ReplayRow, upTo: number, settled: number): number {
  if (upto - upTo > countedIds) return Math.max(1, remaining - settled);
  return letters.count(JSON.parse(filter) as LetterFilter, { after: upTo, upTo: upto });
}
