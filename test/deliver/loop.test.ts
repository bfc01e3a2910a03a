import { expect, it } from 'vitest';
import type { Lane } from '../../src/journal/journal.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { virtualClock } from '../virtual-clock.ts';
import { accepted, records, setUp } from './harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };

it('delivers what is in the journal and moves the offset behind it', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 25));
  const { loop, clock, sent } = setUp({ journal, answer: () => accepted });

  loop.start();
  const isDrained = await clock.until(loop.drained(new AbortController().signal));
  await clock.until(loop.stop(0));

  expect({
    isDrained,
    offset: journal.offsetOf(live),
    sizes: sent.map(({ uids }) => uids.length),
    settled: journal.settled.acknowledged,
  }).toEqual({
    isDrained: true,
    offset: 25,
    sizes: [10, 10, 5],
    settled: 25,
  });
});

it('gives way to other work between small batches, too', async () => {
  const journal = memoryJournal();
  journal.put(live, records('e', 60));
  const virtual = virtualClock(1_000_000);
  let [mapped, inTurn, most] = [0, 0, 0];
  const { loop } = setUp({
    journal,
    answer: () => accepted,
    // An event takes 1.5 ms, and a batch just less than a slice.
    clock: { ...virtual, monotonic: () => virtual.monotonic() + mapped * 1.5 },
    settings: { batch: { events: 5, bytes: 100_000, waitMs: 0 }, inFlight: 8 },
    sink: {
      encode: ({ body }) => {
        mapped += 1;
        inTurn += 1;
        most = Math.max(most, inTurn);
        return body;
      },
    },
  });
  let counting = setImmediate(function turn() {
    inTurn = 0;
    counting = setImmediate(turn);
  });

  loop.start();
  await virtual.until(loop.drained(new AbortController().signal));
  clearImmediate(counting);
  await virtual.until(loop.stop(0));

  expect(mapped).toBe(60);
  expect(most).toBeLessThanOrEqual(7);
});
