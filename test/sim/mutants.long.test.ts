import { expect, it } from 'vitest';
import { mutants } from './mutants.ts';
import { tryMutant } from './mutate.ts';

it.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
  'notices a copy of the code with the fault "%s"',
  async (_name, mutant) => {
    const { outcome, how } = await tryMutant(mutant);

    expect(outcome, how).not.toBe('missed');
  },
  900_000,
);
