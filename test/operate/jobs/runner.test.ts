import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { systemSeams } from '../../../src/base/seams.ts';
import type { Job, Position } from '../../../src/journal/journal.ts';
import { JobRunner } from '../../../src/operate/jobs/runner.ts';
import type { Runtime } from '../../../src/runtime/runtime.ts';
import { commitOf, sink, someRecords, source, temporaryJournal } from '../../journal/fixture.ts';
import { loudLog } from '../../loud-log.ts';
import { virtualClock } from '../../virtual-clock.ts';

const letter = {
  source: 's',
  connector: { name: 'example', hash: 'c0ffee' },
  tenant: undefined,
  labels: [],
  eventTime: 700,
  action: undefined,
  code: '7',
  text: 'no',
  attempts: 1,
  first: 10,
  last: 20,
};

/** A sink with nothing of its own to do. */
const quiet = { loop: { status: () => ({ state: 'idle', pending: 0 }) } };

const statesOf = (jobs: readonly Job[]): string[] => jobs.map(({ state }) => state);

it('lets retries of one sink wait for each other, and not those of other sinks', async () => {
  await using journal = await temporaryJournal();
  await journal.register([source('s')], [sink('a'), sink('b')]);
  const records = someRecords(1);
  await journal.append(commitOf('s', records));
  const letters = records.map((record) => ({ ...letter, record }));
  for (const name of ['a', 'b']) {
    const [open] = await journal.lanes(name);
    if (open === undefined) throw new Error('nothing pending');
    await journal.settle(name, open.lane, (open.offset + open.pending) as Position, letters, {});
  }
  for (const name of ['a', 'a', 'b']) await journal.insertJob('retry_dead_letters', { sink: name, code: '7' });
  const sinks = new Map(['a', 'b'].map((name) => [name, quiet]));
  const runtime = { journal, sinks, seams: systemSeams(), log: silentLog() } as unknown as Runtime;
  await using _runner = new JobRunner(runtime);
  await expect.poll(async () => statesOf(await journal.jobs())).toEqual(['running', 'queued', 'running']);

  const lanesOfFirst = async () => (await journal.lanes('a')).filter(({ lane }) => lane.job === 1);
  await expect.poll(lanesOfFirst).toHaveLength(1);
  const [open] = await lanesOfFirst();
  const [page] = open === undefined ? [] : await journal.read('a', open.lane, open.offset, 10);
  const last = page?.positions.at(-1);
  if (open === undefined || last === undefined) throw new Error('no lane');
  await journal.settle('a', open.lane, last, [], { replayed: 1 }, [1]);

  await expect.poll(async () => statesOf(await journal.jobs())).toEqual(['done', 'done', 'running']);
});

it.each([
  { filter: {}, letters: ['s-early', 's-late', 't-early'] },
  { filter: { source: 's' }, letters: ['s-early', 's-late'] },
  { filter: { source: 't' }, letters: ['t-early'] },
  { filter: { code: '8' }, letters: ['s-late'] },
  { filter: { action: 'login' }, letters: ['t-early'] },
  { filter: { from: 800 }, letters: ['s-late'] },
  { filter: { source: 's', to: 700 }, letters: ['s-early'] },
  { filter: { ids: [1, 3] }, letters: ['s-early', 't-early'] },
  { filter: { source: 't', ids: [1, 3] }, letters: ['t-early'] },
])('retries the letters that were asked for, and no others: $filter', async ({ filter, letters }) => {
  await using journal = await temporaryJournal();
  await journal.register([source('s'), source('t')], [sink('a')]);
  const [early, late, other] = ['s-early', 's-late', 't-early'].map((uid) => ({ uid, received: 1, record: {} }));
  if (early === undefined || late === undefined || other === undefined) throw new Error('no records');
  await journal.append(commitOf('s', [early, late]));
  await journal.append(commitOf('t', [other]));
  const ofS = [
    { ...letter, record: early },
    { ...letter, record: late, code: '8', eventTime: 900 },
  ];
  await journal.settle('a', { kind: 'live', source: 's' }, 2 as Position, ofS, {});
  const ofT = [{ ...letter, source: 't', record: other, action: 'login' }];
  await journal.settle('a', { kind: 'live', source: 't' }, 1 as Position, ofT, {});
  await journal.insertJob('retry_dead_letters', { sink: 'a', ...filter });
  const runtime = { journal, sinks: new Map([['a', quiet]]), seams: systemSeams(), log: silentLog() } as unknown as Runtime;
  await using _runner = new JobRunner(runtime);

  await expect.poll(async () => (await journal.jobs())[0]?.progress).toEqual({ done: 0, total: letters.length });

  const pages = (await journal.lanes('a')).map(({ lane, offset }) => journal.read('a', lane, offset, 10));
  const uids = (await Promise.all(pages)).flat().flatMap(({ records }) => records.map(({ uid }) => uid));
  expect(uids.toSorted()).toEqual(letters);
});

it.each([
  { of: 'all sources', args: {}, said: { deleted: 7, since: 500 } },
  { of: 'the source that lacks some', args: { source: 's' }, said: { deleted: 7, since: 500 } },
  { of: 'a source that lacks none', args: { source: 't' }, said: {} },
  { of: 'a source that has none', args: { source: 'u' }, said: { deleted: 3 } },
  { of: 'a time since which all is there', args: { source: 's', from: 501 }, said: {} },
])('says of a replay of $of what the journal does not have any more', async ({ args, said }) => {
  await using journal = await temporaryJournal();
  await journal.register([source('s'), source('t'), source('u')], [sink('a')]);
  const stored = [
    { source: 's', collected: 9, stored: 2, since: 500 },
    { source: 't', collected: 2, stored: 2, since: 5 },
    ...('source' in args && args.source === 'u' ? [{ source: 'u', collected: 3, stored: 0, since: undefined }] : []),
  ];
  await journal.insertJob('replay', { sink: 'a', from: 0, to: 1000, ...args });
  const asked = { ...journal, stored: () => Promise.resolve(stored) };
  const sinks = new Map([['a', quiet]]);
  await using _runner = new JobRunner({ journal: asked, sinks, seams: systemSeams(), log: silentLog() } as unknown as Runtime);

  await expect.poll(async () => (await journal.jobs())[0]?.state).toBe('done');

  expect((await journal.jobs())[0]?.progress).toEqual({ done: 0, total: 0, ...said });
});

it.each([
  { status: { state: 'delivering', pending: 45 }, said: { ahead: 42 } },
  { status: { state: 'hold', pending: 3 }, said: { sink: 'hold' } },
  { status: { state: 'retrying', pending: 5 }, said: { sink: 'retrying', ahead: 2 } },
  { status: { state: 'idle', pending: 1 }, said: {} },
])('says what a replay waits for: $said', async ({ status, said }) => {
  await using journal = await temporaryJournal();
  await journal.register([source('s')], [sink('a')]);
  await journal.append(commitOf('s', someRecords(3)));
  await journal.insertJob('replay', { sink: 'a', from: 0, to: 9_999_999_999_999 });
  const sinks = new Map([['a', { loop: { status: () => status } }]]);
  await using _runner = new JobRunner({ journal, sinks, seams: systemSeams(), log: silentLog() } as unknown as Runtime);

  await expect.poll(async () => (await journal.jobs())[0]?.progress).toEqual({ done: 0, total: 3, ...said });
});

it('ends the hold of a source or of a sink, and fails with the known names where there is none', async () => {
  await using journal = await temporaryJournal();
  const released: string[] = [];
  const loops = (kind: string, ...names: string[]) =>
    new Map(names.map((name) => [name, { loop: { release: () => void released.push(`${kind} ${name}`) } }]));
  const runtime = {
    journal,
    sources: loops('source', 'feed'),
    sinks: loops('sink', 'soc', 'lake'),
    seams: systemSeams(),
    log: silentLog(),
  } as unknown as Runtime;
  for (const [kind, name] of [
    ['source', 'feed'],
    ['sink', 'soc'],
    ['source', 'soc'],
    ['sink', 'sco'],
  ])
    await journal.insertJob('release', { kind, name });

  await using _runner = new JobRunner(runtime);

  await expect.poll(async () => statesOf(await journal.jobs())).toEqual(['done', 'done', 'failed', 'failed']);
  expect(released).toEqual(['source feed', 'sink soc']);
  expect((await journal.jobs()).map(({ error }) => error)).toEqual([
    undefined,
    undefined,
    'no enabled source is called "soc"\n  fix: use one of: feed',
    'no enabled sink is called "sco"\n  fix: did you mean "soc"? use one of: soc, lake',
  ]);
});

it('fails a job whose kind it does not know', async () => {
  await using journal = await temporaryJournal();
  await journal.insertJob('constructor', {});
  const runtime = { journal, sources: new Map(), sinks: new Map(), seams: systemSeams(), log: silentLog() } as unknown as Runtime;

  await using _runner = new JobRunner(runtime);

  await expect
    .poll(async () => (await journal.jobs()).map(({ error }) => error))
    .toEqual(['this version has no job of kind "constructor"']);
});

it('interrupts the jobs that are meant, starts none meanwhile, and resumes them afterwards', async () => {
  await using journal = await temporaryJournal();
  await journal.register([source('s')], [sink('a'), sink('b')]);
  await journal.append(commitOf('s', someRecords(1)));
  for (const name of ['a', 'b']) await journal.insertJob('replay', { sink: name, from: 0, to: 9_999_999_999_999 });
  const sinks = new Map(['a', 'b'].map((name) => [name, quiet]));
  let looks = 0;
  const jobs: typeof journal.jobs = (filter) => {
    looks += 1;
    return journal.jobs(filter);
  };
  const runtime = { journal: { ...journal, jobs }, sinks, seams: systemSeams(), log: silentLog() } as unknown as Runtime;
  await using runner = new JobRunner(runtime);
  await expect.poll(async () => statesOf(await journal.jobs())).toEqual(['running', 'running']);
  const lanes = (name: string) => journal.lanes(name).then((all) => all.filter(({ lane }) => lane.kind === 'replay').length);
  await expect.poll(() => Promise.all(['a', 'b'].map(lanes))).toEqual([1, 1]);

  {
    using _suspended = await runner.suspend(({ args }) => (args as { sink: string }).sink === 'a');
    sinks.delete('a');
    await journal.insertJob('release', { kind: 'sink', name: 'none' });
    const before = looks;
    await expect.poll(() => looks).toBeGreaterThan(before + 1);
    expect(statesOf(await journal.jobs())).toEqual(['running', 'running', 'queued']);
  }

  // Its sink is not configured any more: the job says so.
  await expect.poll(async () => statesOf(await journal.jobs())).toEqual(['failed', 'running', 'failed']);
  expect((await journal.jobs())[0]?.error).toContain('no enabled sink is called "a"');
  // What the replay had begun is kept for the sink.
  expect(await lanes('a')).toBe(1);
});

it('stops the work of a job that was cancelled, and begins the next', async () => {
  await using journal = await temporaryJournal();
  const clock = virtualClock(0);
  const { log, said } = loudLog();
  const begun: number[] = [];
  const work = (job: Job, _runtime: Runtime, _report: unknown, signal: AbortSignal): Promise<never> => {
    begun.push(job.id);
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  };
  const runtime = { journal, seams: { ...systemSeams(), clock }, log } as unknown as Runtime;
  for (let count = 0; count < 5; count += 1) await journal.insertJob('backfill', { source: 's' });
  const runner = new JobRunner(runtime, { backfill: work });
  const states = async () => {
    await clock.advance(1_000);
    return statesOf(await journal.jobs());
  };
  await expect.poll(states, { interval: 1 }).toEqual(['running', 'running', 'running', 'running', 'queued']);

  await journal.cancelJob(2);

  await expect.poll(states, { interval: 1 }).toEqual(['running', 'cancelled', 'running', 'running', 'running']);
  expect(begun).toEqual([1, 2, 3, 4, 5]);
  expect(said.filter((line) => line.includes('cancelled'))).toEqual(['30 job cancelled']);
  await clock.until(runner[Symbol.asyncDispose]());
});

it('ends at once with its process, whose journal may be silent by then', async () => {
  await using journal = await temporaryJournal();
  const clock = virtualClock(0);
  const { log, said } = loudLog();
  const work = (_job: Job, _runtime: Runtime, _report: unknown, signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const silent = new Promise<never>(() => undefined);
  const jobs: typeof journal.jobs = (which) => (which?.id === undefined ? journal.jobs(which) : silent);
  const runtime = { journal: { ...journal, jobs }, seams: { ...systemSeams(), clock }, log } as unknown as Runtime;
  await journal.insertJob('backfill', { source: 's' });
  const runner = new JobRunner(runtime, { backfill: work });
  const states = async () => {
    await clock.advance(1_000);
    return statesOf(await journal.jobs());
  };
  await expect.poll(states, { interval: 1 }).toEqual(['running']);

  await clock.until(runner[Symbol.asyncDispose]());

  expect(statesOf(await journal.jobs())).toEqual(['running']);
  expect(said).toEqual(['30 job started']);
});

it('leaves a reload to the daemon', async () => {
  await using journal = await temporaryJournal();
  await journal.insertJob('reload', { file: '/etc/penstock.yaml' });
  const runtime = { journal, seams: systemSeams(), log: silentLog() } as unknown as Runtime;

  await using _runner = new JobRunner(runtime);

  await expect.poll(async () => statesOf(await journal.jobs())).toEqual(['failed']);
  expect((await journal.jobs())[0]?.error).toContain('a command works on the journal at the moment');
});

it.each(['PEN_JOURNAL_UNWRITABLE', 'PEN_JOURNAL_FULL', 'PEN_JOURNAL_UNAVAILABLE'] as const)(
  'goes on with a job after its journal failed it with %s, at whatever step that was',
  async (code) => {
    await using journal = await temporaryJournal();
    const clock = virtualClock(0);
    for (let failing = 1; failing <= 3; failing += 1) {
      const released: string[] = [];
      let calls = 0;
      const updateJob: typeof journal.updateJob = (...args) => {
        calls += 1;
        return calls === failing ? Promise.reject(new PenstockError(code, 'the disk failed')) : journal.updateJob(...args);
      };
      const loop = { release: () => void released.push('feed') };
      const runtime = {
        journal: { ...journal, updateJob },
        sources: new Map([['feed', { loop }]]),
        seams: { ...systemSeams(), clock },
        log: silentLog(),
      } as unknown as Runtime;
      await journal.insertJob('release', { kind: 'source', name: 'feed' });
      await using _runner = new JobRunner(runtime);

      await expect
        .poll(
          async () => {
            await clock.advance(10_000);
            return (await journal.jobs()).at(-1)?.state;
          },
          { interval: 1 },
        )
        .toBe('done');
      expect(released).toHaveLength(failing === 2 ? 2 : 1);
    }
  },
);

it('says once that the jobs cannot be read, and once that they can again', async () => {
  await using journal = await temporaryJournal();
  const clock = virtualClock(0);
  let looks = 0;
  const jobs: typeof journal.jobs = (which) => {
    looks += 1;
    return looks <= 50 ? Promise.reject(new PenstockError('PEN_JOURNAL_UNAVAILABLE', 'no answer')) : journal.jobs(which);
  };
  const { log, said } = loudLog();
  const runtime = { journal: { ...journal, jobs }, seams: { ...systemSeams(), clock }, log } as unknown as Runtime;

  await using _runner = new JobRunner(runtime);
  await clock.advance(100_000);

  expect(looks).toBeGreaterThan(60);
  expect(said).toEqual(['40 jobs cannot be read: those that wait or run go on when they can', '30 jobs are read again']);
});

it('says once that the journal fails jobs, however long, and once that it does not any more', async () => {
  await using journal = await temporaryJournal();
  const clock = virtualClock(0);
  let failed = 0;
  const updateJob: typeof journal.updateJob = (id, change) => {
    if (failed === 40) return journal.updateJob(id, change);
    failed += 1;
    return Promise.reject(new PenstockError('PEN_JOURNAL_FULL', 'no room'));
  };
  const { log, said } = loudLog();
  const sources = new Map([['feed', { loop: { release: () => undefined } }]]);
  const seams = { ...systemSeams(), clock };
  const runtime = { journal: { ...journal, updateJob }, sources, seams, log } as unknown as Runtime;
  await journal.insertJob('release', { kind: 'source', name: 'feed' });

  await using _runner = new JobRunner(runtime);
  await expect
    .poll(
      async () => {
        await clock.advance(30_000);
        return (await journal.jobs())[0]?.state;
      },
      { interval: 1 },
    )
    .toBe('done');

  expect(failed).toBe(40);
  expect(said).toEqual([
    '40 the journal fails jobs: they are tried again every 30 s, and go on from what they have committed',
    '30 job started',
    '30 the journal fails no job any more',
    '30 job done',
  ]);
});

it('runs a job again whose failure could not be saved', async () => {
  await using journal = await temporaryJournal();
  const clock = virtualClock(0);
  let isFirst = true;
  const updateJob: typeof journal.updateJob = (id, change) => {
    if (change.state !== 'failed' || !isFirst) return journal.updateJob(id, change);
    isFirst = false;
    return Promise.reject(new PenstockError('PEN_JOURNAL_UNWRITABLE', 'the disk failed'));
  };
  await journal.insertJob('release', { kind: 'source', name: 'none' });
  const seams = { ...systemSeams(), clock };
  const runtime = { journal: { ...journal, updateJob }, sources: new Map(), seams, log: silentLog() } as unknown as Runtime;

  await using _runner = new JobRunner(runtime);

  await expect
    .poll(
      async () => {
        await clock.advance(1000);
        return statesOf(await journal.jobs());
      },
      { interval: 1 },
    )
    .toEqual(['failed']);
  expect(isFirst).toBe(false);
});
