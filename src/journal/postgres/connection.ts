// How a connection to the server is made: what the configuration says of it, as a client of `pg` takes it.
import { connect } from 'node:net';
import { Pool, type PoolClient, type PoolConfig, types } from 'pg';
import { PenstockError } from '../../base/errors.ts';
import { isLoopback } from '../../base/loopback.ts';
import { percentDecoded } from '../../base/percent.ts';
import type { PostgresEngine } from '../contract/open.ts';

export type DatabaseOptions = Pick<PostgresEngine, 'url' | 'password' | 'ca' | 'schema' | 'connections' | 'leaseMs'>;

/** A statement of a transaction may take so long, milliseconds; the server ends it. */
export const statementMs = 30_000;
export const connectMs = 10_000;
// The server ends a statement first, and says why.
export const answerMs = statementMs + 5000;

const int8 = 20;
const numeric = 1700;

export type ClientConfig = PoolConfig & { readonly host: string; readonly port: number; readonly database: string };

/** Throws PEN_CONFIG_INVALID for an address that cannot be used. */
export function clientConfig({ url, password, ca }: DatabaseOptions): ClientConfig {
  const parsed = parseUrl(url);
  // The folder of a unix socket stands in the place of the host, as libpq takes it: %2Fvar%2Frun%2Fpostgresql.
  const host = percentDecoded(parsed.hostname).replace(/^\[|\]$/g, '');
  const isLocal = isLoopback(parsed.hostname) || isFolder(host);
  return {
    host,
    port: parsed.port === '' ? 5432 : Number(parsed.port),
    user: percentDecoded(parsed.username) || 'penstock',
    database: percentDecoded(parsed.pathname.slice(1)) || 'penstock',
    password: password ?? percentDecoded(parsed.password),
    ssl: isLocal && ca === undefined ? false : { rejectUnauthorized: true, host },
    application_name: 'penstock',
    connectionTimeoutMillis: connectMs,
    idleTimeoutMillis: 30_000,
    maxLifetimeSeconds: 900,
    query_timeout: answerMs,
    keepAlive: true,
    allowExitOnIdle: true,
    types: {
      // Counts and times stay below 2^53.
      getTypeParser: ((oid: number, format?: 'text') =>
        oid === int8 || oid === numeric ? Number : (types.getTypeParser(oid, format) as unknown)) as typeof types.getTypeParser,
    },
  };
}

const isFolder = (host: string): boolean => host.startsWith('/');

function parseUrl(url: string): URL {
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new PenstockError('PEN_CONFIG_INVALID', 'the address of the database is not a URL postgres://user@host:port/database', {
      fix: 'write journal.url like postgres://penstock@db.example.com:5432/penstock',
    });
  }
  if (parsed.search !== '') {
    throw new PenstockError(
      'PEN_CONFIG_INVALID',
      `journal.url takes no parameters, and has "${[...parsed.searchParams.keys()].join(', ')}"`,
      {
        fix: 'leave them out: TLS is always verified except on loopback, and journal.tls.ca_file names a certificate authority',
      },
    );
  }
  return parsed;
}

export function openPool(config: ClientConfig, max: number): Pool {
  const pool = new Pool({ ...config, max });
  // A connection that breaks while nobody uses it is replaced by the next that is asked for; one in use fails its statement.
  const ignore = (): void => undefined;
  pool.on('error', ignore);
  pool.on('connect', (client) => void client.on('error', ignore));
  return pool;
}

/** What a client knows of its connection; the types leave it out. */
interface Backend {
  readonly processID: number | null;
  readonly secretKey: number | null;
}

const cancelRequest = 80_877_102;

/**
 * Asks the server to end what a connection runs; a pooler passes it on, and where nothing runs it does nothing.
 * Source: https://www.postgresql.org/docs/15/protocol-flow.html (Canceling Requests in Progress)
 */
export function cancel(client: PoolClient, { host, port }: Pick<ClientConfig, 'host' | 'port'>): void {
  const { processID, secretKey } = client as unknown as Backend;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const request = Buffer.alloc(16);
  for (const [index, value] of [request.length, cancelRequest, processID, secretKey].entries())
    request.writeInt32BE(value, 4 * index);
  const address = isFolder(host) ? { path: `${host}/.s.PGSQL.${port}` } : { port, host };
  const socket = connect(address, () => socket.end(request));
  socket.setTimeout(connectMs, () => socket.destroy());
  socket.on('error', () => undefined).unref();
}
