import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { hostileKinds } from './hostile-vendors.ts';
import { configFile } from './penstock.ts';

/** A moment: of the monotonic clock, and how long the daemon's event loop had run and had waited for a core of the machine by then, milliseconds. */
export interface Moment {
  readonly at: number;
  readonly ran: number;
  readonly queued: number;
}

/** Reads moments of a process, where the system tells what its main thread does. */
export function momentsOf(pid: number | undefined): Moment {
  const [ran = 0, queued = 0] = read(`/proc/${pid}/task/${pid}/schedstat`)
    .split(' ')
    .map((ns) => Number(ns) / 1e6);
  return { at: performance.now(), ran, queued };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** How long something took: by the wall, without what other processes took of the machine, and of the daemon's CPU. */
export interface Took {
  readonly wallMs: number;
  readonly ownMs: number;
  readonly cpuMs: number;
}

export function took(from: Moment, to: Moment): Took {
  const wallMs = to.at - from.at;
  return {
    wallMs: Math.round(wallMs),
    ownMs: Math.round(wallMs - (to.queued - from.queued)),
    cpuMs: Math.round(to.ran - from.ran),
  };
}

/** The largest of each. */
export function worst(all: readonly Took[]): Took {
  const most = (part: (one: Took) => number): number => all.reduce((largest, one) => Math.max(largest, part(one)), 0);
  return { wallMs: most(({ wallMs }) => wallMs), ownMs: most(({ ownMs }) => ownMs), cpuMs: most(({ cpuMs }) => cpuMs) };
}

/** A vendor that does what it should, and the receiver of all events: when one was asked, and when what it gave arrived at the other. */
export interface HealthySide extends AsyncDisposable {
  readonly vendor: string;
  readonly receiver: string;
  /** Whose moments are noted. */
  pid: number | undefined;
  readonly polls: readonly Moment[];
  /** Events by id: when each was given first, and when it arrived first. */
  readonly given: ReadonlyMap<string, Moment>;
  readonly arrived: ReadonlyMap<string, Moment>;
  /** Bytes that arrived, of whatever source. */
  readonly received: number;
}

const eventsPerPoll = 3;

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts both in this process. */
export async function startHealthySide(): Promise<HealthySide> {
  const polls: Moment[] = [];
  const [given, arrived] = [new Map<string, Moment>(), new Map<string, Moment>()];
  let received = 0;
  const vendor = createServer((_request, response) => {
    const now = momentsOf(side.pid);
    polls.push(now);
    const ids = Array.from({ length: eventsPerPoll }, (_, n) => `good-${polls.length}-${n}.`);
    for (const id of ids) given.set(id, now);
    const items = ids.map((id) => ({ id, time: new Date().toISOString(), action: 'a' }));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ items }));
  });
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      received += body.length;
      if (body.includes('"good-')) {
        const now = momentsOf(side.pid);
        for (const [id] of body.toString('latin1').matchAll(/good-\d+-\d+\./g)) if (!arrived.has(id)) arrived.set(id, now);
      }
      response.end();
    });
  });
  const side: HealthySide = {
    vendor: await listening(vendor),
    receiver: await listening(receiver),
    pid: undefined,
    polls,
    given,
    arrived,
    get received() {
      return received;
    },
    async [Symbol.asyncDispose]() {
      for (const server of [vendor, receiver]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
  return side;
}

/** Starts the vendors that mean harm, in a process of their own. */
export async function startHostileVendors(): Promise<{ readonly origin: string } & Disposable> {
  const child: ChildProcess = fork(join(import.meta.dirname, 'hostile-vendors.ts'), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  if (child.stdout === null) throw new Error('the vendors have no standard output');
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    origin: `http://127.0.0.1:${port.toString().trim()}`,
    [Symbol.dispose]() {
      child.kill('SIGKILL');
    },
  };
}

const url = '{{ options.api_url }}/{{ options.kind }}';
const since = { since: '{{ window.from }}' };
const token = {
  page: { kind: 'token', token: 'next', size: 100 },
  records: 'items',
  request: { url, query: { ...since, cursor: '{{ page.token }}' } },
};
const alone = { page: { kind: 'none', whole: true }, records: '$' };
const client = { token_url: url, client_id: 'us', client_secret: 'made-up-secret' };

/** Connectors, by how the names of the kinds begin that they read. */
const connectors: Readonly<Record<string, { readonly read: Record<string, unknown>; readonly auth?: unknown }>> = {
  'link-header': { read: { ...token, page: { kind: 'link_header', size: 100 } } },
  link: { read: { ...token, page: { kind: 'link', link: 'link', size: 100 } } },
  ndjson: { read: { ...alone, reply: { format: 'ndjson' } } },
  csv: { read: { ...alone, reply: { format: 'csv' } } },
  oauth: {
    read: { ...token, request: { url: '{{ options.api_url }}/page', query: { ...since, cursor: '{{ page.token }}' } } },
    auth: { oauth2_client_credentials: client },
  },
  detail: {
    read: {
      ...token,
      request: { url: '{{ options.api_url }}/list', query: { ...since, cursor: '{{ page.token }}' } },
      details: { url: `${url}/{{ record.id }}` },
    },
  },
  group: {
    read: {
      ...alone,
      records: 'items',
      request: { url: '{{ options.api_url }}/page/{{ group.id }}', query: since },
      groups: { request: { url }, page: { kind: 'none', whole: true }, records: 'items', id: 'id' },
    },
  },
  log: { read: { ...token, kind: 'http_cursor', window: undefined, cursor: { overlap: '1m' } } },
  json: { read: token },
};

const connectorOf = (kind: string): string => Object.keys(connectors).find((name) => kind.startsWith(`${name}-`)) ?? 'json';

const table = {
  table: 'penstock.actions/1',
  vendor: 'Vendor',
  product: 'Product',
  log_provider: 'Log',
  log_format: 'JSON',
  versions: { ocsf: '1.8.0', ecs: '9.4.0', cim: '8.5' },
  status: { constant: 'success' },
  actions: [
    {
      action: 'a',
      title: 'Done',
      group: 'All',
      ocsf: { class_uid: 3004, activity_id: 1, severity_id: 1 },
      target: { place: 'entity' },
    },
  ],
};

async function writeConnector(folder: string, name: string): Promise<void> {
  const { read, auth } = connectors[name] ?? {};
  const connector = {
    name,
    options: {
      api_url: { type: 'string', format: 'uri', description: 'Address.' },
      kind: { type: 'string', identity: true, description: 'Which vendor.' },
    },
    tenant: '{{ options.kind }}',
    ...(auth === undefined ? {} : { auth }),
    read: {
      kind: 'http_window',
      schedule: '1s',
      request: { url, query: since },
      window: { overlap: '5s', settle: '0s', max: '24h' },
      ...read,
    },
    record: { id: 'id', time: 'time', action: 'action' },
    map: { message: 'text' },
    actions: './actions.yaml',
  };
  await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, name, 'connector.yaml'), JSON.stringify(connector));
  await writeFile(
    join(folder, name, 'actions.yaml'),
    JSON.stringify({ ...table, source: name, log_name: `${name.replaceAll('-', '_')}.log` }),
  );
}

/** Configures all of them beside the healthy one; gives the file's path. */
export async function hostileConfig(hostile: string, { vendor, receiver }: HealthySide, kinds = hostileKinds): Promise<string> {
  const file = await configFile({
    connectors_dir: './connectors',
    sources: {
      healthy: { connector: 'json', options: { api_url: vendor, kind: 'healthy' }, schedule: '1s', start: '10s' },
      ...Object.fromEntries(
        kinds.map((kind) => [
          kind,
          { connector: connectorOf(kind), options: { api_url: hostile, kind }, schedule: '1s', start: '10s' },
        ]),
      ),
    },
    sinks: { lake: { type: 'http', url: receiver } },
  });
  for (const name of Object.keys(connectors)) await writeConnector(join(dirname(file), 'connectors'), name);
  return file;
}

/** Most memory that a process ever had, MB. */
export async function peakMb(pid: number | undefined): Promise<number> {
  const kb = /VmHWM:\s*(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kb) / 1024);
}
