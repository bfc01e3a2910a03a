import { once } from 'node:events';
import fs from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { findDaemon } from '../../src/admin/client.ts';
import { type AdminSettings, startAdmin } from '../../src/admin/server.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { operationsOf } from './operations.ts';

const isRoot = process.getuid?.() === 0;

async function temporaryFolder(): Promise<string> {
  const folder = await fs.mkdtemp(join(os.tmpdir(), 'penstock-socket-'));
  onTestFinished(() => fs.rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(dataDir: string, change: Partial<AdminSettings> = {}): Promise<AsyncDisposable> {
  const server = await startAdmin({
    listen: undefined,
    metrics: 'open',
    dataDir,
    operations: operationsOf({ metrics: () => Promise.resolve('up 1\n') }),
    seams: systemSeams(),
    log: silentLog(),
    ...change,
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

const find = (dataDir: string, timeoutMs?: number) => findDaemon({ dataDir, files: fs, timeoutMs });

/** What a daemon that was killed leaves: a socket that nobody listens on. */
async function leaveSocket(dataDir: string): Promise<void> {
  const server = net.createServer().listen(join(dataDir, 'living.sock'));
  await once(server, 'listening');
  await fs.rename(join(dataDir, 'living.sock'), join(dataDir, 'penstock.sock'));
  server.close();
  await once(server, 'close');
}

it('lets the commands reach a running daemon, without a token and without TCP', async () => {
  const dataDir = await temporaryFolder();
  await start(dataDir);

  const daemon = await find(dataDir);

  expect([await daemon?.status(), await fs.readdir(dataDir)]).toEqual([{ running: true }, ['penstock.sock']]);
});

it('makes a socket for its own user, whatever the umask, and takes it away at the end', async () => {
  const dataDir = await temporaryFolder();
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));

  const server = await start(dataDir);
  const { mode } = await fs.lstat(join(dataDir, 'penstock.sock'));
  await server[Symbol.asyncDispose]();

  expect([(mode & 0o777).toString(8), process.umask(), await fs.readdir(dataDir), await find(dataDir)]).toEqual([
    '600',
    0,
    [],
    undefined,
  ]);
});

it('works in a folder whose path is longer than an address of a socket may be', async () => {
  const dataDir = join(await temporaryFolder(), 'a'.repeat(120), 'b'.repeat(120));
  await fs.mkdir(dataDir, { recursive: true });
  const none = await find(dataDir);

  const server = await start(dataDir);
  const status = await (await find(dataDir))?.status();
  await server[Symbol.asyncDispose]();

  expect([none, status, await find(dataDir), await fs.readdir(dataDir)]).toEqual([undefined, { running: true }, undefined, []]);
});

it('finds no daemon where there is no folder, no socket, or one that a killed daemon left, and replaces that', async () => {
  const dataDir = await temporaryFolder();
  const none = [await find(join(dataDir, 'none')), await find(dataDir)];
  await leaveSocket(dataDir);
  await fs.writeFile(join(dataDir, 'admin.token'), 'old');
  const killed = await find(dataDir);

  await start(dataDir);

  expect([...none, killed]).toEqual([undefined, undefined, undefined]);
  expect(await (await find(dataDir))?.status()).toEqual({ running: true });
  expect(await fs.readdir(dataDir)).toEqual(['penstock.sock']);
});

it.each(['penstock.sock', 'admin.token', 'admin.url'])(
  'replaces a link that somebody left as %s, and not what it leads to',
  async (name) => {
    const dataDir = await temporaryFolder();
    const victim = join(await temporaryFolder(), 'victim');
    await fs.writeFile(victim, 'precious');
    await fs.symlink(victim, join(dataDir, name));

    await start(dataDir, { listen: { host: '127.0.0.1', port: 0 } });

    expect(await fs.readFile(victim, 'utf8')).toBe('precious');
    expect((await fs.lstat(join(dataDir, name))).isSymbolicLink()).toBe(false);
  },
);

it('says what stands in the way of its socket', async () => {
  const dataDir = await temporaryFolder();
  await fs.mkdir(join(dataDir, 'penstock.sock'));

  await expect(start(dataDir)).rejects.toMatchObject({ code: 'PEN_OPERATION_FAILED', where: join(dataDir, 'penstock.sock') });
});

it('believes no daemon in a folder where others could have put its socket', async () => {
  const dataDir = await temporaryFolder();
  await start(dataDir);
  await fs.chmod(dataDir, 0o777);

  await expect(find(dataDir)).rejects.toMatchObject({
    code: 'PEN_DATA_DIR_UNSAFE',
    message: 'every user can write to data_dir (mode 0777)',
  });
});

it.runIf(isRoot)('believes no socket that another user left while the folder was open to him', async () => {
  const dataDir = await temporaryFolder();
  await start(dataDir);
  await fs.chown(join(dataDir, 'penstock.sock'), 64_321, 64_321);
  const planted = await find(dataDir).catch((error: unknown) => error);
  await fs.writeFile(join(dataDir, 'journal.db'), '');
  await fs.chown(join(dataDir, 'journal.db'), 64_321, 64_321);

  const daemons = await find(dataDir);

  expect(planted).toMatchObject({ code: 'PEN_DATA_DIR_UNSAFE', message: 'the file belongs to user 64321; it is not used' });
  expect(await daemons?.status()).toEqual({ running: true });
});

it('follows no link to a socket', async () => {
  const [dataDir, elsewhere] = [await temporaryFolder(), await temporaryFolder()];
  await start(elsewhere);
  await fs.symlink(join(elsewhere, 'penstock.sock'), join(dataDir, 'penstock.sock'));

  await expect(find(dataDir)).rejects.toMatchObject({ message: 'the file is not a socket; it is not used' });
});

it.runIf(isRoot)('is closed to other users', async () => {
  const dataDir = await temporaryFolder();
  await start(dataDir);
  await fs.chmod(dataDir, 0o755);

  process.seteuid?.(64_321);
  const found = await find(dataDir).catch((error: unknown) => error);
  process.seteuid?.(0);

  expect(found).toMatchObject({ fix: 'run the command as the user that runs the daemon' });
});

it('gives up on a daemon that does not answer', async () => {
  const dataDir = await temporaryFolder();
  const silent = http.createServer(() => undefined).listen(join(dataDir, 'penstock.sock'));
  onTestFinished(() => void silent.close());
  await once(silent, 'listening');

  await expect(find(dataDir, 100)).rejects.toMatchObject({ message: 'no answer within 100 ms' });
});

it('ends at once, whoever is still connected', async () => {
  const dataDir = await temporaryFolder();
  const server = await start(dataDir);
  const half = net.connect(join(dataDir, 'penstock.sock')).on('error', () => undefined);
  await once(half, 'connect');
  half.write('GET /healthz HTTP/1.1\r\nHost: pen');
  const closed = once(half.resume(), 'close');
  await find(dataDir);

  await server[Symbol.asyncDispose]();
  await closed;

  expect(half.destroyed).toBe(true);
  expect(await find(dataDir)).toBeUndefined();
});
