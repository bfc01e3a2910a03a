// Replicas of the real process while their database refuses, hangs, or has nothing to spare: nothing is lost, nothing exits, and work resumes by itself.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../free-port.ts';
import { hasPostgres, onServer, openPooler, pooler, runAsServer, startPooler, startServer } from '../../postgres.ts';
import { until } from '../conditions.ts';
import { command } from '../penstock.ts';
import { copies, imbalances, openScene, type Replica, untilShared } from './scene.ts';

const sources = 6;
const names = ['one', 'two'];

/** A server of the test's own, in a new folder or, where that is a small disk, in this one. */
async function server(settings: Readonly<Record<string, string>> = {}, disk?: string) {
  const folder = disk ?? (await mkdtemp(join(tmpdir(), 'penstock-server-')));
  await chmod(folder, 0o755);
  const { data, url } = await startServer(join(folder, 'server'), settings);
  const log = join(folder, 'server', 'log');
  onTestFinished(() => runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']));
  const sql = (text: string): Promise<unknown[]> => onServer(url, async (client) => (await client.query(text)).rows as unknown[]);
  return { folder, data, url, log, sql };
}

/** Two replicas that share everything and have begun to deliver. */
async function twoReplicas({ listen, ...options }: Parameters<typeof openScene>[0] & { readonly listen?: string }) {
  const scene = await openScene({ schema: 'penstock', ...options });
  const replicas: Replica[] = [];
  for (const name of names) replicas.push(scene.run(name, await scene.configure(name, name === 'one' ? { listen } : {})));
  const [one, two] = replicas as [Replica, Replica];
  const shared = () => untilShared(one, names, sources, Math.ceil(sources * 0.6));
  await shared();
  return { scene, one, two, shared };
}

/** Everything arrives, the ledger balances, and nobody has ended. */
async function expectWhole(
  { scene, one, two }: Awaited<ReturnType<typeof twoReplicas>>,
  mostCopies: number,
  looks = one.file,
): Promise<void> {
  await scene.finish();
  expect([one, two].map(({ process }) => process.child.exitCode)).toEqual([null, null]);
  expect(await imbalances({ ...one, file: looks })).toEqual([]);
  expect(copies(scene.receiver)).toBeLessThanOrEqual(mostCopies);
}

/** A disk of so many MiB until the test ends; false where none can be had. */
async function mountDisk(folder: string, mebibytes: number): Promise<boolean> {
  await mkdir(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  return true;
}

const fill = (filler: string): void =>
  void execFileSync('sh', [
    '-c',
    `dd if=/dev/zero of=${filler} bs=64k 2>/dev/null || dd if=/dev/zero of=${filler}-too bs=1k 2>/dev/null || true`,
  ]);

/** Lines of a log that say that something is wrong. */
const warnings = (log: string): string[] => log.split('\n').filter((line) => /"level":[45]0/.test(line));

const mostUnderWay = 2 * 6 * 500;

describe.runIf(hasPostgres())('replicas', () => {
  it('wait while somebody holds their tables, and go on', async () => {
    const { url } = await server();
    const all = await twoReplicas({ sources, url });
    const { schema } = all.scene;

    for (const table of ['pages', 'units', 'members'])
      await onServer(url, async (client) => {
        await client.query('BEGIN');
        await client.query(`LOCK TABLE ${schema}.${table} IN ACCESS EXCLUSIVE MODE`);
        await pause(7_000);
        await client.query('COMMIT');
      });
    await all.shared();

    await expectWhole(all, 3 * mostUnderWay);
  });

  it('are healthy and ready while their database is away, and say in status, on the page and in the metrics that it is', async () => {
    const { data, log, url } = await server();
    const scene = await openScene({ sources: 2, url, schema: 'penstock' });
    const port = await freePort();
    const one = scene.run('one', await scene.configure('one', { listen: `127.0.0.1:${port}` }));
    const ask = async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> => {
      const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`, { headers });
      return `${statusCode} ${await body.text()}`;
    };
    await untilShared(one, ['one'], 2);
    // A replica holds its sources before its admin server listens.
    await one.process.said('admin server is listening');
    const before = await ask('/metrics');

    runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
    await until('the metrics say that the journal is away', async () =>
      (await ask('/metrics')).includes('penstock_journal_up 0\n'),
    );
    // Of the heartbeat, the journal and a poll at least; what was said then is not said again.
    await until('it says what it misses', () => warnings(one.process.stderr()).length > 2);
    await pause(20_000);
    const whileAway = one.process.stderr();
    const [health, ready] = [await ask('/healthz'), await ask('/readyz')];
    const token = (await readFile(join(one.file, '../data/admin.token'), 'utf8')).trim();
    const overview = await ask('/overview', { authorization: `Bearer ${token}` });
    const status = await command(['status', '--json', '-c', one.file]);
    runAsServer('pg_ctl', ['-D', data, '-l', log, '-w', 'start']);
    await untilShared(one, ['one'], 2);
    await scene.finish();

    expect(before).toContain('penstock_journal_up 1\n');
    // Asked again and again for all that time, and said once.
    const kinds = warnings(whileAway).map((line) => {
      const { msg, source, sink } = JSON.parse(line) as Readonly<Record<string, unknown>>;
      return JSON.stringify([msg, source, sink]);
    });
    expect(kinds).toEqual([...new Set(kinds)]);
    expect([health, ready].map((answer) => answer.slice(0, 3))).toEqual(['200', '200']);
    const report = JSON.parse(status.stdout) as { problems: { level: string; where: string; what: string }[] };
    expect(report).toMatchObject({ running: true, replicas: [] });
    // A sink that had something to settle adds that it waits for the same database.
    const [first, ...others] = report.problems;
    expect(first).toMatchObject({ level: 'error', where: 'journal' });
    for (const problem of others)
      expect(problem).toMatchObject({
        level: 'warning',
        where: 'sink lake',
        what: expect.stringMatching(/^offsets cannot be written: .*did not answer/) as string,
      });
    expect(JSON.parse(overview.replace('200 ', ''))).toMatchObject({
      status: { journal: { server: { answers: false } }, replicas: [] },
      ledger: { imbalances: [] },
      letters: [],
    });
    expect(await imbalances(one)).toEqual([]);
  });

  it('share what connections a server has that has hardly any', async () => {
    const { data, log, url, sql } = await server();
    await sql('CREATE ROLE app LOGIN');
    await sql('GRANT CREATE ON DATABASE postgres TO app');
    const all = await twoReplicas({ sources, url: url.replace('penstock@', 'app@') });

    // Nine connections each are what they would take.
    await writeFile(
      join(data, 'postgresql.auto.conf'),
      'max_connections = 7\nsuperuser_reserved_connections = 3\nmax_wal_senders = 0\n',
      { flag: 'a' },
    );
    runAsServer('pg_ctl', ['-D', data, '-l', log, '-m', 'fast', '-w', 'restart']);
    await all.shared();
    await pause(10_000);
    await all.shared();

    await expectWhole(all, mostUnderWay, await all.scene.configure('looks', { url }));
  });

  it('go on with a password that was changed while they ran', async () => {
    const { data, folder, url, sql } = await server();
    await sql("CREATE ROLE app LOGIN PASSWORD 'first'");
    await sql('GRANT CREATE ON DATABASE postgres TO app');
    const rules = join(data, 'pg_hba.conf');
    await writeFile(rules, 'host all app 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n');
    await sql('SELECT pg_reload_conf()');
    const secret = join(folder, 'password');
    await writeFile(secret, 'first\n');
    const all = await twoReplicas({
      sources,
      url: url.replace('penstock@', 'app@'),
      journal: { password: `\${file:${secret}}` },
    });

    await sql("ALTER ROLE app PASSWORD 'second'");
    await sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
    await pause(2_000);
    await writeFile(secret, 'second\n');
    await all.shared();

    await expectWhole(all, mostUnderWay);
    const said = [all.one, all.two].map(({ process }) => process.stdout() + process.stderr()).join('');
    expect(said.includes('first') || said.includes('second')).toBe(false);
  });

  it('wait while the database takes no writes, as one that became a standby', async () => {
    const { url, sql } = await server();
    const all = await twoReplicas({ sources, url });

    await sql('ALTER SYSTEM SET default_transaction_read_only = on');
    await sql('SELECT pg_reload_conf()');
    await pause(8_000);
    await onServer(url, async (client) => {
      await client.query('SET default_transaction_read_only = off');
      await client.query('ALTER SYSTEM RESET default_transaction_read_only');
      await client.query('SELECT pg_reload_conf()');
    });
    await all.shared();

    await expectWhole(all, mostUnderWay);
  });

  it.runIf(pooler() !== undefined)('go on when the pooler before the database was killed, or is started anew', async () => {
    const { folder, url } = await server();
    const between = await openPooler(join(folder, 'pooler'), url, { default_pool_size: 4 });
    const all = await twoReplicas({ sources, url: between.url });

    // Longer than the lease, then hardly at all.
    await between.end('SIGKILL');
    await pause(8_000);
    between.start();
    await all.shared();
    await between.end('SIGTERM');
    between.start();
    await pause(8_000);
    await all.shared();

    await expectWhole(all, mostUnderWay, await all.scene.configure('looks', { url }));
  });

  it.runIf(pooler() !== undefined).each([
    ['has a connection of the server for few of theirs', { default_pool_size: 4 }],
    ['has one connection of the server for all', { default_pool_size: 1 }],
    ['takes fewer of them than they want', { default_pool_size: 4, max_client_conn: 10 }],
  ])('share and hand over, and send nothing twice, behind a pooler that %s', async (_what, settings) => {
    const { folder, url } = await server();
    const pooled = await startPooler(join(folder, 'pooler'), url, settings);
    const all = await twoReplicas({ sources, url: pooled, lease: '60s', journal: { connections: 4 } });
    const three = all.scene.run('three', await all.scene.configure('three'));
    await untilShared(three, [...names, 'three'], sources, 2);

    three.process.child.kill('SIGTERM');
    expect(await three.process.exited).toBe(0);
    await all.shared();

    await expectWhole(all, 0, await all.scene.configure('looks', { url }));
  });

  it('wait while the disk of the database is full', async ({ skip }) => {
    const { folder, url, sql } = await server();
    const disk = join(folder, 'disk');
    skip(!(await mountDisk(disk, 24)), 'no file system can be mounted here');
    await mkdir(join(disk, 'space'));
    execFileSync('chown', ['postgres', join(disk, 'space')]);
    await sql(`CREATE TABLESPACE small LOCATION '${join(disk, 'space')}'`);
    await sql('ALTER DATABASE postgres SET default_tablespace = small');
    const all = await twoReplicas({ sources, url, perSecond: 20, listen: `127.0.0.1:${await freePort()}` });
    const filler = join(disk, 'filler');

    fill(filler);
    const full = (): boolean =>
      [all.one, all.two].some(({ process }) => (process.stdout() + process.stderr()).includes('PEN_JOURNAL_FULL'));
    await until('a replica met the full disk', full);
    let status = '';
    await until(
      'the status says whose disk is full, and what to do',
      async () => {
        ({ stdout: status } = await command(['status', '--json', '-c', all.one.file]));
        return status.includes('the disk of the database server is full; collection waits');
      },
      { seen: () => status },
    );
    for (const file of [filler, `${filler}-too`]) await rm(file);
    await all.shared();

    await expectWhole(all, 2 * mostUnderWay);
  });

  it('wait while a full disk has stopped the server, and go on when that has room and was started', async ({ skip }) => {
    const disk = await mkdtemp(join(tmpdir(), 'penstock-disk-'));
    await chmod(disk, 0o755);
    const small = join(disk, 'small');
    skip(!(await mountDisk(small, 160)), 'no file system can be mounted here');
    const { url, data, log, sql } = await server({ max_wal_size: '32MB', min_wal_size: '32MB' }, small);
    const all = await twoReplicas({ sources, url, perSecond: 40, listen: `127.0.0.1:${await freePort()}` });
    const filler = join(small, 'filler');

    fill(filler);
    // What it writes ahead has no room either.
    const hasStopped = async (): Promise<boolean> => {
      await sql("SELECT pg_logical_emit_message(true, 'a', 'b'), pg_switch_wal()").catch(() => undefined);
      return !existsSync(join(data, 'postmaster.pid'));
    };
    await until('the server has stopped', hasStopped, { seen: () => execFileSync('tail', ['-n', '20', log]).toString() });
    let status = '';
    const saysSo = async (): Promise<boolean> => {
      ({ stdout: status } = await command(['status', '--json', '-c', all.one.file]));
      return status.includes('see that the database runs and can be reached');
    };
    await until('the status says that the database is away, and what to do', saysSo, { seen: () => status });
    for (const file of [filler, `${filler}-too`]) await rm(file);
    runAsServer('pg_ctl', ['-D', data, '-l', log, '-w', 'start']);
    await all.shared();

    await expectWhole(all, 2 * mostUnderWay);
  });
});
