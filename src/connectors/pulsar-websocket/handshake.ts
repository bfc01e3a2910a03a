import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { unlessAborted } from '../../base/abort.ts';
import { deadline } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import type { Seams } from '../../base/seams.ts';
import type { HttpClient } from '../../http/client.ts';
import type { Subscription } from './address.ts';

const handshakeMs = 30_000;
// Far above what is read (see frame.ts): a larger frame ends the connection, and the broker would send it again for ever.
const largestFrame = 64 * 1024 * 1024;

/** What opening needs. */
export interface Dialling {
  readonly http: HttpClient;
  readonly seams: Seams;
  readonly userAgent: string;
  /** From the connector, by status. */
  readonly hints: Readonly<Record<string, string>>;
}

/**
 * Opens a WebSocket by the way that requests take; it is paused.
 *
 * Rejects with PEN_SOURCE_REFUSED for 401 and 403, PEN_SOURCE_UNAVAILABLE for any other answer or none, or what the connection throws.
 */
export async function openWebSocket(
  { url, headers, topic }: Subscription,
  dialling: Dialling,
  signal: AbortSignal,
): Promise<WebSocket> {
  const { http, seams, userAgent } = dialling;
  if (http.openSocket === undefined) throw new PenstockError('PEN_INTERNAL', 'this HTTP client cannot open sockets');
  using limit = deadline(seams.clock, handshakeMs, signal);
  const socket = await orAbort(http.openSocket(url), limit.signal);
  const client = new WebSocket(url, {
    headers: { 'user-agent': userAgent, ...headers },
    maxPayload: largestFrame,
    perMessageDeflate: false,
    createConnection: () => socket,
  });
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const fail = (error: Error): void => {
    reject(error);
    client.terminate();
    socket.destroy();
  };
  const onAbort = (): void => fail(limit.expired ? unanswered(url, topic) : (signal.reason as Error));
  limit.signal.addEventListener('abort', onAbort, { once: true });
  client.once('open', () => {
    // Frames that came with the answer wait until somebody listens.
    client.pause();
    resolve(client);
  });
  client.once('unexpected-response', (_request, response) =>
    readPage(response, (page) => fail(refusal(response.statusCode ?? 0, page, topic, dialling.hints))),
  );
  // Stays in place after the handshake: an error without a listener would end the process; `close` follows and is acted on.
  client.on('error', (error) => reject(unavailable(`the connection for topic ${topic} broke: ${error.message}`, error)));
  if (limit.signal.aborted) onAbort();
  try {
    return await promise;
  } finally {
    limit.signal.removeEventListener('abort', onAbort);
  }
}

// Connecting takes up to 10 s; a shutdown does not wait for it, and a socket that comes too late is closed.
async function orAbort(opening: Promise<Socket>, signal: AbortSignal): Promise<Socket> {
  try {
    return await unlessAborted(opening, signal);
  } catch (error) {
    opening.then(
      (late) => late.destroy(),
      () => undefined,
    );
    throw error;
  }
}

function unanswered(url: URL, topic: string): PenstockError {
  return new PenstockError(
    'PEN_SOURCE_UNAVAILABLE',
    `${url.origin} does not answer the request for topic ${topic} within ${handshakeMs} ms`,
  );
}

function unavailable(what: string, cause?: Error): PenstockError {
  return new PenstockError('PEN_SOURCE_UNAVAILABLE', what, { cause });
}

const meanings: Readonly<Record<number, string>> = {
  404: 'there is no such topic',
  409: 'another consumer holds the subscription',
};

const fixes: Readonly<Record<number, string>> = {
  401: 'renew the token, and check that it belongs to this address',
  403: 'allow the token to consume from the topic',
  404: 'make the topic, or correct its name',
  409: 'nothing needs to be done if it was us before a restart; otherwise give each reader a subscription of its own',
};

const longestPage = 8 * 1024;

/** Reads an error page as far as it matters, then calls back once, also when it breaks off. */
function readPage(response: IncomingMessage, onRead: (page: string) => void): void {
  let page = '';
  const done = (): void => {
    response.removeAllListeners('data').resume();
    onRead(page);
  };
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    page += text;
    if (page.length > longestPage) done();
  });
  response.once('end', done);
  response.once('error', done);
}

/** The broker's own words stand in its page: `Failed to create producer/consumer: {&quot;errorMsg&quot;:&quot;...&quot;}`. */
function wordsOf(page: string): string {
  const said = /errorMsg(?:"|&quot;):(?:"|&quot;)([^"&]{1,200})/.exec(page)?.[1] ?? '';
  return said.replace(/[\p{Cc}\s]+/gu, ' ').trim();
}

function refusal(statusCode: number, page: string, topic: string, hints: Readonly<Record<string, string>>): PenstockError {
  const said = wordsOf(page);
  const meaning = said === '' ? meanings[statusCode] : `"${said}"`;
  const fix = hints[String(statusCode)] ?? fixes[statusCode];
  const what = `answered ${statusCode} for topic ${topic}${meaning === undefined ? '' : `: ${meaning}`}`;
  const code = statusCode === 401 || statusCode === 403 ? 'PEN_SOURCE_REFUSED' : 'PEN_SOURCE_UNAVAILABLE';
  return new PenstockError(code, what, { status: statusCode, fix });
}
