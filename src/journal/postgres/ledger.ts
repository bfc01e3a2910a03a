import { type SourceTotals, type StoredSinkCounter, sourceCounters, storedSinkCounters } from '../counts.ts';
import type { Ledger, LedgerWindow, SinkStart, SkippedRange, StoredRecords } from '../journal.ts';
import { kindName } from '../records/positions.ts';
import { type LedgerSqlRow, type StoredRow, storedOf, type WindowRow, windowOf } from '../records/rows.ts';
import type { Core } from './core.ts';
import type { Sql } from './database.ts';

/** Adds to counters of a sink and a source; those that are 0 or absent stay. Only inside a transaction. */
export async function addTotals(
  sql: Sql,
  s: string,
  sink: number,
  source: number,
  counts: Readonly<Partial<Record<StoredSinkCounter, number>>>,
): Promise<void> {
  const names = storedSinkCounters.filter((name) => (counts[name] ?? 0) !== 0);
  if (names.length === 0) return;
  await sql.run(
    `INSERT INTO ${s}.totals AS t (sink, source, ${names.join(', ')}) VALUES ($1, $2, ${names.map((_name, index) => `$${index + 3}`).join(', ')})
     ON CONFLICT (sink, source) DO UPDATE SET ${names.map((name) => `${name} = t.${name} + excluded.${name}`).join(', ')}`,
    [sink, source, ...names.map((name) => counts[name])],
  );
}

/** Windows that touch a range of event time, milliseconds, both inclusive, and those without time. */
export async function windowsOf({ db, names }: Core, sourceName: string, from: number, to: number): Promise<LedgerWindow[]> {
  const source = await names.source(sourceName);
  if (source === undefined) return [];
  const rows = await db.query<WindowRow>(
    `SELECT * FROM ${db.s}.windows WHERE source = $1 AND (to_time IS NULL OR (to_time >= $2 AND from_time <= $3)) ORDER BY from_time NULLS FIRST, updated, key`,
    [source, from, to],
  );
  return rows.map((row) => windowOf(sourceName, row));
}

/** All counters at one moment: without that, records would be counted as collected and not yet as pending. */
export function readLedger({ db }: Pick<Core, 'db'>): Promise<Ledger> {
  return db.snapshot((sql) => readLedgerIn(sql, db.s));
}

export async function readLedgerIn(sql: Sql, s: string): Promise<Ledger> {
  const sources = await sql.query<SourceTotals & { readonly name: string }>(
    `SELECT o.name, ${sourceCounters.map((name) => `c.${name}`).join(', ')} FROM ${s}.sources o JOIN ${s}.counters c ON c.source = o.id ORDER BY o.name COLLATE "C"`,
  );
  const rows = await sql.query<LedgerSqlRow>(
    `SELECT k.name AS sink, o.name AS source, c.new AS new, ${storedSinkCounters.map((name) => `coalesce(t.${name}, 0) AS ${name}`).join(', ')},
      (SELECT coalesce(sum(l.appended - coalesce(p.position, 0)), 0) FROM ${s}.lanes l
        LEFT JOIN ${s}.offsets p ON p.sink = k.id AND p.source = l.source AND p.kind = l.kind WHERE l.source = o.id) AS pending,
      (SELECT coalesce(sum(g.letters), 0) FROM ${s}.letter_counts g WHERE g.sink = k.id AND g.source = o.id) AS letters
     FROM ${s}.sinks k CROSS JOIN ${s}.sources o JOIN ${s}.counters c ON c.source = o.id LEFT JOIN ${s}.totals t ON t.sink = k.id AND t.source = o.id
     ORDER BY k.name COLLATE "C", o.name COLLATE "C"`,
  );
  const skips = await sql.query<SkippedRange & { readonly kind: number }>(
    `SELECT k.name AS sink, o.name AS source, p.kind, p.from_time AS "from", p.to_time AS "to", p.records, p.first_at AS "firstAt", p.last_at AS "lastAt"
     FROM ${s}.skips p JOIN ${s}.sinks k ON k.id = p.sink JOIN ${s}.sources o ON o.id = p.source ORDER BY p.id`,
  );
  return {
    skipped: skips.map(({ kind, ...range }) => ({ ...range, lane: kindName(kind) })),
    sources: Object.fromEntries(sources.map(({ name, ...totals }) => [name, totals])),
    rows: rows.map(({ sink, source, new: fresh, letters, ...totals }) => ({ sink, source, totals, new: fresh, letters })),
  };
}

/** What is stored of each source's records. */
export async function storedRecords({ db }: Pick<Core, 'db'>): Promise<StoredRecords[]> {
  const rows = await db.query<StoredRow>(
    `SELECT o.name AS source, (SELECT coalesce(sum(appended), 0) FROM ${db.s}.lanes l WHERE l.source = o.id) AS collected, coalesce(p.stored, 0) AS stored, p.since
     FROM ${db.s}.sources o LEFT JOIN (SELECT source, sum(count) AS stored, min(received) AS since FROM ${db.s}.pages GROUP BY source) p ON p.source = o.id
     ORDER BY o.name COLLATE "C"`,
  );
  return rows.map(storedOf);
}

/** What sinks were not given because it had been collected before they were there. */
export function sinkStarts({ db }: Pick<Core, 'db'>): Promise<SinkStart[]> {
  const { s } = db;
  return db.query<SinkStart>(
    `SELECT k.name AS sink, o.name AS source, k.created AS at, e.value::bigint AS passed FROM ${s}.sinks k JOIN ${s}.notes n ON n.source = 0 AND n.name = 'start:' || k.id
     CROSS JOIN LATERAL json_each_text(n.value::json) e JOIN ${s}.sources o ON o.id = e.key::bigint ORDER BY k.name COLLATE "C", o.name COLLATE "C"`,
  );
}
