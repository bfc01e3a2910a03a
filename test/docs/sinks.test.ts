import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { sinkTypes } from '../../src/sinks/index.ts';

it('says in the README of every kind of sink what acknowledged means', async () => {
  const readme = await readFile(join(resolve(import.meta.dirname, '../..'), 'README.md'), 'utf8');

  const [table = ''] = readme.slice(readme.indexOf('| acknowledged means |')).split('\n\n');
  const rows = [...table.matchAll(/^\| `(\w+)` \| .* \| (.*) \|$/gm)].map(([, type, meaning]) => [type, meaning]);

  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(Object.values(sinkTypes).map(({ name, acknowledges }) => [name, acknowledges])),
  );
});
