// What is new beside what keeps failing, and lanes beside each other: nobody waits for ever, and nothing turns in a circle.
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { sleep } from '../../../src/base/clock.ts';
import type { Batch, Verdicts } from '../../../src/sinks/sink.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { type VirtualClock, virtualClock } from '../../virtual-clock.ts';
import { accepted, records, type SetupOptions, setUp } from '../harness.ts';

const live = { kind: 'live', source: 'acme' } as const;
const never = new AbortController().signal;
const hour = 3_600_000;
const reset: Verdicts = { all: { kind: 'uncertain', reason: 'reset' } };
const isBad = ({ events }: Batch): boolean => events.some(({ uid }) => uid.startsWith('b'));

/** A receiver that is there, and breaks where one of these events comes. */
function breaking(
  bad: number,
  { events, ...change }: Partial<SetupOptions> & { readonly events: number },
  inFlight = 4,
): ReturnType<typeof setUp> & { readonly journal: ReturnType<typeof memoryJournal> } {
  const journal = memoryJournal();
  journal.put(live, records('b', bad));
  const set = setUp({
    journal,
    answer: (batch) => (isBad(batch) ? reset : accepted),
    settings: { batch: { events, bytes: 10_000_000, waitMs: 0 }, inFlight },
    sink: { reaches: () => Promise.resolve(true) },
    ...change,
  });
  return { ...set, journal };
}

it.each([2, 4])('tries what is new while the sink is being opened for it, with %s requests in flight', async (inFlight) => {
  const slowly = async (): Promise<void> => {
    for (let turns = 0; turns < 3; turns += 1) await turn();
  };
  const { loop, clock, sent, journal } = breaking(
    5,
    {
      events: 500,
      async answer(batch) {
        await turn();
        return isBad(batch) ? reset : accepted;
      },
      async openSink(sink) {
        await slowly();
        return sink;
      },
    },
    inFlight,
  );
  loop.start();
  while (loop.status().hold === undefined) await clock.advance(1_000);

  for (const each of ['n0', 'n1', 'n2']) {
    await clock.advance(7_000);
    journal.put(live, records(each, 1));
    await clock.advance(60_000);
  }

  expect(sent.flatMap(({ uids }) => uids).filter((uid) => uid.startsWith('n'))).toEqual(['n00', 'n10', 'n20']);
  await clock.until(loop.stop(0));
});

it.each([100, 1_000, 4_800])('tries what came %s ms before a hold began, and waits for its turn', async (before) => {
  const play = async (putAt: number): Promise<{ readonly heldAt: number; readonly fresh: readonly string[] }> => {
    const { loop, clock, sent, journal } = breaking(3, {
      events: 500,
      async answer(batch) {
        await sleep(clock, 5_000);
        return isBad(batch) ? reset : accepted;
      },
    });
    loop.start();
    let isPut = false;
    while (loop.status().hold === undefined) {
      if (!isPut && clock.monotonic() >= putAt) {
        isPut = true;
        journal.put(live, records('n', 1));
      }
      await clock.advance(100);
    }
    const heldAt = clock.monotonic();
    await clock.advance(600_000);
    await clock.until(loop.stop(0));
    return { heldAt, fresh: sent.flatMap(({ uids }) => uids).filter((uid) => uid.startsWith('n')) };
  };
  const { heldAt } = await play(Number.POSITIVE_INFINITY);

  expect((await play(heldAt - before)).fresh).toContain('n0');
});

it.each([
  { events: 1, bad: 10, inFlight: 1 },
  { events: 1, bad: 10, inFlight: 4 },
  { events: 10, bad: 60, inFlight: 4 },
  { events: 50, bad: 600, inFlight: 4 },
])('tries what is new however much has failed: $bad events in batches of $events', async ({ events, bad, inFlight }) => {
  const { loop, clock, sent, journal } = breaking(bad, { events }, inFlight);
  loop.start();
  await clock.advance(600_000);

  journal.put(live, records('n', 5));
  await clock.advance(4 * hour);

  const fresh = new Set(sent.flatMap(({ uids }) => uids).filter((uid) => uid.startsWith('n')));
  expect([...fresh].toSorted()).toEqual(['n0', 'n1', 'n2', 'n3', 'n4']);
  await clock.until(loop.stop(0));
});

it.each([
  { events: 600, inFlight: 1, withinMs: 120_000 },
  { events: 50, inFlight: 4, withinMs: hour },
])(
  'tries what is new within $withinMs ms though each of 600 events before it is refused, in batches of $events',
  async ({ events, inFlight, withinMs }) => {
    const refused: Verdicts = { all: { kind: 'event', code: '400', reason: 'bad' } };
    const answer = (batch: Batch): Verdicts => (isBad(batch) ? refused : accepted);
    const { loop, clock, sent, journal } = breaking(600, { events, answer }, inFlight);
    loop.start();
    await clock.advance(10_000);

    journal.put(live, records('n', 5));
    await clock.advance(withinMs);

    const fresh = sent.filter((batch) => batch.uids.every((uid) => uid.startsWith('n'))).flatMap(({ uids }) => uids);
    expect(fresh).toEqual(['n0', 'n1', 'n2', 'n3', 'n4']);
    await clock.until(loop.stop(0));
  },
);

it.each([
  [0, 4],
  [1, 4],
  [2, 4],
  [3, 4],
  [8, 4],
  [3, 2],
  [8, 2],
])(
  'sends a good batch soon beside two of which every event breaks the receiver, %s promises later, with %s requests in flight',
  async (turns, inFlight) => {
    const { loop, clock, sent, journal } = breaking(
      100,
      {
        events: 50,
        async answer(batch) {
          for (let count = 0; count < turns; count += 1) await Promise.resolve();
          return isBad(batch) ? reset : accepted;
        },
      },
      inFlight,
    );
    journal.put(live, records('n', 50));
    loop.start();

    await clock.advance(300_000);

    const fresh = new Set(sent.flatMap(({ uids }) => uids).filter((uid) => uid.startsWith('n')));
    expect(fresh.size).toBe(50);
    // It has its turn as soon as both have failed, and not when one of them came again and again.
    expect(sent.findIndex(({ uids }) => uids.some((uid) => uid.startsWith('n')))).toBeLessThanOrEqual(4);
    await clock.until(loop.stop(0));
  },
);

it('reads sources that are not routed to the sink in turn with those that are', async () => {
  const memory = memoryJournal();
  memory.put({ kind: 'live', source: 'a' }, records('a', 600));
  for (let page = 0; page < 20; page += 1) memory.put({ kind: 'live', source: 'b' }, records(`b${page}-`, 1_000));
  const seen: string[] = [];
  const journal: typeof memory = Object.create(memory) as typeof memory;
  journal.read = (...read) => {
    seen.push(read[1].source);
    return memory.read(...read);
  };
  const { loop, clock } = setUp({
    journal,
    answer() {
      seen.push('sent');
      return accepted;
    },
    settings: { sources: ['a'], batch: { events: 100, bytes: 10_000_000, waitMs: 0 } },
  });
  loop.start();
  await clock.until(loop.drained(never));
  await clock.until(loop.stop(0));

  const reads = seen
    .join(' ')
    .split('sent')
    .map((between) => between.split('b').length - 1);
  expect(Math.max(...reads.slice(0, 6))).toBeLessThanOrEqual(2);
});

it('keeps the order of a lane over a connection that was lost once', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 60));
  const taken: string[] = [];
  const { loop, clock, sent } = setUp({
    journal,
    sink: { maxInFlight: 1, isStream: true },
    answer({ events }) {
      const broken = sent.length === 3 ? 4 : events.length;
      taken.push(...events.slice(0, broken).map(({ uid }) => uid));
      if (broken === events.length) return accepted;
      const lost = { kind: 'uncertain', reason: 'the receiver closed the connection', suspect: false } as const;
      return { each: events.map((_, index) => (index < broken ? { kind: 'accept' } : lost)) };
    },
  });
  loop.start();
  await clock.until(loop.drained(never));
  await clock.until(loop.stop(0));

  expect(taken).toEqual(records('e', 60).map(({ uid }) => uid));
});

it('finds at once how much a receiver takes that is asked again after a hold', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 64));
  const { loop, clock, sent } = setUp({
    journal,
    answer({ events }) {
      if (sent.length === 1) return { all: { kind: 'uncertain', reason: 'timeout' } };
      if (sent.length <= 3) return { all: { kind: 'hold', reason: '403', fix: 'look' } };
      return events.length > 2 ? { all: { kind: 'split', code: 'http_413', reason: 'too large' } } : accepted;
    },
    settings: { batch: { events: 64, bytes: 10_000_000, waitMs: 0 } },
  });
  loop.start();
  await clock.until(loop.drained(never));
  await clock.until(loop.stop(0));

  const probes = sent.slice(3, 9);
  expect(probes.map(({ uids }) => uids.length)).toEqual([64, 32, 16, 8, 4, 2]);
  expect(new Set(probes.map(({ at }) => at)).size).toBe(1);
});

it.each([4, 8, 12])('sends %s events within four hours after a receiver takes events again', async (count) => {
  for (const outage of [2 * hour, 24 * hour]) {
    const journal = memoryJournal();
    journal.put(live, records('e', count));
    let isBroken = true;
    const { loop, clock } = setUp({
      journal,
      answer: () => (isBroken ? reset : accepted),
      settings: { inFlight: 4 },
      sink: { reaches: () => Promise.resolve(true) },
    });
    loop.start();
    await clock.advance(outage);
    isBroken = false;

    await clock.until(loop.drained(never), 4 * hour + 60_000);
    await clock.until(loop.stop(0));

    expect(journal.settled.acknowledged + journal.settled.unconfirmed + journal.settled.dead_lettered).toBe(count);
  }
});

/** A clock that breaks off who asks again and again for a time that does not change, which would turn in a circle for ever. */
function patientClock(startMs: number, onCircle: () => void): VirtualClock {
  const own = virtualClock(startMs);
  let [asked, last] = [0, 0];
  const monotonic = (): number => {
    const now = own.monotonic();
    asked = now === last ? asked + 1 : 0;
    last = now;
    if (asked < 50_000) return now;
    onCircle();
    throw new Error('turns in a circle');
  };
  return Object.create(own, { monotonic: { value: monotonic } }) as VirtualClock;
}

it.each([1, 4])('rests with what was sent often also where no hold was noted, with %s requests in flight', async (inFlight) => {
  const journal = memoryJournal();
  journal.setHold = () => Promise.resolve();
  journal.put(live, records('b', 4));
  const circle = vi.fn<() => void>();
  const life = async (startMs: number): Promise<number> => {
    const { loop, clock, sent } = setUp({
      journal,
      clock: patientClock(startMs, circle),
      async answer(batch) {
        await turn();
        return isBad(batch) ? reset : accepted;
      },
      settings: { batch: { events: 500, bytes: 10_000_000, waitMs: 0 }, inFlight },
      sink: { reaches: () => Promise.resolve(true) },
    });
    loop.start();
    for (let minutes = 0; minutes < 24 * 60 && circle.mock.calls.length === 0; minutes += 1) await clock.advance(60_000);
    await clock.until(loop.stop(0));
    return sent.length;
  };

  const sent = [await life(0), await life(24 * hour)];

  expect({ circles: circle.mock.calls.length, hasSent: sent.every((count) => count > 0) }).toEqual({ circles: 0, hasSent: true });
});

it('ends the hold of a receiver that takes no event with the acknowledgement of one, not when it is handed over', async () => {
  const acknowledged = Promise.withResolvers<Verdicts>();
  const { loop, clock, sent, journal } = breaking(10, {
    events: 500,
    answer: (batch) => (isBad(batch) ? reset : { pending: acknowledged.promise }),
  });
  loop.start();
  await clock.advance(2 * hour);
  journal.put(live, records('n', 1));
  await clock.advance(60_000);
  const handedOver = sent.at(-1)?.uids;
  const held = loop.status().hold?.reason;

  acknowledged.resolve(accepted);
  await clock.advance(1_000);

  expect(handedOver).toEqual(['n0']);
  expect([held, loop.status().hold]).toEqual(['the receiver is there, but takes no event: reset', undefined]);
  await clock.until(loop.stop(0));
});
