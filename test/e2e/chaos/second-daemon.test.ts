import { expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { itInLongTests } from '../../thorough.ts';
import { missingArrivals } from '../conditions.ts';
import { configFile, penstock } from '../penstock.ts';
import { startReceiver } from '../receiver.ts';
import { startVendors } from '../vendors.ts';

it('refuses a second daemon on the same directory, names the first, and leaves it alone', async () => {
  const vendors = await startVendors(51);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(51));
  const file = await configFile({ sources: vendors.sources, sinks: { lake: { type: 'http', url: receiver.url } } });
  const first = penstock(['run', '-c', file]);
  await receiver.until(() => receiver.received.length > 0);

  // A minute of waiting for the lock passes in a few seconds.
  const second = penstock(['run', '-c', file], { haste: 30 });
  const code = await second.exited;
  const missing = await missingArrivals(receiver, vendors);
  first.child.kill('SIGTERM');

  expect({ code, missing, first: await first.exited }).toEqual({ code: 1, missing: [], first: 0 });
  expect(second.stderr()).toContain(`another penstock uses this journal (process ${first.child.pid}`);
  expect(second.stderr()).toContain('fix: ');
});

itInLongTests('lets a waiting daemon take over when the first is killed', async () => {
  const vendors = await startVendors(52);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(52));
  const file = await configFile({ sources: vendors.sources, sinks: { lake: { type: 'http', url: receiver.url } } });
  const first = penstock(['run', '-c', file]);
  await receiver.until(() => receiver.received.length > 0);
  const second = penstock(['run', '-c', file]);

  first.child.kill('SIGKILL');
  await first.exited;
  await second.said('penstock started');
  const missing = await missingArrivals(receiver, vendors);
  second.child.kill('SIGTERM');

  expect({ code: await second.exited, missing }).toEqual({ code: 0, missing: [] });
});
