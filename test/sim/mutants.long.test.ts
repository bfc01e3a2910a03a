import { expect, it } from 'vitest';
import { hasPostgres } from '../postgres.ts';
import { mutants } from './mutants.ts';
import { tryMutant } from './mutate.ts';

const tried = mutants.filter(({ needs }) => needs === undefined || hasPostgres());

it.each(tried.map((mutant) => [mutant.name, mutant] as const))(
  'notices a copy of the code with the fault "%s"',
  async (_name, mutant) => {
    const { caught, how } = await tryMutant(mutant);

    expect(caught, how).toBe(true);
  },
  900_000,
);
