import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { missingArrivals } from '../conditions.ts';
import { command, configFile, penstock } from '../penstock.ts';
import { startReceiver } from '../receiver.ts';
import { startVendors } from '../vendors.ts';

it('goes on after being stopped for longer than its time-outs, again and again, and loses nothing', async () => {
  const vendors = await startVendors(31);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(31));
  const file = await configFile({
    sources: vendors.sources,
    sinks: { lake: { type: 'http', url: receiver.url, timeout: '1s', batch: { events: 20, wait: '100ms' }, backoff_max: '1s' } },
  });
  const daemon = penstock(['run', '-c', file]);
  const stops = 2;

  for (let stop = 1; stop <= stops; stop += 1) {
    const before = receiver.received.length;
    await receiver.until(() => receiver.received.length > before);
    daemon.child.kill('SIGSTOP');
    // Longer than the sink's time-out: the length of the pause is the experiment.
    await pause(2500);
    daemon.child.kill('SIGCONT');
  }
  const missing = await missingArrivals(receiver, vendors);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await command(['ledger', '--json', '-c', file]);

  expect({ code, missing }).toEqual({ code: 0, missing: [] });
  expect(JSON.parse(ledger.stdout)).toMatchObject({ imbalances: [] });
});
