import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { itInLongTests } from '../thorough.ts';
import { until, untilStatus } from './conditions.ts';
import { command, penstock, run } from './penstock.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { audit, configFor, data, record, startService, usersIn } from './stream-scene.ts';

const textOf = ({ event }: Receiver['received'][number]): string => JSON.stringify(event);

it('acknowledges a message only when the journal has it', async () => {
  const { pulsar } = await startService();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(1));
  // Nothing reaches the receiver: what a later life of the daemon delivers can only come from the journal.
  receiver.faults = { busy: 1 };
  const file = await configFor(pulsar, receiver);
  const users = Array.from({ length: 400 }, (_, n) => `user-${n}`);
  const ids = new Map(users.map((user) => [pulsar.publish(audit, record(user)), user]));

  const daemon = penstock(['run', '-c', file]);
  await until('an acknowledgement', () => pulsar.acknowledged.length > 0);
  daemon.child.kill('SIGKILL');
  await daemon.exited;
  const acknowledged = pulsar.acknowledged.map(({ id }) => ids.get(id) ?? 'unknown');
  // The service forgets everything, as a topic that is deleted does.
  pulsar.deleteTopic(audit);
  receiver.faults = {};
  const next = penstock(['run', '-c', file]);
  await receiver.until(() => acknowledged.every((user) => usersIn(receiver).includes(user)));
  next.child.kill('SIGTERM');
  await next.exited;

  expect(acknowledged.length).toBeGreaterThan(0);
  expect(acknowledged.filter((user) => !usersIn(receiver).includes(user))).toEqual([]);
});

itInLongTests('delivers every kind of payload, the same event of two messages twice and of one message once', async () => {
  const { pulsar } = await startService();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(2));
  const file = await configFor(pulsar, receiver);
  pulsar.publish(audit, record('twin'));
  pulsar.publish(audit, record('twin'));
  pulsar.publish(audit, `[${record('first')},${record('second')},7]`);
  pulsar.publish(audit, 'plain words');
  pulsar.publish(audit, Buffer.from([0xff, 0xfe, 0x00]));
  pulsar.publish(audit, '!!! not base64 !!!', 'raw');
  pulsar.publish(audit, '[]');
  pulsar.publish(audit, JSON.stringify({ ...(JSON.parse(record('heavy')) as object), event: 'x'.repeat(5_000_000) }));
  pulsar.publish(audit, record('last'));
  pulsar.faults.repeat = 1;

  const { code, stderr } = await run(['run', '--once', '--timeout', '5m', '-c', file]);

  expect(code, stderr).toBe(0);
  const known = ['twin', 'first', 'second', 'heavy', 'last'].map((user) => [
    user,
    usersIn(receiver).filter((arrived) => arrived === user).length,
  ]);
  expect(known).toEqual([
    ['twin', 2],
    ['first', 1],
    ['second', 1],
    ['heavy', 1],
    ['last', 1],
  ]);
  const unreadable = receiver.received.filter((event) => textOf(event).includes('unreadable'));
  expect(unreadable.map((event) => /plain words|not base64|7/.test(textOf(event)) || textOf(event).includes('//4A'))).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(new Set(pulsar.acknowledged.map(({ id }) => id)).size).toBe(9);
});

// Waits of many seconds, between tries of a topic and between probes of a hold, pass ten times as fast.
const haste = 10;

itInLongTests('goes on with the other topics when one is deleted', async () => {
  const { pulsar } = await startService();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(3));
  const file = await configFor(pulsar, receiver, { topics: [data, audit] });
  const daemon = penstock(['run', '-c', file], { haste });
  pulsar.publish(data, record('before'));
  await receiver.until(() => usersIn(receiver).includes('before'));

  pulsar.deleteTopic(data);
  await until('a 404', () => (pulsar.upgrades.get(404) ?? 0) > 0);
  pulsar.publish(audit, record('after'));
  await receiver.until(() => usersIn(receiver).includes('after'));
  // What arrived is acknowledged a moment later.
  await expect
    .poll(async () => (await command(['status', '-c', file])).stdout)
    .toMatch(/ +persistent:\/\/acme\/default\/audit-log +connected +0s/);
  const status = await command(['status', '-c', file]);
  // The topic is made again, as an admin would.
  pulsar.subscribe(data, 'penstock');
  pulsar.publish(data, record('again'));
  await receiver.until(() => usersIn(receiver).includes('again'));
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(status.stdout).toMatch(/astra-acme +persistent:\/\/acme\/default\/data-plane +disconnected +unknown/);
});

itInLongTests(
  'holds on a refused token and goes on by itself once the file has another, by either way of sending it',
  async () => {
    const { pulsar, tokens } = await startService();
    await using _service = pulsar;
    await using receiver = await startReceiver(seededRandom(4));
    const options = { websocket_url: pulsar.queryUrl, token_in: 'query' };
    const file = await configFor(pulsar, receiver, { token: '${file:./token}', options });
    await writeFile(join(dirname(file), 'token'), 'first-token\n');
    const daemon = penstock(['run', '-c', file], { haste });
    pulsar.publish(audit, record('one'));
    await receiver.until(() => usersIn(receiver).includes('one'));

    tokens.clear();
    tokens.add('second-token');
    pulsar.cut();
    const held = await untilStatus(file, 'a hold', ({ sources }) => sources[0]?.state === 'hold');
    pulsar.publish(audit, record('two'));
    await writeFile(join(dirname(file), 'token'), 'second-token\n');
    await receiver.until(() => usersIn(receiver).includes('two'));
    await untilStatus(file, 'no hold, and nothing else', ({ problems }) => problems.length === 0);
    daemon.child.kill('SIGTERM');
    await daemon.exited;

    expect(held.problems).toMatchObject([{ level: 'error', where: 'source astra-acme' }]);
    expect(`${daemon.stderr()}${daemon.stdout()}`).not.toMatch(/first-token|second-token/);
  },
);

itInLongTests('acknowledges no more than a full journal holds, and goes on when the sink is back', async () => {
  const { pulsar } = await startService();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(6), { busy: 1 });
  const file = await configFor(pulsar, receiver, { journal: { max_bytes: '8MiB' } });
  const random = seededRandom(7);
  const users = Array.from({ length: 2_500 }, (_, n) => `user-${n}`);
  // Random letters, so that the journal cannot make them small; without long numbers, which are parsed with more care.
  const noise = random.hex(2_000_000).replaceAll(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)));
  const slice = (): string => noise.slice(Math.floor(random.float() * 1_990_000)).slice(0, 10_000);
  for (const user of users) pulsar.publish(audit, JSON.stringify({ ...(JSON.parse(record(user)) as object), event: slice() }));
  const subscription = pulsar.subscribe(audit, 'penstock');

  const daemon = penstock(['run', '-c', file]);
  const full = await untilStatus(file, 'a full journal', ({ sources }) => sources[0]?.state === 'waiting_for_room');
  const acknowledged = pulsar.acknowledged.length;
  // Asked after the acknowledgements were counted: each of them must be for a message that is stored by now.
  const later = await untilStatus(
    file,
    'a journal that is still full',
    ({ sources }) => sources[0]?.state === 'waiting_for_room',
  );
  const inFlight = subscription.inFlight;
  receiver.faults = {};
  await receiver.until(() => new Set(usersIn(receiver)).size === users.length);
  await until('an empty backlog', () => subscription.backlog === 0);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(full.sources[0]?.details).toMatchObject({
    topics: { [`persistent://${audit}`]: { connected: true, backlog_age_seconds: expect.any(Number) as number } },
  });
  expect(acknowledged).toBeLessThan(users.length);
  expect(acknowledged).toBeLessThanOrEqual(later.sources[0]?.records.new ?? 0);
  expect(later.journal.used_bytes).toBeLessThanOrEqual(8 * 2 ** 20);
  expect(inFlight).toBeLessThanOrEqual(500);
});

it('tells what check finds, and makes the subscription only when it is asked to', async () => {
  const { pulsar } = await startService();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(8));
  pulsar.createTopic('acme/default/new');
  pulsar.policies.backlogQuotaMap = { destination_storage: { limitSize: 1024 ** 3, policy: 'consumer_backlog_eviction' } };
  const file = await configFor(pulsar, receiver, { topics: ['acme/default/new'], options: { admin_url: pulsar.adminUrl } });
  const missing = await configFor(pulsar, receiver, { topics: ['acme/default/nope'], options: { admin_url: pulsar.adminUrl } });

  const before = await command(['check', '-c', file]);
  const creating = await command(['check', '--create-subscription', '-c', file]);
  const after = await command(['check', '-c', file]);
  const none = await command(['check', '--create-subscription', '-c', missing]);

  expect(before.stdout).toContain('subscription "penstock" of persistent://acme/default/new does not exist');
  expect(before.stdout).toContain('warning: when 1.0 GiB of messages wait unread, the oldest are deleted');
  expect(creating.stdout).toContain('was made: it keeps what is published from now on');
  expect(after.stdout).toContain('exists: what is published waits there until it is collected');
  expect([before.code, creating.code, after.code, none.code]).toEqual([0, 0, 0, 1]);
  expect(none.stdout).toContain('topic persistent://acme/default/nope does not exist');
});
