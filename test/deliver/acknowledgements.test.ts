// A receiver that takes batches and acknowledges none of them.
import { expect, it } from 'vitest';
import type { Lane } from '../../src/journal/journal.ts';
import type { Pending, Verdict, Verdicts } from '../../src/sinks/sink.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { records, setUp } from './harness.ts';

const live: Lane = { kind: 'live', source: 'acme' };
const never = new AbortController().signal;

const unacknowledged: Verdict = { kind: 'uncertain', reason: 'no acknowledgement', blameless: true, fix: 'make it sticky' };
const refused: Verdict = { kind: 'hold', reason: 'answered "ACK is disabled"', fix: 'turn it on', maybeStored: true };

function silent(isAnswering: () => boolean, verdict = unacknowledged) {
  const journal = memoryJournal();
  journal.put(live, records('e', 500));
  const setup = setUp({
    journal,
    settings: { inFlight: 4, batch: { events: 50, bytes: 1_000_000, waitMs: 0 } },
    answer(): Pending {
      const { promise, resolve } = Promise.withResolvers<Verdicts>();
      const isAnswered = isAnswering();
      const verdicts: Verdicts = { all: isAnswered ? { kind: 'accept' } : verdict };
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

it('sends a single event with each probe while the request for acknowledgements is refused, and counts each copy', async () => {
  const { loop, clock, sent, journal } = silent(() => false, refused);
  loop.start();

  await clock.advance(3_600_000);

  const sizes = sent.map(({ uids }) => uids.length);
  const copies = sizes.reduce((sum, size) => sum + size, 0);
  expect(loop.status()).toMatchObject({ state: 'hold', hold: { reason: refused.reason, fix: refused.fix } });
  // As many as may be under way are there before the first refusal; a part of it is asked about before the single events.
  expect({ batches: sizes.filter((size) => size === 50).length, isMany: sizes.length > 12 }).toEqual({
    batches: 10,
    isMany: true,
  });
  expect(journal.settled.possible_duplicates).toBeGreaterThanOrEqual(copies - 500);
  await clock.until(loop.stop(0));
});

it.each([unacknowledged, refused])('goes on at full width as soon as a batch is acknowledged again: $reason', async (verdict) => {
  let isAnswering = false;
  const { loop, clock, journal } = silent(() => isAnswering, verdict);
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
