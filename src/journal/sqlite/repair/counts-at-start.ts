// Counts that disagree are no reason to keep a daemon down while every record that a sink still needs is there: they are set right at the
// start, logged, and shown in `status` for a week.

import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../../base/clock.ts';
import { dayMs } from '../../../base/quantity.ts';
import { isBalanced } from '../../counts.ts';
import type { Correction, LedgerRow } from '../../journal.ts';
import { openNames } from '../core.ts';
import { openLedger } from '../delivery/ledger.ts';
import { type OffsetRow, offsetChecksum } from '../delivery/offsets.ts';
import { all, inTransaction, one } from '../file/database.ts';
import type { JournalTime } from '../file/journal-time.ts';
import { settleBalance } from './gaps.ts';

/** SQL: the last position of each lane, as it is counted, and as it is stored where pages are left. */
export const laneEnds = `SELECT s.id AS source, k.kind AS kind, ifnull(l.appended, 0) AS counted,
    ifnull((SELECT first + count - 1 FROM pages p WHERE p.source = s.id AND p.kind = k.kind ORDER BY first DESC LIMIT 1), 0) AS stored
  FROM sources s CROSS JOIN (SELECT 0 AS kind UNION SELECT 1) k LEFT JOIN lanes l ON l.source = s.id AND l.kind = k.kind`;

export interface StoredOffset extends OffsetRow {
  readonly crc: number | null;
  readonly sinkName: string;
  readonly sourceName: string;
  readonly last: number;
}

export function offsetsOf(db: DatabaseSync): StoredOffset[] {
  const select =
    db.prepare(`SELECT o.*, k.name AS sinkName, s.name AS sourceName, max(e.counted, e.stored) AS last FROM offsets o JOIN sinks k ON k.id = o.sink
    JOIN sources s ON s.id = o.source JOIN (${laneEnds}) e ON e.source = o.source AND e.kind = o.kind`);
  return all<StoredOffset>(select);
}

export function imbalances(db: DatabaseSync): readonly LedgerRow[] {
  return openLedger({ db, names: openNames(db) })
    .ledger()
    .rows.filter((row) => !isBalanced(row));
}

interface ShortLane {
  readonly source: number;
  readonly name: string;
  readonly kind: number;
  readonly counted: number;
  readonly stored: number;
}

function shortLanes(db: DatabaseSync): ShortLane[] {
  const select = db.prepare(
    `SELECT e.*, s.name AS name FROM (${laneEnds}) e JOIN sources s ON s.id = e.source WHERE e.stored > e.counted`,
  );
  return all<ShortLane>(select);
}

const shortLaneText = ({ name, counted, stored }: ShortLane): string =>
  `source "${name}" counted ${counted} records of a lane, and stores them up to ${stored}`;

interface WrongSource {
  readonly id: number;
  readonly name: string;
  readonly fetched: number;
  readonly fresh: number;
  readonly shouldFetched: number;
  readonly shouldNew: number;
}

/** Sources that count fewer new records than their lanes hold, or whose fetched ones do not add up. */
function wrongSources(db: DatabaseSync): WrongSource[] {
  const select =
    db.prepare(`SELECT id, name, fetched, new AS fresh, atLeast AS shouldNew, atLeast + duplicate + excluded AS shouldFetched
    FROM (SELECT s.*, max(s.new, (SELECT ifnull(sum(appended), 0) FROM lanes l WHERE l.source = s.id)) AS atLeast FROM sources s)
    WHERE new <> atLeast OR fetched <> atLeast + duplicate + excluded`);
  return all<WrongSource>(select);
}

const wrongSourceText = ({ name, fetched, fresh, shouldFetched, shouldNew }: WrongSource): string =>
  `source "${name}" counted ${fetched} records fetched and ${fresh} new; it has ${shouldFetched} and ${shouldNew}`;

/** Counts that disagree while every record that a sink still needs is there; each is set right at the next start. */
export function disagreements(db: DatabaseSync): string[] {
  const off = imbalances(db).map(({ sink, source }) => `the ledger of sink "${sink}" and source "${source}" does not balance`);
  return [...shortLanes(db).map(shortLaneText), ...wrongSources(db).map(wrongSourceText), ...off];
}

function setRight(db: DatabaseSync): string[] {
  const raise = db.prepare(
    'INSERT INTO lanes (source, kind, appended) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET appended = ?3',
  );
  const lanes = shortLanes(db);
  for (const { source, kind, stored } of lanes) raise.run(source, kind, stored);
  const count = db.prepare('UPDATE sources SET fetched = ?, new = ? WHERE id = ?');
  const sources = wrongSources(db);
  for (const { id, shouldFetched, shouldNew } of sources) count.run(shouldFetched, shouldNew, id);
  return [...lanes.map(shortLaneText), ...sources.map(wrongSourceText), ...settleBalance(db)];
}

function isSealed(db: DatabaseSync): boolean {
  return one(db.prepare('SELECT 1 FROM offsets WHERE crc IS NULL LIMIT 1')) === undefined;
}

function sealOffsets(db: DatabaseSync): void {
  const seal = db.prepare('UPDATE offsets SET crc = ? WHERE sink = ? AND source = ? AND kind = ?');
  for (const row of offsetsOf(db)) if (row.crc === null) seal.run(offsetChecksum(row), row.sink, row.source, row.kind);
}

interface Noted extends Correction {
  /** Journal time. */
  readonly stamp: number;
}

const noteName = 'corrections';
const mostNoted = 20;
const shownMs = 7 * dayMs;

/** Sets right what {@link disagreements} finds, and notes it, in one transaction. Returns a sentence with the numbers for each. */
export function setCountsRight(db: DatabaseSync, clock: Clock, time: JournalTime): string[] {
  if (disagreements(db).length === 0 && isSealed(db)) return [];
  const put = db.prepare('INSERT INTO notes (source, name, value) VALUES (0, ?1, ?2) ON CONFLICT DO UPDATE SET value = ?2');
  return inTransaction(db, () => {
    sealOffsets(db);
    const sentences = setRight(db);
    const noted = [...readNoted(db), ...sentences.map((what): Noted => ({ at: clock.now(), stamp: time.now(), what }))];
    if (sentences.length > 0) put.run(noteName, JSON.stringify(noted.slice(-mostNoted)));
    return sentences;
  });
}

function readNoted(db: DatabaseSync): Noted[] {
  const row = one<{ value: string }>(db.prepare('SELECT value FROM notes WHERE source = 0 AND name = ?'), noteName);
  return row === undefined ? [] : (JSON.parse(row.value) as Noted[]);
}

/** What was set right within the last week. */
export function recentCorrections(db: DatabaseSync, time: JournalTime): Correction[] {
  return readNoted(db).flatMap(({ at, what, stamp }) => (stamp > time.now() - shownMs ? [{ at, what }] : []));
}
