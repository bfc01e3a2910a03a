import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { type SimulatedPulsar, startPulsar } from '../../src/simulator/index.ts';
import { until, untilStatus } from './conditions.ts';
import { configFile, penstock, run } from './penstock.ts';
import { type Receiver, startReceiver } from './receiver.ts';

const seed = Number(process.env['PENSTOCK_SEED'] ?? Math.floor(Math.random() * 1e6));
const [audit, data] = ['acme/default/audit-log', 'acme/default/data-plane'] as const;

async function service(idleMs = 300_000): Promise<{ pulsar: SimulatedPulsar; tokens: Set<string> }> {
  const tokens = new Set(['first-token']);
  const { clock } = systemSeams();
  const pulsar = await startPulsar({ clock, random: seededRandom(seed), ports: [0, 0], tokens, idleMs });
  for (const topic of [audit, data]) pulsar.subscribe(topic, 'penstock');
  return { pulsar, tokens };
}

interface Wanted {
  readonly token?: string;
  readonly topics?: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly journal?: Readonly<Record<string, unknown>>;
}

function configFor(
  pulsar: SimulatedPulsar,
  receiver: Receiver,
  { token, topics, options, journal }: Wanted = {},
): Promise<string> {
  return configFile({
    ...(journal === undefined ? {} : { journal }),
    sources: {
      'astra-acme': {
        connector: 'astra-stream',
        options: {
          websocket_url: pulsar.headerUrl,
          topic: (topics ?? [audit]).map((name) => `persistent://${name}`),
          token: token ?? 'first-token',
          org_id: 'org',
          ...options,
        },
      },
    },
    sinks: { lake: { type: 'http', url: receiver.url, batch: { events: 100, wait: '50ms' }, backoff_max: '500ms' } },
  });
}

const record = (user: string): string =>
  JSON.stringify({
    typename: 'AuditEvent',
    actionResult: 'SUCCESS',
    eventType: 'CREATE_ROLE',
    userID: user,
    event: '{}',
    eventTime: '2026-11-20T10:15:30.123Z',
  });

const userOf = ({ event }: Receiver['received'][number]): string =>
  String(((event['actor'] as Record<string, unknown> | undefined)?.['user'] as Record<string, unknown> | undefined)?.['uid']);
const usersIn = (receiver: Receiver): string[] => receiver.received.map(userOf);
const textOf = ({ event }: Receiver['received'][number]): string => JSON.stringify(event);

it(`loses no message although daemon and service die at random (PENSTOCK_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const { pulsar } = await service();
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
  await receiver.until(() => new Set(usersIn(receiver)).size >= sent.length, 60_000).catch(() => undefined);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const ledger = await run(['ledger', '--json', '-c', file]);

  const arrived = new Set(usersIn(receiver));
  expect(sent.filter((user) => !arrived.has(user))).toEqual([]);
  expect(new Set(receiver.received.map(({ uid }) => uid)).size).toBe(sent.length);
  expect({ code, ledger: JSON.parse(ledger.stdout) as unknown }).toMatchObject({ code: 0, ledger: { imbalances: [] } });
}, 120_000);

it('acknowledges a message only when the journal has it', async () => {
  const { pulsar } = await service();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(1));
  // Nothing reaches the receiver: what a later life of the daemon delivers can only come from the journal.
  receiver.faults = { busy: 1 };
  const file = await configFor(pulsar, receiver);
  const users = Array.from({ length: 400 }, (_, n) => `user-${n}`);
  const ids = new Map(users.map((user) => [pulsar.publish(audit, record(user)), user]));

  const daemon = penstock(['run', '-c', file]);
  await until('an acknowledgement', () => pulsar.acknowledged.length > 0, { timeoutMs: 20_000 });
  daemon.child.kill('SIGKILL');
  await daemon.exited;
  const acknowledged = pulsar.acknowledged.map(({ id }) => ids.get(id) ?? 'unknown');
  // The service forgets everything, as a topic that is deleted does.
  pulsar.deleteTopic(audit);
  receiver.faults = {};
  const next = penstock(['run', '-c', file]);
  await receiver.until(() => acknowledged.every((user) => usersIn(receiver).includes(user)), 30_000);
  next.child.kill('SIGTERM');
  await next.exited;

  expect(acknowledged.length).toBeGreaterThan(0);
  expect(acknowledged.filter((user) => !usersIn(receiver).includes(user))).toEqual([]);
}, 60_000);

it('delivers every kind of payload, the same event of two messages twice and of one message once', async () => {
  const { pulsar } = await service();
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

  const { code, stderr } = await run(['run', '--once', '--timeout', '30s', '-c', file]);

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
}, 60_000);

it('goes on with the other topics when one is deleted', async () => {
  const { pulsar } = await service();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(3));
  const file = await configFor(pulsar, receiver, { topics: [data, audit] });
  const daemon = penstock(['run', '-c', file]);
  pulsar.publish(data, record('before'));
  await receiver.until(() => usersIn(receiver).includes('before'), 20_000);

  pulsar.deleteTopic(data);
  await until('a 404', () => (pulsar.upgrades.get(404) ?? 0) > 0, { timeoutMs: 20_000 });
  pulsar.publish(audit, record('after'));
  await receiver.until(() => usersIn(receiver).includes('after'), 20_000);
  const status = await run(['status', '-c', file]);
  // The topic is made again, as an admin would.
  pulsar.subscribe(data, 'penstock');
  pulsar.publish(data, record('again'));
  await receiver.until(() => usersIn(receiver).includes('again'), 90_000);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(status.stdout).toMatch(/astra-acme +persistent:\/\/acme\/default\/data-plane +disconnected +unknown/);
  expect(status.stdout).toMatch(/astra-acme +persistent:\/\/acme\/default\/audit-log +connected +0s/);
}, 120_000);

it('holds on a refused token and goes on by itself once the file has another, by either way of sending it', async () => {
  const { pulsar, tokens } = await service();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(4));
  const options = { websocket_url: pulsar.queryUrl, token_in: 'query' };
  const file = await configFor(pulsar, receiver, { token: '${file:./token}', options });
  await writeFile(join(dirname(file), 'token'), 'first-token\n');
  const daemon = penstock(['run', '-c', file]);
  pulsar.publish(audit, record('one'));
  await receiver.until(() => usersIn(receiver).includes('one'), 20_000);

  tokens.clear();
  tokens.add('second-token');
  pulsar.cut();
  const held = await untilStatus(file, 'a hold', ({ sources }) => sources[0]?.state === 'hold', 30_000);
  pulsar.publish(audit, record('two'));
  await writeFile(join(dirname(file), 'token'), 'second-token\n');
  await receiver.until(() => usersIn(receiver).includes('two'), 60_000);
  const free = await untilStatus(file, 'no hold', ({ sources }) => sources[0]?.hold === undefined, 30_000);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(held.problems).toMatchObject([{ level: 'error', where: 'source astra-acme' }]);
  expect(free.problems).toEqual([]);
  expect(`${daemon.stderr()}${daemon.stdout()}`).not.toMatch(/first-token|second-token/);
}, 120_000);

it('keeps a quiet topic connected', async () => {
  // The service closes what is silent for 35 s, the client pings every 30 s: a real one allows 300 s.
  const { pulsar } = await service(35_000);
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(5));
  const file = await configFor(pulsar, receiver);
  const daemon = penstock(['run', '-c', file]);
  await until('a connection', () => pulsar.upgrades.get(101) === 1, { timeoutMs: 20_000 });

  await pause(42_000);
  pulsar.publish(audit, record('late'));
  await receiver.until(() => usersIn(receiver).includes('late'), 20_000);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(pulsar.upgrades.get(101)).toBe(1);
}, 120_000);

async function residentBytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

it('stops acknowledging when the journal is full, stays small, and goes on when the sink is back', async () => {
  const { pulsar } = await service();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(6), { busy: 1 });
  const file = await configFor(pulsar, receiver, { journal: { max_bytes: '8MiB' } });
  const random = seededRandom(7);
  const users = Array.from({ length: 12_000 }, (_, n) => `user-${n}`);
  // Random letters, so that the journal cannot make them small; without long numbers, which are parsed with more care.
  const noise = (): string => random.hex(1000).replaceAll(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)));
  for (const user of users) pulsar.publish(audit, JSON.stringify({ ...(JSON.parse(record(user)) as object), event: noise() }));
  const subscription = pulsar.subscribe(audit, 'penstock');

  const daemon = penstock(['run', '-c', file]);
  const full = await untilStatus(file, 'a full journal', ({ sources }) => sources[0]?.state === 'waiting_for_room', 60_000);
  const [acknowledged, resident] = [pulsar.acknowledged.length, await residentBytes(daemon.child.pid)];
  await pause(3000);
  const [later, inFlight, stillResident] = [
    pulsar.acknowledged.length,
    subscription.inFlight,
    await residentBytes(daemon.child.pid),
  ];
  receiver.faults = {};
  await receiver.until(() => new Set(usersIn(receiver)).size === users.length, 90_000);
  await until('an empty backlog', () => subscription.backlog === 0);
  daemon.child.kill('SIGTERM');
  await daemon.exited;

  expect(full.sources[0]?.details).toMatchObject({
    topics: { [`persistent://${audit}`]: { connected: true, backlog_age_seconds: expect.any(Number) as number } },
  });
  expect(acknowledged).toBeLessThan(users.length);
  expect(later - acknowledged).toBeLessThanOrEqual(500);
  expect(inFlight).toBeLessThanOrEqual(500);
  expect(resident).toBeLessThan(400 * 1024 * 1024);
  expect(stillResident - resident).toBeLessThan(32 * 1024 * 1024);
}, 180_000);

it('tells what check finds, and makes the subscription only when it is asked to', async () => {
  const { pulsar } = await service();
  await using _service = pulsar;
  await using receiver = await startReceiver(seededRandom(8));
  pulsar.createTopic('acme/default/new');
  pulsar.policies.backlogQuotaMap = { destination_storage: { limitSize: 1024 ** 3, policy: 'consumer_backlog_eviction' } };
  const file = await configFor(pulsar, receiver, { topics: ['acme/default/new'], options: { admin_url: pulsar.adminUrl } });
  const missing = await configFor(pulsar, receiver, { topics: ['acme/default/nope'], options: { admin_url: pulsar.adminUrl } });

  const before = await run(['check', '-c', file]);
  const creating = await run(['check', '--create-subscription', '-c', file]);
  const after = await run(['check', '-c', file]);
  const none = await run(['check', '--create-subscription', '-c', missing]);

  expect(before.stdout).toContain('subscription "penstock" of persistent://acme/default/new does not exist');
  expect(before.stdout).toContain('warning: when 1.0 GiB of messages wait unread, the oldest are deleted');
  expect(creating.stdout).toContain('was made: it keeps what is published from now on');
  expect(after.stdout).toContain('exists: what is published waits there until it is collected');
  expect([before.code, creating.code, after.code, none.code]).toEqual([0, 0, 0, 1]);
  expect(none.stdout).toContain('topic persistent://acme/default/nope does not exist');
}, 60_000);
