// Answers that are meant for all of a sink's events, and those that say so of one event.
import { expect, it } from 'vitest';
import type { Batch, Verdicts } from '../../../src/sinks/sink.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { accepted, records, type SetupOptions, setUp } from '../harness.ts';

const live = { kind: 'live', source: 'acme' } as const;
const never = new AbortController().signal;
const minute = 60_000;
const hour = 60 * minute;
const refused: Verdicts = { all: { kind: 'hold', reason: 'answered 403', fix: 'check "auth"', ofRequest: true } };
const later: Verdicts = { all: { kind: 'retry', reason: 'answered 503', ofRequest: true } };

const isBad = ({ events }: Batch): boolean => events.some(({ uid }) => uid.startsWith('bad'));

/** A hundred events, of which `before` stand before the bad one, in batches of twenty. */
function scene(answer: SetupOptions['answer'], before: number, settings: SetupOptions['settings'] = {}) {
  const journal = memoryJournal();
  journal.put(live, [...records('a', before), ...records('bad', 1), ...records('b', 99 - before)]);
  const set = setUp({
    journal,
    answer,
    settings: { batch: { events: 20, bytes: 10_000_000, waitMs: 0 }, inFlight: 4, ...settings },
    sink: { reaches: () => Promise.resolve(true) },
  });
  return { ...set, journal };
}

const places = [4, 1].flatMap((inFlight) => [45, 20, 0].map((before) => ({ inFlight, before })));

it.each(places)(
  'finds the event that a receiver refuses as if it were all: $before before it, $inFlight under way',
  async (place) => {
    const { loop, clock, journal } = scene((batch) => (isBad(batch) ? refused : accepted), place.before, place);
    loop.start();
    for (let minutes = 0; minutes < 60; minutes += 1) {
      await clock.advance(minute);
      journal.put(live, records(`more${minutes}-`, 1));
    }

    await clock.until(loop.stop(0));
    expect(journal.letters.map(({ record, code }) => [record.uid, code])).toEqual([
      ['bad0', expect.stringMatching('^not_taken')],
    ]);
    expect(journal.settled).toMatchObject({ dead_lettered: 1, possible_duplicates: 0 });
  },
);

it.each(
  places.flatMap((place) => [
    { ...place, answer: refused },
    { ...place, answer: later },
  ]),
)(
  'lets nothing else wait behind it, though nothing new comes: $before before it, $inFlight under way',
  async ({ answer, ...place }) => {
    const { loop, clock, journal, sent } = scene((batch) => (isBad(batch) ? answer : accepted), place.before, place);

    loop.start();
    await clock.advance(20 * minute);

    const taken = sent.filter(({ uids }) => !uids.includes('bad0')).flatMap(({ uids }) => uids);
    expect({ taken: taken.length, distinct: new Set(taken).size }).toEqual({ taken: 99, distinct: 99 });
    expect(journal.letters).toEqual([]);
    await clock.until(loop.stop(0));
  },
);

it.each([
  ['goes on', 0],
  ['is set two hours forward', 2 * hour],
  ['is set two days back', -48 * hour],
])(
  'believes a receiver for an hour that asks one event to come later, then makes it a dead letter: the clock %s',
  async (_, byMs) => {
    const { loop, clock, journal } = scene((batch) => (isBad(batch) ? later : accepted), 45);
    loop.start();
    for (let minutes = 0; minutes < 55; minutes += 1) {
      if (minutes === 5) clock.step(byMs);
      journal.put(live, records(`more${minutes}-`, 1));
      await clock.advance(minute);
    }
    expect(journal.letters).toEqual([]);

    for (let minutes = 55; minutes < 180; minutes += 1) {
      journal.put(live, records(`more${minutes}-`, 1));
      await clock.advance(minute);
    }
    await clock.until(loop.stop(0));

    expect(journal.letters.map(({ record, code }) => [record.uid, code])).toEqual([['bad0', 'not_taken']]);
    expect(journal.settled).toMatchObject({ acknowledged: 279, possible_duplicates: 0 });
  },
);

it.each([
  [0.3, 0.05],
  [0.6, 0.2],
])('hardly cuts batches of a receiver that asks %d of all requests to come later', async (share, most) => {
  const journal = memoryJournal();
  journal.put(live, records('e', 10_000));
  let state = 1;
  const chance = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const { loop, clock, sent } = setUp({
    journal,
    answer: () => (chance() < share ? later : accepted),
    settings: { batch: { events: 20, bytes: 10_000_000, waitMs: 0 }, inFlight: 4 },
  });

  loop.start();
  const isDrained = await clock.until(loop.drained(never), 24 * hour);
  await clock.until(loop.stop(0));

  expect({ isDrained, letters: journal.letters.length }).toEqual({ isDrained: true, letters: 0 });
  expect(sent.filter(({ uids }) => uids.length < 20).length / sent.length).toBeLessThan(most);
});

it.each([
  ['the receiver answers nothing else', (isRefused: boolean) => Promise.resolve(!isRefused)],
  [
    'what delivers nothing fails, too',
    (isRefused: boolean) => (isRefused ? Promise.reject(new Error('403')) : Promise.resolve(true)),
  ],
  ['the sink cannot ask', undefined],
] as const)('keeps the order of a sink with one request under way while all are refused, where %s', async (_, reaches) => {
  let isRefused = true;
  const journal = memoryJournal();
  journal.put(live, records('e', 100));
  const { loop, clock, sent } = setUp({
    journal,
    answer: () => (isRefused ? refused : accepted),
    settings: { batch: { events: 20, bytes: 10_000_000, waitMs: 0 }, inFlight: 1 },
    ...(reaches !== undefined && { sink: { reaches: () => reaches(isRefused) } }),
  });
  loop.start();
  await clock.advance(12 * hour);
  const asked = sent.length;
  isRefused = false;

  await clock.until(loop.drained(never), hour);
  await clock.until(loop.stop(0));

  expect(sent.slice(asked).flatMap(({ uids }) => uids)).toEqual(records('e', 100).map(({ uid }) => uid));
});

it.each([1, 4])('blames nobody while all are refused, and goes on where it stood, %s under way', async (inFlight) => {
  let isRefused = false;
  const { loop, clock, journal, sent } = scene(() => (isRefused ? refused : accepted), 45, { inFlight });
  loop.start();
  await clock.advance(minute);
  isRefused = true;
  journal.put(live, records('new', 200));
  await clock.advance(12 * hour);
  const asked = sent.length;
  expect(loop.status().hold).toMatchObject({ reason: 'answered 403' });
  isRefused = false;

  const isDrained = await clock.until(loop.drained(never), hour);
  await clock.until(loop.stop(0));

  expect({ isDrained, letters: journal.letters.length }).toEqual({ isDrained: true, letters: 0 });
  expect(journal.settled).toMatchObject({ acknowledged: 300, possible_duplicates: 0 });
  expect(asked).toBeLessThan(250);
});
