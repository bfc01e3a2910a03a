// Many events that a receiver never takes, whatever it says to them, and good ones behind, between and after them.
import { expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import type { Batch, Verdict, Verdicts } from '../../src/sinks/sink.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { accepted, records, setUp } from './harness.ts';

const live = { kind: 'live', source: 'acme' } as const;
const never = new AbortController().signal;
const minute = 60_000;
const hour = 60 * minute;

const later: Verdict = { kind: 'retry', reason: 'answered 503', ofRequest: true };
const refused: Verdict = { kind: 'hold', reason: 'answered 403', fix: 'check "auth"', ofRequest: true };
const faults: readonly (readonly [string, Verdict, number])[] = [
  ['503', later, 50],
  ['429 that asks for half a minute', { ...later, reason: 'answered 429', retryAfterMs: 30_000 }, 50],
  ["a gateway's own 503", { ...later, fix: 'look at the gateway' }, 50],
  ['500', { kind: 'uncertain', reason: 'answered 500' }, 50],
  ['a connection that breaks', { kind: 'uncertain', reason: 'the connection was lost' }, 1],
  ['no answer in time', { kind: 'uncertain', reason: 'no answer within 30 s' }, 30_000],
  ['403', refused, 50],
];

const isBad = ({ events }: Batch): boolean => events.some(({ uid }) => uid.startsWith('bad'));

interface Scene {
  readonly inFlight: number;
  readonly events: number;
  readonly seed?: number;
  readonly answer: (batch: Batch) => Verdict | undefined;
  readonly tookMs?: number;
}

/** A sink of which the receiver answers what delivers nothing; `taken`: when each event was taken first. */
function scene({ inFlight, events, seed, answer, tookMs = 50 }: Scene) {
  const journal = memoryJournal();
  const taken = new Map<string, number>();
  const set = setUp({
    journal,
    ...(seed !== undefined && { seed }),
    async answer(batch): Promise<Verdicts> {
      const all = answer(batch);
      await sleep(set.clock, all === undefined ? 50 : tookMs);
      if (all !== undefined) return { all };
      for (const { uid } of batch.events) if (!taken.has(uid)) taken.set(uid, set.clock.monotonic());
      return accepted;
    },
    settings: { batch: { events, bytes: 10_000_000, waitMs: 0 }, inFlight },
    sink: { reaches: () => Promise.resolve(true) },
  });
  return { ...set, journal, taken };
}

it.each(
  faults.flatMap(([name, fault, tookMs]) =>
    [1, 4].flatMap((inFlight) => [
      { name, fault, tookMs, inFlight, bad: 600, events: 100 },
      { name, fault, tookMs, inFlight, bad: 600, events: 600 },
      { name, fault, tookMs, inFlight, bad: 5, events: 1 },
    ]),
  ),
)(
  'takes what is new soon after $bad events in batches of $events that meet $name, with $inFlight under way',
  async ({ fault, bad, events, inFlight, tookMs }) => {
    const { loop, clock, journal, taken } = scene({
      inFlight,
      events,
      tookMs,
      answer: (batch) => (isBad(batch) ? fault : undefined),
    });
    journal.put(live, [...records('a', 1), ...records('bad', bad), ...records('b', events)]);
    loop.start();
    const waits: number[] = [];
    for (let minutes = 0; minutes < 60; minutes += 1) {
      journal.put(live, records(`new${minutes}-`, 2));
      await clock.advance(minute);
    }
    await clock.advance(45 * minute);
    for (let minutes = 0; minutes < 60; minutes += 1)
      waits.push((taken.get(`new${minutes}-1`) ?? Number.POSITIVE_INFINITY) - minutes * minute);
    await clock.until(loop.stop(0));

    // What names a fix holds the sink, and the probes of a hold come every five minutes at last.
    expect(Math.max(...waits)).toBeLessThan(('fix' in fault ? 45 : 12) * minute);
    expect(journal.letters.filter(({ record }) => !record.uid.startsWith('bad'))).toEqual([]);
  },
);

it.each([1, 4].flatMap((inFlight) => [1, 5].map((bad) => ({ inFlight, bad }))))(
  'reads on behind $bad events that are asked to come later for good, with $inFlight under way',
  async ({ inFlight, bad }) => {
    const { loop, clock, journal, taken } = scene({
      inFlight,
      events: 10,
      answer: (batch) => (isBad(batch) ? later : undefined),
    });
    journal.put(live, [...records('bad', bad), ...records('good', 3_000)]);
    loop.start();

    await clock.advance(10 * minute);

    expect(taken.size).toBe(3_000);
    // They go again by themselves: nothing was stored, and the hour in which a receiver is believed is not over.
    expect(journal.letters.map(({ code }) => code)).toEqual(Array(bad).fill('not_taken_alone'));
    expect(journal.settled).toMatchObject({ possible_duplicates: 0 });
    await clock.until(loop.stop(0));
  },
);

it.each(
  [faults[0], faults[3], faults[4]].flatMap((fault) =>
    fault === undefined ? [] : [1, 4].map((inFlight) => ({ name: fault[0], fault: fault[1], tookMs: fault[2], inFlight })),
  ),
)(
  'takes good events that share their batch with ten times as many that meet $name, and what is new, soon, with $inFlight under way',
  async ({ fault, tookMs, inFlight }) => {
    const { loop, clock, journal, taken } = scene({
      inFlight,
      events: 1_000,
      tookMs,
      answer: (batch) => (isBad(batch) ? fault : undefined),
    });
    for (let index = 0; index < 50; index += 1)
      journal.put(live, [...records(`bad${index}-`, 10), ...records(`good${index}-`, 1)]);
    loop.start();
    const waits: number[] = [];
    for (let minutes = 0; minutes < 60; minutes += 1) {
      journal.put(live, records(`new${minutes}-`, 2));
      await clock.advance(minute);
    }
    for (let minutes = 1; minutes < 58; minutes += 1)
      waits.push((taken.get(`new${minutes}-1`) ?? Number.POSITIVE_INFINITY) - minutes * minute);
    const good = [...taken].filter(([uid]) => uid.startsWith('good'));
    await clock.until(loop.stop(0));

    expect(good.length).toBe(50);
    expect(Math.max(...good.map(([, at]) => at))).toBeLessThan((inFlight === 1 ? 45 : 12) * minute);
    expect(Math.max(...waits)).toBeLessThan(3 * minute);
    expect(journal.letters.filter(({ record }) => !record.uid.startsWith('bad'))).toEqual([]);
  },
  20_000,
);

it.each(
  [faults[0], faults[3]].flatMap((fault) =>
    fault === undefined ? [] : [1, 4].map((inFlight) => ({ name: fault[0], fault: fault[1], inFlight })),
  ),
)(
  'reads on behind 300 events that meet $name, more than are read ahead standing behind them, with $inFlight under way',
  async ({ fault, inFlight }) => {
    const { loop, clock, journal, taken } = scene({
      inFlight,
      events: 100,
      answer: (batch) => (isBad(batch) ? fault : undefined),
    });
    journal.put(live, [...records('bad', 300), ...records('good', 12_000)]);
    loop.start();

    await clock.advance(30 * minute);

    expect(taken.size).toBe(12_000);
    // Others were taken all the while: it is no fault of the configuration.
    expect(loop.status().hold).toBeUndefined();
    expect(journal.letters.length).toBe(300);
    await clock.until(loop.stop(0));
  },
  20_000,
);

it.each([1, 4])(
  'takes good events though each batch has some that are answered 503, so that none is ever taken whole, with %s under way',
  async (inFlight) => {
    const { loop, clock, journal, taken } = scene({
      inFlight,
      events: 100,
      answer: (batch) => (isBad(batch) ? later : undefined),
    });
    for (let index = 0; index < 300; index += 1)
      journal.put(live, [...records(`good${index}-`, 10), ...records(`bad${index}-`, 1)]);
    loop.start();

    await clock.advance(hour);

    expect(taken.size).toBe(3_000);
    await clock.until(loop.stop(0));
  },
  20_000,
);

it.each([1, 4])(
  'takes good events between those that are refused, though nothing new comes, with %s under way',
  async (inFlight) => {
    const { loop, clock, journal, taken } = scene({
      inFlight,
      events: 100,
      answer: (batch) => (isBad(batch) ? later : undefined),
    });
    for (let index = 0; index < 60; index += 1)
      journal.put(live, [...records(`bad${index}-`, 1), ...records(`good${index}-`, 9)]);
    loop.start();

    await clock.advance(hour);

    expect(taken.size).toBe(540);
    await clock.until(loop.stop(0));
  },
);

it.each([later, refused])(
  'gives up no event after hours in which $reason came to all, though most do for a while after it',
  async (fault) => {
    let share = 1;
    let state = 1;
    const chance = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const { loop, clock, journal, sent } = scene({
      inFlight: 4,
      events: 20,
      answer: () => (chance() < share ? fault : undefined),
    });
    journal.put(live, records('e', 2_000));
    loop.start();
    await clock.advance(3 * hour);
    const asked = sent.length;
    share = 0.6;
    await clock.advance(hour);
    share = 0;

    const isDrained = await clock.until(loop.drained(never), hour);
    await clock.until(loop.stop(0));

    expect({ isDrained, letters: journal.letters.length, ...journal.settled }).toMatchObject({
      isDrained: true,
      letters: 0,
      acknowledged: 2_000,
      possible_duplicates: 0,
    });
    // One try every half a minute or so, as if there were nothing else to try.
    expect(asked).toBeLessThan(500);
  },
);
