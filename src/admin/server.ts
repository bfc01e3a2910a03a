// Two servers answer: one on the socket in data_dir, for commands, and one over TCP, for health checks, metrics and the page of a browser.

import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isLoopback } from '../base/loopback.ts';
import type { Seams } from '../base/seams.ts';
import { type Listen, type Refusal, refusalOf } from './access.ts';
import { type CertificateFiles, followPair, readPair } from './certificate.ts';
import { boundConnections } from './connections.ts';
import type { AdminOperations, Answer } from './routes.ts';
import { listenOnSocket, openPlace, socketPath } from './socket.ts';
import { leaveToken, makeToken, removeToken } from './token-file.ts';

export interface AdminSettings {
  /** Where TCP is listened on; undefined leaves the socket alone. */
  readonly listen: Listen | undefined;
  /** Serve HTTPS with these PEM files. */
  readonly tls?: CertificateFiles;
  /** Who may read `/metrics` over TCP: everybody, or who has the token. */
  readonly metrics: 'open' | 'token';
  /** Where the socket and the token are. */
  readonly dataDir: string;
  readonly operations: AdminOperations;
  readonly seams: Seams;
  readonly log: Log;
}

/** Disposing closes every connection. */
interface AdminServer extends AsyncDisposable {
  /** Where it answers over TCP: `http://127.0.0.1:8690`. */
  readonly url: string | undefined;
}

const answerTimeoutMs = 10_000;
/** A request begins with its headers: who has not sent them by then is not asking. */
const headersTimeoutMs = 3000;
const mostConnections = 64;

/** Starts both servers. Throws PEN_OPERATION_FAILED when the address is taken or a certificate cannot be read. */
export async function startAdmin(settings: AdminSettings): Promise<AdminServer> {
  const { listen, dataDir, seams, log } = settings;
  await using starting = new AsyncDisposableStack();
  starting.use(await startSocket(settings));
  await removeToken(dataDir, seams.files);
  const url = listen === undefined ? undefined : await startTcp({ ...settings, listen }, starting);
  log.info({ url, socket: socketPath(dataDir) }, 'admin server is listening');
  const started = starting.move();
  return { url, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

async function startSocket({ dataDir, operations, seams, log }: AdminSettings): Promise<AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const place = starting.use(await openPlace(dataDir, seams.files));
  const server = bounded(
    http().createServer(
      patience,
      answering(operations, log, () => undefined),
    ),
    starting,
  );
  try {
    await listenOnSocket(server, place, seams.files);
  } catch (cause) {
    throw new PenstockError('PEN_OPERATION_FAILED', `cannot listen (${(cause as Error).message})`, {
      where: socketPath(dataDir),
      fix: 'see what stands there; penstock needs that name for itself',
      cause,
    });
  }
  return starting.move();
}

/** Open are the health paths and, on this machine or over TLS, the page; all else takes the token of this start. Returns the address. */
async function startTcp(settings: AdminSettings & { readonly listen: Listen }, open: AsyncDisposableStack): Promise<string> {
  const { listen, tls, dataDir, operations, seams, log } = settings;
  const token = makeToken();
  const server = bounded(await createServer(settings, answering(operations, log, guard(token, settings)), open), open);
  boundConnections(server, mostConnections);
  await listenOn(server, listen);
  const url = addressOf(server, listen, tls !== undefined);
  open.use(await leaveToken(dataDir, { token, url }, seams.files));
  if (tls === undefined && !isLoopback(listen.host)) {
    log.warn(
      { listen: `${listen.host}:${listen.port}`, fix: 'set admin.tls, or listen on 127.0.0.1' },
      'admin has no TLS: other machines are served health and metrics only',
    );
  }
  return url;
}

const patience = {
  headersTimeout: headersTimeoutMs,
  requestTimeout: answerTimeoutMs,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
} as const;

// Imported, node:http brings an HTTP client of its own along that nobody here uses: 30 ms of a start.
const http = (): typeof import('node:http') => process.getBuiltinModule('node:http');

async function createServer(settings: AdminSettings, listener: RequestListener, open: AsyncDisposableStack): Promise<Server> {
  const { tls, seams } = settings;
  if (tls === undefined) return http().createServer(patience, listener);
  const pair = await readPair(tls, seams);
  const secure = { ...patience, ...pair, minVersion: 'TLSv1.2', handshakeTimeout: headersTimeoutMs } as const;
  const server = process.getBuiltinModule('node:https').createServer(secure, listener);
  open.use(followPair(server, tls, pair, settings));
  return server;
}

/** A connection that is silent for long is closed; all are when the server goes. */
function bounded(server: Server, open: AsyncDisposableStack): Server {
  server.setTimeout(answerTimeoutMs);
  open.defer(async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return server;
}

/** What answers is read when the first request is there. */
function answering(
  operations: AdminOperations,
  log: Log,
  refusalFor: (request: IncomingMessage) => Refusal | undefined,
): RequestListener {
  let answers: Promise<Answer> | undefined;
  return (request, response) => {
    answers ??= import('./routes.ts').then(({ openAnswers }) => openAnswers(operations, log, refusalFor));
    answers.then(
      (answer) => answer(request, response),
      (error: unknown) => {
        // Where files ran out, the next request may find one.
        answers = undefined;
        log.error({ err: error }, 'admin request failed');
        response.writeHead(500).end();
      },
    );
  };
}

/** True where another host than that of the one Host header could be meant: of two a proxy may have gone by the other, and an address names one itself. */
function isAmbiguous(url: string | undefined, rawHeaders: readonly string[]): boolean {
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host');
  return hosts.length > 1 || url?.startsWith('/') !== true;
}

/** What holds for every request over TCP, before it is routed. */
function guard(token: string, { tls, metrics }: AdminSettings): (request: IncomingMessage) => Refusal | undefined {
  return ({ headers, rawHeaders, url, socket }) => {
    if (isAmbiguous(url, rawHeaders)) return { status: 400, error: 'the request names more than one host' };
    const path = url?.split('?', 1)[0] ?? '';
    const isLocal = isLoopback(socket.localAddress ?? '');
    return refusalOf({ headers, path, isLocal, isEncrypted: tls !== undefined }, { token, metrics });
  };
}

async function listenOn(server: Server, { host, port }: Listen): Promise<void> {
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const what = code === 'EADDRINUSE' ? 'the address is already in use' : `cannot listen (${code ?? (cause as Error).message})`;
    throw new PenstockError('PEN_OPERATION_FAILED', what, {
      where: `admin ${host}:${port}`,
      fix: 'set admin.listen to a free address, or to off',
      cause,
    });
  }
}

/** The address by which this machine reaches the server. */
function addressOf(server: Server, { host }: Listen, isEncrypted: boolean): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${isEncrypted ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
