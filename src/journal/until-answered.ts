import { sleep } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { fullJitterMs } from '../base/random.ts';
import type { Seams } from '../base/seams.ts';

const baseMs = 50;
const longestMs = 1_000;

/**
 * Asks the journal until it answers, for about `forMs` milliseconds: PEN_JOURNAL_UNAVAILABLE leaves open whether the work was done, so what is
 * asked carries an attempt or a token of its own, or may be done twice. Rejects with the journal's error, or the signal's reason.
 */
export async function untilAnswered<T>(
  ask: () => Promise<T>,
  { clock, random }: Pick<Seams, 'clock' | 'random'>,
  forMs: number,
  signal?: AbortSignal,
): Promise<T> {
  const end = clock.monotonic() + forMs;
  for (let failures = 0; ; failures += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof PenstockError && error.code === 'PEN_JOURNAL_UNAVAILABLE') || clock.monotonic() >= end) throw error;
      await sleep(clock, 1 + fullJitterMs(random, failures, baseMs, longestMs), signal);
    }
  }
}
