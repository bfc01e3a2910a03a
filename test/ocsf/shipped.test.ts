import { globSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { loadConnector } from '../../src/connectors/index.ts';
import { faultsOf } from './faults.ts';

const connectors = resolve(import.meta.dirname, '../../connectors');
const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as unknown);

// A case of a quiet log expects no event.
const cases = globSync('*/tests/*/expected.ndjson', { cwd: connectors }).filter(
  (file) => linesOf(resolve(connectors, file)).length > 0,
);
const sampled = globSync('*/samples.ndjson', { cwd: connectors }).map((file) => file.split(/[\\/]/)[0] ?? '');

it.each(cases)('%s holds valid events', (file) => {
  const events = linesOf(resolve(connectors, file));

  expect(events.flatMap(faultsOf)).toEqual([]);
});

it.each(sampled)('maps every sample of %s to a valid event', async (name) => {
  const { records, mapper } = await loadConnector(name, { dirs: [connectors], files: systemSeams().files });
  const samples = linesOf(resolve(connectors, name, 'samples.ndjson'));

  const faults = samples.flatMap((value) => {
    const { uid, record } = records.examine({ value }, 'tenant-1');
    const { event } = mapper.map(
      { uid, received: 1, record },
      { source: name, tenant: 'tenant-1', labels: ['one'], processedTime: 1 },
    );
    return faultsOf(JSON.parse(JSON.stringify(event))).map(
      (fault) => `${relative(connectors, name)} ${event.metadata.event_code}: ${fault}`,
    );
  });

  expect(faults).toEqual([]);
});
