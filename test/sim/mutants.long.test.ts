import { expect, it } from 'vitest';
import { mutants } from './mutants.ts';
import { tryMutant } from './mutate.ts';

// Two at a time: they are most of what npm run test:all does, and one alone leaves a core idle once all else is done.
it.concurrent.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
  'notices a copy of the code with the fault "%s"',
  async (_name, mutant) => {
    const { outcome, how } = await tryMutant(mutant);

    expect(outcome, how).not.toBe('missed');
  },
  900_000,
);
