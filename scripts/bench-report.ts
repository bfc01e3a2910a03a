// What the benchmark says of its rounds: numbers for a machine, tables for a person.
import type { Measured } from './bench-measure.ts';
import type { Started } from './bench-start.ts';

/** One round: every phase once, on the same records. */
export type Round = Readonly<Record<'limit' | 'keepUp' | 'collect' | 'drain', Measured>>;

export interface Results {
  readonly rounds: readonly Round[];
  readonly steady: Measured;
  readonly start: Started;
  /** The machine and its load, in words. */
  readonly machine: string;
}

/** A phase beside the limit: by wall, by the CPU of the busiest thread and by that of all threads; 1 is as cheap as the limit. */
interface PhaseReport {
  readonly of_limit: number;
  readonly of_limit_busiest: number;
  readonly of_limit_cpu: number;
  readonly stall_p99_ms: number;
  readonly peak_rss_mb: number;
}

/** What `--json` writes; medians over the rounds. */
interface Report {
  readonly limit: { readonly us_per_event: number };
  readonly keep_up: PhaseReport;
  readonly collect: PhaseReport;
  readonly drain: PhaseReport;
  readonly steady: PhaseReport;
  readonly idle_rss_mb: number;
  readonly first_poll_ms: number;
  readonly bytes_written_per_event: number;
  readonly machine: string;
}

/** The middle one; of an even number the upper of the two. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** `measured[i]` beside `limits[i]`: both ran in the same round. */
function phaseReport(measured: readonly Measured[], limits: readonly Measured[]): PhaseReport {
  const share = (of: (one: Measured) => number): number =>
    rounded(median(measured.map((one, round) => of(limits[round] ?? one) / of(one))), 4);
  return {
    of_limit: share(({ wallUs }) => wallUs),
    of_limit_busiest: share(({ busiestUs }) => busiestUs),
    of_limit_cpu: share(({ cpuUs }) => cpuUs),
    stall_p99_ms: rounded(median(measured.map(({ stallP99Ms }) => stallP99Ms)), 2),
    peak_rss_mb: rounded(median(measured.map(({ peakRssMb }) => peakRssMb)), 1),
  };
}

export function reportOf({ rounds, steady, start, machine }: Results): Report {
  const limits = rounds.map(({ limit }) => limit);
  const phase = (name: keyof Round): PhaseReport =>
    phaseReport(
      rounds.map((round) => round[name]),
      limits,
    );
  return {
    limit: { us_per_event: rounded(median(limits.map(({ wallUs }) => wallUs)), 3) },
    keep_up: phase('keepUp'),
    collect: phase('collect'),
    drain: phase('drain'),
    steady: phaseReport([steady], limits),
    idle_rss_mb: rounded(start.idleRssMb, 1),
    first_poll_ms: start.firstPollMs,
    bytes_written_per_event: rounded(median(rounds.map(({ collect }) => collect.writtenBytes)), 1),
    machine,
  };
}

const heading = `| phase | events/s | of limit | busiest thread | all threads | busiest us/event | all us/event | bytes written/event | peak RSS MB | stall p50 ms | p99 | max |
|---|---|---|---|---|---|---|---|---|---|---|---|`;

function row(name: string, measured: readonly Measured[], limits: readonly Measured[]): string {
  const { of_limit, of_limit_busiest, of_limit_cpu } = phaseReport(measured, limits);
  const middle = (of: (one: Measured) => number): number => median(measured.map(of));
  const columns = [
    (1e6 / middle(({ wallUs }) => wallUs)).toFixed(0),
    ...[of_limit, of_limit_busiest, of_limit_cpu].map((share) => share.toFixed(2)),
    middle(({ busiestUs }) => busiestUs).toFixed(1),
    middle(({ cpuUs }) => cpuUs).toFixed(1),
    middle(({ writtenBytes }) => writtenBytes).toFixed(0),
    middle(({ peakRssMb }) => peakRssMb).toFixed(0),
    middle(({ stallP50Ms }) => stallP50Ms).toFixed(1),
    middle(({ stallP99Ms }) => stallP99Ms).toFixed(1),
    middle(({ stallMaxMs }) => stallMaxMs).toFixed(0),
  ];
  return `| ${name} | ${columns.join(' | ')} |`;
}

/** A table of all phases. */
export function tableOf({ rounds, steady }: Results): string {
  const limits = rounds.map(({ limit }) => limit);
  const phase = (name: string, of: keyof Round): string =>
    row(
      name,
      rounds.map((round) => round[of]),
      limits,
    );
  return [
    heading,
    phase('the limit', 'limit'),
    phase('a sink that keeps up', 'keepUp'),
    phase('collect alone', 'collect'),
    phase('draining a backlog', 'drain'),
    row('1,000 events/s', [steady], limits),
  ].join('\n');
}

/** Each budget with what was measured. */
export function budgetLines(results: Results): string[] {
  const report = reportOf(results);
  const { keep_up, collect, drain, steady } = report;
  const said = (what: string, value: number, most: number, least = false): string =>
    `${(least ? value >= most : value <= most) ? 'met    ' : 'NOT met'}  ${what}: ${value.toFixed(2)} (budget ${most})`;
  return [
    said('of the limit by the busiest thread, a sink that keeps up', keep_up.of_limit_busiest, 0.5, true),
    said('of the limit by the busiest thread, draining a backlog', drain.of_limit_busiest, 0.55, true),
    said('CPU of all threads over the limit, a sink that keeps up', 1 / keep_up.of_limit_cpu, 4.5),
    said('bytes written per event while collecting', report.bytes_written_per_event, 200),
    said('event loop stall p99 at saturation, ms', Math.max(...[keep_up, collect, drain].map((one) => one.stall_p99_ms)), 20),
    said('peak RSS at saturation, MB', Math.max(...[keep_up, collect, drain].map((one) => one.peak_rss_mb)), 230),
    said('peak RSS at 1,000 events/s, MB', steady.peak_rss_mb, 150),
    said('idle RSS of the bundle, MB', report.idle_rss_mb, 95),
    said('start to first poll of the bundle, ms', report.first_poll_ms, 350),
    said('longest shutdown of the bundle, ms', results.start.shutdownMs, 1000),
  ];
}
