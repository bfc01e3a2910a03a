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
  await journal.openReplay(job.id, 'out', { kind: 'dead_letters' });
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

  await journal.openReplay(1, 'out', { kind: 'dead_letters' });
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

it.each([
  ['Kafka, one answer per event', false],
  ['S3, one answer for all', true],
])(
  'sends dead letters again in the order of their records, source by source, also those refused once more: %s',
  async (_, isOne) => {
    const clock = virtualClock(1_000_000);
    await using journal = await openJournal(journalOptions(await temporaryDirectory(), { seams: { ...systemSeams(), clock } }));
    await journal.register([source('acme'), source('globex')], [sink('out', 'oldest')]);
    for (const from of [0, 20, 40])
      for (const name of ['acme', 'globex']) await journal.append(commitOf(name, records(`${name}-${from}-`, 20)));
    const refused: Verdict = { kind: 'event', code: '6', reason: 'bad data' };
    let isBad = (uid: string): boolean => uid.endsWith('1');
    const answer = ({ events }: { readonly events: readonly { readonly uid: string }[] }): Verdicts => {
      const each = events.map(({ uid }): Verdict => (isBad(uid) ? refused : { kind: 'accept' }));
      return isOne ? { all: each.every(({ kind }) => kind === 'accept') ? { kind: 'accept' } : refused } : { each };
    };
    const taken: string[] = [];
    const { loop } = setUp({
      journal,
      clock,
      settings: { batch: { events: 7, bytes: 1_000_000, waitMs: 0 } },
      sink: { maxInFlight: 1, ...(isOne && { settlesFirst: true }) },
      answer(batch) {
        const verdicts = answer(batch);
        const verdictOf = (index: number): string | undefined => ('all' in verdicts ? verdicts.all : verdicts.each[index])?.kind;
        taken.push(...batch.events.filter((_event, index) => verdictOf(index) === 'accept').map(({ uid }) => uid));
        return verdicts;
      },
    });
    loop.start();
    await clock.until(loop.drained(never));
    const letters = await journal.countDeadLetters({ sink: 'out' });
    const retried: string[][] = [];
    for (const stillBad of [/-0-|-40-1$/, /^$/]) {
      isBad = (uid) => stillBad.test(uid);
      taken.length = 0;
      const job = await journal.insertJob('retry_dead_letters', { sink: 'out' });
      await journal.openReplay(job.id, 'out', { kind: 'dead_letters' });
      await clock.until(loop.drained(never));
      await journal.closeReplay(job.id);
      retried.push([...taken]);
    }
    await clock.until(loop.stop(0));

    const ofRound = (name: string, uids: readonly string[]): string[] => uids.map((uid) => `${name}-${uid}`);
    const first = ['20-1', '20-11', '40-11'];
    const second = ['0-1', '0-11', '40-1'];
    expect({
      letters,
      rounds: retried.map((uids) => ['acme', 'globex'].map((name) => uids.filter((uid) => uid.startsWith(name)))),
    }).toEqual({
      letters: 12,
      rounds: [first, second].map((uids) => [ofRound('acme', uids), ofRound('globex', uids)]),
    });
  },
);
