// Replicas of the real process on a real PostgreSQL, a vendor whose organizations log without end, and a receiver that remembers every copy.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { systemSeams } from '../../../src/base/seams.ts';
import { newConnector } from '../../../src/workbench/new-connector.ts';
import { postgresUrl, temporarySchema } from '../../postgres.ts';
import { startAuditApi } from '../audit-api.ts';
import { until } from '../conditions.ts';
import { command, configFile, type ProcessOptions, penstock, type RunningPenstock } from '../penstock.ts';
import { type Receiver, startReceiver } from '../receiver.ts';

interface SceneOptions {
  readonly sources: number;
  readonly lease?: string;
  /** Records per organization and second. */
  readonly perSecond?: number;
  /** Address of the database; the run's server when absent. */
  readonly url?: string;
  /** The schema, where the server is the test's own; else one that goes with the test. */
  readonly schema?: string;
  /** Further keys of `journal`. */
  readonly journal?: Readonly<Record<string, unknown>>;
  /** Further keys of the sink. */
  readonly sink?: Readonly<Record<string, unknown>>;
}

interface ReplicaOptions {
  /** Address of the database as this replica sees it. */
  readonly url?: string;
  /** Organizations that it is configured with; all when absent. */
  readonly knows?: readonly string[];
  readonly listen?: string | undefined;
  /** Names of further sinks, which write files. */
  readonly files?: readonly string[];
}

export interface Replica {
  readonly name: string;
  readonly file: string;
  process: RunningPenstock;
}

interface ReplicaStatus {
  readonly name: string;
  readonly sources: number;
  readonly last_seen: number;
}

/** Starts the world of some replicas; everything ends with the test. */
export async function openScene({ sources, lease = '5s', perSecond = 2, url, journal = {}, sink = {}, ...given }: SceneOptions) {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const server = url ?? (await postgresUrl()) ?? '';
  const schema = given.schema ?? temporarySchema(server);
  const vendor = stack.use(await startAuditApi([]));
  const receiver = stack.use(await startReceiver(seededRandom(1)));
  const orgs = Array.from({ length: sources }, (_, index) => `o-${String(index).padStart(3, '0')}`);
  let logged = 0;
  const log = (): void => {
    vendor.records.push({
      id: `e-${logged}`,
      occurred_at: new Date(Date.now() - 2_000).toISOString(),
      event_type: 'user.login',
      actor: { id: 'u-1', login: 'dana' },
    });
    logged += 1;
  };
  const logging = setInterval(log, 1_000 / perSecond);
  stack.defer(() => clearInterval(logging));

  async function configure(
    name: string,
    { url = server, knows = orgs, listen = 'off', files = [] }: ReplicaOptions = {},
  ): Promise<string> {
    const file = await configFile({
      connectors_dir: './connectors',
      admin: { listen },
      journal: { url, schema, lease, ...journal },
      replica: { name },
      sources: Object.fromEntries(
        knows.map((org) => [
          `acme-${org}`,
          {
            connector: 'acme',
            options: { api_url: vendor.origin, org, token: `made-up-${org}` },
            schedule: '1s',
            start: '1h',
            window: { overlap: '30s', settle: '1s' },
          },
        ]),
      ),
      sinks: {
        lake: { type: 'http', url: receiver.url, batch: { wait: '200ms' }, ...sink },
        // oxlint-disable-next-line no-template-curly-in-string -- the configuration's own
        ...Object.fromEntries(files.map((file) => [file, { type: 'file', path: `./${file}-\${replica}.ndjson` }])),
      },
    });
    await newConnector('acme', join(file, '../connectors'), systemSeams());
    return file;
  }

  function run(name: string, file: string, options: ProcessOptions = {}): Replica {
    const replica = { name, file, process: penstock(['run', '-c', file], options) };
    stack.defer(() => void replica.process.child.kill('SIGKILL'));
    return replica;
  }

  return {
    server,
    schema,
    vendor,
    receiver,
    orgs,
    /** Every organization logs so many records at once. */
    burst(records: number): void {
      for (let record = 0; record < records; record += 1) log();
    },
    /** Requests to the vendor so far. */
    polls: () => [...vendor.asked.values()].reduce((sum, asked) => sum + asked, 0),
    configure,
    run,
    /** Nothing is logged any more; resolves when every record of every organization has arrived. */
    async finish(): Promise<void> {
      clearInterval(logging);
      const all = logged * orgs.length;
      await until('every record arrived', () => new Set(receiver.received.map(({ uid }) => uid)).size >= all, {
        seen: () => `${new Set(receiver.received.map(({ uid }) => uid)).size} of ${all}`,
      });
    },
  };
}

interface DatabaseProxy extends AsyncDisposable {
  readonly url: string;
  /** Nothing passes any more, in neither direction. */
  cut(): void;
  mend(): void;
  /** Leads to another server from now on; what was open breaks. */
  lead(to: string): void;
}

/** Stands between a replica and the database, and can go dead in both directions as a broken network does. */
export async function openProxy(url: string): Promise<DatabaseProxy> {
  let target = new URL(url);
  const pairs = new Set<readonly [Socket, Socket]>();
  let isCut = false;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('data', (data) => to.write(data));
      from.on('error', () => undefined);
      from.on('close', () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
    if (isCut) for (const socket of pair) socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.port = String((server.address() as AddressInfo).port);
  const set = (cut: boolean): void => {
    isCut = cut;
    for (const socket of [...pairs].flat())
      if (cut) socket.pause();
      else socket.resume();
  };
  return {
    url: through.href,
    cut: () => set(true),
    mend: () => set(false),
    lead(to) {
      target = new URL(to);
      for (const socket of [...pairs].flat()) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of [...pairs].flat()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Nobody is listed before the first replica made the journal, nor while a replica that is only starting leaves no connection for the question. */
async function replicasOf({ file }: Replica): Promise<readonly ReplicaStatus[]> {
  const { stdout, stderr } = await command(['status', '--json', '-c', file]);
  if (stdout === '' && /there is no journal yet|takes no further connection/.test(stderr)) return [];
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as { replicas?: readonly ReplicaStatus[] }).replicas ?? [];
}

/** Waits until these replicas live and share the sources, none with more than `most`. */
export async function untilShared(of: Replica, names: readonly string[], sources: number, most = sources): Promise<void> {
  let last: readonly ReplicaStatus[] = [];
  const isShared = async (): Promise<boolean> => {
    last = await replicasOf(of);
    const total = last.reduce((sum, replica) => sum + replica.sources, 0);
    return (
      last.map(({ name }) => name).join() === [...names].sort().join() &&
      total === sources &&
      last.every((one) => one.sources <= most)
    );
  };
  await until(`${names.join(', ')} share ${sources} sources`, isShared, {
    seen: () => `${JSON.stringify(last)}\n${of.process.stderr().slice(-3000)}`,
  });
}

/** Waits until a number stays what it is for so long that of all that goes on here nothing can be left. */
export async function untilStill(count: () => number | string): Promise<void> {
  let last = count();
  let since = performance.now();
  const isStill = (): boolean => {
    if (count() !== last) [last, since] = [count(), performance.now()];
    return performance.now() - since > 6_000;
  };
  await until('nothing moves any more', isStill, { seen: () => String(count()) });
}

/** Copies beyond the first of every event. */
export function copies({ received }: Receiver): number {
  return received.length - new Set(received.map(({ uid }) => uid)).size;
}

/** Sums of the ledger that do not balance. */
export async function imbalances({ file }: Replica): Promise<readonly string[]> {
  const { stdout } = await command(['ledger', '--json', '-c', file]);
  return (JSON.parse(stdout) as { imbalances: readonly string[] }).imbalances;
}
