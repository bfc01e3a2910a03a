// Draws docs/images/status.svg: `node scripts/screenshot.ts` starts simulated vendors, a receiver that refuses its token and the daemon, waits
// until each has something to say, and draws what `penstock status` writes to a terminal.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'yaml';
import { penstock } from '../test/cli/terminal.ts';
import { drawTerminal } from './terminal-svg.ts';

const root = join(import.meta.dirname, '..');
const target = join(root, 'docs/images/status.svg');
const columns = 128;
const patienceMs = 60_000;

interface Status {
  readonly sources: readonly { readonly records: { readonly new: number } }[];
  readonly sinks: readonly { readonly state: string; readonly acknowledged: number; readonly pending: number }[];
}

function start(args: readonly string[], onLine: (text: string) => void = () => undefined): ChildProcess {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'src/cli/main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout?.on('data', (chunk: Buffer) => onLine(chunk.toString('utf8')));
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  const closed = new Promise((done) => child.once('close', done));
  child.kill('SIGTERM');
  await closed;
}

/** A HEC endpoint on loopback whose token was disabled. */
async function startReceiver(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(403, { 'content-type': 'application/json' }).end('{"text":"Token disabled","code":1}');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  while (performance.now() < giveUpAt) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(250);
  }
  throw new Error(`${what}: not seen within ${patienceMs / 1000} s`);
}

async function status(file: string): Promise<Status | undefined> {
  const { out } = await penstock(['status', '--json', '-c', file]);
  return out.startsWith('{') ? (JSON.parse(out) as Status) : undefined;
}

function isTelling({ sources, sinks }: Status): true | undefined {
  const collected = sources.every(({ records }) => records.new > 0);
  const delivered = sinks.some(({ acknowledged, pending }) => acknowledged > 1000 && pending === 0);
  const counted = new Set(sinks.map(({ acknowledged, pending }) => acknowledged + pending)).size === 1;
  return collected && delivered && counted && sinks.some(({ state }) => state === 'hold') ? true : undefined;
}

async function writeConfig(folder: string, sources: unknown, receiver: Server): Promise<string> {
  const { port } = receiver.address() as AddressInfo;
  const sinks = {
    splunk: { type: 'splunk_hec', endpoints: [`http://127.0.0.1:${port}`], token: 'simulated-token', index: 'audit' },
    archive: { type: 'file', path: './audit.ndjson' },
  };
  const file = join(folder, 'penstock.yaml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ data_dir: './data', admin: { listen: '127.0.0.1:0' }, sources, sinks }));
  return file;
}

const folder = await mkdtemp(join(tmpdir(), 'penstock-screenshot-'));
const receiver = await startReceiver();
let said = '';
const vendors = start(['simulate', '--seed', '7', '--history', '6h', '--rate', '6'], (text) => (said += text));
const children = [vendors];
try {
  const simulated = await until('simulated vendors', async () =>
    said.includes('\n\n') ? (parse(said) as { sources: object }) : undefined,
  );
  const file = await writeConfig(folder, simulated.sources, receiver);
  children.push(start(['run', '-c', file]));
  await until('a status with events and a hold', async () => {
    const report = await status(file);
    return report === undefined ? undefined : isTelling(report);
  });
  const { out } = await penstock(['status', '-c', file], { isTTY: true });
  await mkdir(join(root, 'docs/images'), { recursive: true });
  await writeFile(target, drawTerminal({ title: 'penstock status', text: out, columns }));
  console.log(`${out}\n${target}`);
} finally {
  for (const child of children.toReversed()) await ended(child);
  receiver.close();
  await rm(folder, { recursive: true, force: true });
}
