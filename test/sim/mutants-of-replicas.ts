// Faults that show only where several replicas share a journal, in the code that all of them run; histories of replicas notice them.
import type { Mutant } from './mutate.ts';

const noFence = 'const fence = `waits AS (SELECT 1), fence AS (SELECT 1 AS id)`;';

/** Faults that histories of several replicas notice. */
export const mutantsOfReplicas: readonly Mutant[] = [
  {
    name: 'no fence in a settle',
    file: 'src/journal/postgres/offsets.ts',
    caughtBy: 'replicas',
    edits: [
      ['const fence = fencePart(db.s, values, source);', noFence],
      ['const fence = fencePart(s, values, source);', noFence],
    ],
  },
  {
    name: 'the fence of a settle stands outside its transaction',
    file: 'src/journal/postgres/offsets.ts',
    caughtBy: 'replicas',
    edits: [['const [held] = await sql.query(', 'const [held] = await core.db.query(']],
  },
  {
    name: 'the engine makes the attempt of an append anew when the answer was lost',
    file: 'src/journal/postgres/append.ts',
    caughtBy: 'replicas',
    edits: [['source, before, attempt, days:', 'source, before, attempt: newAttempt(), days:']],
  },
];
