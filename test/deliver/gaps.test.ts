// What is taken behind an event that was not is covered by no offset. Who gives a source back, or stops, sends that event on until it is taken.
import { expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import type { Batch, Pending, Verdicts } from '../../src/sinks/sink.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { handOver } from '../journal/ownership.ts';
import { virtualClock } from '../virtual-clock.ts';
import { records, type Setup, setUp } from './harness.ts';

const live = { kind: 'live', source: 'acme' } as const;
const other = { kind: 'live', source: 'other' } as const;
const accept = { kind: 'accept' } as const;
const busy = { kind: 'retry', reason: 'busy', retryAfterMs: 3_000 } as const;
const never = new AbortController().signal;

/** How the batch with the first event of a lane is answered at first; all else is accepted. */
const answers: Readonly<
  Record<string, (batch: Batch, clock: Setup['clock']) => Promise<Verdicts | Pending> | Verdicts | Pending>
> = {
  'refused for the moment': () => ({ all: busy }),
  'refused for the moment in part': ({ events }) => ({ each: events.map((_event, index) => (index === 1 ? busy : accept)) }),
  'too large': ({ events }) =>
    events.length === 1 ? { all: accept } : { all: { kind: 'split', code: '413', reason: 'too large' } },
  'without an answer': async (_batch, clock) => {
    await sleep(clock, 2_000, never);
    return { all: { kind: 'uncertain', reason: 'no answer' } };
  },
  'not acknowledged in time': (_batch, clock) => ({
    pending: sleep(clock, 4_000, never).then((): Verdicts => ({ all: { kind: 'uncertain', reason: 'not acknowledged' } })),
  }),
};

/** Two replicas' worth of a sink: what is taken by whom, and what is stored where the first one's time is over. */
async function world(how: string, forMs = 200) {
  const memory = memoryJournal();
  const hands = handOver();
  const journal = new Proxy(memory, {
    get: (target, key) => (key === 'ownership' ? hands.ownership : (Reflect.get(target, key) as unknown)),
  });
  memory.put(live, records('a', 200));
  memory.put(other, records('b', 200));
  hands.gain('acme', 'other');
  const clock = virtualClock(1_000_000);
  const taken: string[] = [];
  let bad = 0;
  const answer = async (batch: Batch): Promise<Verdicts | Pending> => {
    const isFirst = batch.events.some(({ uid }) => uid === 'a0');
    if (isFirst) bad += 1;
    await sleep(clock, 50, never);
    const given = isFirst && bad <= 2 ? await answers[how]?.(batch, clock) : undefined;
    const verdicts: Verdicts | Pending = given ?? { all: accept };
    if ('pending' in verdicts) return verdicts;
    const each = 'each' in verdicts ? verdicts.each : batch.events.map(() => verdicts.all);
    taken.push(...batch.events.flatMap(({ uid }, index) => (each[index]?.kind === 'accept' ? [uid] : [])));
    return verdicts;
  };
  const { loop } = setUp({ journal, clock, answer, settings: { inFlight: 3, batch: { events: 8, bytes: 100_000, waitMs: 0 } } });
  loop.start();
  // After a fifth of a second the first batch has failed, and those behind it were taken.
  await clock.advance(forMs);
  /** Of what was taken: behind the offset. */
  const ahead = (): readonly string[] =>
    taken.filter((uid) => Number(uid.slice(1)) >= memory.offsetOf(uid.startsWith('a') ? live : other));
  return { ...hands, loop, clock, taken, ahead };
}

it.each(Object.keys(answers))(
  'has no event taken that it does not settle, where a source is given back with a batch %s',
  async (how) => {
    const { loop, clock, taken, ahead, release, lose } = await world(how);

    const giving = release('acme');
    await clock.advance(100);
    const atOnce = taken.filter((uid) => uid.startsWith('a')).length;
    await clock.until(giving, 30_000);
    const after = taken.filter((uid) => uid.startsWith('a')).length;
    lose('acme');
    const left = ahead().filter((uid) => uid.startsWith('a'));

    expect({ left, isFew: after - atOnce <= 3 * 8, some: atOnce > 0 }).toEqual({ left: [], isFew: true, some: true });
    void clock.until(loop.stop(0));
  },
);

it.each(
  Object.keys(answers).flatMap(
    (how) =>
      [
        [how, 200],
        [how, 20],
      ] as const,
  ),
)('has no event taken that it does not settle, where it stops with a batch %s after %s ms', async (how, forMs) => {
  const { loop, clock, taken, ahead } = await world(how, forMs);

  const before = taken.length;
  await clock.until(loop.stop(30_000), 30_000);

  expect({ ahead: ahead(), isFew: taken.length - before <= 4 * 8 }).toEqual({ ahead: [], isFew: true });
});

it('sends on what may be overtaken at this moment by what is under way behind it', async () => {
  const memory = memoryJournal();
  const hands = handOver();
  const journal = new Proxy(memory, {
    get: (target, key) => (key === 'ownership' ? hands.ownership : (Reflect.get(target, key) as unknown)),
  });
  memory.put(live, records('a', 40));
  hands.gain('acme');
  const clock = virtualClock(1_000_000);
  let tries = 0;
  const answer = async ({ events }: Batch): Promise<Verdicts> => {
    const isFirst = events.some(({ uid }) => uid === 'a0');
    if (isFirst) tries += 1;
    await sleep(clock, isFirst ? 500 : 4_000, never);
    return { all: isFirst && tries === 1 ? { ...busy, retryAfterMs: 0 } : accept };
  };
  const { loop, sent } = setUp({ journal, clock, answer, settings: { inFlight: 2 } });
  loop.start();
  await clock.advance(200);

  await clock.until(hands.release('acme'), 30_000);

  expect([memory.offsetOf(live), sent.map(({ uids }) => uids[0])]).toEqual([20, ['a0', 'a10', 'a0']]);
  void clock.until(loop.stop(0));
});
