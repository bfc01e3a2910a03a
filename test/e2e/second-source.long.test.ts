import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { configFile, run } from './penstock.ts';
import { startVendors } from './vendors.ts';

async function uidsIn(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid);
}

it('brings a sink what it skipped through a second source of the tenant, with the same ids', async () => {
  const vendors = await startVendors(31);
  await using _simulator = vendors.simulator;
  const { 'anaconda-acme': source } = vendors.sources;
  const first = { sources: { acme: source }, sinks: { whole: { type: 'file', path: './whole.ndjson' } } };
  const file = await configFile(first);
  await run(['run', '--once', '-c', file]);
  const second = await configFile({
    data_dir: join(dirname(file), 'data'),
    sources: { acme: source, 'acme-again': source },
    sinks: {
      whole: { type: 'file', path: join(dirname(file), 'whole.ndjson'), sources: ['acme'] },
      late: { type: 'file', path: join(dirname(file), 'late.ndjson'), sources: ['acme-again'] },
    },
  });

  const { code } = await run(['run', '--once', '-c', second]);

  const [whole, late] = await Promise.all([
    uidsIn(join(dirname(file), 'whole.ndjson')),
    uidsIn(join(dirname(file), 'late.ndjson')),
  ]);
  const known = new Set(late);
  expect(code).toBe(0);
  expect(whole.filter((uid) => !known.has(uid))).toEqual([]);
  expect(new Set(whole).size).toBe(whole.length);
});
