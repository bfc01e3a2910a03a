import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { isObject } from '../../src/base/json.ts';
import { command, configFile, run } from './penstock.ts';
import { startVendors } from './vendors.ts';

const documented = readFileSync(resolve(import.meta.dirname, '../../docs/json.md'), 'utf8');
// Below these, keys are names or the vendor's.
const free = new Set([
  'sources',
  'sinks',
  'delivered',
  'given_up',
  'not_routed',
  'unproven',
  'discarded',
  'dead_lettered',
  'pending',
  'unknown_actions',
  'classes',
  'details',
  'args',
  'progress',
  'record',
]);

function keysOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(keysOf);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    if (!free.has(key) || Array.isArray(item)) return [key, ...keysOf(item)];
    return [key, ...(key === 'sources' || key === 'sinks' ? Object.values(item as object).flatMap(keysOf) : [])];
  });
}

it('documents every field that a script may read', async () => {
  const vendors = await startVendors(3);
  await using _simulator = vendors.simulator;
  const file = await configFile({
    sources: vendors.sources,
    sinks: {
      archive: { type: 'file', path: './out.ndjson' },
      small: { type: 'syslog', address: 'udp://127.0.0.1:9', max_message: '480B' },
    },
  });
  await run(['run', '--once', '--timeout', '15s', '-c', file]);
  const range = ['--from', '20m', '--to', '1m'];

  const answers = await Promise.all(
    [
      ['status'],
      ['ledger'],
      ['dead-letters', 'list'],
      ['check'],
      ['journal', 'check'],
      ['verify', 'anaconda-acme', ...range],
    ].map((args) => command([...args, '--json', '-c', file])),
  );

  const keys = new Set(answers.flatMap(({ stdout }) => keysOf(JSON.parse(stdout))));
  expect(keys.size).toBeGreaterThan(60);
  expect([...keys].filter((key) => !documented.includes(`\`${key}\``))).toEqual([]);
});
