import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { testConnector } from '../../src/workbench/connector-test/index.ts';

// Connectors of vendors that are not shipped, written from docs/connectors.md alone. What they ask and what comes out is recorded beside them.
const folder = join(import.meta.dirname, 'by-the-page');
const names = await readdir(folder);

it.each(names)('%s can be said as the page says it', async (name) => {
  const { cases, passed } = await testConnector(join(folder, name), systemSeams(), { update: false });

  expect(cases.flatMap(({ faults }) => faults)).toEqual([]);
  expect([passed, cases.length]).toEqual([true, 1]);
});
