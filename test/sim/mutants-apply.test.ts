import { expect, it } from 'vitest';
import { checkApplies, mutants } from './mutants.ts';

it.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
  'can put the fault "%s" into the code as it is',
  (_name, mutant) => {
    expect(() => checkApplies(mutant)).not.toThrow();
  },
);
