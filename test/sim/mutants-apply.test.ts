import { expect, it } from 'vitest';
import { mutants } from './mutants.ts';
import { checkApplies } from './mutate.ts';

it.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
  'can put the fault "%s" into the code as it is',
  (_name, mutant) => {
    expect(() => checkApplies(mutant)).not.toThrow();
  },
);
