import { expect, it } from 'vitest';
import { mutants, tryMutant } from './mutants.ts';

// A few of them; `npm run sim -- --mutants` tries all.
it.each([
  'no sync at all',
  'cursor in a transaction of its own',
  'offset moved before the acknowledgement',
  'error of a send swallowed',
])(
  'notices a copy of the code with the fault "%s"',
  async (name) => {
    const mutant = mutants.find((one) => one.name === name);
    if (mutant === undefined) throw new Error(`there is no mutant "${name}"`);

    const { caught, how } = await tryMutant(mutant, '1-20', 4);

    expect(caught, how).toBe(true);
  },
  120_000,
);
