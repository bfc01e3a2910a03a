import { Counter, Gauge, Registry } from 'prom-client';
import type { Durations, Histogram } from '../../base/histogram.ts';
import type { SourceTotals } from '../../journal/counts.ts';
import { invalidEvents } from './invalid-events.ts';
import type { LedgerReport } from './ledger.ts';
import type { StatusReport } from './status.ts';

type Labels = Readonly<Record<string, string>>;
type Samples = readonly (readonly [Labels, number | undefined])[];

interface ReplicaCounts {
  readonly alive: number;
  readonly missing: number;
}

/** What metrics tell beside the status and the ledger. */
export interface Measured {
  readonly durations: Durations;
  /** The file system of `data_dir`; undefined where the system does not say. */
  readonly disk: { readonly freeBytes: number; readonly sizeBytes: number } | undefined;
  /** How many processes share the journal, and how many are missing; undefined where it is one's alone, `unknown` where its database does not answer. */
  readonly replicas: ReplicaCounts | 'unknown' | undefined;
  /** Of the process itself: memory, processor time, garbage collection. */
  readonly process: Pick<Registry, 'metrics'>;
}

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
type SinkStatus = StatusReport['sinks'][number];

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

function ofSources(registry: Registry, { sources, sinks, at }: StatusReport): void {
  for (const [name, help, value] of sourceGauges) {
    const samples = sources.map((source) => [{ source: source.name }, value(source, at)] as const);
    gauge(registry, `penstock_source_${name}`, help, samples);
  }
  counter(
    registry,
    'penstock_source_unknown_action_records_total',
    'New records whose action no row of the table knows, since the start',
    sources.map(({ name, unknown_actions }) => [{ source: name }, unknown_actions?.records]),
  );
  const invalid = new Map(sources.map(({ name }) => [name, 0]));
  for (const { source, count } of invalidEvents(sinks)) invalid.set(source, (invalid.get(source) ?? 0) + count);
  counter(
    registry,
    'penstock_source_invalid_events_total',
    'Events that are not valid by OCSF and were delivered, since the start',
    [...invalid].map(([source, count]) => [{ source }, count]),
  );
}

const sinkGauges: readonly (readonly [string, string, (sink: SinkStatus) => number])[] = [
  ['hold', '1 while the sink is on hold', ({ hold }) => (hold === undefined ? 0 : 1)],
  ['lag_seconds', 'Age of the oldest live record that is not acknowledged', ({ lag_seconds }) => lag_seconds],
  ['requests_in_flight', 'Requests without an answer yet', ({ in_flight }) => in_flight],
];

function ofSinks(registry: Registry, { sinks }: StatusReport): void {
  for (const [name, help, value] of sinkGauges) {
    const samples = sinks.map((sink) => [{ sink: sink.name }, value(sink)] as const);
    gauge(registry, `penstock_sink_${name}`, help, samples);
  }
  counter(
    registry,
    'penstock_sink_map_failed_total',
    'Records whose mapping failed, delivered as Base Event, since the start',
    sinks.map(({ name, map_failed }) => [{ sink: name }, map_failed]),
  );
  const counted = sinks.flatMap(({ name, counters = {} }) =>
    Object.entries(counters)
      // The ledger has counted these already.
      .filter(([what]) => what !== 'possible_duplicates')
      .map(([what, count]) => [{ sink: name, what }, count] as const),
  );
  counter(registry, 'penstock_sink_counted_total', 'What a kind of sink counts itself (truncated), since the start', counted);
}

// The parts of what was fetched, once each; what else is counted is a part of one of them.
const sourceOutcomes = ['new', 'duplicate', 'excluded'] as const;

/** Outcomes of settled events by the counter of the ledger: together with pending ones and dead letters they are the new records. */
const sinkOutcomes = {
  acknowledged: 'acknowledged',
  unconfirmed: 'sent_unconfirmed',
  discarded: 'discarded',
  not_routed: 'not_routed',
  skipped: 'skipped',
  abandoned: 'abandoned',
} as const;

function ofCollected(registry: Registry, sources: LedgerReport['sources']): void {
  const each = (name: keyof SourceTotals): Samples =>
    Object.entries(sources).map(([source, totals]) => [{ source }, totals[name]]);
  const outcomes = Object.entries(sources).flatMap(([source, totals]) =>
    sourceOutcomes.map((outcome) => [{ source, outcome }, totals[outcome]] as const),
  );
  counter(registry, 'penstock_source_records_total', 'Records fetched, by what became of them; the ledger', outcomes);
  counter(registry, 'penstock_source_unreadable_records_total', 'New records that could not be read', each('unreadable'));
  counter(
    registry,
    'penstock_source_id_conflicts_total',
    'New records with the id of another one and other content',
    each('id_conflict'),
  );
}

function ofDelivered(registry: Registry, sinks: LedgerReport['sinks']): void {
  const all = Object.entries(sinks);
  const settled = all.flatMap(([sink, totals]) =>
    Object.entries(sinkOutcomes).map(
      ([name, outcome]) => [{ sink, outcome }, totals[name as keyof typeof sinkOutcomes]] as const,
    ),
  );
  counter(registry, 'penstock_sink_events_total', 'Events by how they were settled; the ledger', settled);
  gauge(
    registry,
    'penstock_sink_pending_events',
    'Events that are not settled; the ledger',
    all.map(([sink, { pending }]) => [{ sink }, pending]),
  );
  counter(
    registry,
    'penstock_sink_replayed_events_total',
    'Events sent once more by a replay',
    all.map(([sink, { replayed }]) => [{ sink }, replayed]),
  );
  counter(
    registry,
    'penstock_sink_possible_duplicates_total',
    'Events sent again although the receiver may have stored them',
    all.map(([sink, { possible_duplicates }]) => [{ sink }, possible_duplicates]),
  );
}

function ofJournal(registry: Registry, { journal, sinks }: StatusReport, { imbalances }: LedgerReport): void {
  const help = 'Events that the sink refused for good and that wait for a person';
  const letters = sinks.map(({ name, dead_letters }) => [{ sink: name }, dead_letters] as const);
  gauge(registry, 'penstock_sink_dead_letters', help, letters);
  gauge(registry, 'penstock_ledger_imbalances', 'Equations of the ledger that do not hold; 0 when it balances', [
    [{}, imbalances.length],
  ]);
  gauge(registry, 'penstock_journal_bytes', 'Bytes used by the journal', [[{}, journal.used_bytes]]);
  gauge(registry, 'penstock_journal_max_bytes', 'Where collection pauses', [[{}, journal.max_bytes]]);
  gauge(registry, 'penstock_journal_records', 'Records stored in the journal, settled ones included', [[{}, journal.records]]);
  gauge(registry, 'penstock_journal_has_room', '0 while collection is paused', [[{}, journal.has_room ? 1 : 0]]);
}

function ofReplicas(registry: Registry, { sources }: StatusReport, replicas: ReplicaCounts | 'unknown', tellsAll: boolean): void {
  gauge(registry, 'penstock_journal_up', '0 while the database of the journal does not answer', [
    [{}, replicas === 'unknown' ? 0 : 1],
  ]);
  gauge(registry, 'penstock_replica_sources', 'Sources that this replica collects and delivers', [[{}, sources.length]]);
  if (!tellsAll || replicas === 'unknown') return;
  gauge(registry, 'penstock_replicas', 'Replicas that share the journal', [[{}, replicas.alive]]);
  gauge(registry, 'penstock_replicas_missing', 'Replicas that are not heard of any more and did not leave', [
    [{}, replicas.missing],
  ]);
}

function ofDaemon(registry: Registry, { problems, config, version }: StatusReport, disk: Measured['disk']): void {
  if (disk !== undefined) {
    gauge(registry, 'penstock_disk_free_bytes', 'Free on the file system of data_dir', [[{}, disk.freeBytes]]);
    gauge(registry, 'penstock_disk_size_bytes', 'Size of the file system of data_dir', [[{}, disk.sizeBytes]]);
  }
  const counted = (level: string): number => problems.filter((problem) => problem.level === level).length;
  gauge(registry, 'penstock_problems', 'Problems that status shows, by level', [
    [{ level: 'error' }, counted('error')],
    [{ level: 'warning' }, counted('warning')],
  ]);
  if (config !== undefined) {
    const { loaded_at, differs_from_file } = config;
    gauge(registry, 'penstock_config_loaded_timestamp_seconds', 'When the configuration in force was loaded', [
      [{}, loaded_at / 1000],
    ]);
    gauge(registry, 'penstock_config_differs_from_file', '1 while the files say something else than what runs', [
      [{}, differs_from_file ? 1 : 0],
    ]);
  }
  gauge(registry, 'penstock_build_info', 'The running version; always 1', [[{ version }, 1]]);
}

/** A histogram as Prometheus text; prom-client fills its own only one observation at a time. */
function histogramText(name: string, help: string, label: string, all: ReadonlyMap<string, Histogram>): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const [value, { bounds, counts, sum }] of all) {
    const own = `${label}="${value.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
    let total = 0;
    for (const [index, count] of counts.entries()) {
      total += count;
      lines.push(`${name}_bucket{${own},le="${bounds[index] ?? '+Inf'}"} ${total}`);
    }
    lines.push(`${name}_sum{${own}} ${sum}`, `${name}_count{${own}} ${total}`);
  }
  return `${lines.join('\n')}\n`;
}

function ofDurations({ sourceRequests, sinkRequests, deliveries, commits }: Durations, { sinks }: StatusReport): string {
  const configured = new Set(sinks.map(({ name }) => name));
  const running = (all: ReadonlyMap<string, Histogram>) => new Map([...all].filter(([name]) => configured.has(name)));
  return [
    histogramText(
      'penstock_source_request_duration_seconds',
      'Requests to vendors, failed ones included',
      'connector',
      sourceRequests.all,
    ),
    histogramText(
      'penstock_sink_request_duration_seconds',
      'Sends to a receiver until its answer, failed ones included',
      'sink',
      running(sinkRequests.all),
    ),
    histogramText(
      'penstock_sink_delivery_duration_seconds',
      "From the receipt of a batch's first record until the receiver took it; without replays",
      'sink',
      running(deliveries.all),
    ),
    histogramText('penstock_journal_commit_duration_seconds', 'Commits until they are on disk', 'operation', commits.all),
  ].join('\n');
}

/**
 * Everything as Prometheus text, read when it is asked for; without a ledger what belongs to this process alone, because another replica
 * tells what all of them share. Label values are names of the configuration or words of ours: nothing that a
 * vendor or a receiver sends becomes one. The samples of one metric add up: none is a part of another.
 */
export async function renderMetrics(report: StatusReport, ledger: LedgerReport | undefined, measured: Measured): Promise<string> {
  const registry = new Registry();
  ofSources(registry, report);
  ofSinks(registry, report);
  if (ledger !== undefined) {
    ofCollected(registry, ledger.sources);
    ofDelivered(registry, ledger.sinks);
    ofJournal(registry, report, ledger);
  }
  if (measured.replicas !== undefined) ofReplicas(registry, report, measured.replicas, ledger !== undefined);
  ofDaemon(registry, report, measured.disk);
  const texts = [await registry.metrics(), ofDurations(measured.durations, report), await measured.process.metrics()];
  return texts.join('\n');
}
