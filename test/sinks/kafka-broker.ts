// A Kafka broker (KRaft, one node) from the jars that scripts/install-receivers.sh fetches, in a folder of its own, and a client to look into it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Admin, Consumer } from '@platformatic/kafka';
import { freePort } from '../free-port.ts';
import type { Certificates } from '../http/certificates.ts';
import { until } from './sink-bench.ts';

const receivers =
  process.env['PENSTOCK_RECEIVERS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'penstock/receivers');
const jars = join(receivers, 'kafka-4.1.1');

function hasJava(): boolean {
  try {
    execFileSync('java', ['-version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** False where the tests against a broker skip; `scripts/install-receivers.sh` and Java 17 are what they need. */
export const hasKafka = existsSync(join(jars, 'complete')) && hasJava();

/** The users whom the broker knows, each by every mechanism. */
export const password = 'correct-horse-battery';
const users = ['penstock', 'stranger'];

export interface ReadRecord {
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: number;
}

export interface Broker extends AsyncDisposable {
  /** `proxied` is where clients of the listener `behind` are told to go: nobody listens there but {@link openProxy}. */
  readonly ports: Readonly<Record<'plain' | 'sasl' | 'tls' | 'behind' | 'proxied', number>>;
  createTopic(name: string, settings?: Readonly<Record<string, string>>, partitions?: number): Promise<void>;
  /** Lets the user write to topics whose names begin so. */
  allow(user: string, prefix: string): Promise<void>;
  /** Everything in a topic. */
  read(topic: string): Promise<readonly ReadRecord[]>;
  /** Stops the process as it is, so that it hears and answers nothing, or lets it go on. */
  freeze(isFrozen: boolean): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data. */
  start(): Promise<void>;
}

const plainUsers = users.map((user) => `user_${user}="${password}"`).join(' ');
const loginModule = 'org.apache.kafka.common.security';
const saslPrefix = 'listener.name.sasl_plaintext';

const properties = (folder: string, ports: Broker['ports'], controller: number): string => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:${ports.plain},SASL_PLAINTEXT://127.0.0.1:${ports.sasl},SSL://127.0.0.1:${ports.tls},BEHIND://127.0.0.1:${ports.behind},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports.plain},SASL_PLAINTEXT://127.0.0.1:${ports.sasl},SSL://localhost:${ports.tls},BEHIND://127.0.0.1:${ports.proxied}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,BEHIND:PLAINTEXT
log.dirs=${folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:CN=client
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
${saslPrefix}.plain.sasl.jaas.config=${loginModule}.plain.PlainLoginModule required ${plainUsers};
${saslPrefix}.scram-sha-256.sasl.jaas.config=${loginModule}.scram.ScramLoginModule required;
${saslPrefix}.scram-sha-512.sasl.jaas.config=${loginModule}.scram.ScramLoginModule required;
${saslPrefix}.oauthbearer.sasl.jaas.config=${loginModule}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location=${folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=${folder}/ca.pem
`;

function java(mainClass: string, args: readonly string[]): ChildProcess {
  return spawn('java', ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', join(jars, 'lib', '*'), mainClass, ...args], {
    stdio: 'pipe',
    // Java cannot start in a folder whose name the locale cannot say.
    cwd: tmpdir(),
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
}

/** Ended with 0. */
async function succeed(child: ChildProcess): Promise<void> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`java ended with ${String(code)}: ${said}`);
}

/** Starts a broker with every listener; the certificates are for TLS, `more` for its properties. */
export async function startBroker(certificates: Certificates, more = ''): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-kafka-'));
  const ports = {
    plain: await freePort(),
    sasl: await freePort(),
    tls: await freePort(),
    behind: await freePort(),
    proxied: await freePort(),
  };
  const settings = join(folder, 'server.properties');
  writeFileSync(settings, properties(folder, ports, await freePort()) + more);
  writeFileSync(join(folder, 'broker.pem'), certificates.read('localhost.key') + certificates.read('localhost.pem'));
  writeFileSync(join(folder, 'ca.pem'), certificates.read('ca.pem'));
  const scram = users.flatMap((user) =>
    ['256', '512'].flatMap((bits) => ['--add-scram', `SCRAM-SHA-${bits}=[name=${user},password=${password}]`]),
  );
  await succeed(java('kafka.tools.StorageTool', ['format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', settings, ...scram]));
  const client = { clientId: 'test', bootstrapBrokers: [`127.0.0.1:${ports.plain}`], retries: 20, retryDelay: 200 };
  let child: ChildProcess | undefined;
  const broker: Broker = {
    ports,
    async createTopic(name, configs = {}, partitions = 3) {
      const admin = new Admin(client);
      const list = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
      await admin.createTopics({ topics: [name], partitions, replicas: 1, configs: list });
      await admin.close();
    },
    async allow(user, prefix) {
      const admin = new Admin(client);
      const acl = {
        resourceType: 2,
        resourceName: prefix,
        resourcePatternType: 4,
        principal: `User:${user}`,
        host: '*',
      } as const;
      const creations = [4, 8].map((operation) => ({ ...acl, operation, permissionType: 3 }));
      await admin.createAcls({ creations } as Parameters<Admin['createAcls']>[0]);
      await admin.close();
    },
    read: (topic) => readTopic(client, topic),
    freeze: (isFrozen) => void child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    async kill() {
      const running = child;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const gone = new Promise((resolve) => running.once('exit', resolve));
      running.kill('SIGKILL');
      await gone;
    },
    async start() {
      const started = java('kafka.Kafka', [settings]);
      child = started;
      let said = '';
      for (const stream of [started.stdout, started.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await until(async () => {
        if (started.exitCode !== null) throw new Error(`the broker ended with ${started.exitCode}: ${said}`);
        return isUp(client);
      });
    },
    async [Symbol.asyncDispose]() {
      await broker.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await broker.start();
  return broker;
}

export interface Cluster extends AsyncDisposable {
  /** `tcp://` of each broker, in order. */
  readonly brokers: readonly string[];
  /** With a copy of each partition at every broker, two of which must have a record. */
  createTopic(name: string): Promise<void>;
  /** What is in a topic, once that many different keys are: a new leader shows all that it has only when it has heard of the others. */
  read(topic: string, keys: number): Promise<readonly ReadRecord[]>;
  /** SIGKILL of the broker with this index. */
  kill(index: number): Promise<void>;
  /** Stops it with SIGSTOP, or lets it go on. */
  freeze(index: number, isFrozen: boolean): void;
  /** Starts it again; partitions that it led before come back to it. */
  start(index: number): Promise<void>;
}

const member = (folder: string, id: number, ports: readonly (readonly [number, number])[]): string => `
process.roles=broker,controller
node.id=${id}
controller.quorum.voters=${ports.map(([, controller], at) => `${at + 1}@127.0.0.1:${controller}`).join(',')}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:${ports[id - 1]?.[0]},CONTROLLER://127.0.0.1:${ports[id - 1]?.[1]}
log.dirs=${folder}/data-${id}
auto.create.topics.enable=false
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
leader.imbalance.check.interval.seconds=2
leader.imbalance.per.broker.percentage=0
`;

// Three of them share two cores.
const slowStartMs = 240_000;

/** Starts three brokers that are each other's controllers; it takes 1.2 GB of memory. */
export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-kafkas-'));
  const ids = [1, 2, 3];
  const ports = await Promise.all(ids.map(async () => [await freePort(), await freePort()] as const));
  const client = {
    clientId: 'test',
    bootstrapBrokers: ports.map(([port]) => `127.0.0.1:${port}`),
    retries: 20,
    retryDelay: 200,
  };
  const children: (ChildProcess | undefined)[] = ids.map(() => undefined);
  const settingsOf = (id: number): string => join(folder, `${id}.properties`);
  for (const id of ids) writeFileSync(settingsOf(id), member(folder, id, ports));
  for (const id of ids)
    await succeed(java('kafka.tools.StorageTool', ['format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', settingsOf(id)]));
  const launch = (index: number): void => {
    children[index] = java('kafka.Kafka', [settingsOf(index + 1)]);
    for (const stream of [children[index]?.stdout, children[index]?.stderr]) stream?.resume();
  };
  const areUp = (count: number): Promise<boolean> =>
    until(
      async () => {
        const admin = new Admin({ ...client, retries: 0 });
        const known = await admin.metadata({ topics: [] }).catch(() => undefined);
        await admin.close();
        return (known?.brokers.size ?? 0) >= count;
      },
      Boolean,
      slowStartMs,
    );
  const cluster: Cluster = {
    brokers: ports.map(([port]) => `tcp://127.0.0.1:${port}`),
    async createTopic(name) {
      const admin = new Admin(client);
      await admin.createTopics({ topics: [name], partitions: 6, replicas: 3 });
      await admin.close();
    },
    // The client that reads asks who led a moment ago.
    read: async (topic, keys) =>
      (await until(
        () => readTopic(client, topic).catch(() => undefined),
        (read) => new Set(read?.map(({ key }) => key)).size >= keys,
        slowStartMs,
      )) ?? [],
    async kill(index) {
      const running = children[index];
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const gone = new Promise((resolve) => running.once('exit', resolve));
      running.kill('SIGKILL');
      await gone;
    },
    freeze: (index, isFrozen) => void children[index]?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    async start(index) {
      launch(index);
      await areUp(3);
    },
    async [Symbol.asyncDispose]() {
      for (const index of children.keys()) await cluster.kill(index);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  for (const index of children.keys()) launch(index);
  await areUp(3).catch(async (error: unknown) => {
    await cluster[Symbol.asyncDispose]();
    throw error;
  });
  return cluster;
}

async function isUp(client: ConstructorParameters<typeof Admin>[0]): Promise<boolean> {
  const admin = new Admin({ ...client, retries: 0 });
  try {
    return (await admin.metadata({ topics: [] })).brokers.size > 0;
  } catch {
    return false;
  } finally {
    await admin.close();
  }
}

let groups = 0;

async function readTopic(client: ConstructorParameters<typeof Admin>[0], topic: string): Promise<readonly ReadRecord[]> {
  groups += 1;
  const consumer = new Consumer({ ...client, groupId: `test-${process.pid}-${groups}` });
  const read: ReadRecord[] = [];
  try {
    const ends = (await consumer.listOffsets({ topics: [topic] })).get(topic) ?? [];
    const total = ends.reduce((sum, end) => sum + Number(end), 0);
    if (total === 0) return read;
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false, maxWaitTime: 100 });
    for await (const { partition, key, value, headers, timestamp } of stream) {
      const named = Object.fromEntries([...headers].map(([name, text]) => [name.toString(), text.toString()]));
      read.push({ partition, key: key.toString(), value: value.toString(), headers: named, timestamp: Number(timestamp) });
      if (read.length === total) break;
    }
    return read;
  } finally {
    await consumer.close(true);
  }
}

export interface Proxy extends AsyncDisposable {
  /** So many requests to store something reach the broker without their answers reaching the client: the connection ends instead. */
  loseAnswers(count: number): void;
}

/** Stands between a client and the listener `behind`. */
export async function openProxy({ behind, proxied }: Broker['ports']): Promise<Proxy> {
  let toLose = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect(behind, '127.0.0.1');
    let isLosing = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => [client, upstream].map((one) => one.destroy()));
    }
    client.on('data', (request) => {
      // Produce is API 0; the client sends it alone and begins a packet with it.
      if (toLose > 0 && request.length > 8 && request.readInt16BE(4) === 0) {
        toLose -= 1;
        isLosing = true;
      }
      upstream.write(request);
    });
    upstream.on('data', (answer) => void (isLosing ? client.destroy() : client.write(answer)));
  });
  await new Promise<void>((resolve) => server.listen(proxied, '127.0.0.1', resolve));
  return {
    loseAnswers(count) {
      toLose = count;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
