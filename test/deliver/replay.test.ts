import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { type Journal, openJournal } from '../../src/journal/index.ts';
import type { Verdict, Verdicts } from '../../src/sinks/sink.ts';
import { commitOf, journalOptions, sink, source, temporaryDirectory } from '../journal/fixture.ts';
import { type VirtualClock, virtualClock } from '../virtual-clock.ts';
import { records, type Sent, setUp } from './harness.ts';

const never = new AbortController().signal;

async function openFilled(clock: VirtualClock): Promise<Journal> {
  const journal = await openJournal(journalOptions(await temporaryDirectory(), { seams: { ...systemSeams(), clock } }));
  await journal.register([source('acme')], [sink('out', 'oldest')]);
  await journal.append(commitOf('acme', records('e', 5)));
  return journal;
}

async function totals(journal: Journal) {
  const [row] = (await journal.ledger()).rows;
  const { acknowledged, unconfirmed, dead_lettered, replayed, pending } = row?.totals ?? {};
  return { acknowledged, unconfirmed, dead_lettered, replayed, pending };
}

it.each([
  { kind: 'accept', want: { acknowledged: 5, unconfirmed: 0 } },
  { kind: 'sent', want: { acknowledged: 4, unconfirmed: 1 } },
] as const)('delivers a dead letter at last with $kind, and the ledger balances', async ({ kind, want }) => {
  const clock = virtualClock(1_000_000);
  await using journal = await openFilled(clock);
  let verdict: Verdict = { kind: 'event', code: '6', reason: 'bad data' };
  const { loop } = setUp({
    journal,
    clock,
    answer: ({ events }): Verdicts => ({ each: events.map(({ uid }) => (uid === 'e2' ? verdict : { kind: 'accept' })) }),
  });
  loop.start();
  await clock.until(loop.drained(never));
  const before = await totals(journal);
  verdict = { kind };

  const job = await journal.insertJob('retry_dead_letters', { sink: 'out' });
  await journal.openReplay(job.id, 'out', { kind: 'dead_letters', letters: { sink: 'out' } });
  await clock.until(loop.drained(never));

  expect(before).toEqual({ acknowledged: 4, unconfirmed: 0, dead_lettered: 1, replayed: 0, pending: 0 });
  expect({
    ...(await totals(journal)),
    letters: await journal.countDeadLetters({ sink: 'out' }),
    shown: loop.status().dead_letters,
  }).toEqual({
    ...want,
    dead_lettered: 0,
    replayed: 1,
    pending: 0,
    letters: 0,
    shown: 0,
  });
  await clock.until(loop.stop(0));
});

it('keeps one letter for an event that is refused again', async () => {
  const clock = virtualClock(1_000_000);
  await using journal = await openFilled(clock);
  const { loop } = setUp({
    journal,
    clock,
    settings: { maxDeadLetters: 1 },
    answer: ({ events }): Verdicts => ({
      each: events.map(({ uid }) => (uid === 'e2' ? { kind: 'event', code: '6', reason: 'bad data' } : { kind: 'accept' })),
    }),
  });
  loop.start();
  await clock.until(loop.drained(never));

  await journal.openReplay(1, 'out', { kind: 'dead_letters', letters: { sink: 'out' } });
  await clock.until(loop.drained(never));

  const letters = await journal.deadLetters({ sink: 'out' }, 10);
  expect(letters.map(({ record, attempts }) => ({ uid: record.uid, attempts }))).toEqual([{ uid: 'e2', attempts: 2 }]);
  expect({ shown: loop.status().dead_letters, state: loop.status().state }).toEqual({ shown: 1, state: 'idle' });
  await clock.until(loop.stop(0));
});

it('delivers stored events again with the same ids, counted apart', async () => {
  const clock = virtualClock(1_000_000);
  await using journal = await openFilled(clock);
  const setup = setUp({ journal, clock, answer: () => ({ all: { kind: 'accept' } }) });
  setup.loop.start();
  await clock.until(setup.loop.drained(never));

  await journal.openReplay(1, 'out', { kind: 'stored' });
  await clock.until(setup.loop.drained(never));

  const facts = ({ uids, replay }: Sent) => ({ uids, replay });
  const uids = ['e0', 'e1', 'e2', 'e3', 'e4'];
  expect(setup.sent.map(facts)).toEqual([
    { uids, replay: false },
    { uids, replay: true },
  ]);
  expect(await totals(journal)).toEqual({ acknowledged: 5, unconfirmed: 0, dead_lettered: 0, replayed: 5, pending: 0 });
  await clock.until(setup.loop.stop(0));
});
