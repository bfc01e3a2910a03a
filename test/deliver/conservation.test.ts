import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { Lane } from '../../src/journal/journal.ts';
import type { Batch, Pending, Verdict, Verdicts } from '../../src/sinks/sink.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { fewOrMany } from '../thorough.ts';
import { records, setUp } from './harness.ts';

const lanes: readonly Lane[] = [
  { kind: 'live', source: 'acme' },
  { kind: 'live', source: 'globex' },
  { kind: 'backfill', source: 'acme' },
];
const never = new AbortController().signal;

const moods: readonly (() => Verdict)[] = [
  () => ({ kind: 'accept' }),
  () => ({ kind: 'accept', slower: true }),
  () => ({ kind: 'sent' }),
  () => ({ kind: 'retry', reason: '503' }),
  () => ({ kind: 'retry', reason: 'again', retryAfterMs: 0 }),
  () => ({ kind: 'uncertain', reason: 'reset' }),
  () => ({ kind: 'split', code: '413', reason: 'too big' }),
  () => ({ kind: 'event', code: '6', reason: 'bad data' }),
  () => ({ kind: 'hold', reason: '403', fix: 'renew' }),
];

it('gives every event exactly one place in the ledger, whatever a receiver answers', async () => {
  const run = async (seed: number, inFlight: number, events: number): Promise<void> => {
    const random = seededRandom(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random.float() * from.length)] as T;
    const journal = memoryJournal();
    for (const lane of lanes) journal.put(lane, records(`${lane.kind}-${lane.source}-`, Math.ceil(random.float() * events)));
    const total = lanes.reduce((sum, lane) => sum + journal.sizeOf(lane), 0);
    const taken = new Set<string>();
    let patience = 300;

    const verdicts = (batch: Batch): Verdicts => {
      patience -= 1;
      const mood = (): Verdict => (patience < 0 ? { kind: 'accept' } : pick(moods)());
      const answer: Verdicts = random.float() < 0.5 ? { all: mood() } : { each: batch.events.map(mood) };
      for (const [index, { uid }] of batch.events.entries()) {
        const verdict = 'all' in answer ? answer.all : answer.each[index];
        if (verdict?.kind === 'accept' || verdict?.kind === 'sent') taken.add(uid);
      }
      return answer;
    };
    const answer = (batch: Batch): Verdicts | Pending | Promise<Verdicts> => {
      const how = random.float();
      const later = (): Promise<Verdicts> => {
        const { promise, resolve } = Promise.withResolvers<Verdicts>();
        setup.clock.timer(Math.floor(random.float() * 5_000), () => resolve(verdicts(batch)));
        return promise;
      };
      if (how < 0.2) return { pending: later() };
      if (how < 0.5) return later();
      if (how < 0.55 && patience > 0) throw new Error('socket hang up');
      return verdicts(batch);
    };
    const setup = setUp({
      journal,
      settings: { inFlight, batch: { events: 7, bytes: 100_000, waitMs: 50 } },
      sink: { endpoints: ['a', 'b'] },
      answer,
      seed,
    });
    setup.loop.start();
    setup.clock.timer(400_000, () => setup.loop.release());

    const isDrained = await setup.clock.until(setup.loop.drained(never), 40_000_000);
    await setup.clock.until(setup.loop.stop(0));

    const { acknowledged, unconfirmed, dead_lettered } = journal.settled;
    const lettered = new Set(journal.letters.map(({ record }) => record.uid));
    expect({
      isDrained,
      ledger: acknowledged + unconfirmed + dead_lettered,
      offsets: lanes.map((lane) => journal.offsetOf(lane) - journal.sizeOf(lane)),
    }).toEqual({
      isDrained: true,
      ledger: total,
      offsets: [0, 0, 0],
    });
    expect({ letters: lettered.size, explained: new Set([...taken, ...lettered]).size }).toEqual({
      letters: dead_lettered,
      explained: total,
    });
  };

  await fc.assert(fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 60 }), run), {
    numRuns: fewOrMany(20, 300),
  });
});
