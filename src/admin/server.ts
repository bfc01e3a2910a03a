// Two servers answer: one on the socket in data_dir, for commands, and one over TCP, for health checks, metrics and the page of a browser.
import Fastify, { type FastifyInstance } from 'fastify';
import { PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import { isLoopback, type Listen, refusalOf } from './access.ts';
import { boundConnections } from './connections.ts';
import { type AdminOperations, addManners, addRoutes, refuse } from './routes.ts';
import { listenOnSocket, openPlace, socketPath } from './socket.ts';
import { leaveToken, makeToken, removeToken } from './token-file.ts';

export interface AdminSettings {
  /** Where TCP is listened on; undefined leaves the socket alone. */
  readonly listen: Listen | undefined;
  /** Serve HTTPS with these PEM files. */
  readonly tls?: { readonly cert_file: string; readonly key_file: string };
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
  const app = Fastify({ ...common, http: patience });
  starting.defer(() => {
    // Fastify does so only where it listened by itself.
    app.server.closeAllConnections();
    return app.close();
  });
  addManners(app, log);
  addRoutes(app, operations);
  await app.ready();
  try {
    await listenOnSocket(app.server, place, seams.files);
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
  const { listen, tls, dataDir, seams, log } = settings;
  const token = makeToken();
  const app = await createApp(settings);
  open.defer(() => app.close());
  boundConnections(app.server, mostConnections);
  addManners(app, log);
  guard(app, token, settings);
  addRoutes(app, settings.operations);
  await listenOn(app, listen);
  const url = addressOf(app, listen, tls !== undefined);
  open.use(await leaveToken(dataDir, { token, url }, seams.files));
  if (tls === undefined && !isLoopback(listen.host)) {
    log.warn(
      { listen: `${listen.host}:${listen.port}`, fix: 'set admin.tls, or listen on 127.0.0.1' },
      'admin has no TLS: other machines are served health and metrics only',
    );
  }
  return url;
}

const common = {
  logger: false,
  bodyLimit: 16_384,
  connectionTimeout: answerTimeoutMs,
  requestTimeout: answerTimeoutMs,
  keepAliveTimeout: 5000,
  forceCloseConnections: true,
  routerOptions: { maxParamLength: 100 },
} as const;

const patience = { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: 1000 } as const;

async function createApp({ tls, seams }: AdminSettings): Promise<FastifyInstance> {
  if (tls === undefined) return Fastify({ ...common, http: patience });
  try {
    const [cert, key] = await Promise.all([seams.files.readFile(tls.cert_file), seams.files.readFile(tls.key_file)]);
    const https = { ...patience, cert, key, minVersion: 'TLSv1.2', handshakeTimeout: headersTimeoutMs } as const;
    return Fastify({ ...common, https });
  } catch (cause) {
    throw new PenstockError('PEN_OPERATION_FAILED', `the certificate cannot be used (${(cause as Error).message})`, {
      where: 'admin.tls',
      fix: 'name PEM files of a certificate and its key that the daemon can read',
      cause,
    });
  }
}

/** Everything that holds for every request over TCP, before it is routed. */
function guard(app: FastifyInstance, token: string, { tls, metrics }: AdminSettings): void {
  app.addHook('onRequest', async (request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const isLocal = isLoopback(request.socket.localAddress ?? '');
    const approach = { headers: request.headers, path, isLocal, isEncrypted: tls !== undefined };
    const refusal = refusalOf(approach, { token, metrics });
    if (refusal === undefined) return undefined;
    if (refusal.status === 401) reply.header('www-authenticate', 'Bearer');
    return refuse(reply, refusal.status, refusal.error);
  });
}

async function listenOn(app: FastifyInstance, { host, port }: Listen): Promise<void> {
  try {
    await app.listen({ host, port });
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
function addressOf(app: FastifyInstance, { host }: Listen, isEncrypted: boolean): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${isEncrypted ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
