import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { clearPlace, openOwnFile, writeOwnFile } from '../../src/base/own-file.ts';

const isRoot = process.getuid?.() === 0;
const code = 'PEN_DATA_DIR_UNSAFE';

let folder: string;
let path: string;
let victim: string;

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'penstock-file-'));
  onTestFinished(() => fs.rm(folder, { recursive: true, force: true }));
  path = join(folder, 'file');
  victim = join(folder, 'victim');
  await fs.writeFile(victim, 'precious', { mode: 0o644 });
});

const makeSocket = async (): Promise<void> => {
  const server = net.createServer().listen(path);
  await new Promise((done) => server.once('listening', done));
  onTestFinished(() => void server.close());
};

const planted: readonly { what: string; plant: () => unknown; says: string }[] = [
  { what: 'a symbolic link', plant: () => fs.symlink(victim, path), says: 'is a symbolic link' },
  { what: 'a link to nothing', plant: () => fs.symlink(join(folder, 'none'), path), says: 'is a symbolic link' },
  { what: 'a hard link', plant: () => fs.link(victim, path), says: 'is a hard link: the same file has 2 names' },
  { what: 'a FIFO', plant: () => execFileSync('mkfifo', [path]), says: 'is not a regular file' },
  { what: 'a folder', plant: () => fs.mkdir(path), says: 'is not a regular file' },
  { what: 'a socket', plant: makeSocket, says: 'is not a regular file' },
  { what: 'a link to a device', plant: () => fs.symlink('/dev/null', path), says: 'is a symbolic link' },
];

it.each(planted)('neither fills nor reads $what', async ({ plant, says }) => {
  await plant();

  const written = await writeOwnFile(path, 'mine', fs, code).catch((error: unknown) => error);
  // One after the other: who opens a FIFO to read waits for a writer, and must not find one in the next.
  const opened: unknown[] = [];
  for (const how of ['read', 'append'] as const)
    opened.push(await openOwnFile(path, fs, { for: how, code }).catch((error: unknown) => error));

  for (const error of [written, ...opened])
    expect(error).toMatchObject({ code, message: `the file ${says}; it is not used`, where: path });
  expect(await fs.readFile(victim, 'utf8')).toBe('precious');
  await expect(fs.lstat(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});

it.runIf(isRoot)('does not use a file of another user', async () => {
  await fs.copyFile(victim, path);
  await fs.chown(path, 64_321, 64_321);

  await expect(writeOwnFile(path, 'mine', fs, code)).rejects.toMatchObject({
    message: 'the file belongs to user 64321, not to user 0; it is not used',
  });
  const handle = await openOwnFile(path, fs, { for: 'read', code, owners: [64_321] });
  await handle.close();
});

it('makes a file for itself alone, whatever the umask, and writes its whole content', async () => {
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));

  await writeOwnFile(path, 'a longer text', fs, code);
  await fs.chmod(path, 0o666);
  await writeOwnFile(path, 'short', fs, code);

  expect([await fs.readFile(path, 'utf8'), ((await fs.stat(path)).mode & 0o777).toString(8)]).toEqual(['short', '600']);
});

it('clears a place of a link and not of what it leads to, and says where a folder stands in the way', async () => {
  await fs.symlink(victim, path);
  await clearPlace(path, fs);
  await fs.mkdir(path);

  await expect(clearPlace(path, fs)).rejects.toMatchObject({
    code,
    message: 'the file is a folder; it is not used',
    where: path,
  });
  expect(await fs.readFile(victim, 'utf8')).toBe('precious');
});
