// An offset's life is that of SQLite's engine: absent (0) or set once by registration -> moved by settles, each of which accounts for every
// record that it passes -> moved by upkeep where a sink may skip or is an orphan; `passed` remembers how many that were.

import { PenstockError } from '../../base/errors.ts';
import { type SettleCounts, settledBy, settlingCounters } from '../counts.ts';
import type { Lane, LaneState, NewDeadLetter, Position } from '../journal.ts';
import { kindName, kindNumber, position } from '../records/positions.ts';
import { notFound } from '../records/rows.ts';
import { type Core, fencePart, type Place, withAttempt } from './core.ts';
import { newAttempt, type Sql, Values } from './database.ts';
import { fencedError, isLost } from './faults.ts';
import { Gathered } from './gathered.ts';
import { addTotals } from './ledger.ts';
import { insertLetters, resolveLetters } from './letters.ts';
import { isSameOwnership, type OwnedSource } from './names.ts';
import { replayLanes, settleReplay } from './replays.ts';

interface LaneRow {
  readonly sink: string;
  readonly replays: boolean;
  readonly name: string | null;
  readonly kind: number;
  readonly appended: number;
  readonly offset: number;
  readonly oldest: number | null;
}

/** Lanes with something pending for a sink: of a member those that it owns, else all. Sinks that ask at the same time are answered together. */
export function openLanes(core: Core): (sink: string) => Promise<LaneState[]> {
  const stored = new Gathered<string, readonly LaneRow[]>(async (sinks) => {
    const look = core.names.looks.begin(sinks, core.clock.monotonic());
    const rows = Map.groupBy(
      await readLanes(core, sinks, core.member === undefined ? undefined : look.sources),
      ({ sink }) => sink,
    );
    look.end(new Map([...rows].map(([sink, of]) => [sink, of.flatMap(({ name }) => name ?? [])])));
    return sinks.map((sink) => rows.get(sink));
  });
  return async (sink) => {
    const rows = (await stored.ask(sink)) ?? notFound('sink', sink);
    return [...lanesOf(rows), ...(rows[0]?.replays === true ? await replayLanes(core, sink) : [])];
  };
}

/** `sources`: others have nothing pending. */
function readLanes(
  { db: { s }, db, member }: Core,
  sinks: readonly string[],
  sources: readonly string[] | undefined,
): Promise<LaneRow[]> {
  return db.query<LaneRow>(
    `SELECT k.name AS sink, EXISTS (SELECT 1 FROM ${s}.replays r WHERE r.sink = k.id AND r.remaining > 0) AS replays, l.name, l.kind, l.appended, l.position AS offset, (SELECT received FROM ${s}.pages p WHERE p.source = l.source AND p.kind = l.kind AND p.first <= l.position + 1
       ORDER BY p.first DESC LIMIT 1) AS oldest
     FROM ${s}.sinks k LEFT JOIN LATERAL (SELECT o.name, l.source, l.kind, l.appended, coalesce(f.position, 0) AS position FROM ${s}.lanes l JOIN ${s}.sources o ON o.id = l.source
       JOIN ${s}.units u ON u.id = o.unit LEFT JOIN ${s}.offsets f ON f.sink = k.id AND f.source = l.source AND f.kind = l.kind
       WHERE l.appended > coalesce(f.position, 0) AND ($2::text IS NULL OR u.owner = $2) AND ($3::text[] IS NULL OR o.name = ANY($3))) l ON true WHERE k.name = ANY($1)`,
    [sinks, member?.id ?? null, sources ?? null],
  );
}

function lanesOf(rows: readonly LaneRow[]): LaneState[] {
  return rows.flatMap(({ name, kind, appended, offset, oldest }) =>
    name === null
      ? []
      : [
          {
            lane: { kind: kindName(kind), source: name },
            offset: position(offset),
            pending: appended - offset,
            oldestReceived: oldest ?? undefined,
          },
        ],
  );
}

/** What one settle says; `attempt` names it, however often it is asked. */
interface Settlement {
  readonly lane: Lane;
  readonly upTo: Position;
  readonly letters: readonly NewDeadLetter[];
  readonly counts: SettleCounts;
  readonly resolved: readonly number[];
  readonly attempt: string;
}

const mostTries = 4;

/** Moves the sink's offset in a lane and counts what it passed, asking again where the answer was lost. */
export async function settle(
  core: Core,
  sinkName: string,
  asked: Omit<Settlement, 'attempt'> & { readonly attempt?: string | undefined },
): Promise<void> {
  const { names, member } = core;
  const settlement = { ...asked, attempt: asked.attempt ?? newAttempt() };
  let first: OwnedSource | undefined;
  for (let tries = 1; ; tries += 1) {
    try {
      const sink = await names.requireSink(sinkName);
      await names.requireSource(settlement.lane.source);
      const source = await names.owned(settlement.lane.source, member);
      first ??= source;
      // Done or not: another may have gone on from where it stood.
      if (!isSameOwnership(first, source)) throw fencedError(settlement.lane.source);
      if (await settleSimply(core, sink, source, settlement)) return;
      await core.db.transaction((sql) => settleIn(core, sql, sink, source, settlement));
      return;
    } catch (error) {
      names.doubt(settlement.lane.source);
      // Memory and database disagree, as after a standby was promoted: asking again would fail for ever.
      if (isUncovered(error)) member?.renew(settlement.lane.source);
      if (tries >= mostTries || !isLost(error)) throw error;
    }
  }
}

const isUncovered = (error: unknown): boolean =>
  error instanceof PenstockError && error.code === 'PEN_INTERNAL' && error.cause === undefined;

/** A settle that passes exactly what it accounts for, without letters: one statement. False when it is another, and nothing was done. */
async function settleSimply({ db }: Core, sink: number, source: OwnedSource, settlement: Settlement): Promise<boolean> {
  const { lane, upTo, letters, counts, resolved, attempt } = settlement;
  if (lane.kind === 'replay' || letters.length > 0 || resolved.length > 0) return false;
  const values = new Values();
  const fence = fencePart(db.s, values, source);
  const [sinkValue, sourceValue, end, covered] = [sink, source.id, upTo, settledBy(counts)].map((value) =>
    values.add(value, 'bigint'),
  );
  const kind = values.add(kindNumber(lane.kind), 'smallint');
  const attemptValue = values.add(attempt, 'uuid');
  const names = [...settlingCounters, 'possible_duplicates' as const].filter((name) => (counts[name] ?? 0) !== 0);
  const amounts = names.map((name) => values.add(counts[name], 'bigint'));
  const add = `INSERT INTO ${db.s}.totals AS t (${['sink', 'source', ...names].join(', ')}) SELECT ${['sink', 'source', ...amounts].join(', ')} FROM moved
    ON CONFLICT (sink, source) DO UPDATE SET ${names.map((name) => `${name} = t.${name} + excluded.${name}`).join(', ')} RETURNING 1`;
  const text = `WITH ${fence},
    moved AS (UPDATE ${db.s}.offsets o SET position = ${end}, attempts = ${withAttempt('o.attempts', attemptValue)} FROM fence
      WHERE o.sink = ${sinkValue} AND o.source = ${sourceValue} AND o.kind = ${kind} AND o.position + ${covered} = ${end} AND o.position < ${end}
      AND NOT ${attemptValue} = ANY(o.attempts) AND ${end} <= (SELECT appended FROM ${db.s}.lanes WHERE source = ${sourceValue} AND kind = ${kind}) RETURNING o.sink, o.source)
    ${names.length === 0 ? '' : `, added AS (${add})`} SELECT 1 FROM moved`;
  return (await db.run(text, values.list)) > 0;
}

async function settleIn(core: Core, sql: Sql, sink: number, source: OwnedSource, settlement: Settlement): Promise<void> {
  const { s } = core.db;
  const { lane, counts, resolved } = settlement;
  const values = new Values();
  const fence = fencePart(s, values, source);
  const [held] = await sql.query(`WITH ${fence} SELECT id FROM fence`, values.list);
  if (held === undefined) throw fencedError(lane.source);
  const place = { s, sink, source: source.id };
  const settleLane = lane.kind === 'replay' ? settleReplay(core, sql, place, settlement) : settleStored(sql, place, settlement);
  if (!(await settleLane)) return;
  await resolveLetters(sql, s, sink, resolved, counts.unconfirmed ?? 0);
  await addTotals(sql, s, sink, source.id, { possible_duplicates: counts.possible_duplicates ?? 0 });
}

interface OffsetRow {
  readonly at: number;
  readonly passed: number;
  readonly done: boolean;
  readonly appended: number;
}

/** False when the attempt was done before. Throws PEN_INTERNAL when the counts do not cover what is passed. */
async function settleStored(sql: Sql, { s, sink, source }: Place, settlement: Settlement): Promise<boolean> {
  const { lane, upTo, letters, counts, attempt } = settlement;
  const key = [sink, source, kindNumber(lane.kind)];
  await sql.run(`INSERT INTO ${s}.offsets (sink, source, kind) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, key);
  const [row] = await sql.query<OffsetRow>(
    `SELECT o.position AS at, o.passed, $4::uuid = ANY(o.attempts) AS done, l.appended FROM ${s}.offsets o JOIN ${s}.lanes l ON l.source = o.source AND l.kind = o.kind
     WHERE o.sink = $1 AND o.source = $2 AND o.kind = $3 FOR UPDATE OF o`,
    [...key, attempt],
  );
  const { at, passed, done, appended } = row ?? { at: 0, passed: 0, done: false, appended: 0 };
  if (done) return false;
  const covered = settledBy(counts) + letters.length;
  const late = covered - Math.max(0, upTo - at);
  if (late < 0 || late > passed || upTo > appended) {
    throw new PenstockError('PEN_INTERNAL', `a settle from ${at} to ${upTo} accounts for ${covered} records`, {
      where: `lane ${lane.kind} of ${lane.source}`,
      fix: 'report this with the log',
    });
  }
  if (late > 0) await reclaim(sql, { s, sink, source }, kindNumber(lane.kind), late);
  await sql.run(
    `UPDATE ${s}.offsets o SET position = greatest(position, $4), passed = passed - $5, attempts = ${withAttempt('o.attempts', '$6::uuid')} WHERE sink = $1 AND source = $2 AND kind = $3`,
    [...key, upTo, late, attempt],
  );
  await addTotals(sql, s, sink, source, Object.fromEntries(settlingCounters.map((name) => [name, counts[name] ?? 0])));
  await insertLetters(sql, s, sink, source, letters, true);
  return true;
}

// A record that was skipped or abandoned while it was in flight and was delivered after all is counted as delivered.
async function reclaim(sql: Sql, { s, sink, source }: Place, kind: number, records: number): Promise<void> {
  const [row] = await sql.query<{ skipped: number }>(
    `SELECT skipped FROM ${s}.totals WHERE sink = $1 AND source = $2 FOR UPDATE`,
    [sink, source],
  );
  const skipped = Math.min(records, row?.skipped ?? 0);
  await addTotals(sql, s, sink, source, { skipped: -skipped, abandoned: skipped - records });
  let left = skipped;
  const ranges = await sql.query<{ id: number; records: number }>(
    `SELECT id, records FROM ${s}.skips WHERE sink = $1 AND source = $2 AND kind = $3 ORDER BY id DESC FOR UPDATE`,
    [sink, source, kind],
  );
  // The newest range gives back first; one that has none left goes.
  for (const range of ranges) {
    if (left === 0) return;
    const given = Math.min(left, range.records);
    if (given < range.records) await sql.run(`UPDATE ${s}.skips SET records = records - $2 WHERE id = $1`, [range.id, given]);
    else await sql.run(`DELETE FROM ${s}.skips WHERE id = $1`, [range.id]);
    left -= given;
  }
}

/** Moves an offset for another reason than delivery. Returns how many records it passed. Only inside a transaction. */
export async function passRecords(
  sql: Sql,
  { s, sink, source }: Place,
  kind: number,
  upTo: number,
  as: 'skipped' | 'abandoned' | 'not_routed',
): Promise<number> {
  const key = [sink, source, kind];
  await sql.run(`INSERT INTO ${s}.offsets (sink, source, kind) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, key);
  const [row] = await sql.query<{ at: number }>(
    `SELECT position AS at FROM ${s}.offsets WHERE sink = $1 AND source = $2 AND kind = $3 FOR UPDATE`,
    key,
  );
  const records = Math.max(0, upTo - (row?.at ?? 0));
  if (records === 0) return 0;
  await sql.run(`UPDATE ${s}.offsets SET position = $4, passed = passed + $5 WHERE sink = $1 AND source = $2 AND kind = $3`, [
    ...key,
    upTo,
    as === 'not_routed' ? 0 : records,
  ]);
  await addTotals(sql, s, sink, source, { [as]: records });
  return records;
}
