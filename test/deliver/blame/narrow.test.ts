// A batch that keeps failing without an answer that names the cause.
import { expect, it } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { Batch as FormedBatch } from '../../../src/deliver/batch.ts';
import { narrow } from '../../../src/deliver/blame/narrow.ts';
import { SizeLimits } from '../../../src/deliver/blame/size-limits.ts';
import { Suspects } from '../../../src/deliver/blame/suspects.ts';
import type { LoopContext } from '../../../src/deliver/context.ts';
import { DeadLetters } from '../../../src/deliver/dead-letters.ts';
import type { Decision } from '../../../src/deliver/decide.ts';
import { Endpoints } from '../../../src/deliver/endpoints/endpoints.ts';
import type { PreparedEvent } from '../../../src/deliver/prepare.ts';
import type { Lane } from '../../../src/journal/journal.ts';
import type { Batch, Pending, Verdicts } from '../../../src/sinks/sink.ts';
import { emptyDisk, memoryJournal } from '../../journal/memory-journal.ts';
import { type VirtualClock, virtualClock } from '../../virtual-clock.ts';
import { accepted, records, type Setup, type SetupOptions, setUp } from '../harness.ts';

const hour = 3_600_000;
const live: Lane = { kind: 'live', source: 'acme' };
const never = new AbortController().signal;
const reset: Verdicts = { all: { kind: 'uncertain', reason: 'the connection was lost' } };

async function deliverAll({ loop, clock }: Setup): Promise<boolean> {
  loop.start();
  const isDrained = await clock.until(loop.drained(never), 86_400_000);
  await clock.until(loop.stop(0));
  return isDrained;
}

/** Runs 500 events in one batch; gives the copies that each event made. */
async function copiesOf(options: Omit<SetupOptions, 'journal'>, more = 0) {
  const journal = memoryJournal();
  journal.put(live, records('e', 500 + more));
  const copies = new Map<string, number>();
  const setup = setUp({
    ...options,
    journal,
    settings: { batch: { events: 500, bytes: 10_000_000, waitMs: 0 }, ...options.settings },
    answer(batch, signal) {
      for (const { uid } of batch.events) copies.set(uid, (copies.get(uid) ?? 0) + 1);
      return options.answer(batch, signal);
    },
  });
  const isDrained = await deliverAll(setup);
  const sum = [...copies.values()].reduce((total, count) => total + count, 0);
  return { isDrained, journal, copies, sum, setup };
}

const holds = ({ events }: Batch, uid: string): boolean => events.some((event) => event.uid === uid);

it('finds the one event that breaks the connection, makes it a dead letter with that reason, and delivers the others', async () => {
  const { isDrained, journal, copies, sum } = await copiesOf({
    answer: (batch) => (holds(batch, 'e377') ? reset : accepted),
  });

  expect(isDrained).toBe(true);
  expect(journal.letters.map(({ record, code, text }) => ({ uid: record.uid, code, text }))).toEqual([
    {
      uid: 'e377',
      code: 'not_taken',
      text: 'sent alone, it failed 4 times while other events were taken: the connection was lost',
    },
  ]);
  expect(journal.settled).toMatchObject({ acknowledged: 499, dead_lettered: 1, possible_duplicates: sum - 500 });
  expect(Math.max(...copies.values())).toBeLessThanOrEqual(10);
});

it('sends smaller batches to a receiver that is too slow for whole ones, and remembers what it takes', async () => {
  const { isDrained, journal, copies, setup } = await copiesOf(
    { answer: ({ events }) => (events.length > 100 ? new Promise<Verdicts>(() => undefined) : accepted) },
    5_000,
  );

  const tooLarge = setup.sent.filter(({ uids }) => uids.length > 100);
  expect({ isDrained, letters: journal.letters, acknowledged: journal.settled.acknowledged }).toEqual({
    isDrained: true,
    letters: [],
    acknowledged: 5_500,
  });
  expect(Math.max(...copies.values())).toBeLessThanOrEqual(6);
  expect(tooLarge.length).toBeLessThanOrEqual(6);
});

it('blames no event for an outage, however long, and is back at whole batches soon after it', async () => {
  const clock = virtualClock(1_000_000);
  const isOver = (): boolean => clock.monotonic() > 3_600_000;
  const { isDrained, journal, setup } = await copiesOf({ clock, answer: () => (isOver() ? accepted : reset) }, 20_000);

  const afterwards = setup.sent.filter(({ at }) => at > 3_600_000);
  expect({ isDrained, letters: journal.letters.length, acknowledged: journal.settled.acknowledged }).toEqual({
    isDrained: true,
    letters: 0,
    acknowledged: 20_500,
  });
  const whole = afterwards.filter(({ uids }) => uids.length === 500);
  expect(afterwards.length - whole.length).toBeLessThan(300);
  expect(whole.length).toBeGreaterThan(5);
});

it('does not blame an event for a receiver of two that takes nothing', async () => {
  const { isDrained, journal } = await copiesOf(
    {
      settings: { batch: { events: 1, bytes: 10_000, waitMs: 0 } },
      sink: { endpoints: ['good', 'bad'] },
      answer: ({ endpoint }) => (endpoint === 'good' ? accepted : reset),
    },
    0,
  );

  expect({ isDrained, letters: journal.letters.length }).toEqual({ isDrained: true, letters: 0 });
});

/** A stream: nothing is acknowledged, a clean close means sent, and a break puts all that is open in doubt. */
function stream(breaksAt: (batch: Batch) => boolean) {
  let open: ((verdicts: Verdicts) => void)[] = [];
  const end = (verdicts: Verdicts): void => {
    for (const settle of open.splice(0)) settle(verdicts);
    open = [];
  };
  return {
    sink: {
      maxInFlight: 1,
      isStream: true,
      flush: (): Promise<void> => Promise.resolve(end({ all: { kind: 'sent' } })),
    },
    answer(batch: Batch): Pending {
      const { promise, resolve } = Promise.withResolvers<Verdicts>();
      open.push(resolve);
      if (breaksAt(batch)) end(reset);
      return { pending: promise };
    },
  };
}

it.each(['e0', 'e377', 'e499'])('finds the message %s that breaks a stream without acknowledgement', async (bad) => {
  const { isDrained, journal, copies, sum } = await copiesOf(
    stream((batch) => holds(batch, bad)),
    1_500,
  );

  expect({ isDrained, letters: journal.letters.map(({ record }) => record.uid) }).toEqual({ isDrained: true, letters: [bad] });
  expect(journal.settled).toMatchObject({ unconfirmed: 1_999, possible_duplicates: sum - 2_000 });
  expect(Math.max(...copies.values())).toBeLessThanOrEqual(10);
});

const answers = (breaks: (batch: Batch) => boolean): Omit<SetupOptions, 'journal'> => ({
  answer: (batch) => (breaks(batch) ? reset : accepted),
});

it.each([
  ['a stream', stream, ['e20', 'e21']],
  ['a stream', stream, ['e1', 'e250', 'e251', 'e499']],
  ['answers', answers, ['e20', 'e21']],
  ['answers', answers, ['e1', 'e250', 'e251', 'e420']],
] as const)('finds several messages that break %s, none of which counts for or against another: %j', async (_, receiver, bad) => {
  const { isDrained, journal, copies } = await copiesOf(receiver((batch) => bad.some((uid) => holds(batch, uid))));

  const taken = [...copies].filter(([uid]) => !bad.some((one) => one === uid)).map(([, count]) => count);
  expect({ isDrained, letters: journal.letters.map(({ record }) => record.uid).toSorted() }).toEqual({
    isDrained: true,
    letters: [...bad].toSorted(),
  });
  expect(Math.max(...taken)).toBeLessThanOrEqual(10);
});

/** RELP: each message is answered, and the first without an answer is known. */
const relp = (breaks: (batch: Batch) => boolean): Omit<SetupOptions, 'journal'> => ({
  sink: { maxInFlight: 1, isStream: true },
  answer({ events, ...batch }) {
    const at = events.findIndex((event) => breaks({ ...batch, events: [event] }));
    if (at === -1) return accepted;
    const isAlone = batch.careful === true || events.length === 1;
    return {
      each: events.map((_, index) => {
        if (index < at) return { kind: 'accept' };
        if (isAlone && index > at) return { kind: 'retry', reason: 'the connection was lost' };
        return { kind: 'uncertain', reason: 'the connection was lost', suspect: isAlone };
      }),
    };
  },
});

const lonely = [1, 2, 3, 12].flatMap((size) =>
  (
    [
      ['answers', answers, 10],
      ['a stream', stream, 10],
      ['relp', relp, 4],
    ] as const
  ).map(([name, receiver, most]) => ({ size, name, receiver, most })),
);

it.each(lonely)(
  'finds the one of $size that breaks $name with nothing else to send, in $most copies',
  async ({ size, receiver, most }) => {
    const journal = memoryJournal();
    journal.put(live, records('e', size));
    const breaking = receiver((batch) => holds(batch, 'e0'));
    const { loop, clock, sent } = setUp({
      journal,
      ...breaking,
      sink: { ...breaking.sink, reaches: () => Promise.resolve(true) },
    });

    const isDrained = await deliverAll({ loop, clock } as Setup);

    const copies = sent.filter(({ uids }) => uids.includes('e0')).length;
    // So few others, all of them taken in one go, could be a passing trouble.
    const [code, meanwhile] = ['not_taken_alone', size === 1 ? 'the receiver answered' : 'other events were taken'];
    expect({ isDrained, letters: journal.letters.map((letter) => [letter.record.uid, letter.code, letter.text]) }).toEqual({
      isDrained: true,
      letters: [
        ['e0', code, expect.stringMatching(`^sent alone, it failed \\d+ times while ${meanwhile}.*: the connection was lost$`)],
      ],
    });
    expect(copies).toBeLessThanOrEqual(most);
    expect(journal.settled.acknowledged + journal.settled.unconfirmed).toBe(size - 1);
  },
);

it.each([
  ['answers', answers],
  ['a stream', stream],
  ['relp', relp],
] as const)('blames nobody where a receiver of %s breaks under everything for hours, and repeats little', async (_, receiver) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  let isBroken = true;
  const breaking = receiver(() => isBroken);
  const { loop, clock, sent } = setUp({
    journal,
    ...breaking,
    sink: { ...breaking.sink, reaches: () => Promise.resolve(!isBroken) },
  });
  loop.start();
  await clock.advance(20 * 3_600_000);
  const copies = Math.max(...['e0', 'e1', 'e2'].map((uid) => sent.filter(({ uids }) => uids.includes(uid)).length));
  isBroken = false;

  expect(await clock.until(loop.drained(never), 86_400_000)).toBe(true);
  await clock.until(loop.stop(0));

  expect(copies).toBeLessThanOrEqual(6);
  expect({ letters: journal.letters, taken: journal.settled.acknowledged + journal.settled.unconfirmed }).toEqual({
    letters: [],
    taken: 3,
  });
});

// Copies of one event after an hour and after twelve.
it.each([1, 3, 200].flatMap((hourly) => [{ hourly, most: [9, 14] }]))(
  'holds, and gives up one event at most, where a receiver is there and takes none of the $hourly that come each hour',
  async ({ hourly, most }) => {
    const journal = memoryJournal();
    let isBroken = true;
    const sink = { reaches: () => Promise.resolve(true) };
    const { loop, clock, sent } = setUp({ journal, sink, ...answers(() => isBroken) });
    loop.start();
    const copies: number[] = [];
    for (let hour = 0; hour < 12; hour += 1) {
      journal.put(live, records(`h${hour}-`, hourly));
      await clock.advance(3_600_000);
      const all = Object.groupBy(
        sent.flatMap(({ uids }) => uids),
        (uid) => uid,
      );
      if (hour === 0 || hour === 11) copies.push(Math.max(...Object.values(all).map((some) => some?.length ?? 0)));
    }
    const made = sent.reduce((sum, { uids }) => sum + uids.length, 0);
    expect({ letters: journal.letters.map(({ code }) => code), hold: loop.status().hold?.reason }).toEqual({
      letters: hourly === 1 ? ['not_taken_alone'] : [],
      hold: 'the receiver is there, but takes no event: the connection was lost',
    });
    expect(copies.map((count, index) => count <= (most[index] ?? 0))).toEqual([true, true]);
    // The one that is given up is not sent again for the moment.
    expect(journal.settled.possible_duplicates).toBe(made - journal.letters.length);
    isBroken = false;
    loop.release();

    expect(await clock.until(loop.drained(never), 3_600_000)).toBe(true);
    await clock.until(loop.stop(0));

    expect(journal.settled.acknowledged).toBe(12 * hourly - journal.letters.length);
    expect((await journal.jobs({ states: ['queued'] })).map(({ args }) => args)).toEqual(
      journal.letters.map(({ record }) => ({ sink: 'out', code: 'not_taken_alone', uids: [record.uid] })),
    );
  },
);

it.each([
  ['answers', answers],
  ['relp', relp],
] as const)(
  'sends one event again after 1, 2, then every 4 hours, while a receiver of %s is there and takes none for days',
  async (_, receiver) => {
    const journal = memoryJournal();
    journal.put(live, records('e', 3));
    let isBroken = true;
    const breaking = receiver(() => isBroken);
    const { loop, clock, sent } = setUp({
      journal,
      ...breaking,
      settings: { holdProbeMs: 300_000 },
      sink: { ...breaking.sink, reaches: () => Promise.resolve(true) },
    });
    const copiesOfAll = (): readonly number[] =>
      records('e', 3).map(({ uid }) => sent.filter(({ uids }) => uids.includes(uid)).length);
    loop.start();
    await clock.advance(6 * hour);
    const before = copiesOfAll().reduce((sum, each) => sum + each, 0);
    await clock.advance(36 * hour);
    const copies = copiesOfAll();
    isBroken = false;

    expect(await clock.until(loop.drained(never), 5 * hour)).toBe(true);
    await clock.until(loop.stop(0));

    expect(copies.reduce((sum, each) => sum + each, 0) - before).toBeLessThanOrEqual(10);
    expect(journal.settled.acknowledged + journal.settled.unconfirmed).toBe(3);
  },
);

it('lets a lone event that was given up go again once others are taken', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  let isBroken = true;
  const sink = { reaches: () => Promise.resolve(true) };
  const { loop, clock } = setUp({ journal, sink, ...answers((batch) => isBroken && holds(batch, 'e0')) });
  loop.start();
  await clock.until(loop.drained(never), 86_400_000);
  expect(journal.letters.map(({ code }) => code)).toEqual(['not_taken_alone']);
  isBroken = false;

  journal.put(live, records('f', 1));
  await clock.until(loop.drained(never));
  await clock.until(loop.stop(0));

  expect((await journal.jobs({ states: ['queued'] })).map(({ kind, args }) => [kind, args])).toEqual([
    ['retry_dead_letters', { sink: 'out', code: 'not_taken_alone', uids: ['e0'] }],
  ]);
});

it.each([
  ['answers', answers, 10],
  ['a stream', stream, 10],
  // Batches that it is in: of one under suspicion RELP writes the first alone.
  ['relp', relp, 7],
] as const)(
  'makes dead letters of all that break %s with nothing else to send, once a person released the hold',
  async (_, receiver, most) => {
    const journal = memoryJournal();
    journal.put(live, records('b', 4));
    const breaking = receiver(({ events }) => events.some(({ uid }) => uid.startsWith('b')));
    const sink = { ...breaking.sink, reaches: () => Promise.resolve(true) };
    const { loop, clock, sent } = setUp({ journal, ...breaking, sink });
    loop.start();
    await clock.advance(hour / 2);
    const held = { hold: loop.status().hold?.reason, letters: journal.letters.length };
    for (let times = 0; times < 2; times += 1) {
      loop.release();
      await clock.advance(600_000);
    }
    const released = { hold: loop.status().hold, letters: journal.letters.map(({ code }) => code) };
    journal.put(live, records('e', 1));

    expect(await clock.until(loop.drained(never), hour)).toBe(true);
    await clock.until(loop.stop(0));

    expect(held).toEqual({ hold: 'the receiver is there, but takes no event: the connection was lost', letters: 0 });
    expect(released).toEqual({ hold: undefined, letters: Array(4).fill('not_taken_alone') });
    const copies = ['b0', 'b1', 'b2', 'b3'].map((uid) => sent.filter(({ uids }) => uids.includes(uid)).length);
    expect(Math.max(...copies)).toBeLessThanOrEqual(most);
    expect(journal.settled.acknowledged + journal.settled.unconfirmed).toBe(1);
  },
);

it.each([
  { name: 'no hold', hold: undefined },
  { name: 'a hold for its token', hold: { all: { kind: 'hold', reason: '403', fix: 'renew the token' } } satisfies Verdicts },
])('gives no event up for the release of $name, though two broke the receiver alone before it', async ({ hold }) => {
  const journal = memoryJournal();
  journal.put(live, records('b', 2));
  let refusal: Verdicts | undefined;
  const sink = { reaches: () => Promise.resolve(true) };
  const { loop, clock, sent } = setUp({ journal, sink, answer: () => refusal ?? reset });
  loop.start();
  const failedAlone = (): boolean =>
    ['b0', 'b1'].every((one) => sent.filter(({ uids }) => uids.length === 1 && uids[0] === one).length > 2);
  while (!failedAlone()) await clock.advance(1_000);
  refusal = hold;
  await clock.advance(60_000);
  const before = loop.status().hold?.reason;

  loop.release();
  refusal = undefined;
  await clock.advance(60_000);

  expect({ before, letters: journal.letters }).toEqual({ before: hold?.all.reason, letters: [] });
  await clock.until(loop.stop(0));
});

it('takes one that was given up long ago for no sign that the receiver takes nothing', async () => {
  const suspects = new Suspects(memoryJournal(), silentLog(), 'out', new SizeLimits(virtualClock(0)));
  const nothing = { passed: 0, failed: 0 };
  suspects.giveUp('x', 8, 10, nothing, 0);
  const before = suspects.untaken('y');
  suspects.taken(nothing, 1);

  const after = suspects.untaken('y');

  expect({ before, after }).toEqual({ before: 2, after: 1 });
});

it('goes on counting the failures of an event alone after a restart', async () => {
  const disk = emptyDisk();
  memoryJournal(disk).put(live, records('e', 1));
  let copies = 0;
  const letters = [];
  for (let life = 0; life < 40 && letters.length === 0; life += 1) {
    const journal = memoryJournal(disk);
    const sink = { reaches: () => Promise.resolve(true) };
    const { loop, clock, sent } = setUp({ journal, sink, seed: life + 2, ...answers((batch) => holds(batch, 'e0')) });
    loop.start();
    await clock.advance(12_000);
    await clock.until(loop.stop(0));
    copies += sent.length;
    letters.push(...journal.letters);
  }

  expect(letters).toHaveLength(1);
  expect(copies).toBeLessThanOrEqual(10);
});

it('sends what is new before several events that keep failing, also one request at a time', async () => {
  const bad = ['b0', 'b1', 'b2'];
  const journal = memoryJournal();
  journal.put(live, records('b', 3));
  const { loop, clock, sent } = setUp({
    journal,
    answer: (batch) => (bad.some((uid) => holds(batch, uid)) ? reset : accepted),
  });
  loop.start();
  await clock.advance(600_000);

  journal.put(live, records('e', 5));
  await clock.advance(300_000);

  const fresh = sent.flatMap(({ uids }) => uids).filter((uid) => uid.startsWith('e'));
  expect(fresh).toEqual(['e0', 'e1', 'e2', 'e3', 'e4']);
  await clock.until(loop.stop(0));
});

it.each(
  [0, hour].flatMap((silence) =>
    (
      [
        ['answers', answers, 10],
        ['a stream', stream, 10],
        // Of a batch under suspicion RELP writes the first alone; this counts the batches that an event is in.
        ['relp', relp, 12],
      ] as const
    ).map(([name, receiver, most]) => ({ name, receiver, most, silence })),
  ),
)(
  'delivers what is new within about a minute where thirty in a row break $name, $silence ms after them',
  async ({ receiver, most, silence }) => {
    const journal = memoryJournal();
    journal.put(live, records('b', 30));
    const breaking = receiver(({ events }) => events.some(({ uid }) => uid.startsWith('b')));
    const { loop, clock, sent } = setUp({
      journal,
      ...breaking,
      settings: { batch: { events: 500, bytes: 10_000_000, waitMs: 0 }, inFlight: 4 },
      sink: { reaches: () => Promise.resolve(true), ...breaking.sink },
    });
    loop.start();
    await clock.advance(2_000 + silence);
    const waited: number[] = [];
    for (let turn = 0; turn < 60; turn += 1) {
      journal.put(live, records(`n${turn}-`, 1));
      const since = clock.monotonic();
      await clock.advance(10_000);
      const taken = (): number | undefined => sent.find(({ uids }) => uids.every((uid) => uid === `n${turn}-0`))?.at;
      while (taken() === undefined && clock.monotonic() - since < 600_000) await clock.advance(1_000);
      waited.push((taken() ?? Number.POSITIVE_INFINITY) - since);
    }
    const copies = new Map<string, number>();
    for (const uid of sent.flatMap(({ uids }) => uids)) copies.set(uid, (copies.get(uid) ?? 0) + 1);
    await clock.until(loop.drained(never), hour);
    await clock.until(loop.stop(0));

    expect(waited.filter((ms) => ms > 60_000)).toEqual([]);
    expect(Math.max(...copies.values())).toBeLessThanOrEqual(most);
    expect(journal.settled).toMatchObject({ dead_lettered: 30 });
    expect(journal.settled.acknowledged + journal.settled.unconfirmed).toBe(60);
  },
);

it('bounds the copies of what a stream broke with while it was idle', async () => {
  const clock = virtualClock(1_000_000);
  const balanced = stream(() => false);
  const resets: Promise<unknown>[] = [];
  const { isDrained, journal, copies } = await copiesOf({
    clock,
    sink: balanced.sink,
    answer(batch) {
      const { pending } = balanced.answer(batch);
      // The balancer's reset of an idle connection; what was settled by then stays settled.
      const { promise, resolve } = Promise.withResolvers<Verdicts>();
      clock.timer(50_000, () => resolve(reset));
      resets.push(promise);
      return { pending: Promise.race([pending, promise]) };
    },
  });

  expect({ isDrained, copies: Math.max(...copies.values()), unconfirmed: journal.settled.unconfirmed }).toMatchObject({
    isDrained: true,
    unconfirmed: 500,
  });
  expect(Math.max(...copies.values())).toBeLessThanOrEqual(3);
});

it('lets the others go before an event that a receiver of answers left unanswered', async () => {
  const { isDrained, journal, copies } = await copiesOf({
    sink: { maxInFlight: 1, isStream: true },
    answer: ({ events }) => {
      const at = events.findIndex(({ uid }) => uid === 'e10');
      if (at === -1) return accepted;
      return {
        each: events.map((_, index) => {
          if (index < at) return { kind: 'accept' };
          return { kind: 'uncertain', reason: 'closed', suspect: index === at };
        }),
      };
    },
  });

  expect({ isDrained, letters: journal.letters.map(({ record }) => record.uid) }).toEqual({ isDrained: true, letters: ['e10'] });
  expect(Math.max(...copies.values())).toBeLessThanOrEqual(4);
});

it('counts the copies that a stop leaves to the next process', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const setup = setUp({ journal, answer: () => ({ pending: new Promise<Verdicts>(() => undefined) }) });
  setup.loop.start();
  await setup.clock.advance(1_000);

  await setup.clock.until(setup.loop.stop(0));

  expect(journal.settled).toMatchObject({ acknowledged: 0, possible_duplicates: 3 });
});

it('counts what was taken behind an event that was not when it stops, for the next process sends that again', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 6));
  const setup = setUp({
    journal,
    settings: { batch: { events: 2, bytes: 100_000, waitMs: 0 }, inFlight: 3 },
    answer: (batch) => (holds(batch, 'e0') ? new Promise<Verdicts>(() => undefined) : accepted),
  });
  setup.loop.start();
  await setup.clock.advance(1_000);

  await setup.clock.until(setup.loop.stop(0));

  expect({ offset: journal.offsetOf(live), counted: journal.settled.possible_duplicates }).toEqual({ offset: 0, counted: 6 });
});

it('writes the count of possible duplicates at once, while the batch still waits for its next attempt', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const { loop, clock } = setUp({ journal, answer: () => reset });
  loop.start();
  await clock.settle();

  expect(journal.settled.possible_duplicates).toBe(3);
  await clock.until(loop.stop(0));
});

const failure = { kind: 'uncertain', reason: 'the connection was lost', retryAfterMs: undefined } as const;
const sameAgain = {
  again: 'same',
  refused: [],
  uncertain: [0],
  failure,
  suspect: undefined,
  tooLarge: undefined,
} as unknown as Decision;

/** What `narrow` asks of a sink whose receiver is there. */
function contextOf(endpoints: Endpoints, suspects: Suspects, clock: VirtualClock): LoopContext {
  const nothing = (): void => undefined;
  return {
    endpoints,
    suspects,
    clock,
    steadyNow: () => clock.now(),
    random: seededRandom(1),
    cutOff: new AbortController(),
    limits: { failed: nothing, blame: nothing },
    sink: { sink: { reaches: () => Promise.resolve(true) } },
    log: { warn: nothing },
    trouble: (_kind: string, reason: string) => reason,
  } as unknown as LoopContext;
}

const eventOf = (uid: string, isLetter = false) => ({ uid, bytes: 10, open: { isLetter } }) as unknown as PreparedEvent;

/** One event that failed twice among others at an endpoint, and then alone where it is told, as `more` others did; others failed and passed there as well. */
function failing(more = 0) {
  const clock = virtualClock(0);
  const endpoints = new Endpoints(clock, seededRandom(1), 60_000);
  endpoints.replace(['a', 'b', 'c']);
  const suspects = new Suspects(memoryJournal(), silentLog(), 'out', new SizeLimits(clock));
  for (let other = 0; other < more; other += 1) suspects.failed(`other${other}`, 1);
  const context = contextOf(endpoints, suspects, clock);
  const whole = new FormedBatch(
    context,
    ['e0', 'e1'].map((uid) => eventOf(uid)),
    false,
  );
  const at = (endpoint: string) => ({ endpoint, startedAt: 0 });
  for (let time = 0; time < 2; time += 1) narrow(context, whole, at('a'), sameAgain);
  const [alone = whole] = whole.cut([[0]]);
  return (place: string, others: { readonly failed: number; readonly passed: number }): Decision => {
    alone.lone.reaches();
    const decision = narrow(context, alone, at(place), sameAgain);
    endpoints.surprise(at(place), others.failed);
    endpoints.took(at(place), others.passed, others.passed);
    return decision;
  };
}

it.each([
  { where: 'at the endpoint where it failed first', places: ['a', 'a', 'a', 'a'] },
  { where: 'at another', places: ['b', 'b', 'b', 'b'] },
  { where: 'now here, now there', places: ['a', 'b', 'a', 'b'] },
  { where: 'at three', places: ['b', 'c', 'b', 'c'] },
])('blames no event that fails three times $where, where one in twenty of the others fails, too', ({ places }) => {
  const fail = failing();

  const decisions = places.map((place) => fail(place, { failed: 1, passed: 20 }));

  expect(decisions.map(({ refused }) => refused)).toEqual([[], [], [], []]);
});

it.each(['a', 'b'])('blames an event that fails at %s where none of very many others does', (place) => {
  const fail = failing();

  const decisions = Array.from({ length: 4 }, () => fail(place, { failed: 0, passed: 100 }));

  expect(decisions.flatMap(({ refused }) => refused.map(({ code }) => code))).toContain('not_taken');
});

/** What became of others: batches failed, the receiver went away, before it took the first of them and after it; messages passed. */
interface Others {
  readonly failed: number;
  readonly passed: number;
  readonly awayFirst?: number;
  readonly away?: number;
}

/** What becomes of a letter that goes again each time it is due, others being taken meanwhile as told; and how long it rests, in hours. */
function timesOf(others: readonly Others[]): string[] {
  const clock = virtualClock(0);
  const endpoints = new Endpoints(clock, seededRandom(1), 60_000);
  endpoints.replace(['a']);
  const suspects = new Suspects(memoryJournal(), silentLog(), 'out', new SizeLimits(clock));
  const at = { endpoint: 'a', startedAt: 0 };
  const goAway = (times: number): void => {
    for (let time = 0; time < times; time += 1) endpoints.fail({ ...at, startedAt: clock.monotonic() });
  };
  return others.map(({ failed, passed, awayFirst = 0, away = 0 }, round) => {
    const context = contextOf(endpoints, suspects, clock);
    const batch = new FormedBatch(context, [eventOf('e0', round > 0)], false);
    const codes: string[] = [];
    let copies = 0;
    for (; codes.length === 0 && copies < 20; copies += 1) {
      batch.lone.reaches();
      const decision = narrow(context, batch, at, { ...sameAgain, suspect: 0 });
      codes.push(...decision.refused.map(({ code }) => code));
    }
    if (codes.includes('not_taken')) suspects.forget('e0');
    goAway(awayFirst);
    endpoints.took(at, 1, 1);
    const isAtOnce = suspects.taken(endpoints.total, clock.now()).size > 0;
    endpoints.surprise(at, failed);
    goAway(away);
    endpoints.took(at, passed - 1, passed - 1);
    const later = [0.9, 1].find((hours) => suspects.taken(endpoints.total, clock.now() + hours * hour).size > 0);
    const restsHours = isAtOnce ? 0 : later;
    return `${codes.join(' ')} in ${copies}, again after ${restsHours} h`;
  });
}

const some = { failed: 1, passed: 8 };

it('gives an event up for good after four copies on RELP, the last after an hour in which others were taken', () => {
  expect(timesOf([{ failed: 0, passed: 1 }, some, some])).toEqual([
    'not_taken_alone in 2, again after 0 h',
    'not_taken_alone in 1, again after 1 h',
    'not_taken in 1, again after undefined h',
  ]);
});

it('holds against no receiver that it was away until it took another event: the one that was given up may have broken it', () => {
  const restarts = { failed: 0, passed: 8, awayFirst: 5 };

  expect(timesOf([restarts, restarts, restarts])).toEqual([
    'not_taken_alone in 2, again after 0 h',
    'not_taken_alone in 1, again after 1 h',
    'not_taken in 1, again after undefined h',
  ]);
});

it.each([
  ['others fail, too', { failed: 2, passed: 8 }],
  ['the receiver goes away again and again', { failed: 0, passed: 8, away: 2 }],
  ['hardly any others are taken', { failed: 0, passed: 7 }],
])('gives no event up for good, nor sends it again by itself, where %s', (_, others) => {
  expect(timesOf([others, others])).toEqual([
    'not_taken_alone in 2, again after 0 h',
    'not_taken_alone in 1, again after undefined h',
  ]);
});

it('counts an hour in which the receiver failed as none, and begins another', () => {
  const suspects = new Suspects(memoryJournal(), silentLog(), 'out', new SizeLimits(virtualClock(0)));
  suspects.giveUp('x', 3, 4, { failed: 0, passed: 0 }, 0);
  suspects.taken({ failed: 0, passed: 1 }, 1);

  const afterAnOutage = suspects.taken({ failed: 12, passed: 20 }, hour);
  const soon = suspects.taken({ failed: 12, passed: 40 }, 1.5 * hour);
  const rested = suspects.taken({ failed: 12, passed: 40 }, 2 * hour);

  expect([[...afterAnOutage], [...soon], [...rested]]).toEqual([[], [], [['x', false]]]);
});

/** What one process after the other knows of the same sink. */
function livesOf(): (use: (suspects: Suspects) => unknown) => Promise<unknown> {
  const clock = virtualClock(0);
  const disk = emptyDisk();
  return async (use) => {
    const suspects = new Suspects(memoryJournal(disk), silentLog(), 'out', new SizeLimits(clock));
    await suspects.recall(clock);
    const result = use(suspects);
    await clock.settle();
    return result;
  };
}

it('counts an hour in which the receiver failed as none, also where the process is started anew in it', async () => {
  const life = livesOf();

  await life((suspects) => {
    suspects.giveUp('x', 3, 4, { failed: 0, passed: 0 }, 0);
    suspects.taken({ failed: 0, passed: 1 }, 1);
    suspects.taken({ failed: 12, passed: 20 }, 0.9 * hour);
  });
  const afterAnOutage = await life((suspects) => suspects.taken({ failed: 0, passed: 20 }, hour));
  const soon = await life((suspects) => suspects.taken({ failed: 0, passed: 20 }, 1.5 * hour));
  const rested = await life((suspects) => suspects.taken({ failed: 0, passed: 20 }, 2 * hour));

  expect({ afterAnOutage, soon, rested }).toEqual({ afterAnOutage: new Map(), soon: new Map(), rested: new Map([['x', false]]) });
});

it.each([
  ['goes on', 0],
  ['is set two hours forward', 2 * hour],
  ['is set two days back', -48 * hour],
])('lets what was given up rest for an hour: the clock of the machine %s', async (_, byMs) => {
  const journal = memoryJournal();
  const clock = virtualClock(100 * hour);
  journal.put(live, records('e', 1));
  const life = () =>
    setUp({ journal, clock, sink: { reaches: () => Promise.resolve(true) }, ...answers((batch) => holds(batch, 'e0')) });
  const { loop: first } = life();
  first.start();
  await clock.until(first.drained(never), 24 * hour);
  await clock.until(first.stop(0));
  // The letter alone is left: it has gone again once.
  await journal.setNote('', 'suspects:out', null);
  const { loop } = life();
  loop.start();
  let minutes = 0;
  for (; (await journal.jobs({})).length === 0; minutes += 1) {
    if (minutes === 10) clock.step(byMs);
    journal.put(live, records(`f${minutes}-`, 1));
    await clock.advance(60_000);
  }
  await clock.until(loop.stop(0));

  // With the first that is taken when the hour is over.
  expect(minutes).toBe(61);
});

it('sends a letter again that no note names, once others are taken for an hour, and once only while it is under way', async () => {
  const journal = memoryJournal();
  const letters = new DeadLetters(journal, silentLog(), 'out', 100);
  const suspects = new Suspects(journal, silentLog(), 'out', new SizeLimits(virtualClock(0)));
  const gone: string[] = [];
  const send = (hours: number, passed: number): Promise<void> =>
    letters.retryEvents('not_taken_alone', suspects.taken({ failed: 0, passed }, hours * hour), (uid) => {
      gone.push(uid);
      suspects.forget(uid);
    });
  suspects.adopt('x', 0);

  await send(1, 8);
  await send(2, 16);
  const whileItWaits = (await journal.jobs({})).map(({ args }) => args);
  for (const { id } of await journal.jobs({})) await journal.updateJob(id, { state: 'done' });
  await send(3, 24);
  await send(4, 32);

  expect(whileItWaits).toEqual([{ sink: 'out', code: 'not_taken_alone', uids: ['x'] }]);
  expect([gone, (await journal.jobs({})).length, suspects.wasGivenUp('x')]).toEqual([['x'], 1, false]);
});

it('neither begins anew after a restart with what was given up, nor forgets it', async () => {
  const life = livesOf();
  const none = { failed: 0, passed: 0 };
  const many = { failed: 1, passed: 8 };

  await life((suspects) => suspects.giveUp('x', 2, 4, none, 0));
  const first = await life((suspects) => suspects.taken(none, 1));
  const whileItGoes = await life((suspects) => [suspects.taken(many, 2), suspects.wentRested('x')]);
  await life((suspects) => suspects.giveUp('x', 1, 4, none, 10));
  const soon = await life((suspects) => suspects.taken(many, hour));
  const rested = await life((suspects) => suspects.taken(many, 10 + hour));
  const last = await life((suspects) => [suspects.copiesBefore('x'), suspects.wentRested('x')]);

  expect({ first, whileItGoes, soon, rested, last }).toEqual({
    first: new Map([['x', false]]),
    whileItGoes: [new Map(), false],
    soon: new Map(),
    rested: new Map([['x', false]]),
    last: [3, true],
  });
});

it.each([undefined, 0])(
  'gives up one of ten events at most that a receiver takes none of, and rests with them, also where the process is started anew every two hours (%s)',
  async (retryAfterMs) => {
    const disk = emptyDisk();
    memoryJournal(disk).put(live, records('e', 10));
    const copies = new Map<string, number>();
    let letters = 0;
    let time = 1_000_000;
    for (let life = 0; life < 12; life += 1) {
      const journal = memoryJournal(disk);
      const clock = virtualClock(time);
      const { loop } = setUp({
        journal,
        clock,
        sink: { reaches: () => Promise.resolve(true) },
        answer({ events }) {
          for (const { uid } of events) copies.set(uid, (copies.get(uid) ?? 0) + 1);
          return { all: { kind: 'uncertain', reason: 'the connection was lost', ...(retryAfterMs === 0 && { retryAfterMs }) } };
        },
      });
      loop.start();
      await clock.advance(2 * hour);
      await clock.until(loop.stop(0));
      letters = journal.letters.length;
      time += 2 * hour;
    }

    expect(letters).toBeLessThanOrEqual(1);
    expect([...copies.values()].reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(10 * 8 + 40);
    expect(Math.max(...copies.values())).toBeLessThanOrEqual(14);
  },
);

it('gives no event up for good that an operator sends again too soon', () => {
  const few = { failed: 0, passed: 0 };

  expect(timesOf([few, few, few, few]).map((each) => each.split(' ')[0])).toEqual(Array(4).fill('not_taken_alone'));
});

it.each([
  { taken: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], code: 'not_taken_alone' },
  { taken: [7, 0, 0, 0, 0, 0, 0, 0, 0, 0], code: 'not_taken_alone' },
  { taken: [1, 1, 1, 0, 0, 0, 0, 0, 0, 0], code: 'not_taken_alone' },
  { taken: [100, 100, 100, 100, 100], code: 'not_taken' },
  { taken: [8, 8, 8, 8, 8, 8], alone: 20, code: 'not_taken' },
  { taken: [8, 8, 8, 8, 8, 8], alone: 45, code: 'not_taken_alone' },
])(
  'an event that fails alone (others that do: $alone) while others are taken so: $taken, is given up as $code',
  ({ taken, alone, code }) => {
    const fail = failing(alone);

    const decisions = taken.map((passed) => fail('a', { failed: 0, passed }));

    expect(decisions.flatMap(({ refused }) => refused.map((refusal) => refusal.code))[0]).toBe(code);
  },
);

it('counts a connection that the peer closed just as the request left as no failure of the batch', async () => {
  const closed: Verdicts = { all: { kind: 'uncertain', reason: 'closed', retryAfterMs: 0 } };
  const script = [closed, reset, accepted];
  const { isDrained, setup } = await copiesOf({ answer: () => script.shift() ?? accepted });

  expect({ isDrained, sizes: setup.sent.map(({ uids }) => uids.length) }).toEqual({ isDrained: true, sizes: [500, 500, 500] });
});

it('takes what was noted in another way out of no note of another replica', async () => {
  const clock = virtualClock(0);
  const journal = memoryJournal();
  const [ours, theirs] = [0, 1].map(() => new Suspects(journal, silentLog(), 'out', new SizeLimits(clock)));
  theirs?.failed('their event', 3);
  await clock.settle();

  ours?.failed('our event', 2);
  await clock.settle();

  expect(await journal.note('', 'suspects:out')).toMatchObject({ copies: { 'their event': 3, 'our event': 2 } });
});

it('lets what was given up rest for an hour at most where the clock of whoever noted it was ahead', () => {
  const suspects = new Suspects(memoryJournal(), silentLog(), 'out', new SizeLimits(virtualClock(0)));
  suspects.giveUp('x', 3, 4, { failed: 0, passed: 0 }, 10 * hour);

  const [atOnce, soon, rested] = [2, 2.9, 3].map((hours) => [...suspects.taken({ failed: 0, passed: 8 }, hours * hour)]);

  expect({ atOnce, soon, rested }).toEqual({ atOnce: [], soon: [], rested: [['x', false]] });
});

it('counts anew what fails alone after something was taken', () => {
  const suspects = new Suspects(memoryJournal(), silentLog(), 'out', new SizeLimits(virtualClock(0)));
  const untaken = [suspects.untaken('a'), suspects.untaken('b')];

  suspects.taken({ failed: 0, passed: 8 }, hour);

  expect([...untaken, suspects.untaken('c')]).toEqual([1, 2, 1]);
});

it('lets an event as large as one that was the cause go alone for a day', async () => {
  const clock = virtualClock(0);
  const limits = new SizeLimits(clock);
  const sizes = [10, 900, 10].map((bytes) => ({ bytes }));
  limits.blame('a', 900);

  const soon = limits.groups('a', sizes);
  await clock.advance(24 * hour);

  expect([soon, limits.groups('a', sizes)]).toEqual([[[0], [1], [2]], [[0, 1, 2]]]);
});

it('takes a question that is not answered in time for a receiver that is away', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const reaches = (_: string, signal: AbortSignal): Promise<boolean> =>
    new Promise((_answered, failed) => signal.addEventListener('abort', () => failed(signal.reason as Error), { once: true }));
  const { loop, clock, sent } = setUp({ journal, sink: { reaches }, answer: () => reset });
  loop.start();

  await clock.advance(12 * hour);

  expect(sent.length).toBeLessThanOrEqual(6);
  expect(journal.letters).toEqual([]);
  await clock.until(loop.stop(0));
});

it('counts each copy of an event that there is no room to give up', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 1));
  const sink = { reaches: () => Promise.resolve(true) };
  const { loop, clock, sent } = setUp({ journal, sink, answer: () => reset, settings: { maxDeadLetters: 0 } });
  loop.start();

  await clock.advance(hour);

  expect(loop.status().hold?.reason).toMatch('dead letters');
  expect({ letters: journal.letters, counted: journal.settled.possible_duplicates }).toEqual({
    letters: [],
    counted: sent.length,
  });
  await clock.until(loop.stop(0));
});
