import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { stringify } from 'yaml';
import { penstock as runInProcess } from '../cli/terminal.ts';
import { patienceMs } from './patience.ts';

export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs as this user and group; only root can. */
  readonly user?: number;
  /** Runs `skewed-main.ts`: standard input moves its wall clock, and timers run this many times as fast. */
  readonly haste?: number;
}

export interface RunningPenstock {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  /** Resolves when the text has appeared on standard output or standard error. */
  said(text: string | RegExp): Promise<void>;
}

/** Starts the real process. */
export function penstock(args: readonly string[], { cwd, env = {}, user, haste }: ProcessOptions = {}): RunningPenstock {
  const bundle = inject('bundle');
  const entry = join(bundle, haste === undefined ? 'main.js' : 'skewed-main.js');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, ...args], {
    cwd,
    ...(user !== undefined && { uid: user, gid: user }),
    env: {
      ...process.env,
      NO_COLOR: '1',
      NODE_COMPILE_CACHE: join(bundle, 'compiled'),
      PENSTOCK_HASTE: String(haste ?? 1),
      ...env,
    },
  });
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  const hear = (take: (text: string) => void) => (chunk: Buffer) => {
    take(chunk.toString('utf8'));
    for (const watcher of watchers) watcher();
  };
  child.stdout.on(
    'data',
    hear((text) => (stdout += text)),
  );
  child.stderr.on(
    'data',
    hear((text) => (stderr += text)),
  );
  const exited = new Promise<number | string>((done) => child.on('close', (code, signal) => done(code ?? signal ?? 'unknown')));
  const matches = (text: string | RegExp): boolean =>
    [stdout, stderr].some((said) => (typeof text === 'string' ? said.includes(text) : text.test(said)));

  function said(text: string | RegExp): Promise<void> {
    return new Promise((done, failed) => {
      const finish = (error?: Error): void => {
        clearTimeout(timer);
        watchers.delete(look);
        if (error === undefined) done();
        else failed(error);
      };
      const look = (): void => {
        if (matches(text)) finish();
      };
      const timer = setTimeout(
        () => finish(new Error(`never said ${text}\nstdout: ${stdout.slice(-2000)}\nstderr: ${stderr.slice(-2000)}`)),
        patienceMs,
      );
      void exited.then((code) =>
        matches(text) ? finish() : finish(new Error(`ended with ${code} without saying ${text}\nstderr: ${stderr.slice(-2000)}`)),
      );
      watchers.add(look);
      look();
    });
  }

  return { child, stdout: () => stdout, stderr: () => stderr, exited, said };
}

export interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, in a process of its own. */
export async function run(args: readonly string[], options: ProcessOptions = {}): Promise<Ended> {
  const running = penstock(args, options);
  const code = await running.exited;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

/** Runs a command in this process: all of the program, without the second that another process costs. */
export async function command(args: readonly string[]): Promise<Ended> {
  const { code, out, err } = await runInProcess(args);
  return { code, stdout: out, stderr: err };
}

/** A fresh folder with a configuration in it; returns the file's path. */
export async function configFile(config: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-e2e-'));
  const file = join(folder, 'penstock.yaml');
  await writeFile(file, stringify({ data_dir: './data', admin: { listen: '127.0.0.1:0' }, ...config }));
  return file;
}
