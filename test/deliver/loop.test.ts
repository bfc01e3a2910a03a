import { expect, it } from 'vitest';
import type { Lane } from '../../src/journal/journal.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
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
