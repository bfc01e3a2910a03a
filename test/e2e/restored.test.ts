import { copyFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { type AuditRecord, startAuditApi } from './audit-api.ts';
import { command, configFile, run } from './penstock.ts';
import { startReceiver } from './receiver.ts';
import { audit, configFor, startService, record as streamed, usersIn } from './stream-scene.ts';

const record = (id: string, minutes: number): AuditRecord => ({
  id,
  occurred_at: new Date(Date.now() - minutes * 60_000).toISOString(),
  event_type: 'user.login',
  actor: { id: 'u-1', login: 'dana' },
});

/** Puts the copy of the journal in its place, as docs/operations.md says. */
async function putBack(folder: string): Promise<void> {
  for (const end of ['', '-wal', '-shm']) await rm(join(folder, 'data', `journal.db${end}`), { force: true });
  await copyFile(join(folder, 'copy.db'), join(folder, 'data', 'journal.db'));
}

it('collects and delivers again, with the same ids, what came after the copy of the journal that was put back', async () => {
  await using vendor = await startAuditApi([record('before', 9)]);
  await using receiver = await startReceiver(seededRandom(1));
  const source = { connector: 'acme', options: { api_url: vendor.origin, org: 'one', token: 'made-up' }, start: '1h' };
  const file = await configFile({
    connectors_dir: './connectors',
    sources: { feed: source },
    sinks: { soc: { type: 'http', url: receiver.url, batch: { wait: '100ms' } } },
  });
  const folder = dirname(file);
  await newConnector('acme', join(folder, 'connectors'), systemSeams());
  const once = () => run(['run', '--once', '-c', file]);
  await once();
  await command(['journal', 'backup', join(folder, 'copy.db'), '-c', file]);
  vendor.records.push(record('after', 4), record('refused', 3));
  receiver.refuse = (events) => (events.some(({ event }) => JSON.stringify(event).includes('"refused"')) ? 400 : undefined);
  await once();

  await putBack(folder);
  receiver.refuse = undefined;
  const again = await once();
  const ledger = await command(['ledger', '--json', '-c', file]);
  const verified = await command(['verify', 'feed', '--from', '30m', '--to', '1m', '--json', '-c', file]);

  const ids = receiver.received.map(({ uid }) => uid);
  expect(again.code).toBe(0);
  expect([ids.length, new Set(ids).size]).toEqual([4, 3]);
  expect(JSON.parse(ledger.stdout)).toMatchObject({ imbalances: [], sinks: { soc: { acknowledged: 3, dead_lettered: 0 } } });
  expect(JSON.parse(verified.stdout)).toMatchObject({ vendor: 3, collected: 3, delivered: { soc: 3 } });
});

it('takes again from a stream whose subscription is set back what came after the copy of the journal that was put back', async () => {
  await using receiver = await startReceiver(seededRandom(1));
  const first = await startService();
  const users = ['before', 'after', 'later'];
  const file = await configFor(first.pulsar, receiver);
  const folder = dirname(file);
  const once = () => run(['run', '--once', '-c', file]);
  for (const user of users) {
    first.pulsar.publish(audit, streamed(user));
    await once();
    if (user === 'before') await command(['journal', 'backup', join(folder, 'copy.db'), '-c', file]);
  }
  const ports = [first.pulsar.headerUrl, first.pulsar.queryUrl].map((url) => Number(new URL(url).port));
  await first.pulsar[Symbol.asyncDispose]();

  await putBack(folder);
  // The service as it was before the first message, which has the same messages under the same ids.
  const { pulsar } = await startService(1, ports as [number, number]);
  await using _service = pulsar;
  for (const user of users) pulsar.publish(audit, streamed(user));
  const again = await once();
  const ledger = await command(['ledger', '--json', '-c', file]);

  expect(again.code, again.stderr).toBe(0);
  expect(usersIn(receiver)).toEqual([...users, 'after', 'later']);
  expect(new Set(receiver.received.map(({ uid }) => uid)).size).toBe(3);
  expect(JSON.parse(ledger.stdout)).toMatchObject({
    imbalances: [],
    sources: { 'astra-acme': { fetched: 4, new: 3, duplicate: 1 } },
    sinks: { lake: { acknowledged: 3 } },
  });
});
