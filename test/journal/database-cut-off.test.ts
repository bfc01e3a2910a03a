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
