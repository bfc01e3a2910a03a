#!/usr/bin/env node
// Starts penstock on a Node that can run it. Plain JavaScript for any Node: an older one hands over to the Node that npm installed beside us.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { fail, failWithoutNode, handOver, installedNode, isNewEnough, pathOf } from './installed-node.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sources = join(root, 'src', 'cli', 'main.ts');
const bundle = join(root, 'dist', 'main.js');
// Bounds what young garbage takes. Only a process that begins with it obeys; the image sets it in NODE_OPTIONS, see docs/performance.md.
const heapFlag = '--max-semi-space-size=8';

/** What to run. Only a checkout has sources, and they win there: a bundle that was built once may be stale. */
function entryPoint() {
  if (existsSync(sources)) {
    if (pathOf('yaml/package.json') === undefined) fail('the dependencies of this checkout are not installed', `run "npm ci" in ${root}`);
    return sources;
  }
  if (!existsSync(bundle)) fail(`${root} has neither dist/main.js nor src/cli/main.ts`, 'install the package again');
  return bundle;
}

const entry = entryPoint();
if (isNewEnough()) {
  process.removeAllListeners('warning');
  await import(pathToFileURL(entry).href);
} else {
  const binary = installedNode() ?? failWithoutNode();
  // Of two that say the same the later one counts: what the operator set.
  process.env.NODE_OPTIONS = `${heapFlag} ${process.env.NODE_OPTIONS ?? ''}`;
  handOver(binary, [entry, ...process.argv.slice(2)]);
}
