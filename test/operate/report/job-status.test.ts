import { expect, it } from 'vitest';
import type { Job } from '../../../src/journal/journal.ts';
import { jobProblems, listedJobs } from '../../../src/operate/report/job-status.ts';

const hour = 3_600_000;
const now = 100 * hour;

const job = (id: number, more: Partial<Job>): Job => ({
  id,
  kind: 'backfill',
  args: { source: 'okta', from: 0, to: 10 },
  state: 'failed',
  progress: null,
  error: 'answered 403\n  fix: renew the token',
  created: now - 2 * hour,
  started: now - 2 * hour,
  finished: now - hour,
  ...more,
});
const idsOf = (jobs: readonly Job[]): number[] => jobs.map(({ id }) => id);
const placesOf = (jobs: readonly Job[]): string[] => jobProblems(jobs, now).map(({ where }) => where);

it('says what failed, when, why, and what to do', () => {
  expect(jobProblems([job(7, {}), job(8, { kind: 'import', args: { source: 'csv', files: [] }, error: 'no' })], now)).toEqual([
    { level: 'warning', where: 'job 7', what: 'backfill of source "okta" failed 1h ago: answered 403', fix: 'renew the token' },
    { level: 'warning', where: 'job 8', what: 'import of source "csv" failed 1h ago: no' },
  ]);
});

it.each([
  ['one of the same kind on the same source was done', { state: 'done' }, []],
  ['one whose range overlaps was done', { state: 'done', args: { source: 'okta', from: 9, to: 99 } }, []],
  ['one failed as well, which is named in its place', { state: 'failed' }, ['job 2']],
  ['one runs', { state: 'running' }, ['job 1']],
  ['one of another time was done', { state: 'done', args: { source: 'okta', from: 11, to: 99 } }, ['job 1']],
  ['one on another source was done', { state: 'done', args: { source: 'slack', from: 0, to: 10 } }, ['job 1']],
  ['one of another kind was done', { state: 'done', kind: 'verify' }, ['job 1']],
] as const)('is asked to see to a job that failed until another has: %s', (_what, later, places) => {
  expect(placesOf([job(1, {}), job(2, later)])).toEqual(places);
});

it('warns of a job that failed for a day, and of none that ends a hold: who asked has waited for the answer', () => {
  const release = job(3, { kind: 'release', args: { kind: 'sink', name: 'soc' } });

  expect(placesOf([job(1, { finished: now - 24 * hour }), release])).toEqual([]);
  expect(placesOf([job(1, { finished: now - 24 * hour + 1 })])).toEqual(['job 1']);
});

it('lists what waits, runs or failed and was not seen to, however many came since, and the last ten', () => {
  const done = Array.from({ length: 40 }, (_, index) =>
    job(10 + index, { state: 'done', args: { source: 's', from: index, to: index } }),
  );
  const all = [
    job(1, { state: 'running' }),
    job(2, { state: 'queued', kind: 'replay', args: { sink: 'soc' } }),
    job(3, {}),
    job(4, { finished: now - 30 * hour, args: { source: 'old' } }),
    ...done,
    job(60, { kind: 'reload' }),
  ];

  const listed = listedJobs(all, now);

  expect(idsOf(listed)).toEqual([1, 2, 3, ...Array.from({ length: 10 }, (_, index) => 40 + index)]);
  expect(placesOf(listed)).toEqual(placesOf(all.slice(0, -1)));
});
