import type { DatabaseSync } from 'node:sqlite';
import { accountedFor, lettersLost, negativeCounters, type StoredSinkCounter } from '../../counts.ts';
import type { Ledger, LedgerRow } from '../../journal.ts';
import { type PageFacts, pageChecksum } from '../../records/pages.ts';
import { kindName } from '../../records/positions.ts';
import { openNames } from '../core.ts';
import { openLedger } from '../delivery/ledger.ts';
import { offsetChecksum } from '../delivery/offsets.ts';
import { all } from '../file/database.ts';

/** Records that were pending for a sink and could not be read. */
export interface LostRange {
  readonly source: string;
  readonly lane: 'live' | 'backfill';
  readonly sink: string;
  readonly records: number;
}

interface Gap {
  readonly first: number;
  readonly last: number;
}

/**
 * Closes the gaps that lost pages left in their lanes: positions after a gap move up, offsets with them, and what a sink had not
 * settled of a gap counts as abandoned for it.
 */
export function closeGaps(db: DatabaseSync): LostRange[] {
  const lanes =
    db.prepare(`SELECT s.id AS source, s.name AS name, k.kind AS kind, max(ifnull(l.appended, 0), ifnull((SELECT max(first + count - 1) FROM pages p WHERE p.source = s.id AND p.kind = k.kind), 0)) AS appended
    FROM sources s CROSS JOIN (SELECT 0 AS kind UNION SELECT 1) k LEFT JOIN lanes l ON l.source = s.id AND l.kind = k.kind`);
  return all<{ source: number; name: string; kind: number; appended: number }>(lanes).flatMap((lane) => {
    if (lane.appended === 0) return [];
    const gaps = gapsOf(db, lane);
    movePages(db, lane, gaps);
    db.prepare('INSERT INTO lanes (source, kind, appended) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET appended = ?3').run(
      lane.source,
      lane.kind,
      lane.appended - lostUpTo(gaps, lane.appended),
    );
    return moveOffsets(db, lane, gaps);
  });
}

/** The runs of positions that no page holds, after the oldest offset: what lies before it was delivered and trimmed. */
function gapsOf(db: DatabaseSync, { source, kind, appended }: { source: number; kind: number; appended: number }): Gap[] {
  const offsets = all<{ at: number }>(
    db.prepare(
      'SELECT ifnull(o.position, 0) AS at FROM sinks k LEFT JOIN offsets o ON o.sink = k.id AND o.source = ? AND o.kind = ?',
    ),
    source,
    kind,
  );
  const start = Math.min(appended, ...offsets.map(({ at }) => at));
  const gaps: Gap[] = [];
  let expected = start + 1;
  for (const { first, count } of all<{ first: number; count: number }>(
    db.prepare('SELECT first, count FROM pages WHERE source = ? AND kind = ? ORDER BY first'),
    source,
    kind,
  )) {
    if (first > expected) gaps.push({ first: expected, last: first - 1 });
    expected = Math.max(expected, first + count);
  }
  if (expected <= appended) gaps.push({ first: expected, last: appended });
  return gaps;
}

function lostUpTo(gaps: readonly Gap[], position: number): number {
  let lost = 0;
  for (const { first, last } of gaps) lost += Math.max(0, Math.min(last, position) - first + 1);
  return lost;
}

function movePages(db: DatabaseSync, { source, kind }: { source: number; kind: number }, gaps: readonly Gap[]): void {
  if (gaps.length === 0) return;
  const rows = db.prepare(
    'SELECT id, source, kind, first, count, connector_name, connector_hash, tenant, labels, raw_bytes, body FROM pages WHERE source = ? AND kind = ? AND first > ? ORDER BY first LIMIT 1',
  );
  const move = db.prepare('UPDATE pages SET first = ?, crc = ? WHERE id = ?');
  type Row = PageFacts & { readonly id: number; readonly body: Uint8Array };
  let at = 0;
  for (let [row] = all<Row>(rows, source, kind, at); row !== undefined; [row] = all<Row>(rows, source, kind, at)) {
    at = row.first;
    const first = row.first - lostUpTo(gaps, row.first);
    if (first !== row.first) move.run(first, pageChecksum({ ...row, first }, row.body), row.id);
  }
}

function moveOffsets(
  db: DatabaseSync,
  lane: { source: number; name: string; kind: number; appended: number },
  gaps: readonly Gap[],
): LostRange[] {
  const { source, name, kind, appended } = lane;
  const ledger = openLedger({ db, names: openNames(db) });
  const put = db.prepare(
    'INSERT INTO offsets (sink, source, kind, position, crc) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET position = ?4, passed = 0, crc = ?5',
  );
  const offsets = all<{ sink: number; sinkName: string; at: number }>(
    db.prepare(
      'SELECT k.id AS sink, k.name AS sinkName, ifnull(o.position, 0) AS at FROM sinks k LEFT JOIN offsets o ON o.sink = k.id AND o.source = ? AND o.kind = ?',
    ),
    source,
    kind,
  );
  return offsets.flatMap(({ sink, sinkName, at }) => {
    const within = Math.min(Math.max(0, at), appended);
    const position = within - lostUpTo(gaps, within);
    put.run(sink, source, kind, position, offsetChecksum({ sink, source, kind, position, passed: 0 }));
    const records = lostUpTo(gaps, appended) - lostUpTo(gaps, within);
    ledger.add(sink, source, 'abandoned', records);
    return records === 0 ? [] : [{ source: name, lane: kindName(kind), sink: sinkName, records }];
  });
}

// What a sink took is taken back first: too high a count of it hides most.
const takenBackFrom = [
  'acknowledged',
  'unconfirmed',
  'not_routed',
  'discarded',
  'skipped',
  'abandoned',
] as const satisfies readonly StoredSinkCounter[];

/**
 * Makes the ledger balance again where its numbers themselves are wrong: what is missing counts as abandoned, dead letters that are gone too, and
 * what is too much is taken from what was delivered. Returns what was changed, one sentence each.
 */
export function settleBalance(db: DatabaseSync): string[] {
  const names = openNames(db);
  const ledger = openLedger({ db, names });
  return ledger.ledger().rows.flatMap((row) => {
    const add = (name: StoredSinkCounter, count: number): void =>
      ledger.add(names.requireSink(row.sink), names.requireSource(row.source), name, count);
    const said = setCountersRight(row, add);
    return [...said, ...setSumRight(said.length === 0 ? row : sameRow(ledger.ledger(), row), add)];
  });
}

type Add = (name: StoredSinkCounter, count: number) => void;

const sameRow = ({ rows }: Ledger, { sink, source }: LedgerRow): LedgerRow | undefined =>
  rows.find((row) => row.sink === sink && row.source === source);

function setCountersRight(row: LedgerRow, add: Add): string[] {
  const { sink, source, totals, letters } = row;
  const lost = lettersLost(row);
  const negative = negativeCounters(totals);
  add('dead_lettered', -lost);
  add('abandoned', lost);
  for (const name of negative) add(name, -totals[name]);
  const counted = `sink "${sink}" counted`;
  return [
    ...(lost === 0
      ? []
      : [
          `${counted} ${totals.dead_lettered} dead letters of source "${source}", and ${letters} are there: ${lost} counted as abandoned; a replay brings what the journal still holds of them`,
        ]),
    ...negative.map((name) => `${counted} ${totals[name]} records of source "${source}" as ${name}: set to 0`),
  ];
}

function setSumRight(row: LedgerRow | undefined, add: Add): string[] {
  if (row === undefined) return [];
  const { sink, source, totals, new: fresh } = row;
  const missing = fresh - accountedFor(totals);
  if (missing === 0) return [];
  let excess = Math.max(0, -missing);
  if (missing > 0) add('abandoned', missing);
  for (const name of takenBackFrom) {
    const part = Math.min(excess, totals[name]);
    add(name, -part);
    excess -= part;
  }
  const how = missing > 0 ? `${missing} too few, counted as abandoned` : `${-missing} too many, taken from what was delivered`;
  return [`sink "${sink}" accounted for ${fresh - missing} records of source "${source}", which has ${fresh}: ${how}`];
}
