import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { startAdmin } from '../../src/admin/server.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { operationsOf } from '../admin/operations.ts';
import { penstock } from './terminal.ts';

beforeAll(() => {
  delete process.env['PENSTOCK_DATA_DIR'];
});

/** A daemon that answers, and a folder beside it for its file. */
async function running(): Promise<{ readonly file: string; readonly dataDir: string }> {
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'penstock-health-'));
  const dataDir = join(folder, 'elsewhere');
  await fs.mkdir(dataDir, { mode: 0o700 });
  const status = { running: true, sources: [], sinks: [], jobs: [], problems: [], journal: {} };
  const server = await startAdmin({
    listen: undefined,
    metrics: 'open',
    dataDir,
    operations: operationsOf({ status: () => Promise.resolve(status) }),
    seams: systemSeams(),
    log: silentLog(),
  });
  onTestFinished(async () => {
    await server[Symbol.asyncDispose]();
    await fs.rm(folder, { recursive: true });
  });
  return { file: join(folder, 'penstock.yaml'), dataDir };
}

it.each([
  { being: 'there', text: 'data_dir: ./elsewhere\n' },
  { being: 'gone', text: undefined },
  { being: 'empty', text: '' },
  { being: 'half written', text: 'sources:\n  feed: { connector: ana' },
  { being: 'of another data_dir', text: 'data_dir: ./new\n' },
])('calls a daemon alive, and shows its status, while its file is $being', async ({ text }) => {
  const { file, dataDir } = await running();
  if (text !== undefined) await fs.writeFile(file, text);

  const health = await penstock(['health', '-c', file, '--data-dir', dataDir]);
  const status = await penstock(['status', '--check', '-c', file, '--data-dir', dataDir]);

  expect(health).toEqual({ code: 0, out: 'alive\n', err: '' });
  expect(status).toEqual({ code: 0, out: '', err: '' });
});

it('is told by the environment where the daemon is, as in the image', async () => {
  const { file, dataDir } = await running();
  process.env['PENSTOCK_DATA_DIR'] = dataDir;
  onTestFinished(() => {
    delete process.env['PENSTOCK_DATA_DIR'];
  });

  expect(await penstock(['health', '-c', file])).toEqual({ code: 0, out: 'alive\n', err: '' });
});

it('ends with 1 where nobody answers or nobody can tell, and says how to ask without the file', async () => {
  const { file, dataDir } = await running();

  const without = await penstock(['health', '-c', file]);
  const status = await penstock(['status', '-c', file]);
  const wrong = await penstock(['health', '-c', file, '--data-dir', join(dataDir, 'none')]);
  await fs.writeFile(file, 'data_dir: ./new\n');
  const dead = await penstock(['health', '-c', file]);

  const said = `penstock: ${file}: there is no such file\n  fix: name it with -c, or write one with penstock init`;
  const ask = '; a daemon that runs answers without it: --data-dir FOLDER';
  expect(without).toEqual({ code: 1, out: '', err: `${said}${ask}\n` });
  expect(status).toEqual({ code: 2, out: '', err: `${said}${ask}\n` });
  expect(wrong).toEqual({ code: 1, out: '', err: `${said}\n` });
  expect(dead).toEqual({ code: 1, out: 'no answer\n', err: '' });
});
