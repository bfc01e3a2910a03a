// What the tests share that kill the daemon and then ask whether anything is missing.
import { expect } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { allFaults } from '../../src/simulator/index.ts';
import { missingArrivals } from './conditions.ts';
import { command, configFile, penstock } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { calm, startVendors } from './vendors.ts';

/** Vendors and a receiver that misbehave in every way, and a configuration between them. */
export async function faultyScene(seed: number) {
  const vendors = await startVendors(seed, { ...allFaults, unreadable: 0 });
  const receiver = await startReceiver(seededRandom(seed), { busy: 0.1, lostAnswer: 0.1, reset: 0.05 });
  const file = await configFile({
    sources: vendors.sources,
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 100, wait: '100ms' }, backoff_max: '1s' } },
  });
  return {
    vendors,
    receiver,
    file,
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]();
      await vendors.simulator[Symbol.asyncDispose]();
    },
  };
}

/** Ends all faults, runs the daemon once more, and expects every event of the vendors at the receiver and a balanced ledger. */
export async function expectNothingLost({ vendors, receiver, file }: Awaited<ReturnType<typeof faultyScene>>): Promise<void> {
  calm(vendors);
  receiver.faults = {};
  await vendors.simulator.download();
  const rows = vendors.simulator.issued('astra-csv').length;
  const daemon = penstock(['run', '-c', file]);
  const fromFiles = (): number =>
    new Set(
      receiver.received
        .filter(({ event }) => (event['metadata'] as { log_name: string }).log_name === 'astra.audit')
        .map(({ uid }) => uid),
    ).size;
  const missing = await missingArrivals(receiver, vendors);
  await receiver.until(() => fromFiles() >= rows).catch(() => undefined);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await command(['ledger', '--json', '-c', file]);

  expect({ missing, rowsMissing: rows - Math.min(rows, fromFiles()), code }).toEqual({ missing: [], rowsMissing: 0, code: 0 });
  expect(JSON.parse(ledger.stdout)).toMatchObject({ imbalances: [] });
  expect(ledger.code).toBe(0);
}
