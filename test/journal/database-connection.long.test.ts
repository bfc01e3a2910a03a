import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseError } from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { explain, PenstockError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { PostgresEngine } from '../../src/journal/contract/open.ts';
import { Database } from '../../src/journal/postgres/database.ts';
import { databaseError, isLost } from '../../src/journal/postgres/faults.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hasPostgres, onServer, postgresUrl, runAsServer, startServer, temporarySchema } from '../postgres.ts';
import { source, temporaryDirectory } from './fixture.ts';
import { postgresEngine } from './places.ts';

const open = (engine: PostgresEngine) =>
  openPostgres(engine, { engine, maxBytes: 2 ** 30, keepMs: 1e9, seams: systemSeams(), log: silentLog(), lockWaitMs: 0 });

async function refusalOf(engine: PostgresEngine): Promise<string> {
  const opened = await open(engine).catch((error: unknown) => error);
  if (!(opened instanceof PenstockError)) throw new Error('it was opened');
  return `${opened.code}: ${explain(opened)}`;
}

const answered = (code: string): Error => Object.assign(new DatabaseError('said so', 7, 'error'), { code });

it.each([
  ['08006', 'PEN_JOURNAL_UNAVAILABLE', true],
  ['57P01', 'PEN_JOURNAL_UNAVAILABLE', true],
  ['57014', 'PEN_JOURNAL_UNAVAILABLE', false],
  ['53300', 'PEN_JOURNAL_UNAVAILABLE', false],
  ['40001', 'PEN_JOURNAL_UNAVAILABLE', false],
  ['40P01', 'PEN_JOURNAL_UNAVAILABLE', false],
  ['55P03', 'PEN_JOURNAL_UNAVAILABLE', false],
  ['25P03', 'PEN_JOURNAL_UNAVAILABLE', false],
  ['53100', 'PEN_JOURNAL_FULL', false],
  ['53200', 'PEN_JOURNAL_FULL', false],
  ['XX001', 'PEN_JOURNAL_CORRUPT', false],
  ['25006', 'PEN_JOURNAL_UNWRITABLE', false],
  ['42501', 'PEN_JOURNAL_UNWRITABLE', false],
  ['28P01', 'PEN_JOURNAL_UNWRITABLE', false],
  ['22012', 'PEN_INTERNAL', false],
])('takes the answer %s for %s', (state, code, lost) => {
  expect(databaseError(answered(state), 'db')).toMatchObject({ code, where: 'db' });
  expect(isLost(answered(state))).toBe(lost);
});

it('takes a broken connection for an answer that is lost, and a fault of its own for neither', () => {
  expect(databaseError(new Error('Connection terminated unexpectedly'), 'db')).toMatchObject({ code: 'PEN_JOURNAL_UNAVAILABLE' });
  expect(isLost(databaseError(new Error('Connection terminated unexpectedly'), 'db'))).toBe(true);
  expect(databaseError(new TypeError('x is not a function'), 'db')).toMatchObject({ code: 'PEN_INTERNAL' });
  expect(isLost(new TypeError('x is not a function'))).toBe(false);
});

it('refuses parameters in the address, and one that is none', async () => {
  const engine = postgresEngine('postgres://penstock@db.example.com/penstock?sslmode=require', 'x');

  await expect(open(engine)).rejects.toMatchObject({ code: 'PEN_CONFIG_INVALID' });
  await expect(open(postgresEngine('mysql://db', 'x'))).rejects.toMatchObject({ code: 'PEN_CONFIG_INVALID' });
});

describe.runIf(hasPostgres())('a database', () => {
  it('is refused where a commit would not be durable when it is answered', async () => {
    const url = (await postgresUrl()) ?? '';
    const name = temporarySchema(url);
    await onServer(url, async (client) => {
      await client.query(`CREATE DATABASE ${name}`);
      await client.query(`ALTER DATABASE ${name} SET synchronous_commit = off`);
    });
    onTestFinished(() => onServer(url, async (client) => void (await client.query(`DROP DATABASE ${name} WITH (FORCE)`))));
    const engine = postgresEngine(url.replace(/\/postgres$/, `/${name}`), 'penstock');

    expect(await refusalOf(engine)).toContain('PEN_JOURNAL_UNWRITABLE: ');
    expect(await refusalOf(engine)).toContain('synchronous_commit = off');
    await onServer(url, async (client) => {
      await client.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
      await client.query(`ALTER DATABASE ${name} RESET synchronous_commit`);
    });
    expect(await refusalOf(engine)).toContain('takes no writes');
  });

  it('is reached over a unix socket, over IPv6, and by a user and in a schema of odd names', async () => {
    const folder = await temporaryDirectory();
    await chmod(folder, 0o755);
    const sockets = join(folder, 'server');
    const settings = { listen_addresses: "'127.0.0.1, ::1'", unix_socket_directories: `'${sockets}'` };
    const { data, url } = await startServer(sockets, settings);
    onTestFinished(() => runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']));
    const user = 'ö d@d:/%?#';
    await onServer(url, (client) => client.query(`CREATE ROLE "${user}" SUPERUSER LOGIN`));
    const hosts = [encodeURIComponent(sockets), '[::1]', '127.0.0.1'];
    const addresses = hosts.map((host) => url.replace('penstock@127.0.0.1', `${encodeURIComponent(user)}@${host}`));

    const registered: number[] = [];
    for (const address of addresses) {
      await using journal = await open(postgresEngine(address, 'Our "audit" Ü-1'));
      await journal.register([source(`by ${registered.length}`)], []);
      registered.push(Object.keys((await journal.ledger()).sources).length);
    }

    expect(registered).toEqual([1, 2, 3]);
  });

  it('lets go what a replica holds that was paused inside of a transaction, seconds later and long before a long lease is over', async () => {
    const url = (await postgresUrl()) ?? '';
    const db = new Database({ ...postgresEngine(url, 'x'), leaseMs: 60_000 });
    onTestFinished(() => db.close());
    const table = `paused_${randomBytes(6).toString('hex')}`;
    await onServer(url, (client) => client.query(`CREATE TABLE ${table} AS SELECT 1 AS n`));
    onTestFinished(() => onServer(url, (client) => client.query(`DROP TABLE ${table}`)).then(() => undefined));
    const locked = Promise.withResolvers<string | undefined>();
    const woken = Promise.withResolvers<void>();
    const paused = db.transaction(async (sql) => {
      await sql.query(`SELECT n FROM ${table} FOR UPDATE`);
      const [allowed] = await sql.query<{ of: string }>("SELECT current_setting('idle_in_transaction_session_timeout') AS of");
      locked.resolve(allowed?.of);
      await woken.promise;
      return sql.query('SELECT 1');
    });
    const ended = paused.catch((error: unknown) => (error instanceof PenstockError ? error.code : error));

    const allowed = await locked.promise;
    // Waits until the server has let the row go: nobody else does.
    await onServer(url, (client) => client.query(`UPDATE ${table} SET n = 2`));
    woken.resolve();

    expect(allowed).toBe('5s');
    expect(await ended).toBe('PEN_JOURNAL_UNAVAILABLE');
  });

  it('makes those wait for whom it has no connection, and fails none of them', async () => {
    const db = new Database({ ...postgresEngine((await postgresUrl()) ?? '', 'x'), connections: 1 });
    onTestFinished(() => db.close());

    const answers = await Promise.all(['6', '6', '0'].map((seconds) => db.query(`SELECT pg_sleep(${seconds})`)));
    const asMember = await db.queryAsMember<{ n: number }>('SELECT 1 AS n', []);

    expect([answers.map((rows) => rows.length), asMember]).toEqual([[1, 1, 1], [{ n: 1 }]]);
  });

  it('is trusted by its certificate alone, and asks for the password with each connection', async () => {
    const folder = await temporaryDirectory();
    await chmod(folder, 0o755);
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
    for (const ca of ['ca', 'other'])
      openssl(
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        `${ca}.key`,
        '-out',
        `${ca}.pem`,
        '-days',
        '2',
        '-subj',
        `/CN=${ca}`,
      );
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=db');
    for (const [name, of] of [
      ['right', 'IP:127.0.0.1'],
      ['wrong', 'DNS:db.example.com'],
    ] as const) {
      await writeFile(join(folder, name), `subjectAltName=${of}\n`);
      openssl(
        'x509',
        '-req',
        '-in',
        'server.csr',
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.pem`,
        '-days',
        '2',
        '-extfile',
        name,
      );
    }
    const { data, url } = await startServer(join(folder, 'server'));
    onTestFinished(() => runAsServer('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']));
    for (const file of ['server.key', 'right.pem', 'wrong.pem']) {
      await copyFile(join(folder, file), join(data, file));
      await chmod(join(data, file), 0o600);
      if (process.getuid?.() === 0) execFileSync('chown', ['postgres', join(data, file)]);
    }
    await onServer(url, async (client) => void (await client.query("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'first'")));
    const rules = await readFile(join(data, 'pg_hba.conf'), 'utf8');
    await writeFile(
      join(data, 'pg_hba.conf'),
      `hostssl all guarded 127.0.0.1/32 scram-sha-256\nhost all guarded 127.0.0.1/32 reject\n${rules}`,
    );
    const show = async (certificate: string): Promise<void> => {
      const lines = `ssl = on\nssl_cert_file = '${certificate}'\nssl_key_file = 'server.key'\n`;
      await writeFile(join(data, 'postgresql.conf'), lines, { flag: 'a' });
      runAsServer('pg_ctl', ['-D', data, '-w', 'restart', '-l', join(folder, 'server', 'log')]);
    };
    let password = 'first';
    const from = (ca: string) => () => readFile(join(folder, `${ca}.pem`), 'utf8');
    const engine = {
      ...postgresEngine(url.replace('penstock@', 'guarded@'), 'penstock'),
      password: async () => password,
      ca: from('ca'),
    };
    await show('right.pem');

    await (await open(engine))[Symbol.asyncDispose]();
    await onServer(url, async (client) => void (await client.query("ALTER ROLE guarded PASSWORD 'second'")));
    const old = await refusalOf(engine);
    password = 'second';
    await (await open(engine))[Symbol.asyncDispose]();
    const stranger = await refusalOf({ ...engine, ca: from('other') });
    await show('wrong.pem');
    const misnamed = await refusalOf(engine);

    expect(old).toContain('PEN_JOURNAL_UNWRITABLE');
    expect(old).not.toContain('first');
    expect(stranger).toContain('certificate of the database server');
    expect(misnamed).toContain('certificate of the database server');
    expect(misnamed).toContain('journal.tls.ca_file');
  });
});
