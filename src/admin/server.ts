import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import { isLoopback, type Listen, refusalOf } from './access.ts';
import { pageHtml, pagePolicy } from './page.ts';
import { leaveToken, makeToken } from './token-file.ts';

/** What the server can be asked for; the daemon hands it in. Every answer is without secrets. */
export interface AdminOperations {
  /** Why the daemon is not ready; empty when it is. Never depends on a remote party. */
  notReady(): readonly string[];
  /** What `penstock status --json` prints. */
  status(): Promise<unknown>;
  /** Prometheus text. */
  metrics(): Promise<string>;
}

export interface AdminSettings {
  readonly listen: Listen;
  /** Serve HTTPS with these PEM files. */
  readonly tls?: { readonly cert_file: string; readonly key_file: string };
  /** Where the token is left. */
  readonly dataDir: string;
  readonly operations: AdminOperations;
  readonly seams: Seams;
  readonly log: Log;
}

/** Disposing closes every connection. */
interface AdminServer extends AsyncDisposable {
  /** Where it answers: `http://127.0.0.1:8690`. */
  readonly url: string;
}

const answerTimeoutMs = 10_000;

/**
 * Starts the admin server. Open are the health paths and, on this machine or over TLS, the page; all else takes the token of this start.
 * Throws PEN_OPERATION_FAILED when the address is taken or a certificate cannot be read.
 */
export async function startAdmin(settings: AdminSettings): Promise<AdminServer> {
  const { listen, tls, dataDir, seams, log } = settings;
  const token = makeToken();
  const app = await createApp(settings);
  guard(app, token, tls !== undefined, log);
  addRoutes(app, settings.operations);
  await listenOn(app, listen);
  const url = addressOf(app, listen, tls !== undefined);
  const left = await leaveToken(dataDir, { token, url }, seams.files);
  log.info({ url }, 'admin server is listening');
  if (tls === undefined && !isLoopback(listen.host)) {
    log.warn(
      { listen: `${listen.host}:${listen.port}`, fix: 'set admin.tls, or listen on 127.0.0.1' },
      'admin has no TLS: other machines are served health and metrics only',
    );
  }
  return {
    url,
    async [Symbol.asyncDispose]() {
      await left[Symbol.asyncDispose]();
      await app.close();
    },
  };
}

async function createApp({ tls, seams }: AdminSettings): Promise<FastifyInstance> {
  const common = {
    logger: false,
    bodyLimit: 16_384,
    connectionTimeout: answerTimeoutMs,
    requestTimeout: answerTimeoutMs,
    keepAliveTimeout: 5000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 100 },
  } as const;
  if (tls === undefined) return Fastify(common);
  try {
    const [cert, key] = await Promise.all([seams.files.readFile(tls.cert_file), seams.files.readFile(tls.key_file)]);
    return Fastify({ ...common, https: { cert, key, minVersion: 'TLSv1.2' } });
  } catch (cause) {
    throw new PenstockError('PEN_OPERATION_FAILED', `the certificate cannot be used (${(cause as Error).message})`, {
      where: 'admin.tls',
      fix: 'name PEM files of a certificate and its key that the daemon can read',
      cause,
    });
  }
}

/** Everything that holds for every request, before it is routed. */
function guard(app: FastifyInstance, token: string, isEncrypted: boolean, log: Log): void {
  app.server.maxConnections = 64;
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    const path = request.url.split('?', 1)[0] ?? '';
    const isLocal = isLoopback(request.socket.localAddress ?? '');
    const refusal = refusalOf({ headers: request.headers, path, isLocal, isEncrypted }, token);
    if (refusal === undefined) return undefined;
    if (refusal.status === 401) reply.header('www-authenticate', 'Bearer');
    return refuse(reply, refusal.status, refusal.error);
  });
  app.setNotFoundHandler((_request, reply) => refuse(reply, 404, 'not found'));
  app.setErrorHandler((error: { statusCode?: number; message: string }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) log.error({ err: error, path: request.routeOptions.url }, 'admin request failed');
    return refuse(reply, status, status >= 500 ? 'internal error; see the log' : error.message);
  });
}

function refuse(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error });
}

function addRoutes(app: FastifyInstance, operations: AdminOperations): void {
  app.get('/healthz', () => ({ ok: true }));
  app.get('/readyz', (_request, reply) => {
    const reasons = operations.notReady();
    return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons });
  });
  app.get('/', (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', pagePolicy).send(pageHtml),
  );
  app.get('/status', async () => await operations.status());
  app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4').send(await operations.metrics()));
}

async function listenOn(app: FastifyInstance, { host, port }: Listen): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    const { code } = cause as NodeJS.ErrnoException;
    const what = code === 'EADDRINUSE' ? 'the address is already in use' : `cannot listen (${code ?? (cause as Error).message})`;
    throw new PenstockError('PEN_OPERATION_FAILED', what, {
      where: `admin ${host}:${port}`,
      fix: 'set admin.listen to a free address',
      cause,
    });
  }
}

/** The address by which a command on this machine reaches the server. */
function addressOf(app: FastifyInstance, { host }: Listen, isEncrypted: boolean): string {
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${isEncrypted ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
