// Fuzzing with fast-check: grammars of what peers write, and mutations of it, so that most texts get beyond the first character of a reader.
// A few hundred in npm test, some ten thousand of each kind in test:all. The gate tries the same values every time; FUZZ_SEED=new tries some
// that nobody has tried yet.
import * as fc from 'fast-check';
import { fewOrMany } from '../thorough.ts';

interface Habit {
  /** Seeds that failed once: each is played first, for ever. */
  readonly kept?: readonly number[];
  /** How much more than a function call one try costs. */
  readonly weight?: number;
}

/**
 * Tries a property with many values; `check` throws when it does not hold. The failure names seed and path, and the smallest value that
 * shows it: whoever mends it writes the value into a test of its own, or the seed into `kept`.
 */
export function fuzz<T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void, { kept = [], weight = 1 }: Habit = {}): void {
  const property = fc.property(arbitrary, check);
  const numRuns = runs(weight);
  for (const seed of kept) fc.assert(property, { seed, numRuns });
  fc.assert(property, { numRuns });
}

/** As {@link fuzz}, for readers that answer later. */
export async function fuzzAsync<T>(
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => Promise<void>,
  { kept = [], weight = 1 }: Habit = {},
): Promise<void> {
  const property = fc.asyncProperty(arbitrary, check);
  const numRuns = runs(weight);
  for (const seed of kept) await fc.assert(property, { seed, numRuns });
  await fc.assert(property, { numRuns });
}

const runs = (weight: number): number => Math.ceil(fewOrMany(200, 40_000) / weight);

/** What `read` gives, or the error that it is allowed to throw. */
export function resultOf<T>(
  read: () => T,
  isAllowed: (error: unknown) => boolean,
): { readonly value: T } | { readonly error: Error } {
  try {
    return { value: read() };
  } catch (error) {
    if (isAllowed(error)) return { error: error as Error };
    throw error;
  }
}
