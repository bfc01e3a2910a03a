import { Counter, Gauge, Registry } from 'prom-client';
import { invalidEvents } from './invalid-events.ts';
import type { LedgerReport } from './ledger.ts';
import type { StatusReport } from './status.ts';

type Labels = Readonly<Record<string, string>>;
type Samples = readonly (readonly [Labels, number | undefined])[];

function gauge(registry: Registry, name: string, help: string, samples: Samples): void {
  const labelNames = Object.keys(samples[0]?.[0] ?? {});
  const metric = new Gauge({ name, help, labelNames, registers: [registry] });
  for (const [labels, value] of samples) if (value !== undefined) metric.set(labels, value);
}

function counter(registry: Registry, name: string, help: string, samples: Samples): void {
  const labelNames = Object.keys(samples[0]?.[0] ?? {});
  const metric = new Counter({ name, help, labelNames, registers: [registry] });
  for (const [labels, value] of samples) metric.inc(labels, value ?? 0);
}

type SourceStatus = StatusReport['sources'][number];

const sourceGauges: readonly (readonly [string, string, (source: SourceStatus, now: number) => number | undefined])[] = [
  ['hold', '1 while the source is on hold', ({ hold }) => (hold === undefined ? 0 : 1)],
  ['cursor_age_seconds', 'Age of the newest time collected up to', ({ cursor_age_seconds }) => cursor_age_seconds],
  ['retention_seconds', 'How long the vendor keeps events', ({ retention_seconds }) => retention_seconds],
  [
    'poll_age_seconds',
    'Time since the last poll that succeeded',
    ({ last_success }, now) => last_success && (now - last_success) / 1000,
  ],
  ['consecutive_failures', 'Polls that failed in a row', ({ consecutive_failures }) => consecutive_failures],
  ['clock_skew_seconds', "The vendor's clock minus ours", ({ clock_skew_ms }) => clock_skew_ms && clock_skew_ms / 1000],
  ['warnings', 'Warnings shown in the status', ({ warnings }) => warnings.length],
];

function ofSources(registry: Registry, { sources, at }: StatusReport): void {
  for (const [name, help, value] of sourceGauges) {
    const samples = sources.map((source) => [{ source: source.name }, value(source, at)] as const);
    gauge(registry, `penstock_source_${name}`, help, samples);
  }
}

function ofSinks(registry: Registry, { sinks }: StatusReport): void {
  const each = (value: (sink: StatusReport['sinks'][number]) => number): Samples =>
    sinks.map((sink) => [{ sink: sink.name }, value(sink)]);
  gauge(
    registry,
    'penstock_sink_hold',
    '1 while the sink is on hold',
    each(({ hold }) => (hold === undefined ? 0 : 1)),
  );
  gauge(
    registry,
    'penstock_sink_lag_seconds',
    'Age of the oldest live record that is not acknowledged',
    each(({ lag_seconds }) => lag_seconds),
  );
  gauge(
    registry,
    'penstock_sink_pending',
    'Records that are not settled',
    each(({ pending }) => pending),
  );
  gauge(
    registry,
    'penstock_sink_in_flight',
    'Requests in flight',
    each(({ in_flight }) => in_flight),
  );
  counter(
    registry,
    'penstock_sink_map_failed_total',
    'Records whose mapping failed, delivered as Base Event, since the start',
    each(({ map_failed }) => map_failed),
  );
  ofEvents(registry, sinks);
}

function ofEvents(registry: Registry, sinks: StatusReport['sinks']): void {
  const unknown = sinks.flatMap(({ name, unknown_actions }) =>
    Object.entries(unknown_actions).map(([action, count]) => [{ sink: name, action }, count] as const),
  );
  counter(registry, 'penstock_sink_unknown_actions_total', 'Events with an unknown action, since the start', unknown);
  const invalid = new Map<string, number>();
  for (const { source, count } of invalidEvents(sinks)) invalid.set(source, (invalid.get(source) ?? 0) + count);
  counter(
    registry,
    'penstock_source_invalid_events_total',
    'Events that are not valid by OCSF and were delivered, since the start',
    [...invalid].map(([source, count]) => [{ source }, count]),
  );
  const counted = sinks.flatMap(({ name, counters = {} }) =>
    Object.entries(counters).map(([what, count]) => [{ sink: name, what }, count] as const),
  );
  counter(registry, 'penstock_sink_counted_total', 'What a kind of sink counts itself (truncated), since the start', counted);
}

function ofLedger(registry: Registry, { sources, sinks, imbalances }: LedgerReport): void {
  const fetched = Object.entries(sources).flatMap(([source, totals]) =>
    Object.entries(totals).map(([outcome, count]) => [{ source, outcome }, count] as const),
  );
  counter(registry, 'penstock_source_records_total', 'Records by what became of them; the ledger', fetched);
  const { settled, open } = Object.groupBy(
    Object.entries(sinks).flatMap(([sink, totals]) =>
      Object.entries(totals).map(
        ([outcome, count]) => [{ sink, outcome: outcome === 'unconfirmed' ? 'sent_unconfirmed' : outcome }, count] as const,
      ),
    ),
    ([{ outcome }]) => (outcome === 'pending' || outcome === 'dead_lettered' ? 'open' : 'settled'),
  );
  counter(registry, 'penstock_sink_events_total', 'Events by how they were settled; the ledger', settled ?? []);
  gauge(registry, 'penstock_sink_open_events', 'Events pending or in the dead letters; the ledger', open ?? []);
  gauge(registry, 'penstock_ledger_imbalances', 'Equations of the ledger that do not hold; 0 when it balances', [
    [{}, imbalances.length],
  ]);
}

/** The status and the ledger as Prometheus text. Everything is read when it is asked for; nothing is counted twice. */
export function renderMetrics(report: StatusReport, ledger: LedgerReport): Promise<string> {
  const registry = new Registry();
  ofSources(registry, report);
  ofSinks(registry, report);
  ofLedger(registry, ledger);
  gauge(registry, 'penstock_journal_bytes', 'Bytes used by the journal', [[{}, report.journal.usedBytes]]);
  gauge(registry, 'penstock_journal_max_bytes', 'Where collection pauses', [[{}, report.journal.maxBytes]]);
  gauge(registry, 'penstock_journal_has_room', '0 while collection is paused', [[{}, report.journal.hasRoom ? 1 : 0]]);
  gauge(registry, 'penstock_problems', 'Problems that status shows, by level', [
    [{ level: 'error' }, report.problems.filter(({ level }) => level === 'error').length],
    [{ level: 'warning' }, report.problems.filter(({ level }) => level === 'warning').length],
  ]);
  gauge(registry, 'penstock_info', 'The running version', [[{ version: report.version }, 1]]);
  return registry.metrics();
}
