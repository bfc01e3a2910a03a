// npm run bench [-- EVENTS [ROUNDS] [--json FILE]]: how close the whole path comes to the limit of this machine, measured in one run (ratios,
// not rates). limit: bytes -> JSON.parse -> map -> JSON.stringify -> bytes, for the same events. Path: vendor over HTTP -> collect with exact
// dedupe -> durable journal -> deliver -> HEC with gzip, to a peer in another process. Every phase runs in a process of its own. Start-up and
// idle memory are those of the bundle, which has to be built. `--scale [SOURCES [LETTERS]]` measures what grows instead, `--engine postgres [PAGES
// [ROUNDS]]` a journal in a database against one in a file, `--peers [FOLDER [ROUNDS]]` other collectors beside this one.
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { measureEngine } from './bench-engine.ts';
import type { Measured } from './bench-measure.ts';
import { measurePeers } from './bench-peers.ts';
import { budgetLines, type Results, type Round, reportOf, tableOf } from './bench-report.ts';
import { measureLetters, measureTrim } from './bench-scale.ts';
import { heapFlag, inNewDir, measureManySources, measureStart } from './bench-start.ts';
import { bundle } from './bundle.ts';

const [shortestSteadyS, longestSteadyS] = [5, 20];
const longestIdleMs = 10_000;
const trimmed = 3_000_000;
const origin = Date.parse('2026-11-20T10:00:00.000Z');
const root = join(import.meta.dirname, '..');
// Inside the checkout, where a bundle finds package.json; not in dist, which every build removes.
const phases = join(root, `node_modules/.cache/penstock/bench-${process.pid}`);
const run = promisify(execFile);
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    scale: { type: 'boolean', default: false },
    engine: { type: 'string' },
    peers: { type: 'boolean', default: false },
  },
});

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

async function runPhase(phase: string, events: number, base: string, dataDir: string): Promise<Measured> {
  const args = [...process.execArgv, heapFlag, join(phases, 'phase.js'), phase, String(events), base, dataDir];
  // As the image has it.
  const env = { ...process.env, MALLOC_ARENA_MAX: '1' };
  const { stdout } = await run(process.execPath, args, { cwd: root, env, maxBuffer: 2 ** 20, timeout: 180_000 });
  return JSON.parse(stdout) as Measured;
}

async function runRound(base: string, events: number): Promise<Round> {
  const limit = await runPhase('limit', events, base, '');
  const keepUp = await inNewDir((dir) => runPhase('keep_up', events, base, dir));
  return inNewDir(async (dir) => {
    const collect = await runPhase('collect', events, base, dir);
    return { limit, keepUp, collect, drain: await runPhase('drain', events, base, dir) };
  });
}

function machine(): string {
  const load = loadavg()[0]?.toFixed(1) ?? '?';
  return `Node ${process.versions.node}, ${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, load ${load} at the end`;
}

async function measurePath(base: string, events: number, roundCount: number): Promise<Results> {
  // As a release: types stripped at a start would count as memory, and so would comments.
  await bundle({ phase: join(import.meta.dirname, 'bench-phase.ts') }, phases);
  await fetch(`${base}/feed?first=${origin}&spacing=5&count=${events}&prepare=1`);
  const rounds: Round[] = [];
  for (let round = 0; round < roundCount; round += 1) rounds.push(await runRound(base, events));
  const seconds = Math.max(shortestSteadyS, Math.min(longestSteadyS, Math.ceil(events / 1000)));
  const steady = await inNewDir((dir) => runPhase('steady', seconds * 1000, base, dir));
  const start = await measureStart(base, Math.min(longestIdleMs, events));
  return { rounds, steady, start, machine: machine() };
}

async function benchPath(base: string): Promise<void> {
  const [events, rounds] = [Number(positionals[0] ?? 100_000), Number(positionals[1] ?? 3)];
  const results = await measurePath(base, events, rounds);
  if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(reportOf(results), undefined, 2)}\n`);
  process.stdout.write(
    `${events} events, ${rounds} rounds; ${results.machine}\n\n${tableOf(results)}\n\n${budgetLines(results).join('\n')}\n`,
  );
}

async function benchScale(base: string): Promise<void> {
  const [sources, letters] = [Number(positionals[0] ?? 10_000), Number(positionals[1] ?? 1_000_000)];
  const { cpuS, rssMb, shutdownMs } = await measureManySources(base, sources);
  const took = await inNewDir((dir) => measureLetters(dir, letters));
  const trim = await inNewDir((dir) => measureTrim(dir, trimmed));
  const trimLine = Object.entries(trim).map(([what, number]) => `${what}: ${number.toFixed(1)}`);
  const lines = Object.entries(took).map(([question, ms]) => `${letters} dead letters, ${question}: ${ms.toFixed(2)} ms`);
  process.stdout.write(
    `${machine()}\n${sources} sources: ${cpuS.toFixed(1)} s of CPU until all wait for their first poll, ${rssMb.toFixed(0)} MB, ${shutdownMs} ms to stop\n${lines.join('\n')}\na journal of ${trimmed} settled records shrinks, ${trimLine.join(', ')}\n`,
  );
}

async function benchEngine(): Promise<void> {
  if (flags.engine !== 'postgres') throw new Error(`there is no engine "${flags.engine}" to compare with: --engine postgres`);
  const lines = await measureEngine(Number(positionals[0] ?? 20), Number(positionals[1] ?? 5));
  process.stdout.write(`${machine()}\n${lines.join('\n')}\n`);
}

/** In a folder that is given what was installed once is found again, and stays. */
async function benchPeers(): Promise<void> {
  const [folder, rounds] = [positionals[0], Number(positionals[1] ?? 3)];
  const lines = await (folder === undefined
    ? inNewDir((dir) => measurePeers(dir, rounds))
    : measurePeers(resolve(folder), rounds));
  process.stdout.write(
    `${machine()}\n100,000 records, CPU and peak memory of the whole process, each round:\n${lines.join('\n')}\n`,
  );
}

async function main(): Promise<void> {
  // A bundle that was built before the last change would be measured in its place.
  await run(process.execPath, [join(import.meta.dirname, 'build.ts')], { cwd: root });
  if (flags.engine !== undefined) return benchEngine();
  if (flags.peers) return benchPeers();
  const { child, base } = await startPeer();
  try {
    await (flags.scale ? benchScale(base) : benchPath(base));
  } finally {
    child.disconnect();
    await rm(phases, { recursive: true, force: true });
  }
}

await main();
