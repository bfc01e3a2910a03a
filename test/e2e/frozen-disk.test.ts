// A disk that stands still keeps the thread that calls on it; a FIFO that nobody writes to does the same to whoever opens it.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { untilStatus } from './conditions.ts';
import { configFile, penstock } from './penstock.ts';
import { startVendors } from './vendors.ts';

/** Loaded first, it lets each call on a path with `frozen` in it stand still in its thread. */
async function frozenDisk(): Promise<Readonly<Record<string, string>>> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-frozen-'));
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  const shim = `import fs from 'node:fs/promises';
const open = fs.open;
const still = (own) => (path, ...others) => (String(path).includes('frozen') ? open(${JSON.stringify(join(folder, 'fifo'))}, 'r') : own(path, ...others));
for (const name of ['open', 'lstat', 'stat', 'readdir', 'realpath']) fs[name] = still(fs[name]);
`;
  await writeFile(join(folder, 'shim.mjs'), shim);
  return { NODE_OPTIONS: `--import=${join(folder, 'shim.mjs')}` };
}

const linesOf = async (path: string): Promise<number> => (await readFile(path, 'utf8')).split('\n').length - 1;

it('keeps neither other sinks and sources waiting, nor the process from ending, and loses nothing', async () => {
  await using vendors = (await startVendors(1)).simulator;
  const frozen = ['a', 'b', 'c'].map((name) => `./frozen-${name}.ndjson`);
  const folders = ['d', 'e', 'f'].map((name) => `frozen-${name}`);
  const file = await configFile({
    shutdown_timeout: '1s',
    sources: {
      ...vendors.sources,
      ...Object.fromEntries(
        folders.map((directory) => [
          directory,
          { connector: 'astra-csv', options: { directory: `./${directory}`, org_id: 'org' } },
        ]),
      ),
    },
    sinks: {
      ...Object.fromEntries(frozen.map((path, at) => [`frozen_${at}`, { type: 'file', path }])),
      healthy: { type: 'file', path: './healthy.ndjson' },
    },
  });
  const beside = (path: string): string => join(dirname(file), path);
  for (const directory of folders) await mkdir(beside(directory));
  const daemon = penstock(['run', '-c', file], { env: await frozenDisk() });
  await untilStatus(file, 'deliveries of the healthy sink', ({ sinks }) =>
    sinks.some(({ name, acknowledged, pending }) => name === 'healthy' && acknowledged > 0 && pending === 0),
  );

  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const next = penstock(['run', '-c', file]);
  await untilStatus(file, 'deliveries of all sinks', ({ sinks }) =>
    sinks.every(({ acknowledged, pending }) => acknowledged > 0 && pending === 0),
  );
  next.child.kill('SIGTERM');

  expect([code, await next.exited]).toEqual([0, 0]);
  expect(daemon.stderr()).toContain('stands still: what was under way there is not waited for');
  expect(next.stderr()).not.toContain('stands still');
  const counts = await Promise.all([...frozen, './healthy.ndjson'].map((path) => linesOf(beside(path))));
  expect(new Set(counts).size).toBe(1);
});
