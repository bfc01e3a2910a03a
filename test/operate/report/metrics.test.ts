import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { Durations } from '../../../src/base/histogram.ts';
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
const measured = {
  durations: new Durations(),
  disk: { freeBytes: 7, sizeBytes: 9 },
  replicas: undefined,
  process: new Registry(),
};
const report: StatusReport = {
  running: true,
  version: '1.2.3',
  at: 1_000_000,
  journal: {
    used_bytes: 100,
    max_bytes: 1000,
    pages: 1,
    records: 17,
    oldest_received: undefined,
    has_room: true,
    corrections: [],
  },
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
  const text = await renderMetrics(report, ledger, measured);

  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines).toEqual(
    expect.arrayContaining([
      'penstock_source_hold{source="acme"} 1',
      'penstock_source_poll_age_seconds{source="acme"} 60',
      'penstock_source_consecutive_failures{source="acme"} 4',
      'penstock_source_records_total{source="acme",outcome="duplicate"} 3',
      'penstock_sink_events_total{sink="soc",outcome="sent_unconfirmed"} 7',
      'penstock_sink_pending_events{sink="soc"} 3',
      'penstock_sink_possible_duplicates_total{sink="soc"} 1',
      'penstock_disk_free_bytes 7',
      'penstock_problems{level="error"} 1',
      'penstock_build_info{version="1.2.3"} 1',
    ]),
  );
  expect(text).not.toContain('cursor_age_seconds{');
});

it('tells what a kind of sink counts itself', async () => {
  const sink = { ...quietSink, counters: { truncated: 3, possible_duplicates: 9 } };

  const text = await renderMetrics({ ...report, sinks: [sink, { ...sink, name: 'quiet', counters: {} }] }, ledger, measured);

  expect(text.split('\n').filter((line) => line.startsWith('penstock_sink_counted_total'))).toEqual([
    'penstock_sink_counted_total{sink="soc",what="truncated"} 3',
  ]);
});

it('counts nothing twice: what was fetched is the sum of its outcomes, and so is what was new', async () => {
  const text = await renderMetrics(report, ledger, measured);
  const sumOf = (name: string): number =>
    [...text.matchAll(new RegExp(`^${name}{.*} (\\d+)$`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0);

  expect(sumOf('penstock_source_records_total')).toBe(20);
  // The two dead letters are those of the status, which has no sink here.
  expect(sumOf('penstock_sink_events_total') + sumOf('penstock_sink_pending_events') + totals.dead_lettered).toBe(17);
});

it('gives as many samples whatever vendors call their actions', async () => {
  const unknown = (names: number) => ({
    ...quietSink,
    unknown_actions: Object.fromEntries(Array.from({ length: names }, (_, index) => [`invented "${index}"`, 1])),
  });
  const source = {
    ...report.sources[0],
    unknown_actions: { records: 1_000_000, actions: [{ action: 'x"}\n# evil', count: 7 }] },
  };
  const given = { ...report, sources: [source as StatusReport['sources'][number]], sinks: [unknown(1)] };

  const few = await renderMetrics(given, ledger, measured);
  const many = await renderMetrics({ ...given, sinks: [unknown(1000)] }, ledger, measured);

  expect(many).toBe(few);
  expect(many).toContain('penstock_source_unknown_action_records_total{source="acme"} 1000000\n');
  expect(many).not.toMatch(/invented|evil/);
});

it('tells how long things took in buckets that add up', async () => {
  const durations = new Durations();
  for (const seconds of [0.004, 0.2, 100]) durations.sinkRequests.of('soc').observe(seconds);
  durations.sinkRequests.of('removed').observe(1);

  const text = await renderMetrics({ ...report, sinks: [quietSink] }, ledger, { ...measured, durations });

  const lines = text.split('\n').filter((line) => line.startsWith('penstock_sink_request_duration_seconds'));
  const bounds = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '30', '60', '+Inf'];
  const counts = [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3];
  expect(lines).toEqual([
    ...bounds.map((le, index) => `penstock_sink_request_duration_seconds_bucket{sink="soc",le="${le}"} ${counts[index]}`),
    'penstock_sink_request_duration_seconds_sum{sink="soc"} 100.204',
    'penstock_sink_request_duration_seconds_count{sink="soc"} 3',
  ]);
});

it('tells what replicas share once: another one than the first tells its own part only', async () => {
  const given = { ...report, sinks: [quietSink] };

  const first = await renderMetrics(given, ledger, { ...measured, replicas: { alive: 3, missing: 1 } });
  const other = await renderMetrics(given, undefined, { ...measured, replicas: { alive: 3, missing: 1 } });

  const namesOf = (text: string): string[] => [...text.matchAll(/^# TYPE (penstock_\w+)/gm)].map(([, name = '']) => name);
  const away = await renderMetrics(given, undefined, { ...measured, replicas: 'unknown' });
  expect([first, other, away].map((text) => /^penstock_journal_up (.)$/m.exec(text)?.[1])).toEqual(['1', '1', '0']);
  expect(namesOf(away)).toEqual(namesOf(other));
  expect(first).toContain('penstock_replicas 3\n');
  expect(first).toContain('penstock_replicas_missing 1\n');
  expect(other).toContain('penstock_replica_sources 1\n');
  expect(namesOf(first).filter((name) => !namesOf(other).includes(name))).toEqual([
    'penstock_source_records_total',
    'penstock_source_unreadable_records_total',
    'penstock_source_id_conflicts_total',
    'penstock_sink_events_total',
    'penstock_sink_pending_events',
    'penstock_sink_replayed_events_total',
    'penstock_sink_possible_duplicates_total',
    'penstock_sink_dead_letters',
    'penstock_ledger_imbalances',
    'penstock_journal_bytes',
    'penstock_journal_max_bytes',
    'penstock_journal_records',
    'penstock_journal_has_room',
    'penstock_replicas',
    'penstock_replicas_missing',
  ]);
});
