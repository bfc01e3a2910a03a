import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { missingArrivals, untilStatus } from './conditions.ts';
import { command, configFile, penstock } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { startVendors } from './vendors.ts';

// About 600 records that compress badly: more than a journal of 8 MiB holds.
const flood = { pageSize: 20, ballast: 40_000 };

interface Totals {
  readonly acknowledged: number;
  readonly skipped: number;
  readonly pending: number;
}

async function ledgerOf(file: string) {
  const { code, stdout } = await command(['ledger', '--json', '-c', file]);
  return { code, ...(JSON.parse(stdout) as { imbalances: unknown[]; sinks: Record<string, Totals> }) };
}

it('holds, fills the journal, pauses collection, says so, and recovers by itself when the receiver accepts again', async () => {
  const vendors = await startVendors(81, {}, flood);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(81));
  const { 'studio-acme': source } = vendors.sources;
  const file = await configFile({
    journal: { max_bytes: '8MiB' },
    sources: { 'studio-acme': { ...source, retention: '90d' } },
    sinks: { lake: { type: 'http', url: receiver.url, hold_probe: '1s', batch: { wait: '100ms' } } },
  });
  receiver.refuse = () => 401;
  const daemon = penstock(['run', '-c', file]);

  const full = await untilStatus(
    file,
    'a paused collection, and a hold',
    ({ sources, sinks }) =>
      sources.every(({ state }) => state === 'waiting_for_room') && sinks.every(({ hold }) => hold !== undefined),
  );
  const shown = await command(['status', '-c', file]);
  const checked = await command(['status', '--check', '-c', file]);
  receiver.refuse = undefined;
  const missing = await missingArrivals(receiver, vendors, { of: ['analyst-studio'] });
  const well = await untilStatus(file, 'no problem any more', ({ problems }) => problems.length === 0);
  daemon.child.kill('SIGTERM');

  expect({ code: await daemon.exited, missing }).toEqual({ code: 0, missing: [] });
  expect(full.journal.used_bytes).toBeLessThanOrEqual(8 * 2 ** 20);
  expect(shown.stdout).toMatch(/sink lake: on hold for .*401/);
  expect(shown.stdout).toMatch(
    /collection is paused because the journal is full; (no poll has succeeded yet|the last poll ended .* ago); the cursor is .* old, and the vendor keeps 90d/,
  );
  expect(checked.code).toBe(1);
  expect(well.sinks[0]?.hold).toBeUndefined();
  expect(await ledgerOf(file)).toMatchObject({
    code: 0,
    imbalances: [],
    sinks: { lake: { skipped: 0, abandoned: 0, dead_lettered: 0 } },
  });
});

it('ends a hold at once when it is released by hand', async () => {
  const vendors = await startVendors(82);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(82));
  const file = await configFile({
    sources: vendors.sources,
    sinks: { lake: { type: 'http', url: receiver.url, hold_probe: '10m' } },
  });
  receiver.refuse = () => 403;
  const daemon = penstock(['run', '-c', file]);
  await untilStatus(file, 'a sink on hold', ({ sinks }) => sinks.every(({ state }) => state === 'hold'));
  receiver.refuse = undefined;

  const released = await command(['sinks', 'release', 'lake', '-c', file]);
  const missing = await missingArrivals(receiver, vendors);
  daemon.child.kill('SIGTERM');

  expect({ released: released.code, missing, code: await daemon.exited }).toEqual({ released: 0, missing: [], code: 0 });
});

it('lets a sink that may skip fall behind without stopping collection or the healthy sink beside it', async () => {
  const vendors = await startVendors(83, {}, flood);
  await using _simulator = vendors.simulator;
  await using healthy = await startReceiver(seededRandom(83));
  await using dead = await startReceiver(seededRandom(84));
  const batch = { wait: '100ms' };
  const { 'studio-acme': source } = vendors.sources;
  const file = await configFile({
    journal: { max_bytes: '8MiB' },
    sources: { 'studio-acme': source },
    sinks: {
      lake: { type: 'http', url: healthy.url, batch },
      swamp: { type: 'http', url: dead.url, batch, when_full: 'skip', hold_probe: '1s' },
    },
  });
  dead.refuse = () => 401;
  const daemon = penstock(['run', '-c', file]);

  const missing = await missingArrivals(healthy, vendors, { of: ['analyst-studio'] });
  await daemon.said('the journal is full: a sink skipped records');
  const told = await command(['status', '-c', file]);
  dead.refuse = undefined;
  await untilStatus(file, 'a sink that delivers again', ({ sinks }) =>
    sinks.every(({ hold, pending }) => hold === undefined && pending < 500),
  );
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await ledgerOf(file);

  expect({ code, missing, ledger: ledger.code, imbalances: ledger.imbalances }).toEqual({
    code: 0,
    missing: [],
    ledger: 0,
    imbalances: [],
  });
  expect(told.stdout).toMatch(/sink swamp: skipped [1-9]\d* records of studio-acme because the journal was full/);
  expect(ledger.sinks['lake']).toMatchObject({ skipped: 0 });
});
