// An offset's life: absent (0) or set once by registration (`not_routed` before it) -> moved by settles, each of which accounts for every
// record that it passes -> moved by the journal itself where a sink may skip or is an orphan. `passed` remembers how many records the
// journal moved it over, because some of them may be in flight: they are counted back when they are settled after all.
import zlib from 'node:zlib';
import { PenstockError } from '../../../base/errors.ts';
import { type SettleCounts, settledBy, settlingCounters } from '../../counts.ts';
import type { Lane, LaneState, NewDeadLetter, Position, StoredPage } from '../../journal.ts';
import { openLaneSteps, readRows } from '../../records/page-rows.ts';
import { kindName, kindNumber, position } from '../../records/positions.ts';
import type { Core } from '../core.ts';
import { all, one } from '../file/database.ts';
import type { LetterStore } from './dead-letters.ts';
import type { LedgerStore } from './ledger.ts';

/** Moves a sink's offset in a lane and counts what it passed. Only inside a write. */
export type Settle = (sink: number, lane: Lane, upTo: Position, letters: readonly NewDeadLetter[], counts: SettleCounts) => void;

export type OffsetStore = ReturnType<typeof openOffsets>;

/** Stored lanes as sinks see them. An offset is the position of the last settled record; what comes after it is pending. */
export function openOffsets(core: Core, ledger: LedgerStore, letters: LetterStore) {
  const steps = openLaneSteps(core.db);
  const move = openMove(core);
  return {
    lanes: openLanes(core),
    read: (lane: Lane, after: Position, limit: number): Promise<StoredPage[]> => {
      const source = core.names.source(lane.source);
      return source === undefined
        ? Promise.resolve([])
        : readRows(steps(source, kindNumber(lane.kind), after), lane.source, limit, core.path);
    },
    /** Throws PEN_INTERNAL when the counts do not cover what is passed. */
    settle: openSettle(core, move, ledger, letters),
    /** Moves an offset to `upTo` for another reason than delivery. Returns how many records it passed. Only inside a write. */
    pass(sink: number, source: number, kind: number, upTo: number, as: 'skipped' | 'abandoned' | 'not_routed'): number {
      const { at, passed } = move.current(sink, source, kind);
      const records = Math.max(0, upTo - at);
      if (records === 0) return 0;
      move.to(sink, source, kind, upTo, as === 'not_routed' ? passed : passed + records);
      ledger.add(sink, source, as, records);
      return records;
    },
  };
}

function openLanes({ db }: Core) {
  const pending = db.prepare(`
    SELECT s.id AS source, s.name AS name, l.kind AS kind, l.appended AS appended, ifnull(o.position, 0) AS offset FROM lanes l JOIN sources s ON s.id = l.source
    LEFT JOIN offsets o ON o.sink = ? AND o.source = l.source AND o.kind = l.kind WHERE l.appended > ifnull(o.position, 0)`);
  const holding = db.prepare(
    'SELECT received FROM pages WHERE source = ? AND kind = ? AND first <= ? ORDER BY first DESC LIMIT 1',
  );
  return (sink: number): LaneState[] =>
    all<{ source: number; name: string; kind: number; appended: number; offset: number }>(pending, sink).map(
      ({ source, name, kind, appended, offset }) => ({
        lane: { kind: kindName(kind), source: name },
        offset: position(offset),
        pending: appended - offset,
        oldestReceived: one<{ received: number }>(holding, source, kind, offset + 1)?.received,
      }),
    );
}

function openMove({ db }: Core) {
  const select = db.prepare('SELECT position AS at, passed FROM offsets WHERE sink = ? AND source = ? AND kind = ?');
  const put = db.prepare(
    'INSERT INTO offsets (sink, source, kind, position, passed, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET position = ?4, passed = ?5, crc = ?6',
  );
  const appended = db.prepare('SELECT appended FROM lanes WHERE source = ? AND kind = ?');
  return {
    current: (sink: number, source: number, kind: number) =>
      one<{ at: number; passed: number }>(select, sink, source, kind) ?? { at: 0, passed: 0 },
    to(sink: number, source: number, kind: number, at: number, passed: number): void {
      const crc = offsetChecksum({ sink, source, kind, position: at, passed });
      put.run(sink, source, kind, at, passed, crc);
    },
    /** Position of the lane's last record. */
    end: (source: number, kind: number) => one<{ appended: number }>(appended, source, kind)?.appended ?? 0,
  };
}

/** Takes records out of the ranges that a sink skipped, the newest first; a range that has none left goes. */
function openGiveBack({ db }: Core) {
  const ranges = db.prepare('SELECT id, records FROM skips WHERE sink = ? AND source = ? AND kind = ? ORDER BY id DESC');
  const shrink = db.prepare('UPDATE skips SET records = records - ? WHERE id = ?');
  const remove = db.prepare('DELETE FROM skips WHERE id = ?');
  return (sink: number, source: number, kind: number, records: number): void => {
    let left = records;
    if (left === 0) return;
    for (const range of all<{ id: number; records: number }>(ranges, sink, source, kind)) {
      if (left < range.records) return void shrink.run(left, range.id);
      remove.run(range.id);
      left -= range.records;
    }
  };
}

function openSettle(core: Core, move: ReturnType<typeof openMove>, ledger: LedgerStore, letters: LetterStore): Settle {
  const totals = core.db.prepare('SELECT skipped FROM totals WHERE sink = ? AND source = ?');
  const giveBack = openGiveBack(core);
  // A record that was skipped or abandoned while it was in flight and was delivered after all is counted as delivered.
  function reclaim(sink: number, source: number, kind: number, records: number): void {
    const skipped = Math.min(records, one<{ skipped: number }>(totals, sink, source)?.skipped ?? 0);
    ledger.add(sink, source, 'skipped', -skipped);
    giveBack(sink, source, kind, skipped);
    ledger.add(sink, source, 'abandoned', skipped - records);
  }
  return (sink, lane, upTo, newLetters, counts) => {
    const source = core.names.requireSource(lane.source);
    const kind = kindNumber(lane.kind);
    const { at, passed } = move.current(sink, source, kind);
    const covered = settledBy(counts) + newLetters.length;
    const late = covered - Math.max(0, upTo - at);
    if (late < 0 || late > passed || upTo > move.end(source, kind)) {
      throw new PenstockError('PEN_INTERNAL', `a settle from ${at} to ${upTo} accounts for ${covered} records`, {
        where: `lane ${lane.kind} of ${lane.source}`,
        fix: 'report this with the log',
      });
    }
    if (late > 0) reclaim(sink, source, kind, late);
    if (upTo > at || late > 0) move.to(sink, source, kind, Math.max(at, upTo), passed - late);
    for (const name of settlingCounters) ledger.add(sink, source, name, counts[name] ?? 0);
    for (const letter of newLetters) letters.insert(sink, source, letter, true);
  };
}

/** Whether a settlement was made before and its answer lost; takes note of it when not. Only inside a write. */
export function openIsMade({ db, names }: Core): (sink: number, lane: Lane, attempt: string) => boolean {
  const last = {
    stored: db.prepare('SELECT 1 AS made FROM offsets WHERE sink = ? AND source = ? AND kind = ? AND attempt = ?'),
    replay: db.prepare('SELECT 1 AS made FROM replays WHERE sink = ? AND source = ? AND job = ? AND attempt = ?'),
  };
  const note = {
    stored: db.prepare(
      'INSERT INTO offsets (sink, source, kind, attempt, position) VALUES (?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET attempt = excluded.attempt',
    ),
    replay: db.prepare('UPDATE replays SET attempt = ?4 WHERE sink = ?1 AND source = ?2 AND job = ?3'),
  };
  return (sink, lane, attempt) => {
    const store = lane.kind === 'replay' ? 'replay' : 'stored';
    const which = [sink, names.requireSource(lane.source), store === 'replay' ? (lane.job ?? 0) : kindNumber(lane.kind), attempt];
    if (one(last[store], ...which) !== undefined) return true;
    note[store].run(...which);
    return false;
  };
}

/** The columns of an offset that its checksum covers. */
export interface OffsetRow {
  readonly sink: number;
  readonly source: number;
  readonly kind: number;
  readonly position: number;
  readonly passed: number;
}

/**
 * CRC-32 of an offset. With it a damaged offset, which puts records at risk, is known from a counter beside it that disagrees, which does not.
 */
export function offsetChecksum({ sink, source, kind, position, passed }: OffsetRow): number {
  return zlib.crc32(JSON.stringify([sink, source, kind, position, passed]));
}
