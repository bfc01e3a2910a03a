import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { seed } from '../seed.ts';
import { command, penstock } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { audit, configFor, data, record, startService, usersIn } from './stream-scene.ts';

it(`loses no message although daemon and service die at random (FUZZ_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const { pulsar } = await startService(seed);
  await using _service = pulsar;
  await using receiver = await startReceiver(random);
  pulsar.faults.repeat = 0.1;
  pulsar.faults.reorder = 0.1;
  const file = await configFor(pulsar, receiver, { topics: [audit, data] });
  const sent: string[] = [];
  const publish = (count: number): void => {
    for (let n = 0; n < count; n += 1) {
      const user = `user-${sent.length}`;
      pulsar.publish(sent.length % 3 === 0 ? data : audit, record(user));
      sent.push(user);
    }
  };

  for (let life = 0; life < 6; life += 1) {
    publish(150);
    const daemon = penstock(['run', '-c', file]);
    // The length of a life is the experiment: from before the connection to well into delivery.
    await pause(300 + random.float() * 1500);
    publish(50);
    if (life % 3 === 1) await pulsar.stop();
    if (life % 3 === 2) pulsar.cut(8);
    daemon.child.kill('SIGKILL');
    await daemon.exited;
    if (life % 3 === 1) await pulsar.start();
  }
  const daemon = penstock(['run', '-c', file]);
  await receiver.until(() => new Set(usersIn(receiver)).size >= sent.length).catch(() => undefined);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await command(['ledger', '--json', '-c', file]);

  const arrived = new Set(usersIn(receiver));
  expect(sent.filter((user) => !arrived.has(user))).toEqual([]);
  expect(new Set(receiver.received.map(({ uid }) => uid)).size).toBe(sent.length);
  expect({ code, ledger: JSON.parse(ledger.stdout) as unknown }).toMatchObject({ code: 0, ledger: { imbalances: [] } });
});
