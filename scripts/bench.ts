// npm run bench [-- EVENTS [ROUNDS]]: how close the whole path comes to the limit of this machine, measured in one run (ratios, not
// rates). limit: bytes -> JSON.parse -> map -> JSON.stringify -> bytes, for the same events. Path: vendor over HTTP -> collect with exact
// dedupe -> durable journal -> deliver -> HEC with gzip, to a peer in another process. Every phase runs in a process of its own. Start-up and
// idle memory are those of the bundle, when `npm run build` made one.
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Measured } from './bench-measure.ts';

const eventCount = Number(process.argv[2] ?? 100_000);
const roundCount = Number(process.argv[3] ?? 3);
const steadySeconds = 20;
const idleSeconds = 10;
const origin = Date.parse('2026-11-20T10:00:00.000Z');
const root = join(import.meta.dirname, '..');
// Inside the checkout, where a bundle finds package.json; not in dist, which every build removes.
const phases = join(root, 'node_modules/.cache/penstock/bench-phase.mjs');
/** As the image has it. */
const heapFlag = '--max-semi-space-size=8';
const run = promisify(execFile);

interface Peer {
  readonly child: ChildProcess;
  readonly base: string;
}

/** Starts the peer and waits for its port. */
async function startPeer(): Promise<Peer> {
  const child = fork(join(import.meta.dirname, 'bench-peer.ts'), {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: process.execArgv,
  });
  const port = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim())),
  );
  return { child, base: `http://127.0.0.1:${port}` };
}

async function inNewDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-bench-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Bundles the phases as a release is bundled: types stripped at start would count as memory. */
async function bundlePhases(): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, 'bench-phase.ts')],
    outfile: phases,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'warning',
    banner: { js: "import { createRequire as own } from 'node:module';\nconst require = own(import.meta.url);" },
  });
}

async function runPhase(phase: string, events: number, base: string, dataDir: string): Promise<Measured> {
  const args = [...process.execArgv, heapFlag, phases, phase, String(events), base, dataDir];
  const { stdout } = await run(process.execPath, args, { cwd: root, maxBuffer: 2 ** 20, timeout: 180_000 });
  return JSON.parse(stdout) as Measured;
}

type Round = Readonly<Record<'limit' | 'keepUp' | 'collect' | 'drain', Measured>>;

async function runRound(base: string): Promise<Round> {
  const limit = await runPhase('limit', eventCount, base, '');
  const keepUp = await inNewDir((dir) => runPhase('keep_up', eventCount, base, dir));
  return inNewDir(async (dir) => {
    const collect = await runPhase('collect', eventCount, base, dir);
    return { limit, keepUp, collect, drain: await runPhase('drain', eventCount, base, dir) };
  });
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

interface Started {
  readonly firstPollMs: number;
  readonly idleRssMb: number;
  readonly shutdownMs: number;
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

function configText(base: string, dir: string): string {
  return `data_dir: ${dir}/data
admin: { listen: 127.0.0.1:0 }
log: { level: warn }
sources:
  bench:
    connector: anaconda
    options: { org_id: bench, client_id: bench, client_secret: bench-secret, api_url: ${base}, token_url: ${base}/api/iam/token }
sinks:
  bench: { type: splunk_hec, endpoints: [${base}], token: bench-token, acknowledge: off, format: ocsf }
`;
}

/** Starts the bundle with one source and one sink; from spawn to the vendor's first page asked for, resident memory when idle, and from SIGTERM to its end. */
async function startBundle(base: string, idleMs: number): Promise<Started> {
  return inNewDir(async (dir) => {
    await fetch(`${base}/feed?first=${Date.now()}&spacing=1000&count=0`);
    const config = join(dir, 'penstock.yaml');
    await writeFile(config, configText(base, dir));
    const began = Date.now();
    const flags = [heapFlag, '--disable-warning=ExperimentalWarning'];
    const child = spawn(process.execPath, [...flags, join(root, 'dist/main.js'), 'run', '-c', config], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      let at = 0;
      while (at === 0 && child.exitCode === null) {
        await pause(10);
        at = ((await (await fetch(`${base}/seen`)).json()) as { firstPollAt: number }).firstPollAt;
      }
      await pause(idleMs);
      const idleRssMb = await residentMb(child.pid ?? 0);
      const asked = Date.now();
      child.kill('SIGTERM');
      await ended;
      return { firstPollMs: at - began, idleRssMb, shutdownMs: Date.now() - asked };
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
  });
}

async function measureStart(base: string): Promise<Started> {
  const first = await startBundle(base, idleSeconds * 1000);
  const more: Started[] = [];
  for (let round = 0; round < 6; round += 1) more.push(await startBundle(base, 0));
  const all = [first, ...more];
  return {
    firstPollMs: median(all.map(({ firstPollMs }) => firstPollMs)),
    idleRssMb: first.idleRssMb,
    shutdownMs: Math.max(...all.map(({ shutdownMs }) => shutdownMs)),
  };
}

interface Row {
  readonly name: string;
  readonly measured: readonly Measured[];
  readonly limits: readonly Measured[];
}

/** Medians over the rounds; memory and stalls are the worst of them. */
function tableLine({ name, measured, limits }: Row): string {
  const ratio = (of: (measured: Measured) => number): number =>
    median(measured.map((one, round) => of(limits[round] ?? one) / of(one)));
  const worst = (of: (measured: Measured) => number): number => Math.max(...measured.map(of));
  const columns = [
    (1e6 / median(measured.map(({ wallUs }) => wallUs))).toFixed(0),
    ratio(({ wallUs }) => wallUs).toFixed(2),
    ratio(({ mainUs }) => mainUs).toFixed(2),
    median(measured.map(({ mainUs }) => mainUs)).toFixed(1),
    median(measured.map(({ cpuUs }) => cpuUs)).toFixed(1),
    worst(({ peakRssMb }) => peakRssMb).toFixed(0),
    worst(({ stallP50Ms }) => stallP50Ms).toFixed(1),
    worst(({ stallP99Ms }) => stallP99Ms).toFixed(1),
    worst(({ stallMaxMs }) => stallMaxMs).toFixed(0),
  ];
  return `| ${name} | ${columns.join(' | ')} |`;
}

const heading = `| phase | events/s | of limit | of limit, CPU of the main thread | main thread us/event | all threads us/event | peak RSS MB | stall p50 ms | p99 | max |
|---|---|---|---|---|---|---|---|---|---|`;

function tableOf(rounds: readonly Round[], steady: Measured): string {
  const limits = rounds.map(({ limit }) => limit);
  const row = (name: string, phase: keyof Round): string =>
    tableLine({ name, limits, measured: rounds.map((round) => round[phase]) });
  return [
    heading,
    row('the limit', 'limit'),
    row('a sink that keeps up', 'keepUp'),
    row('collect alone', 'collect'),
    row('draining a backlog', 'drain'),
    tableLine({ name: '1,000 events/s', limits, measured: [steady] }),
  ].join('\n');
}

function budgetLines(rounds: readonly Round[], steady: Measured, start: Started | undefined): string[] {
  const ratio = (phase: keyof Round): number => median(rounds.map((round) => round.limit.wallUs / round[phase].wallUs));
  const worst = (of: (measured: Measured) => number): number =>
    Math.max(...rounds.flatMap(({ keepUp, drain, collect }) => [of(keepUp), of(collect), of(drain)]));
  const said = (what: string, value: number, most: number, least = false): string =>
    `${(least ? value >= most : value <= most) ? 'met    ' : 'NOT met'}  ${what}: ${value.toFixed(2)} (budget ${most})`;
  return [
    said('of the limit, a sink that keeps up', ratio('keepUp'), 0.3, true),
    said('of the limit, draining a backlog', ratio('drain'), 0.2, true),
    said(
      'peak RSS at saturation, MB',
      worst(({ peakRssMb }) => peakRssMb),
      300,
    ),
    said('peak RSS at 1,000 events/s, MB', steady.peakRssMb, 200),
    said(
      'event loop stall p99 at saturation, ms',
      worst(({ stallP99Ms }) => stallP99Ms),
      30,
    ),
    ...(start === undefined
      ? ['unknown  start-up, idle memory and shutdown: run "npm run build" first']
      : [
          said('idle RSS of the bundle, MB', start.idleRssMb, 110),
          said('start to first poll of the bundle, ms', start.firstPollMs, 500),
          said('longest shutdown of the bundle, ms', start.shutdownMs, 1000),
        ]),
  ];
}

async function main(): Promise<void> {
  await bundlePhases();
  const { child, base } = await startPeer();
  try {
    await fetch(`${base}/feed?first=${origin}&spacing=5&count=${eventCount}&prepare=1`);
    const rounds: Round[] = [];
    for (let round = 0; round < roundCount; round += 1) rounds.push(await runRound(base));
    const steady = await inNewDir((dir) => runPhase('steady', steadySeconds * 1000, base, dir));
    const start = existsSync(join(root, 'dist/main.js')) ? await measureStart(base) : undefined;
    process.stdout.write(
      `${eventCount} events, ${roundCount} rounds; Node ${process.versions.node}, ${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1) ?? '?'} at the end\n\n${tableOf(rounds, steady)}\n\n${budgetLines(rounds, steady, start).join('\n')}\n`,
    );
  } finally {
    child.disconnect();
    await rm(phases, { force: true });
  }
}

await main();
