import { expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { PenstockError } from '../../src/base/errors.ts';
import type { Journal } from '../../src/journal/journal.ts';
import type { Batch } from '../../src/sinks/sink.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { loudLog } from '../loud-log.ts';
import { virtualClock } from '../virtual-clock.ts';
import { records, setUp } from './harness.ts';

const lanes = 20;
const inFlight = 4;
const receiverMs = 20;
const perBatch = 10;

/** A sink whose receiver answers soon, and a shared journal that takes `settleMs` for what it is asked to settle at a time, the first, the second ... */
function world(settleMs: (nth: number) => number) {
  const memory = memoryJournal();
  for (let lane = 0; lane < lanes; lane += 1) memory.put({ kind: 'live', source: `acme${lane}` }, records(`r${lane}-`, 6_500));
  const clock = virtualClock(1_000_000);
  const never = new AbortController().signal;
  const asked = new Set<number>();
  let [begun, settled, mostAhead] = [0, 0, 0];
  const settle: Journal['settle'] = async (...of) => {
    asked.add(clock.monotonic());
    await sleep(clock, settleMs(asked.size), never);
    await memory.settle(...of);
    settled += of[4].acknowledged ?? 0;
  };
  const journal = new Proxy(memory, {
    get: (target, key) => (key === 'settle' ? settle : key === 'skewMs' ? () => 0 : (Reflect.get(target, key) as unknown)),
  });
  const answer = async ({ events }: Batch) => {
    begun += events.length;
    mostAhead = Math.max(mostAhead, (begun - settled) / perBatch);
    await sleep(clock, receiverMs, never);
    return { all: { kind: 'accept' as const } };
  };
  const ofBatch = { events: perBatch, bytes: 100_000, waitMs: 0 };
  return { ...setUp({ journal, clock, settings: { inFlight, batch: ofBatch }, answer }), asked, mostAhead: () => mostAhead };
}

/** How much of what the receiver would take is sent, once it is known how long the journal takes. */
async function pace({ loop, clock, sent }: ReturnType<typeof world>): Promise<number> {
  loop.start();
  await clock.advance(5_000);
  const before = sent.length;
  await clock.advance(20_000);
  void clock.until(loop.stop(0));
  return (sent.length - before) / ((20_000 / receiverMs) * inFlight);
}

it.each([0, 300, 1_000])('sends as much while a shared journal takes %s ms for each settle', async (settleMs) => {
  expect(await pace(world(() => settleMs))).toBeGreaterThan(0.95);
});

it.each([
  [1, 0.95],
  [10, 0.8],
  [40, 0.35],
  [200, 0.07],
])('is two batches ahead of a shared journal that takes %s ms for each settle, and no more', async (settleMs, least) => {
  const scene = world(() => settleMs);

  const paced = await pace(scene);

  expect(scene.mostAhead()).toBe(inFlight + 2);
  expect(paced).toBeGreaterThan(least);
});

it.each([
  ['at once', [10], 250],
  ['at once, and once late', [10, 3_000, 10], 250],
  ['late, and then at once', [3_000, 3_000, 10], 250],
  ['late, and then much later', [300, 3_000], 600],
])('sends no more soon after a shared journal does not answer that answered %s', async (_how, took, patienceMs) => {
  const { loop, clock, sent, asked } = world((nth) => took[nth - 1] ?? 600_000);

  loop.start();
  await clock.advance(30_000);

  const silentFrom = [...asked][took.length] ?? Number.NaN;
  expect(sent.filter(({ at }) => at >= silentFrom + patienceMs + receiverMs)).toEqual([]);
  expect(sent.filter(({ at }) => at < silentFrom).length).toBeGreaterThan(0);
  void clock.until(loop.stop(0));
});

it('sends on as soon as a shared journal answers that was waited for', async () => {
  const took = [300, 300, 300, 1_500];
  const { loop, clock, sent, asked } = world((nth) => took[nth - 1] ?? 300);

  loop.start();
  await clock.advance(10_000);

  const answeredAt = ([...asked][3] ?? Number.NaN) + 1_500;
  const sentIn = (from: number, to: number) => sent.filter(({ at }) => at >= answeredAt + from && at < answeredAt + to).length;
  expect(sentIn(-800, 0)).toBe(0);
  expect(sentIn(0, receiverMs)).toBeGreaterThan(0);
  void clock.until(loop.stop(0));
});

it('sends on for other sources where a row of one is held by another connection of a shared journal', async () => {
  const memory = memoryJournal();
  const clock = virtualClock(1_000_000);
  const never = new AbortController().signal;
  const settle: Journal['settle'] = async (...of) => {
    const isHeld = of[1].source === 'held';
    await sleep(clock, isHeld ? 5_000 : 10, never);
    if (isHeld) throw new PenstockError('PEN_JOURNAL_UNAVAILABLE', 'another connection holds a row of the journal');
    return memory.settle(...of);
  };
  const journal = new Proxy(memory, {
    get: (target, key) => (key === 'settle' ? settle : key === 'skewMs' ? () => 0 : (Reflect.get(target, key) as unknown)),
  });
  const { log, said } = loudLog();
  const { loop, sent } = setUp({ journal, clock, answer: () => ({ all: { kind: 'accept' } }), deps: { log } });
  memory.put({ kind: 'live', source: 'held' }, records('held', 1));
  loop.start();
  await clock.advance(20_000);
  memory.put({ kind: 'live', source: 'held' }, records('later', 1));

  for (let minute = 0; minute < 20; minute += 1) {
    memory.put({ kind: 'live', source: 'free' }, records(`free${minute}-`, 1));
    await clock.advance(60_000);
  }

  const minutes = new Set(
    sent.filter(({ uids }) => uids.some((uid) => uid.startsWith('free'))).map(({ at }) => Math.floor(at / 60_000)),
  );
  expect(minutes.size).toBe(20);
  expect(sent.flatMap(({ uids }) => uids).filter((uid) => !uid.startsWith('free'))).toEqual(['held0']);
  expect(said.filter((line) => line.includes('offsets'))).toEqual([
    '40 offsets are not written: what was delivered is kept, and written when the journal takes it',
  ]);
  expect(loop.status().warnings).toEqual(['offsets cannot be written: another connection holds a row of the journal']);
  void clock.until(loop.stop(0));
});

it('sends what failed as soon as a shared journal has the offsets that it waits for, though nothing new comes', async () => {
  const awayMs = 30_000;
  const memory = memoryJournal();
  const clock = virtualClock(1_000_000);
  const never = new AbortController().signal;
  const settle: Journal['settle'] = async (...of) => {
    await sleep(clock, 200, never);
    return memory.settle(...of);
  };
  const journal = new Proxy(memory, {
    get: (target, key) => (key === 'settle' ? settle : key === 'skewMs' ? () => 0 : (Reflect.get(target, key) as unknown)),
  });
  const answer = () => ({
    all: clock.monotonic() < awayMs ? { kind: 'uncertain' as const, reason: 'broken' } : { kind: 'accept' as const },
  });
  const batch = { events: 1, bytes: 100_000, waitMs: 0 };
  memory.put({ kind: 'live', source: 'acme' }, records('r', 8));
  const { loop, sent } = setUp({ journal, clock, settings: { batch }, answer });

  loop.start();
  await clock.advance(120_000);

  const taken = sent.filter(({ at }) => at >= awayMs).flatMap(({ uids }) => uids);
  expect({ taken: taken.toSorted(), acknowledged: loop.status().acknowledged }).toEqual({
    taken: ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7'],
    acknowledged: 8,
  });
  void clock.until(loop.stop(0));
});
