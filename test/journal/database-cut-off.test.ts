import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { Database } from '../../src/journal/postgres/database.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { postgresEngine } from './places.ts';

/** A server that takes connections and says nothing; `asked` resolves at the first. */
async function silentServer() {
  const sockets = new Set<Socket>();
  const asked = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    asked.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { engine: postgresEngine(`postgres://penstock@127.0.0.1:${port}/penstock`, 'x'), asked: asked.promise };
}

/** A server that asks for the password and refuses it with words that repeat it. */
async function echoingServer(echo: (password: string) => string) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.once('data', (message) => {
        const said = `SFATAL\0C28P01\0M${echo(message.subarray(5, -1).toString())}\0\0`;
        socket.end(Buffer.concat([Buffer.from('E'), int32(4 + Buffer.byteLength(said)), Buffer.from(said)]));
      });
      // AuthenticationCleartextPassword
      socket.write(Buffer.concat([Buffer.from('R'), int32(8), int32(3)]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return `postgres://penstock@127.0.0.1:${port}/penstock`;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

it.each([
  ['as it is', String],
  ['in base64', (text: string) => Buffer.from(`penstock:${text}`).toString('base64')],
  ['in an address', (text: string) => `postgres://penstock:${encodeURIComponent(text)}@db`],
  ['with escapes for a terminal', (text: string) => `\u001b[31m${text}\u202e`],
])('shows no password that the database repeats %s', async (_name, echo) => {
  const url = await echoingServer((password) => `not ${echo(password)}!`);
  const db = new Database({ ...postgresEngine(url, 'x'), password: () => Promise.resolve('marked/pass+word-0001') });

  const [{ reason }] = (await Promise.allSettled([db.query('SELECT 1')])) as [PromiseRejectedResult];
  await db.close();

  expect(reason).toMatchObject({ code: 'PEN_JOURNAL_UNWRITABLE' });
  const { message } = reason as Error;
  expect(message).toMatch(/^the database refused the role or its password \(28P01: not .*\[REDACTED\].*!\)$/);
  // oxlint-disable-next-line no-control-regex
  expect(message).not.toMatch(/marked|[\u0000-\u001f\u202e]/);
});

it('shows no password that the database repeats before it has asked for one', async () => {
  const said = 'SFATAL\0C28P01\0Mnot marked/pass+word-0001 again\0\0';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () =>
      socket.end(Buffer.concat([Buffer.from('E'), int32(4 + Buffer.byteLength(said)), Buffer.from(said)])),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `postgres://penstock@127.0.0.1:${(server.address() as AddressInfo).port}/penstock`;
  const db = new Database({ ...postgresEngine(url, 'x'), password: () => Promise.resolve('marked/pass+word-0001') });

  const [result] = await Promise.allSettled([db.query('SELECT 1')]);
  await db.close();

  expect(result).toMatchObject({
    reason: { message: 'the database refused the role or its password (28P01: not [REDACTED] again)' },
  });
});

const unavailable = { status: 'rejected', reason: { code: 'PEN_JOURNAL_UNAVAILABLE' } };

it('ends what waits for a database that is silent, and asks it no more', async () => {
  const { engine, asked } = await silentServer();
  const db = new Database({ ...engine, connections: 1 });
  // The second waits for the connection of the first.
  const underWay = Promise.allSettled([db.query('SELECT 1'), db.query('SELECT 1'), db.asMember((sql) => sql.query('SELECT 1'))]);
  await asked;

  db.cutOff();

  expect(await underWay).toMatchObject([unavailable, unavailable, unavailable]);
  expect(await Promise.allSettled([db.transaction((sql) => sql.query('SELECT 1'))])).toMatchObject([unavailable]);
  await db.close();
});

it('gives up opening a journal where a stop is asked for meanwhile', async () => {
  const { engine, asked } = await silentServer();
  const stop = new AbortController();
  const options = { maxBytes: 2 ** 30, keepMs: 1e9, seams: systemSeams(), log: silentLog(), signal: stop.signal };
  const opening = Promise.allSettled([openPostgres(engine, { engine, ...options })]);
  await asked;

  stop.abort();

  expect(await opening).toMatchObject([unavailable]);
});
