import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { itInLongTests } from '../thorough.ts';
import { expectNothingLost, faultyScene } from './kill-scene.ts';
import { configFile, penstock, run } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { startVendors } from './vendors.ts';

it('delivers every event although it is killed at its first delivery, and again in the middle', async () => {
  await using scene = await faultyScene(12);
  const { vendors, receiver, file } = scene;

  for (const arrivals of [1, 300]) {
    const daemon = penstock(['run', '-c', file]);
    await receiver.until(() => receiver.received.length >= arrivals);
    daemon.child.kill('SIGKILL');
    await daemon.exited;
    await vendors.simulator.download();
  }

  await expectNothingLost(scene);
});

itInLongTests('explains every duplicate: an answer was lost or the process died before the checkpoint', async () => {
  const vendors = await startVendors(11);
  await using _simulator = vendors.simulator;
  await using receiver = await startReceiver(seededRandom(11), { lostAnswer: 0.3 });
  const file = await configFile({
    sources: vendors.sources,
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 50, wait: '100ms' }, backoff_max: '200ms' } },
  });

  const { code } = await run(['run', '--once', '--timeout', '5m', '-c', file]);

  const copies = new Map<string, number>();
  for (const { uid } of receiver.received) copies.set(uid, (copies.get(uid) ?? 0) + 1);
  const unexplained = [...copies].filter(([uid, count]) => count > 1 && !receiver.unanswered.has(uid));
  expect({ code, unexplained }).toEqual({ code: 0, unexplained: [] });
  expect([...copies.values()].some((count) => count > 1)).toBe(true);
});
