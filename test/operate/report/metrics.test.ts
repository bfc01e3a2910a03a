import { expect, it } from 'vitest';
import type { LedgerReport } from '../../../src/operate/report/ledger.ts';
import { renderMetrics } from '../../../src/operate/report/metrics.ts';
import type { StatusReport } from '../../../src/operate/report/status.ts';
import { quietSink } from './quiet-sink.ts';

const totals = {
  acknowledged: 5,
  unconfirmed: 7,
  dead_lettered: 2,
  discarded: 0,
  not_routed: 0,
  skipped: 0,
  abandoned: 0,
  pending: 3,
  replayed: 0,
  possible_duplicates: 1,
};
const ledger: LedgerReport = {
  sources: { acme: { fetched: 20, new: 17, duplicate: 3, excluded: 0, unreadable: 0, id_conflict: 0 } },
  sinks: { soc: totals },
  rows: [],
  skipped: [],
  shortfalls: [],
  imbalances: [],
};
const report: StatusReport = {
  running: true,
  version: '1.2.3',
  at: 1_000_000,
  journal: { usedBytes: 100, maxBytes: 1000, pages: 1, records: 17, oldestReceived: undefined, hasRoom: true, corrections: [] },
  sources: [
    {
      name: 'acme',
      connector: 'x',
      state: 'hold',
      hold: { since: 1, reason: 'r', fix: undefined },
      consecutive_failures: 4,
      records: { fetched: 0, new: 0, duplicate: 0, excluded: 0, unreadable: 0 },
      warnings: [],
      last_success: 940_000,
    },
  ],
  sinks: [],
  jobs: [],
  orphan_sinks: [],
  problems: [{ level: 'error', where: 'source acme', what: 'on hold' }],
};

it('tells holds, ages, the ledger and problems, and calls unconfirmed what it is', async () => {
  const text = await renderMetrics(report, ledger);

  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines).toEqual(
    expect.arrayContaining([
      'penstock_source_hold{source="acme"} 1',
      'penstock_source_poll_age_seconds{source="acme"} 60',
      'penstock_source_consecutive_failures{source="acme"} 4',
      'penstock_source_records_total{source="acme",outcome="duplicate"} 3',
      'penstock_sink_events_total{sink="soc",outcome="sent_unconfirmed"} 7',
      'penstock_sink_open_events{sink="soc",outcome="pending"} 3',
      'penstock_problems{level="error"} 1',
      'penstock_info{version="1.2.3"} 1',
    ]),
  );
  expect(text).not.toContain('cursor_age_seconds{');
});

it('tells what a kind of sink counts itself', async () => {
  const sink = { ...quietSink, counters: { truncated: 3 } };

  const text = await renderMetrics({ ...report, sinks: [sink, { ...sink, name: 'quiet', counters: {} }] }, ledger);

  expect(text.split('\n').filter((line) => line.startsWith('penstock_sink_counted_total'))).toEqual([
    'penstock_sink_counted_total{sink="soc",what="truncated"} 3',
  ]);
});
