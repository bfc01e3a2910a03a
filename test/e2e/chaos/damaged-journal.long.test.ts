import { readFile, truncate } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'vitest';
import { expectRepair, overwrite } from './damage.ts';

/** Flips one bit in the first stored page, wherever it lies in the file. */
async function flipInPage(path: string): Promise<void> {
  const db = new DatabaseSync(path, { readOnly: true });
  const body = db.prepare('SELECT body FROM pages ORDER BY id LIMIT 1').get()?.['body'];
  db.close();
  if (!(body instanceof Uint8Array)) throw new Error('there is no page');
  const head = Buffer.from(body).subarray(0, 64);
  const bytes = await readFile(path);
  // A copy that the file no longer uses may lie before the one in use.
  for (let at = bytes.indexOf(head); at >= 0; at = bytes.indexOf(head, at + 1))
    await overwrite(path, at + 40, Buffer.from([(bytes[at + 40] ?? 0) ^ 0x10]));
}

it.each([
  { what: 'a flipped bit', seed: 71, damage: flipInPage },
  {
    what: 'a file cut to half of its length',
    seed: 72,
    damage: async (path: string) => truncate(path, Math.floor((await readFile(path)).length / 2)),
  },
  { what: 'an overwritten header', seed: 74, damage: (path: string) => overwrite(path, 0, Buffer.alloc(100, 7)) },
])('refuses a journal with $what before anything is polled, and loses nothing once it is repaired', ({ damage, seed }) =>
  expectRepair(seed, damage),
);
