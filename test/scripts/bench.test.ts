import { expect, it } from 'vitest';
import type { Measured } from '../../scripts/bench-measure.ts';
import { budgetLines, type Results, type Round, reportOf, tableOf } from '../../scripts/bench-report.ts';

const measured = (wallUs: number, busiestUs: number, cpuUs: number): Measured => ({
  wallUs,
  busiestUs,
  cpuUs,
  writtenBytes: wallUs * 10,
  peakRssMb: wallUs + 100,
  stallP50Ms: 1,
  stallP99Ms: wallUs / 10,
  stallMaxMs: 50,
});

const round = (slowness: number): Round => ({
  limit: measured(10 * slowness, 9 * slowness, 12 * slowness),
  keepUp: measured(50 * slowness, 36 * slowness, 60 * slowness),
  collect: measured(25 * slowness, 18 * slowness, 24 * slowness),
  drain: measured(20 * slowness, 15 * slowness, 30 * slowness),
});

const results: Results = {
  rounds: [round(1), round(5), round(2)],
  steady: measured(1000, 90, 120),
  start: { firstPollMs: 340, idleRssMb: 94, shutdownMs: 60 },
  machine: 'a machine',
};

it('reports each phase by wall, busiest thread and all threads against the limit of its own round', () => {
  expect(reportOf(results)).toEqual({
    limit: { us_per_event: 20 },
    keep_up: { of_limit: 0.2, of_limit_busiest: 0.25, of_limit_cpu: 0.2, stall_p99_ms: 10, peak_rss_mb: 200 },
    collect: { of_limit: 0.4, of_limit_busiest: 0.5, of_limit_cpu: 0.5, stall_p99_ms: 5, peak_rss_mb: 150 },
    drain: { of_limit: 0.5, of_limit_busiest: 0.6, of_limit_cpu: 0.4, stall_p99_ms: 4, peak_rss_mb: 140 },
    steady: { of_limit: 0.01, of_limit_busiest: 0.1, of_limit_cpu: 0.1, stall_p99_ms: 100, peak_rss_mb: 1100 },
    idle_rss_mb: 94,
    first_poll_ms: 340,
    bytes_written_per_event: 500,
    machine: 'a machine',
  });
});

it('says of each budget whether it is met', () => {
  const lines = budgetLines(results);

  expect(lines).toContain('NOT met  of the limit by the busiest thread, a sink that keeps up: 0.25 (budget 0.5)');
  expect(lines).toContain('met      start to first poll of the bundle, ms: 340.00 (budget 350)');
  expect(tableOf(results)).toContain('| a sink that keeps up | 10000 | 0.20 | 0.25 | 0.20 | 72.0 | 120.0 |');
});
