import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { seededRandom } from '../../src/base/random.ts';
import { itInLongTests } from '../thorough.ts';
import { command, configFile, run } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { startVendors } from './vendors.ts';

const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();

itInLongTests('finds a record that came after its window was closed, repairs it, and then finds nothing', async () => {
  const vendors = await startVendors(21);
  await using _simulator = vendors.simulator;
  const { 'anaconda-acme': source } = vendors.sources;
  const file = await configFile({
    sources: { 'anaconda-acme': source },
    sinks: { archive: { type: 'file', path: './out.ndjson' } },
  });
  const range = ['--from', minutesAgo(9), '--to', minutesAgo(1), '-c', file];
  await run(['run', '--once', '-c', file]);
  const late = vendors.simulator.insert('anaconda', Date.now() - 8 * 60_000);

  const before = await command(['verify', 'anaconda-acme', '--json', ...range]);
  const repair = await command(['verify', 'anaconda-acme', '--repair', '--html', join(dirname(file), 'report.html'), ...range]);
  const after = await command(['verify', 'anaconda-acme', '--json', ...range]);

  const [first, second] = [before, after].map(
    ({ stdout }) =>
      JSON.parse(stdout) as {
        vendor: number;
        collected: number;
        missing: number;
        never_collected: number;
        delivered: { archive: number };
      },
  );
  expect([before.code, first?.missing, first?.never_collected]).toEqual([1, 1, 0]);
  expect(repair.code, repair.stderr).toBe(0);
  expect([after.code, second?.missing, second?.delivered.archive]).toEqual([0, 0, second?.vendor]);
  expect(second?.vendor).toBe(first?.vendor);
  expect(await readFile(join(dirname(file), 'out.ndjson'), 'utf8')).toContain(late);
  expect(await readFile(join(dirname(file), 'report.html'), 'utf8')).toContain('1 is missing');
});

it('exits 1 where records are from before the start of the source, and names the backfill', async () => {
  const vendors = await startVendors(22);
  await using _simulator = vendors.simulator;
  const { 'anaconda-acme': source } = vendors.sources;
  const file = await configFile({
    sources: { 'anaconda-acme': { ...source, start: '2m' } },
    sinks: { archive: { type: 'file', path: './out.ndjson' } },
  });
  await run(['run', '--once', '-c', file]);

  const { code, stdout } = await command(['verify', 'anaconda-acme', '--from', minutesAgo(9), '--to', minutesAgo(8), '-c', file]);

  expect(code).toBe(1);
  expect(stdout).toContain('from before the start of the source; --repair or "penstock backfill anaconda-acme" collects them');
  expect(stdout).not.toContain('Every event');
});

it('calls nothing good of a time that the vendor does not keep any more', async () => {
  const vendors = await startVendors(24);
  await using _simulator = vendors.simulator;
  const { 'anaconda-acme': source } = vendors.sources;
  const file = await configFile({
    sources: { 'anaconda-acme': { ...source, retention: '1d' } },
    sinks: { archive: { type: 'file', path: './out.ndjson' } },
  });
  await run(['run', '--once', '-c', file]);
  const ask = (from: string) => command(['verify', 'anaconda-acme', '--from', from, '--to', minutesAgo(5), '-c', file]);

  const [within, beyond] = [await ask(minutesAgo(9)), await ask('3d')];

  expect(within.stdout).toContain('Every event that the API returned is accounted for.');
  expect(beyond.stdout).toContain('of the range before that it may show nothing any more, and this proves nothing');
  expect(beyond.stdout).not.toContain('Every event');
});

it('exits 1 where records since the start of the source are overdue, as while it is on hold', async () => {
  const vendors = await startVendors(23);
  await using _simulator = vendors.simulator;
  const { 'anaconda-acme': source } = vendors.sources;
  vendors.simulator.insert('anaconda', Date.now() - 40 * 60_000);
  const config = (secret: object) => ({
    sources: { 'anaconda-acme': { ...source, start: '1h', options: { ...(source?.['options'] as object), ...secret } } },
    sinks: { archive: { type: 'file', path: './out.ndjson' } },
  });
  const file = await configFile(config({ client_secret: 'wrong' }));
  const refused = await run(['run', '--once', '-c', file]);
  await writeFile(file, stringify({ data_dir: './data', admin: { listen: '127.0.0.1:0' }, ...config({}) }));

  const range = ['--from', minutesAgo(45), '--to', minutesAgo(30), '-c', file];
  const { code, stdout } = await command(['verify', 'anaconda-acme', '--json', ...range]);

  expect(refused.code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ missing: 0, never_collected: 1, overdue: 1 });
  expect(code).toBe(1);
});

it('claims of no sink that it was given what was collected before it was there, or what was discarded', async () => {
  const vendors = await startVendors(25);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(1));
  const { 'anaconda-acme': source } = vendors.sources;
  const archive = { type: 'file', path: './out.ndjson' };
  const soc = { type: 'http', url: receiver.url, batch: { wait: '100ms' } };
  const file = await configFile({ sources: { 'anaconda-acme': source }, sinks: { archive, soc } });
  let bad: string | undefined;
  receiver.refuse = (events) => {
    if (events.length === 1) bad ??= events[0]?.uid;
    return events.length > 1 && bad === undefined ? 413 : events.some(({ uid }) => uid === bad) ? 400 : undefined;
  };
  await run(['run', '--once', '-c', file]);
  await command(['dead-letters', 'discard', '--sink', 'soc', '--yes', '-c', file]);
  await writeFile(
    file,
    (await readFile(file, 'utf8')).replace('sinks:\n', 'sinks:\n  fresh: { type: file, path: ./fresh.ndjson }\n'),
  );
  await run(['run', '--once', '-c', file]);

  const asked = ['verify', 'anaconda-acme', '--from', minutesAgo(9), '--to', minutesAgo(1), '-c', file];
  const { stdout } = await command([...asked, '--json']);
  const told = await command(asked);

  const { vendor, delivered, discarded, unproven } = JSON.parse(stdout) as Record<string, number & Record<string, number>>;
  expect({ delivered, discarded, unproven }).toEqual({
    delivered: { archive: vendor, soc: Number(vendor) - 1, fresh: 0 },
    discarded: { archive: 0, soc: 1, fresh: 0 },
    unproven: { archive: 0, soc: 0, fresh: vendor },
  });
  expect(told.stdout).toContain(`${vendor} are from before sink fresh was there: whether its start gave it them is not known`);
});
