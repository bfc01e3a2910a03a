// Replay lanes: views of stored pages or of dead letters, with an offset of their own, that last as long as their job.

import type { SettleCounts } from '../counts.ts';
import type { Lane, LaneState, LetterFilter, NewDeadLetter, Position, ReplayRequest, StoredPage } from '../journal.ts';
import { filterOf, pagesOf } from '../records/letter-rows.ts';
import { maxReadBytes, type PageRow, pageColumns, readRows, stepsOver } from '../records/page-rows.ts';
import { packPosition, position, unpackPosition } from '../records/positions.ts';
import { type ReplayRow } from '../records/rows.ts';
import { Changes, type Core, type Place, withAttempt } from './core.ts';
import { type Sql, Values } from './database.ts';
import { addTotals } from './ledger.ts';
import { countLetters, insertLetters, lettersOf, listLetters, refuseAgain } from './letters.ts';
import { ended } from './state.ts';

/** Opens a job's lanes, or finds them where a job that was cut off goes on; a job that has ended has none. */
export async function openReplay(
  core: Core,
  id: number,
  sinkName: string,
  what: ReplayRequest,
): Promise<{ readonly total: number }> {
  const { db, names, changes } = core;
  const sink = await names.requireSink(sinkName);
  const only = what.source === undefined ? undefined : await names.requireSource(what.source);
  const total = await db.transaction(async (sql) => {
    // Trimming waits: a page that is counted here is one that is pinned from now on.
    await sql.query(`SELECT id FROM ${db.s}.units WHERE kind = 'upkeep' FOR SHARE`);
    // Locked, so that it does not end meanwhile. What arrives late, when another replica has ended the job, would send everything once more.
    const [job] = await sql.query<{ over: boolean }>(
      `SELECT state IN ${ended} AS over FROM ${db.s}.jobs WHERE id = $1 FOR SHARE`,
      [id],
    );
    if (job?.over === true) return 0;
    const sources = await sql.query<{ id: number; name: string }>(
      `SELECT id, name FROM ${db.s}.sources WHERE $1::bigint IS NULL OR id = $1`,
      [only],
    );
    for (const source of sources) await begin(core, sql, { job: id, sink, sinkName, source, what });
    await Changes.tell(sql, db.s);
    const [row] = await sql.query<{ n: number }>(`SELECT coalesce(sum(remaining), 0) AS n FROM ${db.s}.replays WHERE job = $1`, [
      id,
    ]);
    return row?.n ?? 0;
  });
  changes.notify();
  return { total };
}

interface Begin {
  readonly job: number;
  readonly sink: number;
  readonly sinkName: string;
  readonly source: { readonly id: number; readonly name: string };
  readonly what: ReplayRequest;
}

async function begin(core: Core, sql: Sql, { job, sink, sinkName, source, what }: Begin): Promise<void> {
  const { s } = core.db;
  const min = what.from ?? Number.MIN_SAFE_INTEGER;
  const max = what.to ?? Number.MAX_SAFE_INTEGER;
  const filter = filterOf(what, sinkName, source.name);
  const counting =
    what.kind === 'stored'
      ? `SELECT coalesce(sum(count), 0) AS n, coalesce(max(id), 0) AS last FROM ${s}.pages WHERE source = $1 AND min_time <= $2 AND max_time >= $3`
      : `SELECT 0 AS n, coalesce(max(id), 0) AS last FROM ${s}.dead_letters`;
  const [found] = await sql.query<{ n: number; last: number }>(counting, what.kind === 'stored' ? [source.id, max, min] : []);
  const upto = found?.last ?? 0;
  const remaining = what.kind === 'stored' ? (found?.n ?? 0) : await countLetters(core, filter, { upTo: upto }, sql);
  await sql.run(
    `INSERT INTO ${s}.replays (job, source, sink, kind, after, upto, min_time, max_time, filter, remaining) VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
    [job, source.id, sink, what.kind, upto, min, max, JSON.stringify(filter), remaining],
  );
}

/** Records that a job's replay lanes hold that are not settled, whoever delivers them. */
export async function replayPending({ db }: Core, job: number): Promise<number> {
  const [row] = await db.query<{ n: number }>(`SELECT coalesce(sum(remaining), 0) AS n FROM ${db.s}.replays WHERE job = $1`, [
    job,
  ]);
  return row?.n ?? 0;
}

/** Ends a job's replay lanes and unpins their pages. */
export async function closeReplay({ db }: Core, job: number): Promise<void> {
  await db.run(`DELETE FROM ${db.s}.replays WHERE job = $1`, [job]);
}

/** Replay lanes of a sink that have something left; of a member those of its sources. */
export async function replayLanes({ db, member }: Core, sink: string): Promise<LaneState[]> {
  const rows = await db.query<ReplayRow & { readonly name: string }>(
    `SELECT r.*, o.name FROM ${db.s}.replays r JOIN ${db.s}.sinks k ON k.id = r.sink JOIN ${db.s}.sources o ON o.id = r.source JOIN ${db.s}.units u ON u.id = o.unit
     WHERE k.name = $1 AND r.remaining > 0 AND ($2::text IS NULL OR u.owner = $2)`,
    [sink, member?.id ?? null],
  );
  return rows.map(({ job, name, after, remaining }) => ({
    lane: { kind: 'replay', source: name, job },
    offset: position(after),
    pending: remaining,
    oldestReceived: undefined,
  }));
}

async function findReplay({ db, names }: Core, lane: Lane): Promise<ReplayRow | undefined> {
  const source = await names.source(lane.source);
  const [row] = await db.query<ReplayRow>(`SELECT * FROM ${db.s}.replays WHERE job = $1 AND source = $2`, [
    lane.job ?? 0,
    source ?? 0,
  ]);
  return row;
}

/** Pages of a replay lane after a position. */
export async function readReplay(core: Core, lane: Lane, after: Position, limit: number): Promise<StoredPage[]> {
  const replay = await findReplay(core, lane);
  if (replay === undefined) return [];
  const pages =
    replay.kind === 'stored'
      ? await readStored(core, replay, lane, after, limit)
      : pagesOf(await listLetters(core, JSON.parse(replay.filter) as LetterFilter, limit, { after, upTo: replay.upto }));
  if (pages.length > 0) return pages;
  // What was counted when the lane was opened may have left the journal since: another replay delivered a letter, or a person discarded it.
  // Where everything that was read is settled, nothing is left to wait for.
  if (replay.after >= after) {
    const end = `UPDATE ${core.db.s}.replays SET remaining = 0 WHERE job = $1 AND source = $2 AND after >= $3`;
    await core.db.run(end, [replay.job, replay.source, after]);
  }
  return [];
}

const mostRows = 200;

function viewOf({ source, upto, min_time, max_time }: ReplayRow, values: Values): string {
  const [sourceValue, upTo, max, min] = [source, upto, max_time, min_time].map((value) => values.add(value, 'bigint'));
  return `source = ${sourceValue} AND id <= ${upTo} AND min_time <= ${max} AND max_time >= ${min}`;
}

async function readStored(core: Core, replay: ReplayRow, lane: Lane, after: Position, limit: number): Promise<StoredPage[]> {
  const { db } = core;
  const { pageId, index } = unpackPosition(after);
  const values = new Values();
  const from = values.add(pageId, 'bigint');
  // A page that was settled to its end is passed over, so that reading after it does not come back empty.
  const left = `count - CASE WHEN id = ${from} THEN ${values.add(index, 'bigint')} ELSE 0 END`;
  const rows = await db.query<PageRow>(
    `SELECT ${pageColumns} FROM (SELECT *, sum(${left}) OVER w - (${left}) AS before, sum(raw_bytes) OVER w - raw_bytes AS bytes
       FROM (SELECT * FROM ${db.s}.pages WHERE ${viewOf(replay, values)} AND id >= ${from} AND ${left} > 0 ORDER BY id LIMIT ${mostRows}) near WINDOW w AS (ORDER BY id)) p
     WHERE before < ${values.add(limit, 'bigint')} AND bytes < ${maxReadBytes} ORDER BY id`,
    values.list,
  );
  const steps = stepsOver(rows, {
    positionOf: (row, at) => packPosition(row.id, at + 1),
    leaveOut: (row) => (row.id === pageId ? index : 0),
  });
  const { action } = JSON.parse(replay.filter) as LetterFilter;
  const only = { from: replay.min_time, to: replay.max_time, action };
  const pages = await readRows(steps, lane.source, limit, db.where);
  const letters = await Promise.all(
    pages.map(({ records }) =>
      lettersOf(
        db,
        db.s,
        replay.sink,
        replay.source,
        records.map(({ uid }) => uid),
      ),
    ),
  );
  return pages.map((page, at) => ({ ...page, only, letters: letters[at] }));
}

/** Records of the view between two positions. */
async function between(sql: Sql, s: string, replay: ReplayRow, upTo: number): Promise<number> {
  const start = unpackPosition(replay.after);
  const end = unpackPosition(upTo);
  const values = new Values();
  const view = viewOf(replay, values);
  const [from, to] = [start.pageId, end.pageId].map((id) => values.add(id, 'bigint'));
  const [row] = await sql.query<{ n: number; started: number }>(
    `SELECT coalesce(sum(count) FILTER (WHERE id < ${to}), 0) AS n, count(*) FILTER (WHERE id = ${from}) AS started FROM ${s}.pages WHERE ${view} AND id >= ${from} AND id <= ${to}`,
    values.list,
  );
  return (row?.n ?? 0) + end.index - ((row?.started ?? 0) === 0 ? 0 : start.index);
}

interface ReplaySettlement {
  readonly lane: Lane;
  readonly upTo: Position;
  readonly letters: readonly NewDeadLetter[];
  readonly counts: SettleCounts;
  readonly attempt: string;
}

/** Moves the offset of a replay. False when the attempt was done before. Only inside a transaction. */
export async function settleReplay(
  core: Core,
  sql: Sql,
  { s, sink, source }: Place,
  settlement: ReplaySettlement,
): Promise<boolean> {
  const { lane, upTo, letters, counts, attempt } = settlement;
  const [replay] = await sql.query<ReplayRow & { readonly done: boolean }>(
    `SELECT *, $3::uuid = ANY(attempts) AS done FROM ${s}.replays WHERE job = $1 AND source = $2 FOR UPDATE`,
    [lane.job ?? 0, source, attempt],
  );
  if (replay?.done === true) return false;
  // Whatever word the caller used, a delivery on a replay lane has been counted once before.
  const delivered = counts.replayed ?? (counts.acknowledged ?? 0) + (counts.unconfirmed ?? 0);
  if (replay === undefined) {
    // The job was cancelled while these were on their way: nothing is left to move, and they were sent again all the same.
    await addTotals(sql, s, sink, source, { replayed: delivered });
    return true;
  }
  if (upTo <= replay.after) return true;
  const left =
    replay.kind === 'stored'
      ? replay.remaining - (await between(sql, s, replay, upTo))
      : await lettersLeft(core, sql, replay, upTo, delivered + letters.length);
  for (const letter of letters) {
    // A letter that is gone was delivered by another replay or discarded by a person, and has been counted as that.
    const isKnown = await refuseAgain(sql, s, sink, source, letter);
    if (!isKnown && replay.kind === 'stored') await insertLetters(sql, s, sink, source, [letter], false);
  }
  await sql.run(
    `UPDATE ${s}.replays r SET after = $3, remaining = $4, attempts = ${withAttempt('r.attempts', '$5::uuid')} WHERE job = $1 AND source = $2`,
    [replay.job, replay.source, upTo, Math.max(0, left), attempt],
  );
  await addTotals(sql, s, sink, source, { replayed: delivered });
  return true;
}

/** Above so many ids a batch only takes off what it settled: counting a million letters with each batch would stall everything else. */
const countedIds = 20_000;

async function lettersLeft(
  core: Core,
  sql: Sql,
  { filter, upto, remaining }: ReplayRow,
  upTo: number,
  settled: number,
): Promise<number> {
  if (upto - upTo > countedIds) return Math.max(1, remaining - settled);
  return countLetters(core, JSON.parse(filter) as LetterFilter, { after: upTo, upTo: upto }, sql);
}
