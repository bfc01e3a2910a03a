import { readFile, truncate } from 'node:fs/promises';
import { it } from 'vitest';
import { expectRepair, overwrite } from './damage.ts';

it.each([
  {
    what: 'a file cut to half of its length',
    seed: 72,
    damage: async (path: string) => truncate(path, Math.floor((await readFile(path)).length / 2)),
  },
  { what: 'an overwritten header', seed: 74, damage: (path: string) => overwrite(path, 0, Buffer.alloc(100, 7)) },
])('refuses a journal with $what before anything is polled, and loses nothing once it is repaired', ({ damage, seed }) =>
  expectRepair(seed, damage),
);
