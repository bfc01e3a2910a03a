import { type SourceTotals, type StoredSinkCounter, sourceCounters, storedSinkCounters } from '../../counts.ts';
import type { Ledger, LedgerWindow, SinkStart, SkippedRange, StoredRecords } from '../../journal.ts';
import { kindName } from '../../records/positions.ts';
import { type LedgerSqlRow, type StoredRow, storedOf, type WindowRow, windowOf } from '../../records/rows.ts';
import type { Core } from '../core.ts';
import { all } from '../file/database.ts';

export type LedgerStore = ReturnType<typeof openLedger>;

/** The counters of sinks, and the windows of sources. */
export function openLedger(core: Pick<Core, 'db' | 'names'>) {
  const { db, names } = core;
  const adders = new Map(
    storedSinkCounters.map((name) => [
      name,
      db.prepare(
        `INSERT INTO totals (sink, source, ${name}) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET ${name} = ${name} + ?3`,
      ),
    ]),
  );
  const selectWindows = db.prepare(
    'SELECT * FROM windows WHERE source = ?1 AND (to_time IS NULL OR (to_time >= ?2 AND from_time <= ?3)) ORDER BY from_time, updated, key',
  );
  return {
    /** Only inside a write. */
    add(sink: number, source: number, name: StoredSinkCounter, count: number): void {
      if (count !== 0) adders.get(name)?.run(sink, source, count);
    },
    ledger: openReading(core),
    stored: openStored(core),
    sinkStarts: openSinkStarts(core),
    /** Windows that touch a range of event time, milliseconds, both inclusive, and those without time. */
    windows(sourceName: string, from: number, to: number): LedgerWindow[] {
      const source = names.source(sourceName);
      if (source === undefined) return [];
      return all<WindowRow>(selectWindows, source, from, to).map((row) => windowOf(sourceName, row));
    },
  };
}

function openSinkStarts({ db }: Pick<Core, 'db'>): () => SinkStart[] {
  const select = db.prepare(`
    SELECT k.name AS sink, o.name AS source, k.created AS at, e.value AS passed FROM sinks k JOIN notes n ON n.source = 0 AND n.name = 'start:' || k.id
    JOIN json_each(n.value) e JOIN sources o ON o.id = CAST(e.key AS INTEGER) ORDER BY k.name, o.name`);
  return () => all<SinkStart>(select);
}

function openStored({ db }: Pick<Core, 'db'>): () => StoredRecords[] {
  const select = db.prepare(`
    SELECT s.name AS source, (SELECT ifnull(sum(appended), 0) FROM lanes l WHERE l.source = s.id) AS collected, ifnull(p.stored, 0) AS stored, p.since
    FROM sources s LEFT JOIN (SELECT source, sum(count) AS stored, min(received) AS since FROM pages GROUP BY source) p ON p.source = s.id
    ORDER BY s.name`);
  return () => all<StoredRow>(select).map(storedOf);
}

function openReading({ db }: Pick<Core, 'db'>): () => Ledger {
  const sources = db.prepare(`SELECT name, ${sourceCounters.join(', ')} FROM sources ORDER BY name`);
  const rows = db.prepare(`
    SELECT k.name AS sink, s.name AS source, s.new AS new, ${storedSinkCounters.map((name) => `ifnull(t.${name}, 0) AS ${name}`).join(', ')},
      (SELECT ifnull(sum(l.appended - ifnull(o.position, 0)), 0) FROM lanes l
        LEFT JOIN offsets o ON o.sink = k.id AND o.source = l.source AND o.kind = l.kind WHERE l.source = s.id) AS pending,
      (SELECT ifnull(sum(c.letters), 0) FROM letter_counts c WHERE c.sink = k.id AND c.source = s.id) AS letters
    FROM sinks k CROSS JOIN sources s LEFT JOIN totals t ON t.sink = k.id AND t.source = s.id ORDER BY k.name, s.name`);
  const skips =
    db.prepare(`SELECT k.name AS sink, s.name AS source, kind, from_time AS "from", to_time AS "to", records, first_at AS firstAt, last_at AS lastAt
    FROM skips JOIN sinks k ON k.id = sink JOIN sources s ON s.id = source ORDER BY skips.id`);
  return () => {
    const bySource = all<SourceTotals & { readonly name: string }>(sources).map(({ name, ...totals }) => [name, totals] as const);
    return {
      skipped: all<SkippedRange & { readonly kind: number }>(skips).map(({ kind, ...range }) => ({
        ...range,
        lane: kindName(kind),
      })),
      sources: Object.fromEntries(bySource),
      rows: all<LedgerSqlRow>(rows).map(({ sink, source, new: fresh, letters, ...totals }) => ({
        sink,
        source,
        totals,
        new: fresh,
        letters,
      })),
    };
  };
}
