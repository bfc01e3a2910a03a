// A receiver that takes batches and acknowledges none of them.
import { expect, it } from 'vitest';
import type { Lane } from '../../src/journal/journal.ts';
import type { Pending, Verdicts } from '../../src/sinks/sink.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { records, setUp } from './harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };
const never = new AbortController().signal;

function silent(isAnswering: () => boolean) {
  const journal = memoryJournal();
  journal.put(live, records('e', 500));
  const setup = setUp({
    journal,
    settings: { inFlight: 4, batch: { events: 50, bytes: 1_000_000, waitMs: 0 } },
    answer(): Pending {
      const { promise, resolve } = Promise.withResolvers<Verdicts>();
      const isAnswered = isAnswering();
      const verdicts: Verdicts = isAnswered
        ? { all: { kind: 'accept' } }
        : { all: { kind: 'uncertain', reason: 'no acknowledgement', blameless: true, fix: 'make it sticky' } };
      setup.clock.timer(isAnswered ? 100 : 10_000, () => resolve(verdicts));
      return { pending: promise };
    },
  });
  return { ...setup, journal };
}

it('sends one batch at a time while acknowledgements fail, then holds with what to change, without a dead letter', async () => {
  const { loop, clock, sent, journal } = silent(() => false);
  loop.start();

  await clock.advance(120_000);

  const copies = sent.reduce((sum, { uids }) => sum + uids.length, 0);
  expect(loop.status()).toMatchObject({ state: 'hold', hold: { reason: 'no acknowledgement', fix: 'make it sticky' } });
  expect(copies).toBeLessThan(1_000);
  expect(journal.letters).toEqual([]);
  expect(journal.settled.possible_duplicates).toBeGreaterThanOrEqual(500);
  await clock.until(loop.stop(0));
});

it('goes on at full width as soon as a batch is acknowledged again', async () => {
  let isAnswering = false;
  const { loop, clock, journal } = silent(() => isAnswering);
  loop.start();
  await clock.advance(600_000);
  isAnswering = true;

  const isDrained = await clock.until(loop.drained(never), 400_000);

  expect({ isDrained, acknowledged: journal.settled.acknowledged, state: loop.status().state }).toEqual({
    isDrained: true,
    acknowledged: 500,
    state: 'idle',
  });
  await clock.until(loop.stop(0));
});
