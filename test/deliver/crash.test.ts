import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import type { Journal } from '../../src/journal/index.ts';
import { openJournal } from '../../src/journal/index.ts';
import type { Batch, Verdicts } from '../../src/sinks/sink.ts';
import { commitOf, journalOptions, sink, source, temporaryDirectory } from '../journal/fixture.ts';
import { fewOrMany } from '../thorough.ts';
import { virtualClock } from '../virtual-clock.ts';
import { record, setUp } from './harness.ts';

const uids = Array.from({ length: 40 }, (_, index) => `e${index}`);
const bad = 'e13';
const batchSize = 5;
const inFlight = 2;

/** Counts steps and lets nothing happen any more after the one at which the process dies. */
interface Fate {
  steps: number;
  readonly diesAt: number;
}

async function step(fate: Fate): Promise<void> {
  fate.steps += 1;
  if (fate.steps > fate.diesAt) await new Promise(() => undefined);
}

/** The journal of a process that dies: each settle can be lost before it is written, or its success before it is heard of. */
function mortal(journal: Journal, fate: Fate): Journal {
  return {
    ...journal,
    async settle(...args) {
      await step(fate);
      await journal.settle(...args);
      await step(fate);
    },
  };
}

/** Takes batches into `received`, refuses the bad event; a process can die before it sends or before it hears the answer. */
function receiver(received: string[], fate: Fate): (batch: Batch) => Promise<Verdicts> {
  return async ({ events }) => {
    await step(fate);
    const answer: Verdicts = {
      each: events.map(({ uid }) => (uid === bad ? { kind: 'event', code: '6', reason: 'bad data' } : { kind: 'accept' })),
    };
    received.push(...events.map(({ uid }) => uid).filter((uid) => uid !== bad));
    await step(fate);
    return answer;
  };
}

/** No two processes draw the same random numbers: what they settle would be taken for the same. */
let lives = 1;

/** One life of the process: opens the journal, delivers until drained or dead. Returns how many steps it took. */
async function live(dataDir: string, received: string[], diesAt: number): Promise<number> {
  const clock = virtualClock(1_000_000);
  const fate: Fate = { steps: 0, diesAt };
  await using journal = await openJournal(journalOptions(dataDir, { seams: { ...systemSeams(), clock } }));
  await journal.register([source('acme')], [sink('out', 'oldest')]);
  const settings = { inFlight, batch: { events: batchSize, bytes: 100_000, waitMs: 0 } };
  lives += 1;
  const { loop } = setUp({ journal: mortal(journal, fate), clock, settings, answer: receiver(received, fate), seed: lives });
  loop.start();
  if (diesAt === Number.POSITIVE_INFINITY) {
    await clock.until(loop.drained(new AbortController().signal));
    await clock.until(loop.stop(0));
  } else {
    // Nothing of a dead process moves on, so a few rounds show all that it did.
    for (let round = 0; round < 40 && fate.steps <= diesAt; round += 1) await clock.settle();
  }
  return fate.steps;
}

async function fill(dataDir: string): Promise<void> {
  await using journal = await openJournal(journalOptions(dataDir));
  await journal.register([source('acme')], [sink('out', 'oldest')]);
  await journal.append(
    commitOf(
      'acme',
      uids.slice(0, 23).map((uid) => record(uid)),
    ),
  );
  await journal.append(
    commitOf(
      'acme',
      uids.slice(23).map((uid) => record(uid)),
    ),
  );
}

async function outcome(dataDir: string, received: readonly string[]) {
  await using journal = await openJournal(journalOptions(dataDir));
  const letters = (await journal.deadLetters({ sink: 'out' }, 10)).map((letter) => letter.record.uid);
  const [row] = (await journal.ledger()).rows;
  const { acknowledged = 0, dead_lettered = 0, pending = -1 } = row?.totals ?? {};
  const missing = uids.filter((uid) => uid !== bad && !received.includes(uid));
  return { letters, missing, ledger: { new: row?.new, acknowledged, dead_lettered, pending } };
}

const complete = { letters: [bad], missing: [], ledger: { new: 40, acknowledged: 39, dead_lettered: 1, pending: 0 } };

it('loses nothing and repeats an event at most once, wherever the process dies', async () => {
  const dataDir = await temporaryDirectory();
  await fill(dataDir);
  const undisturbed: string[] = [];
  const steps = await live(dataDir, undisturbed, Number.POSITIVE_INFINITY);
  expect({ ...(await outcome(dataDir, undisturbed)), count: undisturbed.length }).toEqual({ ...complete, count: 39 });

  for (let diesAt = 0; diesAt < steps; diesAt += fewOrMany(3, 1)) {
    const directory = await temporaryDirectory();
    await fill(directory);
    const received: string[] = [];
    await live(directory, received, diesAt);

    await live(directory, received, Number.POSITIVE_INFINITY);

    const copies = Math.max(...uids.map((uid) => received.filter((taken) => taken === uid).length));
    expect({ diesAt, ...(await outcome(directory, received)) }).toEqual({ diesAt, ...complete });
    expect(copies, `copies after dying at step ${diesAt}`).toBeLessThanOrEqual(2);
  }
});

it('repeats nothing after an orderly stop', async () => {
  const directory = await temporaryDirectory();
  await fill(directory);
  const received: string[] = [];
  const clock = virtualClock(1_000_000);
  {
    await using journal = await openJournal(journalOptions(directory, { seams: { ...systemSeams(), clock } }));
    await journal.register([source('acme')], [sink('out', 'oldest')]);
    const take = receiver(received, { steps: 0, diesAt: Number.POSITIVE_INFINITY });
    const answer = async (batch: Batch): Promise<Verdicts> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      clock.timer(1_000, () => resolve());
      await promise;
      return take(batch);
    };
    const { loop } = setUp({
      journal,
      clock,
      settings: { inFlight, batch: { events: batchSize, bytes: 100_000, waitMs: 0 } },
      answer,
    });
    loop.start();
    await clock.advance(2_500);
    await clock.until(loop.stop(8_000));
  }

  await live(directory, received, Number.POSITIVE_INFINITY);

  expect({ ...(await outcome(directory, received)), count: received.length }).toEqual({ ...complete, count: 39 });
});
