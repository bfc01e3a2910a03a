// `npm run bench -- --peers`: the same work done by Penstock and by other collectors, each as its maker installs it. The work: 100 pages of 1,000 Okta records,
// each page linked from the one before, to an HTTP receiver that counts them. Penstock journals, removes duplicates, maps and acknowledges meanwhile.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { bundlePath, heapFlag } from './bench-start.ts';

const [pageCount, pageRecords] = [100, 1000];
const longestRunMs = 120_000;
const longestInstallMs = 900_000;
const run = promisify(execFile);

/** What to start for the work between a vendor and a receiver at `base`; files of its own go into `dir`. */
interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

interface Peer {
  readonly name: string;
  /** What it does not do of what Penstock does in the same run. */
  readonly lacks: string;
  /** Installs it below a folder, unless it is there; rejects where it cannot be had. */
  readonly install?: (folder: string) => Promise<unknown>;
  readonly prepare: (folder: string, dir: string, base: string) => Promise<Command>;
}

const venv = async (path: string, requirement: string, program: string): Promise<void> => {
  if (existsSync(join(path, 'bin', program))) return;
  await run('python3', ['-m', 'venv', path]);
  await run(join(path, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', requirement], {
    timeout: longestInstallMs,
  });
};

async function installBenthos(folder: string): Promise<void> {
  const dir = join(folder, 'benthos');
  if (existsSync(join(dir, 'benthos'))) return;
  await mkdir(dir, { recursive: true });
  const parts = ['components/io', 'components/pure'].map(
    (part) => `import _ "github.com/redpanda-data/benthos/v4/public/${part}"`,
  );
  const main =
    'import "context"\nimport "github.com/redpanda-data/benthos/v4/public/service"\nfunc main() { service.RunCLI(context.Background()) }';
  await writeFile(join(dir, 'main.go'), `package main\n${parts.join('\n')}\n${main}\n`);
  const env = { ...process.env, GOFLAGS: '-mod=mod -modcacherw', GOPATH: join(folder, 'go'), GOCACHE: join(folder, 'go-cache') };
  for (const args of [
    ['mod', 'init', 'peer'],
    ['get', 'github.com/redpanda-data/benthos/v4@v4.60.0'],
    ['build', '-o', 'benthos', '.'],
  ])
    await run('go', args, { cwd: dir, env, timeout: longestInstallMs });
}

/** `journal`: a line of its file, for one that is elsewhere. */
const penstockWith = (journal: string): Peer => ({
  name: 'Penstock',
  lacks: '',
  async prepare(_folder, dir, base) {
    const config = join(dir, 'penstock.yaml');
    const sink = `{ type: splunk_hec, endpoints: [${base}], token: hec-token-of-the-receiver, acknowledge: off, format: ocsf }`;
    const source = `{ connector: okta, start: 7d, options: { org_url: ${base}, token: api-token-of-the-vendor } }`;
    await writeFile(
      config,
      `data_dir: ${dir}/data\nadmin: { listen: off }\nlog: { level: warn }\n${journal}sources: { bench: ${source} }\nsinks: { bench: ${sink} }\n`,
    );
    const flags = [heapFlag, '--disable-warning=ExperimentalWarning'];
    return { command: process.execPath, args: [...flags, bundlePath, 'run', '-c', config], env: { MALLOC_ARENA_MAX: '1' } };
  },
});
const penstock = penstockWith('');

const benthosMapping = `root = {
  "class_uid": 3002, "category_uid": 3, "time": this.published.ts_unix_milli(), "activity_name": this.eventType, "message": this.displayMessage,
  "severity": this.severity, "status": this.outcome.result, "metadata": {"uid": this.uuid, "version": "1.8.0", "product": {"name": "Okta"}},
  "actor": {"user": {"uid": this.actor.id, "name": this.actor.displayName, "email_addr": this.actor.alternateId}},
  "src_endpoint": {"ip": this.client.ipAddress}, "http_request": {"user_agent": this.client.userAgent.rawUserAgent}
}`;

const benthos: Peer = {
  name: 'Benthos 4.60.0',
  lacks: 'journal, removal of duplicates, cursor, ledger',
  install: installBenthos,
  async prepare(folder, dir, base) {
    const config = join(dir, 'benthos.json');
    const page = `${base}/api/v1/logs?after=\${! content() }`;
    const processors = [
      { http: { url: page, verb: 'GET' } },
      { unarchive: { format: 'json_array' } },
      { mapping: benthosMapping },
    ];
    const batching = {
      count: 500,
      period: '1s',
      processors: [{ archive: { format: 'lines' } }, { compress: { algorithm: 'gzip' } }],
    };
    const headers = { 'Content-Encoding': 'gzip' };
    await writeFile(
      config,
      JSON.stringify({
        http: { enabled: false },
        logger: { level: 'ERROR' },
        input: { generate: { mapping: 'root = (counter() - 1).string()', count: pageCount, interval: '' } },
        pipeline: { threads: 1, processors },
        output: { http_client: { url: `${base}/services/collector/event`, verb: 'POST', headers, batching, max_in_flight: 4 } },
      }),
    );
    return { command: join(folder, 'benthos/benthos'), args: ['-c', config] };
  },
};

// Its Okta client takes only names of hosts below a domain, over TLS.
const groveProgram = `import os
import grove.connectors.okta.api as api
api.API_BASE_URI = os.environ["BENCH_URL"]
from grove.entrypoints.base import entrypoint
entrypoint({"runtime": "bench", "runtime_host": "bench"})
`;

const grove: Peer = {
  name: 'Grove 1.6.0',
  lacks: 'mapping, compression, journal; removes duplicates at the newest time only; gives up after five tries',
  install: (folder) => venv(join(folder, 'grove'), 'cybee-grove==1.6.0', 'grove'),
  async prepare(folder, dir, base) {
    const program = join(dir, 'collect-once.py');
    await mkdir(join(dir, 'connectors'));
    await writeFile(program, groveProgram);
    const source = { name: 'bench', identity: 'bench', connector: 'okta_system_log', key: 'bench-token' };
    await writeFile(join(dir, 'connectors/okta.json'), JSON.stringify(source));
    const env = {
      BENCH_URL: base,
      GROVE_CONFIG_LOCAL_FILE_PATH: join(dir, 'connectors'),
      GROVE_OUTPUT_HANDLER: 'remote_http',
      GROVE_OUTPUT_REMOTE_HTTP_URL: `${base}/services/collector/event`,
    };
    return { command: join(folder, 'grove/bin/python'), args: [program], env };
  },
};

const tenzirPipeline = (base: string): string => `from_http "${base}/api/v1/logs", paginate="link" {
  read_json arrays_of_objects=true
}
this = {
  class_uid: 3002, category_uid: 3, time: published, activity_name: eventType, message: displayMessage, severity: severity,
  status: outcome.result, metadata: {uid: uuid, version: "1.8.0", product: {name: "Okta"}},
  actor: {user: {uid: actor.id, name: actor.displayName, email_addr: actor.alternateId}},
  src_endpoint: {ip: client.ipAddress}, http_request: {user_agent: client.userAgent.rawUserAgent},
}
to_splunk "${base}", hec_token="bench"
`;

const tenzir: Peer = {
  name: 'Tenzir 6.20.0',
  lacks:
    'journal, cursor (killed, it begins at the first page), removal of duplicates, another try at the receiver, dead letters, ledger',
  install: (folder) => venv(join(folder, 'tenzir'), 'tenzir==6.20.0', 'tenzir'),
  async prepare(folder, dir, base) {
    const pipeline = join(dir, 'pipeline.tql');
    await writeFile(pipeline, tenzirPipeline(base));
    return { command: join(folder, 'tenzir/bin/tenzir'), args: ['-f', pipeline] };
  },
};

const peers: readonly Peer[] = [penstock, benthos, grove, tenzir];

/** A vendor of linked pages and a receiver that remembers which records it was sent. */
class World implements AsyncDisposable {
  readonly received = new Set<string>();
  readonly #pages: readonly string[];
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  constructor() {
    const samples = readFileSync(new URL('../connectors/okta/samples.ndjson', import.meta.url), 'utf8')
      .trim()
      .split('\n');
    const parsed = samples.map((line) => JSON.parse(line) as Record<string, unknown>);
    const first = Date.now() - 3_600_000;
    const record = (n: number): object => ({
      ...parsed[n % parsed.length],
      uuid: `bench-${String(n).padStart(8, '0')}`,
      published: new Date(first + n * 10).toISOString(),
    });
    this.#pages = Array.from({ length: pageCount }, (_, page) =>
      JSON.stringify(Array.from({ length: pageRecords }, (_one, index) => record(page * pageRecords + index))),
    );
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    response.setHeader('content-type', 'application/json');
    if (url.pathname === '/api/v1/logs') {
      const page = Number(url.searchParams.get('after') ?? 0);
      if (page + 1 < pageCount) response.setHeader('link', `<${url.origin}/api/v1/logs?after=${page + 1}>; rel="next"`);
      response.end(this.#pages[page] ?? '[]');
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
    for (const [id] of text.matchAll(/bench-\d{8}/g)) this.received.add(id);
    response.end('{"text":"Success","code":0}');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface Cost {
  readonly cpuS: number;
  readonly peakMb: number;
}

/** CPU of a process so far and its peak of resident memory; undefined when it is gone. */
async function costOf(pid: number): Promise<Cost | undefined> {
  try {
    const [stat, status] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/status`, 'utf8')]);
    const fields = stat.split(') ')[1]?.split(' ') ?? [];
    const peakMb = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
    return Number.isNaN(peakMb) ? undefined : { cpuS: (Number(fields[11]) + Number(fields[12])) / 100, peakMb };
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

/** What a process cost until the receiver had everything; rejects where it ends before. */
async function watch(child: ChildProcess, world: World): Promise<Cost> {
  let cost: Cost = { cpuS: 0, peakMb: 0 };
  const began = Date.now();
  const said: string[] = [];
  child.stderr?.on('data', (data: Buffer) => said.push(data.toString()));
  for (;;) {
    cost = (await costOf(child.pid ?? 0)) ?? cost;
    if (world.received.size === pageCount * pageRecords) return cost;
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded || Date.now() - began > longestRunMs) {
      const words = said.join('').trim().slice(-300);
      throw new Error(`${world.received.size} of ${pageCount * pageRecords} records arrived${words === '' ? '' : `: ${words}`}`);
    }
    await pause(20);
  }
}

async function runOnce(peer: Peer, folder: string, dir: string): Promise<Cost> {
  await mkdir(dir, { recursive: true });
  await using world = new World();
  const { command, args, env } = await peer.prepare(folder, dir, await world.open());
  const child = spawn(command, [...args], { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
  const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  try {
    return await watch(child, world);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** What the whole of Penstock costs for the same work, in a folder of its own. */
export const measureJournal = (dir: string, journal: string): Promise<Cost> => runOnce(penstockWith(journal), dir, dir);

const reason = (error: unknown): string => (error as Error).message.trim().replaceAll(/\s*\n\s*/g, ' ');

/** Installs the peers below a folder and runs each in turn, `rounds` times; gives a line for each. */
export async function measurePeers(folder: string, rounds: number): Promise<string[]> {
  const there: Peer[] = [];
  const lines: string[] = [];
  for (const peer of peers) {
    try {
      await peer.install?.(folder);
      there.push(peer);
    } catch (error) {
      lines.push(`${peer.name}: could not be installed (${reason(error)})`);
    }
  }
  const costs = new Map(there.map((peer) => [peer, [] as Cost[]]));
  for (let round = 0; round < rounds; round += 1)
    for (const peer of there) {
      const dir = join(folder, `run-${round}-${peer.name.split(' ')[0]?.toLowerCase()}`);
      const cost = await runOnce(peer, folder, dir).catch((error: unknown) => reason(error));
      if (typeof cost !== 'string') costs.get(peer)?.push(cost);
      else lines.push(`${peer.name}: did not do the work (${cost})`);
    }
  for (const [{ name, lacks }, all] of costs) {
    if (all.length === 0) continue;
    const told = all.map(({ cpuS, peakMb }) => `${cpuS.toFixed(1)} s, ${peakMb.toFixed(0)} MB`).join('; ');
    lines.push(`${name}: ${told}${lacks === '' ? '' : `; lacks ${lacks}`}`);
  }
  return lines;
}
