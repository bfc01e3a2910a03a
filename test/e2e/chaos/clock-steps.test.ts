import { expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { fewOrAll } from '../../thorough.ts';
import { missingArrivals, splitIdentities, untilStatus } from '../conditions.ts';
import { command, configFile, penstock } from '../penstock.ts';
import { startReceiver } from '../receiver.ts';
import { startVendors } from '../vendors.ts';

const dayMs = 86_400_000;

const steps = [
  { what: 'two days back and forward again', skews: [-2 * dayMs, 0], seed: 42 },
  { what: 'two days forward and back again', skews: [2 * dayMs, 0], seed: 41 },
];

it.each(fewOrAll(1, steps))('loses nothing when the clock steps $what', async ({ skews, seed }) => {
  const vendors = await startVendors(seed);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(seed));
  const { 'astra-acme': _files, ...read } = vendors.sources;
  // Slow enough that every source waits for its rate in every poll.
  const sources = Object.fromEntries(Object.entries(read).map(([name, source]) => [name, { ...source, rate_limit: '5/s' }]));
  const file = await configFile({
    sources,
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 50, wait: '100ms' } } },
  });
  const daemon = penstock(['run', '-c', file], { haste: 1 });
  await receiver.until(() => receiver.received.length > 500);

  for (const skewMs of skews) {
    const asked = Date.now();
    daemon.child.stdin?.write(`${skewMs}\n`);
    // Every source has begun and ended a poll under the new clock.
    const isNow = (at: number): boolean => Math.abs(at - skewMs - Date.now()) < 60_000;
    await untilStatus(file, `a poll of every source at ${skewMs}`, ({ sources: all }) =>
      all.every(({ last_success: at = 0 }) => isNow(at) && at > asked + skewMs),
    );
  }
  const status = await untilStatus(file, 'an uptime', ({ uptime_seconds }) => uptime_seconds !== undefined);
  const missing = await missingArrivals(receiver, vendors);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await command(['ledger', '--json', '-c', file]);

  expect(status.uptime_seconds).toBeLessThan(dayMs / 1000);
  expect(status.uptime_seconds).toBeGreaterThanOrEqual(0);
  expect(status.sources.flatMap(({ errors = [] }) => errors)).toEqual([]);
  expect({ code, missing, split: splitIdentities(receiver) }).toEqual({ code: 0, missing: [], split: [] });
  expect(JSON.parse(ledger.stdout)).toMatchObject({ imbalances: [] });
});
