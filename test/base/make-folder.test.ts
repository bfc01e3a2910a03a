import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder } from '../../src/base/make-folder.ts';

let root = '';
beforeEach(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'penstock-folder-'));
});
afterEach(() => fs.rm(root, { recursive: true }));

it('makes a folder and those above it with the mode, and returns the topmost one made', async () => {
  const made = await makeFolder(join(root, 'a/b/c'), fs, 0o700);

  expect(made).toBe(join(root, 'a'));
  expect((await fs.stat(join(root, 'a/b/c'))).mode & 0o777).toBe(0o700);
});

it('makes nothing where the folder is there', async () => {
  await expect(makeFolder(root, fs)).resolves.toBeUndefined();
});

it('refuses a path through a file', async () => {
  await fs.writeFile(join(root, 'file'), '');

  await expect(makeFolder(join(root, 'file'), fs)).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolder(join(root, 'file/below'), fs)).rejects.toMatchObject({ code: 'ENOTDIR' });
});

it('takes a folder that another process makes at the same moment', async () => {
  const paths = await Promise.all(Array.from({ length: 8 }, () => makeFolder(join(root, 'x/y'), fs)));

  expect(paths).toHaveLength(8);
  expect((await fs.stat(join(root, 'x/y'))).isDirectory()).toBe(true);
});

it.runIf(process.platform === 'linux')('ends where the file system makes no folders and calls them missing', async () => {
  await expect(makeFolder('/proc/penstock-nope/deeper', fs)).rejects.toMatchObject({ code: 'ENOENT' });
});
