// A PostgreSQL server for the tests of a run: the first that asks starts it, in a folder of the run, and the run stops it at its end.
// PENSTOCK_TEST_PG names another one, for example of another version. Where there is neither, the tests say that they were skipped.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statfsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import { onTestFinished } from 'vitest';
import { freePort } from './free-port.ts';

/** Where the server's programs are; Debian keeps them off the path. */
export function postgresPrograms(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env['PATH'] ?? '').split(':')];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_ctl')));
}

const isRoot = (): boolean => process.getuid?.() === 0;

/** Runs one of the server's programs; root may not, so it becomes the user `postgres`. */
export function runAsServer(program: string, args: readonly string[]): void {
  const path = join(postgresPrograms() ?? '', program);
  // The server would keep the pipes of its starter open.
  if (isRoot()) execFileSync('runuser', ['-u', 'postgres', '--', path, ...args], { stdio: 'ignore', cwd: '/' });
  else execFileSync(path, args, { stdio: 'ignore' });
}

/** Makes a server of its own in a new folder and starts it; every commit is synced, as in production. */
export async function startServer(
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<{ data: string; url: string }> {
  await mkdir(folder, { recursive: true });
  if (isRoot()) execFileSync('chown', ['postgres', folder]);
  const data = join(folder, 'data');
  const port = await freePort();
  runAsServer('initdb', ['-D', data, '-U', 'penstock', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-instructions']);
  const all = {
    listen_addresses: "'127.0.0.1'",
    port: String(port),
    unix_socket_directories: "''",
    max_connections: '200',
    shared_buffers: '64MB',
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(join(data, 'postgresql.auto.conf'), lines.join(''));
  runAsServer('pg_ctl', ['-D', data, '-l', join(folder, 'log'), '-w', 'start']);
  return { data, url: `postgres://penstock@127.0.0.1:${port}/postgres` };
}

/** Makes a standby of a server, which follows it. */
export async function startStandby(folder: string, of: string): Promise<{ data: string; url: string }> {
  await mkdir(folder, { recursive: true });
  if (isRoot()) execFileSync('chown', ['postgres', folder]);
  const data = join(folder, 'data');
  const port = await freePort();
  const { hostname, port: primary, username } = new URL(of);
  runAsServer('pg_basebackup', [
    '-D',
    data,
    '-d',
    `host=${hostname} port=${primary} user=${username}`,
    '-R',
    '-X',
    'stream',
    '-c',
    'fast',
  ]);
  await writeFile(join(data, 'postgresql.auto.conf'), `port = ${port}\n`, { flag: 'a' });
  runAsServer('pg_ctl', ['-D', data, '-l', join(folder, 'log'), '-w', 'start']);
  return { data, url: of.replace(`:${primary}/`, `:${port}/`) };
}

/** In memory where there is plenty: nobody cuts the power of this server, and a sync that waits for a disk proves nothing. */
function folderOfRun(): string {
  const memory = '/dev/shm';
  const plenty = 1024 ** 3;
  const { bavail, bsize } = existsSync(memory) ? statfsSync(memory) : { bavail: 0, bsize: 0 };
  // The folder of the run is the same for all its workers; while it is in use, so is what it takes.
  const inMemory = join(memory, `${basename(tmpdir())}-postgres`);
  return existsSync(inMemory) || bavail * bsize > plenty ? inMemory : join(tmpdir(), 'postgres');
}

/** Address of the run's server; undefined where none can be had. */
export async function postgresUrl(): Promise<string | undefined> {
  const given = process.env['PENSTOCK_TEST_PG'];
  if (given !== undefined && given !== '') return given;
  if (postgresPrograms() === undefined) return undefined;
  const folder = folderOfRun();
  const ready = join(folder, 'url');
  try {
    await mkdir(folder);
  } catch {
    // Another worker of the run starts it.
    for (let tries = 0; tries < 2400; tries += 1) {
      if (existsSync(ready)) return readFile(ready, 'utf8');
      await wait(100);
    }
    throw new Error(`no server was started in ${folder}; its log says why`);
  }
  const { url } = await startServer(folder, { max_wal_size: '64MB' });
  await writeFile(`${ready}.new`, url);
  await rename(`${ready}.new`, ready);
  return url;
}

/** Stops the run's server, if there is one. */
export async function stopPostgres(): Promise<void> {
  const data = join(folderOfRun(), 'data');
  if (existsSync(join(data, 'postmaster.pid'))) runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
  await rm(folderOfRun(), { recursive: true, force: true });
}

const deadlock = '40P01';

/** Runs statements on a server, outside of what is tested. */
export async function onServer<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Where PgBouncer is; undefined where there is none. */
export const pooler = (): string | undefined =>
  ['/usr/sbin', ...(process.env['PATH'] ?? '').split(':')]
    .map((folder) => join(folder, 'pgbouncer'))
    .find((file) => existsSync(file));

export interface Pooler {
  readonly url: string;
  /** Ends it by a signal; resolves when it is gone. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  start(): void;
}

/** Starts PgBouncer before a server until the test ends; every transaction may get another connection. Returns its address. */
export async function startPooler(folder: string, of: string, settings: Readonly<Record<string, number>>): Promise<string> {
  return (await openPooler(folder, of, settings)).url;
}

/** The same, for a test that ends it and starts it again. */
export async function openPooler(folder: string, of: string, settings: Readonly<Record<string, number>>): Promise<Pooler> {
  const { port, username } = new URL(of);
  const listen = await freePort();
  await mkdir(folder);
  const all = {
    listen_addr: '127.0.0.1',
    listen_port: listen,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    ignore_startup_parameters: 'extra_float_digits',
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}\n`);
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(file, `[databases]\npostgres = host=127.0.0.1 port=${port} user=${username}\n[pgbouncer]\n${lines.join('')}`);
  const begin = () => spawn(pooler() ?? '', [...(isRoot() ? ['-u', 'postgres'] : []), file], { stdio: 'ignore' });
  let running = begin();
  onTestFinished(() => void running.kill('SIGKILL'));
  return {
    url: of.replace(`:${port}/`, `:${listen}/`),
    async end(signal) {
      const gone = new Promise((resolve) => running.once('exit', resolve));
      running.kill(signal);
      await gone;
    },
    start() {
      running = begin();
    },
  };
}

/** The name of a schema of the test's own, which is dropped when the test ends. */
export function temporarySchema(url: string): string {
  const schema = `test_${randomBytes(6).toString('hex')}`;
  onTestFinished(() => dropSchema(url, schema));
  return schema;
}

/** What a killed process asked for may still run on the server, and meet this. */
async function dropSchema(url: string, schema: string): Promise<void> {
  const isDropped = await onServer(url, (client) =>
    client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`).then(
      () => true,
      (error: { readonly code?: string }) => {
        if (error.code === deadlock) return false;
        throw error;
      },
    ),
  );
  if (!isDropped) await dropSchema(url, schema);
}

/** True where tests can have a server; says once that they are skipped where not. */
export function hasPostgres(): boolean {
  const has = (process.env['PENSTOCK_TEST_PG'] ?? '') !== '' || postgresPrograms() !== undefined;
  if (!has)
    process.stderr.write(
      'no PostgreSQL on this machine: its tests are skipped; scripts/install-receivers.sh says how to have one\n',
    );
  return has;
}
