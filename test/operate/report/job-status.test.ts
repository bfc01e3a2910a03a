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
const problemsOf = (jobs: readonly Job[], more: Partial<Parameters<typeof jobProblems>[0]> = {}) =>
  jobProblems({ at: now, jobs, sources: [], sinks: [], ...more });
const placesOf = (jobs: readonly Job[]): string[] => problemsOf(jobs).map(({ where }) => where);
const again = 'penstock backfill okta --from 1970-01-01T00:00:00.000Z --to 1970-01-01T00:00:00.010Z';

it('says what failed, when, why, what to do, and how to ask for it again', () => {
  const files = ['/in/one.csv', "/in/it's two.csv"];
  expect(problemsOf([job(7, {}), job(8, { kind: 'import', args: { source: 'csv', files }, error: 'no' })])).toEqual([
    {
      level: 'warning',
      where: 'job 7',
      what: 'backfill of source "okta" failed 1h ago: answered 403',
      fix: `renew the token; then ${again}`,
    },
    {
      level: 'warning',
      where: 'job 8',
      what: 'import of source "csv" failed 1h ago: no',
      fix: "penstock import csv /in/one.csv '/in/it'\\''s two.csv'",
    },
  ]);
});

const okta = { name: 'okta', hold: undefined, consecutive_failures: 0, last_success: now - 60_000 };
const hold = { since: now, reason: 'answered 403', fix: undefined };
const soc = { name: 'soc', state: 'idle', last_acknowledged: now - 60_000 } as const;
const replayed = { kind: 'replay', args: { sink: 'soc', from: 0, to: 10, action: 'user.login' } };
const replayAgain = 'penstock replay soc --from 1970-01-01T00:00:00.000Z --to 1970-01-01T00:00:00.010Z --action user.login';

it.each([
  { when: 'the source was polled since', live: { sources: [okta] }, fix: `the source was polled well since then: ${again}` },
  {
    when: 'another range of it went well',
    live: { jobs: [job(1, {}), job(2, { state: 'done', args: { source: 'okta', from: 50, to: 60 } })] },
    fix: `a later one of the source went well: ${again}`,
  },
  { when: 'the source was polled before', live: { sources: [{ ...okta, last_success: now - 90 * 60_000 }] }, fix: undefined },
  { when: 'the source is on hold', live: { sources: [{ ...okta, hold }] }, fix: undefined },
  { when: 'its polls fail', live: { sources: [{ ...okta, consecutive_failures: 1 }] }, fix: undefined },
  { when: 'another source was polled', live: { sources: [{ ...okta, name: 'slack' }] }, fix: undefined },
  {
    when: 'the sink took events since',
    live: { jobs: [job(1, replayed)], sinks: [soc] },
    fix: `the sink took events since then: ${replayAgain}`,
  },
  {
    when: 'the sink is on hold',
    live: { jobs: [job(1, replayed)], sinks: [{ ...soc, state: 'hold' as const }] },
    fix: `renew the token; then ${replayAgain}`,
  },
  {
    when: 'dead letters were retried',
    live: { jobs: [job(1, { kind: 'retry_dead_letters', args: { sink: 'soc', code: '7', ids: [3, 4] } })] },
    fix: 'renew the token; then penstock dead-letters retry --sink soc --code 7 --id 3 4',
  },
])('asks for a job again, without the fix of what is over: $when', ({ live, fix = `renew the token; then ${again}` }) => {
  expect(problemsOf([job(1, {})], live).map((problem) => problem.fix)).toEqual([fix]);
});

it('has for what no command asks for the fix of its error alone', () => {
  expect(problemsOf([job(1, { kind: 'reload', args: { file: 'a.yaml' } })]).map(({ fix }) => fix)).toEqual(['renew the token']);
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
