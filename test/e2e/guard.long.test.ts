// What another user of the machine can do to a daemon: with its folder, its port, and what it leaves when it is killed.
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { createServer } from 'node:http';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../free-port.ts';
import { untilStatus } from './conditions.ts';
import { configFile, penstock, type RunningPenstock, run } from './penstock.ts';
import { startVendors } from './vendors.ts';

const isRoot = process.getuid?.() === 0;
const [daemonUser, someUser] = [64_321, 64_322];

/** A configuration that needs no network; its secret is in the daemon's environment only. */
async function quietConfig(config: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const file = await configFile({
    sources: {
      feed: { connector: 'okta', enabled: false, options: { org_url: 'https://example.okta.com', token: '${env:GUARD_TOKEN}' } },
    },
    sinks: { out: { type: 'file', path: './out.ndjson' } },
    ...config,
  });
  await fs.mkdir(join(dirname(file), 'data'), { mode: 0o700 });
  return file;
}

const env = { GUARD_TOKEN: 'a-token-of-the-daemon' };

async function startDaemon(file: string, user?: number): Promise<RunningPenstock> {
  const daemon = penstock(['run', '-c', file], { env, user });
  onTestFinished(() => void daemon.child.kill('SIGKILL'));
  await daemon.said('admin server is listening');
  return daemon;
}

async function kill(daemon: RunningPenstock): Promise<void> {
  daemon.child.kill('SIGKILL');
  await daemon.exited;
}

it('answers health over its socket, and never once it was killed, whoever listens on its port then', async () => {
  const port = await freePort();
  const file = await quietConfig({ admin: { listen: `127.0.0.1:${port}` } });
  const daemon = await startDaemon(file);
  const alive = await run(['health', '-c', file]);
  await kill(daemon);

  const heard: unknown[] = [];
  const impostor = createServer((request, response) => {
    heard.push([request.url, request.headers]);
    response.end('{"ok":true,"running":true}');
  }).listen(port, '127.0.0.1');
  onTestFinished(() => void impostor.close());
  await once(impostor, 'listening');
  const dead = await run(['health', '-c', file]);
  const status = await run(['status', '--json', '-c', file]);

  expect([alive.code, dead.code, (JSON.parse(status.stdout) as { running: boolean }).running]).toEqual([0, 1, false]);
  expect(heard).toEqual([]);
});

it('starts again over the socket that a killed daemon left, without TCP, with a path too long for a socket', async () => {
  const file = await quietConfig({ admin: { listen: 'off' }, data_dir: `./${'long'.repeat(40)}/data` });
  await kill(await startDaemon(file));

  const daemon = await startDaemon(file);
  const health = await run(['health', '-c', file]);
  daemon.child.kill('SIGTERM');
  const code = await daemon.exited;
  const after = await run(['health', '-c', file]);

  expect([health.code, code, after.code]).toEqual([0, 0, 1]);
  expect(
    (await fs.readdir(join(dirname(file), 'long'.repeat(40), 'data'))).filter((name) => !name.startsWith('journal.')),
  ).toEqual([]);
});

it('answers health beside two hundred connections to its port that ask for nothing', async () => {
  const port = await freePort();
  const file = await quietConfig({ admin: { listen: `127.0.0.1:${port}` } });
  await startDaemon(file);
  const half = Array.from({ length: 200 }, () => net.connect(port, '127.0.0.1').on('error', () => undefined));
  onTestFinished(() => {
    for (const socket of half) socket.destroy();
  });
  await Promise.all(half.map((socket) => once(socket, 'connect')));
  for (const socket of half) socket.write('GET /hea');

  const [health, open] = await Promise.all([run(['health', '-c', file]), fetch(`http://127.0.0.1:${port}/healthz`)]);

  expect([health.code, open.status]).toEqual([0, 200]);
});

it('opens no debugger when it is asked to by a signal', async () => {
  const daemon = await startDaemon(await quietConfig());

  daemon.child.kill('SIGUSR1');
  await daemon.said('SIGUSR1 is ignored');
  daemon.child.kill('SIGTERM');

  expect(await daemon.exited).toBe(0);
  expect(daemon.stderr()).not.toContain('Debugger');
});

it('lets the running daemon do a job whose secrets the shell does not have', async () => {
  const vendors = await startVendors(71);
  await using _simulator = vendors.simulator;
  const source = vendors.sources['anaconda-acme'];
  const known = source?.['options'] as { readonly client_secret: string };
  const options = { ...known, client_secret: '${env:GUARD_TOKEN}' };
  const file = await configFile({
    sources: { 'anaconda-acme': { ...source, start: '2m', options } },
    sinks: { out: { type: 'file', path: './out.ndjson' } },
  });
  const job = ['backfill', 'anaconda-acme', '--from', '9m', '--to', '3m', '-c', file];
  const alone = await run(job);
  const daemon = penstock(['run', '-c', file], { env: { GUARD_TOKEN: known.client_secret } });
  onTestFinished(() => void daemon.child.kill('SIGKILL'));
  await untilStatus(file, 'the daemon runs', ({ running }) => running);

  const beside = await run(job);
  const replay = await run(['replay', 'out', '--from', '9m', '--to', '3m', '-c', file]);

  expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining('environment variable GUARD_TOKEN is not set')]);
  expect([beside.code, beside.stdout, beside.stderr]).toEqual([
    0,
    expect.stringContaining('backfill done by the running daemon'),
    expect.anything(),
  ]);
  expect([replay.code, replay.stdout]).toEqual([0, expect.stringContaining('replay done by the running daemon')]);
});

it('sets a data_dir right that others could write, says so, and then lets them do nothing there', async () => {
  const file = await quietConfig();
  const data = join(dirname(file), 'data');
  await fs.chmod(data, 0o777);

  const before = await run(['health', '-c', file]);
  const daemon = await startDaemon(file);
  const health = await run(['health', '-c', file]);

  expect([before.code, before.stderr]).toEqual([1, expect.stringContaining('every user can write to data_dir (mode 0777)')]);
  expect(daemon.stderr()).toContain('others could write to data_dir (mode 0777): its mode is now 0755');
  expect([health.code, (await fs.stat(data)).mode & 0o7777]).toEqual([0, 0o755]);
  const names = await fs.readdir(data);
  const modes = await Promise.all(names.map(async (name) => [name, (await fs.lstat(join(data, name))).mode & 0o777]));
  expect(modes).toEqual(names.map((name) => [name, 0o600]));
  expect(names).toEqual(
    expect.arrayContaining(['admin.token', 'journal.ballast', 'journal.db', 'journal.holder', 'journal.lock', 'penstock.sock']),
  );
});

it.each(['journal.holder', 'journal.ballast', 'journal.db', 'journal.db-wal', 'journal.lock'])(
  'does not start over a link that somebody left as %s while the folder was open',
  async (name) => {
    const file = await quietConfig();
    const victim = join(dirname(file), 'victim');
    await fs.writeFile(victim, 'precious');
    await fs.chmod(join(dirname(file), 'data'), 0o777);
    await fs.symlink(victim, join(dirname(file), 'data', name));

    const { code, stderr } = await run(['run', '--once', '-c', file], { env });

    expect([code, stderr]).toEqual([1, expect.stringContaining(`${name}: the file is a symbolic link; it is not used`)]);
    expect(await fs.readFile(victim, 'utf8')).toBe('precious');
  },
);

it('writes the page of verify for its user alone, and over no link', async () => {
  const vendors = await startVendors(72);
  await using _simulator = vendors.simulator;
  const file = await configFile({
    sources: { 'anaconda-acme': { ...vendors.sources['anaconda-acme'], start: '5m' } },
    sinks: { out: { type: 'file', path: './out.ndjson' } },
  });
  await run(['run', '--once', '-c', file]);
  const [page, link, victim] = ['page.html', 'link.html', 'victim'].map((name) => join(dirname(file), name)) as [
    string,
    string,
    string,
  ];
  await fs.writeFile(victim, 'precious');
  await fs.symlink(victim, link);
  const verify = (html: string) => run(['verify', 'anaconda-acme', '--from', '4m', '--to', '3m', '-c', file, '--html', html]);

  const written = await verify(page);
  const refused = await verify(link);

  expect([written.code, ((await fs.stat(page)).mode & 0o777).toString(8)]).toEqual([0, '600']);
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining('link.html: the file is a symbolic link; it is not used'),
  ]);
  expect(await fs.readFile(victim, 'utf8')).toBe('precious');
});

it.runIf(isRoot)("runs as an ordinary user in its own folder, and in a volume of root's that its group writes", async () => {
  for (const volume of [false, true]) {
    const file = await quietConfig();
    const data = join(dirname(file), 'data');
    await fs.chmod(dirname(file), 0o755);
    await fs.chown(data, volume ? 0 : daemonUser, daemonUser);
    if (volume) await fs.chmod(data, 0o2775);
    await fs.chmod(file, 0o644);
    await fs.writeFile(join(dirname(file), 'out.ndjson'), '');
    await fs.chown(join(dirname(file), 'out.ndjson'), daemonUser, daemonUser);

    const daemon = await startDaemon(file, daemonUser);
    const asked = await Promise.all([daemonUser, 0, someUser].map((user) => run(['health', '-c', file], { user })));
    await kill(daemon);
    const again = await startDaemon(file, daemonUser);
    again.child.kill('SIGTERM');

    expect(asked.map(({ code }) => code)).toEqual([0, 0, 1]);
    expect(await again.exited).toBe(0);
  }
});

it.runIf(isRoot)('does not start in the folder of another user, as root either', async () => {
  const file = await quietConfig();
  const data = join(dirname(file), 'data');
  await fs.chown(data, someUser, someUser);

  const { code, stderr } = await run(['run', '--once', '-c', file], { env });

  expect([code, stderr]).toEqual([1, expect.stringContaining(`data_dir belongs to user ${someUser}, penstock runs as user 0`)]);
  expect(await fs.readdir(data)).toEqual([]);
});
