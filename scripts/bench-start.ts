// Starts the bundle as an operator does: how long until the first poll, what it holds in memory, how many sources it bears.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { median } from './bench-report.ts';

const root = join(import.meta.dirname, '..');
/** What `npm run build` makes. */
export const bundlePath = join(root, 'dist/main.js');
/** As the image has it. */
export const heapFlag = '--max-semi-space-size=8';

/** Runs `work` in a new folder, which goes afterwards. */
export async function inNewDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'penstock-bench-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** CPU of a process so far, seconds; the kernel counts in hundredths. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function configText(base: string, dir: string, sources: number): string {
  const options = (index: number): string =>
    `{ org_id: bench-${index}, client_id: bench, client_secret: bench-secret, api_url: ${base}, token_url: ${base}/api/iam/token }`;
  const source = (index: number): string => `  bench-${index}:\n    connector: anaconda\n    options: ${options(index)}\n`;
  return `data_dir: ${dir}/data
admin: { listen: 127.0.0.1:0 }
log: { level: ${sources > 1 ? 'info' : 'warn'} }
sources:
${Array.from({ length: sources }, (_, index) => source(index)).join('')}sinks:
  bench: { type: splunk_hec, endpoints: [${base}], token: bench-token, acknowledge: off, format: ocsf }
`;
}

/** Runs `work` beside a bundle with so many sources and one sink; gives how long the end took too, milliseconds. */
async function withBundle<T>(
  base: string,
  sources: number,
  work: (child: ChildProcess, pid: number) => Promise<T>,
): Promise<readonly [T, shutdownMs: number]> {
  return inNewDir(async (dir) => {
    await fetch(`${base}/feed?first=${Date.now()}&spacing=1000&count=0`);
    const config = join(dir, 'penstock.yaml');
    await writeFile(config, configText(base, dir, sources));
    const flags = [heapFlag, '--disable-warning=ExperimentalWarning'];
    const child = spawn(process.execPath, [...flags, bundlePath, 'run', '-c', config], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, MALLOC_ARENA_MAX: '1' },
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    try {
      const result = await work(child, child.pid ?? 0);
      const asked = Date.now();
      child.kill('SIGTERM');
      await ended;
      return [result, Date.now() - asked];
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });
}

async function firstPollAt(base: string, child: ChildProcess, everyMs: number): Promise<number> {
  while (child.exitCode === null) {
    await pause(everyMs);
    const { firstPollAt: at } = (await (await fetch(`${base}/seen`)).json()) as { firstPollAt: number };
    if (at > 0) return at;
  }
  throw new Error('the bundle ended before its first poll');
}

export interface Started {
  readonly firstPollMs: number;
  readonly idleRssMb: number;
  readonly shutdownMs: number;
}

async function startOnce(base: string, idleMs: number): Promise<Started> {
  const [result, shutdownMs] = await withBundle(base, 1, async (child, pid) => {
    const spawned = Date.now();
    const at = await firstPollAt(base, child, 10);
    await pause(idleMs);
    return { firstPollMs: at - spawned, idleRssMb: await residentMb(pid) };
  });
  return { ...result, shutdownMs };
}

/** From spawn to the vendor's first page asked for (median of seven), resident memory after `idleMs`, and from SIGTERM to the end (the longest). */
export async function measureStart(base: string, idleMs: number): Promise<Started> {
  const first = await startOnce(base, idleMs);
  const all = [first];
  for (let round = 0; round < 6; round += 1) all.push(await startOnce(base, 0));
  return {
    firstPollMs: median(all.map(({ firstPollMs }) => firstPollMs)),
    idleRssMb: first.idleRssMb,
    shutdownMs: Math.max(...all.map(({ shutdownMs }) => shutdownMs)),
  };
}

/** CPU until the loops of all sources wait for their first poll and the first of them polls, seconds, and resident memory then, MB. */
export async function measureManySources(
  base: string,
  sources: number,
): Promise<{ cpuS: number; rssMb: number; shutdownMs: number }> {
  const [result, shutdownMs] = await withBundle(base, sources, async (child, pid) => {
    await firstPollAt(base, child, 50);
    return { cpuS: await cpuSeconds(pid), rssMb: await residentMb(pid) };
  });
  return { ...result, shutdownMs };
}
