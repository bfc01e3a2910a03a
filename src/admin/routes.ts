// What the daemon answers, on the socket and over TCP. Read with the first request: a framework and its validators are a tenth of a start.
import type { IncomingMessage, ServerResponse } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Log } from '../base/log.ts';
import type { Refusal } from './access.ts';
import { pageHtml, pagePolicy } from './page/index.ts';

/** What the daemon can be asked for; it hands it in. Every answer is without secrets. */
export interface AdminOperations {
  /** Why the daemon is not ready; empty when it is. Never depends on a remote party. */
  notReady(): readonly string[];
  /** What `penstock status --json` prints. */
  status(): Promise<unknown>;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** What the page shows. */
  overview(): Promise<unknown>;
  /** Does what a button of the page says; resolves with a sentence of what was begun, or undefined where there is no such source or sink. */
  act(action: Action): Promise<string | undefined>;
}

const actions = { sources: ['poll', 'release'], sinks: ['release', 'retry'] } as const;

/** What a person may ask for over the page: a source to be polled now, a hold to end, dead letters to be sent again. */
export type Action =
  | { readonly kind: 'sources'; readonly name: string; readonly verb: (typeof actions.sources)[number] }
  | { readonly kind: 'sinks'; readonly name: string; readonly verb: (typeof actions.sinks)[number] };

/** Answers one request. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** The answers to whoever `refusalFor` does not turn away, which is asked before a request is routed. */
export async function openAnswers(
  operations: AdminOperations,
  log: Log,
  refusalFor: (request: IncomingMessage) => Refusal | undefined,
): Promise<Answer> {
  const app = Fastify({ logger: false, bodyLimit: 16_384, routerOptions: { maxParamLength: 100 } });
  addManners(app, log);
  app.addHook('onRequest', async ({ raw }, reply) => {
    const refusal = refusalFor(raw);
    if (refusal === undefined) return undefined;
    if (refusal.status === 401) reply.header('www-authenticate', 'Bearer');
    return refuse(reply, refusal.status, refusal.error);
  });
  addRoutes(app, operations);
  await app.ready();
  return (request, response) => app.routing(request, response);
}

/** Everything that holds for every answer. */
function addManners(app: FastifyInstance, log: Log): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
  });
  app.setNotFoundHandler((_request, reply) => refuse(reply, 404, 'not found'));
  app.setErrorHandler((error: { statusCode?: number; message: string }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) log.error({ err: error, path: request.routeOptions.url }, 'admin request failed');
    return refuse(reply, status, status >= 500 ? 'internal error; see the log' : error.message);
  });
}

/** Answers with a status and its reason. */
function refuse(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error });
}

/** The routes; who may take them is looked at before. */
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
  app.get('/overview', async () => await operations.overview());
  for (const kind of ['sources', 'sinks'] as const)
    for (const verb of actions[kind])
      app.post<{ Params: { name: string } }>(`/${kind}/:name/${verb}`, async ({ params: { name } }, reply) => {
        const begun = await operations.act({ kind, name, verb } as Action);
        return begun === undefined ? refuse(reply, 404, 'there is nothing of that name that runs') : { begun };
      });
  app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4').send(await operations.metrics()));
}
