import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { systemSeams } from '../../../src/base/seams.ts';
import { ownsEverything } from '../../../src/journal/contract/ownership.ts';
import type { Replica } from '../../../src/journal/journal.ts';
import { JobRunner } from '../../../src/operate/jobs/runner.ts';
import { temporaryJournal } from '../../journal/fixture.ts';
import { loudLog } from '../../loud-log.ts';
import { virtualClock } from '../../virtual-clock.ts';

const minute = 60_000;

/** A replica that has nothing itself and still owns what it had, beside others that name what is in `named`; `isAway` while the database does not answer. */
async function world() {
  const journal = await temporaryJournal();
  const clock = virtualClock(0);
  const named = new Set<string>();
  const state = { isAway: false };
  const asked: typeof journal.jobs = (filter) =>
    state.isAway ? Promise.reject(new PenstockError('PEN_JOURNAL_UNAVAILABLE', 'no answer')) : journal.jobs(filter);
  const ownership = {
    ...ownsEverything,
    owns: () => true,
    isNamed: (kind: string, name: string) => Promise.resolve(named.has(`${kind} ${name}`)),
    replicas: () => Promise.resolve([{ name: 'one' }] as Replica[]),
  };
  const { log, said } = loudLog();
  const shared = { ...journal, jobs: asked, ownership };
  const runtime = { journal: shared, sources: new Map(), sinks: new Map(), seams: { ...systemSeams(), clock }, log };
  const runner = new JobRunner(runtime, {}, 'one');
  return {
    journal,
    clock,
    named,
    said,
    isAway: (isAway: boolean): void => void (state.isAway = isAway),
    async after(minutes: number) {
      for (let passed = 0; passed < minutes; passed += 1) await clock.advance(minute);
      return (await journal.jobs()).map(({ state: is }) => is);
    },
    async [Symbol.asyncDispose]() {
      await clock.until(runner[Symbol.asyncDispose]());
      await journal[Symbol.asyncDispose]();
    },
  };
}

it('ends a job whose source or sink no replica has had for ten minutes, and no job that another replica can do', async () => {
  await using all = await world();
  const { journal, named, said } = all;
  named.add('sink lake').add('source feed');
  const args = [{ sink: 'gone' }, { source: 'gone' }, { kind: 'sink', name: 'gone' }, { sink: 'lake' }, { source: 'feed' }];
  for (const one of args) await journal.insertJob('replay', one);
  await journal.insertJob('reload', { file: '/etc/penstock.yaml', replica: 'two' });

  const before = await all.after(9);
  const states = await all.after(2);

  expect(new Set(before)).toEqual(new Set(['queued']));
  expect(states).toEqual(['failed', 'failed', 'failed', 'queued', 'queued', 'failed']);
  expect((await journal.jobs()).flatMap(({ error }) => error ?? [])).toEqual([
    'no replica has been configured with a sink called "gone" for 10m\n  fix: put the sink back into the configuration, or correct its name, and ask for the job again',
    'no replica has been configured with a source called "gone" for 10m\n  fix: put the source back into the configuration, or correct its name, and ask for the job again',
    'no replica has been configured with a sink called "gone" for 10m\n  fix: put the sink back into the configuration, or correct its name, and ask for the job again',
    'no replica called "two" has been heard of for 10m\n  fix: start it: it reads its configuration then',
  ]);
  expect(said).toEqual(Array.from({ length: 4 }, () => '50 job failed: no replica can do it'));
});

it('keeps a job whose sink comes back within that time, as in a rolling change', async () => {
  await using all = await world();
  await all.journal.insertJob('replay', { sink: 'lake' });

  const states = [];
  for (let times = 0; times < 4; times += 1) {
    all.named.delete('sink lake');
    await all.after(8);
    all.named.add('sink lake');
    states.push(...(await all.after(1)));
  }

  expect(states).toEqual(['queued', 'queued', 'queued', 'queued']);
});

it('keeps a job after an outage of the database, from which nobody has come back yet', async () => {
  await using all = await world();
  await all.journal.insertJob('replay', { sink: 'lake' });
  await all.after(1);

  all.isAway(true);
  await all.after(120);
  all.isAway(false);

  expect(await all.after(5)).toEqual(['queued']);
  expect(await all.after(6)).toEqual(['failed']);
});
