#!/usr/bin/env node
// Starts the daemon on a Node that can run it. Plain JavaScript for any Node: an older one hands over to the Node 24 that npm installed beside us.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const entry = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'main.js');
const neededMajor = 24;
// Bounds what young garbage takes. Only a process that begins with it obeys; the image sets it in NODE_OPTIONS, see docs/performance.md.
const heapFlag = '--max-semi-space-size=8';

function bundledNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json');
    const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(binary) ? binary : undefined;
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function handOver(binary) {
  const child = spawn(binary, [heapFlag, '--disable-warning=ExperimentalWarning', entry, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
}

if (!existsSync(entry)) {
  console.error(`penstock: ${entry} is missing\n  fix: run "npm run build" in a checkout, or install the published package again`);
  process.exit(1);
}
if (Number(process.versions.node.split('.')[0]) >= neededMajor) {
  process.removeAllListeners('warning');
  await import(pathToFileURL(entry).href);
} else {
  const binary = bundledNode();
  if (binary === undefined) {
    console.error(`penstock: needs Node ${neededMajor} or newer, this is ${process.version}\n  fix: install Node ${neededMajor}, or "npm install node@${neededMajor}" beside penstock`);
    process.exit(1);
  }
  handOver(binary);
}
