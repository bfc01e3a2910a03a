import type { Dispatcher } from 'undici';
import { type Clock, deadline } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { formatSize } from '../base/quantity.ts';
import { acceptEncoding, Body, compressionOf, decompress } from './body.ts';
import type { HttpRequest, HttpResponse } from './client.ts';
import { requestFault } from './fault.ts';
import { type ReplyMemory, Share } from './reply-memory.ts';

/** How one request reaches its origin. */
export interface Route {
  readonly dispatcher: Dispatcher;
  /** Where undici connects: the URL's origin, or the proxy for a plain request. */
  readonly origin: string;
  readonly path: string;
  /** Headers that the route needs. */
  readonly headers: Readonly<Record<string, string>>;
  readonly servername?: string;
}

/** How far an exchange has come. */
interface Progress {
  isSent: boolean;
  /** There once headers came. */
  body?: Body;
}

type RawHeaders = Record<string, string | string[] | undefined>;

/** Sends one request and gathers its answer within the caps. */
export async function sendRequest(request: HttpRequest, route: Route, clock: Clock, memory: ReplyMemory): Promise<HttpResponse> {
  request.signal?.throwIfAborted();
  request.wait?.at(`a connection to ${request.url.origin}`);
  const end = new AbortController();
  const onAbort = (): void => end.abort(request.signal?.reason);
  request.signal?.addEventListener('abort', onAbort, { once: true });
  using limit = deadline(clock, request.timeoutMs, end.signal);
  const share = new Share(memory, (error) => end.abort(error));
  try {
    const raw = await gather(request, route, share, limit.signal);
    const plain = await decompress(raw.body, raw.headers['content-encoding'], request, share, limit.signal);
    const body = await decompress(plain, compressionOf(plain), request, share, limit.signal);
    request.wait?.at('its turn to be read into memory');
    await share.turn(body.length, limit.signal)?.catch(() => {
      throw abortFault(request, limit.signal, { isSent: true });
    });
    limit.signal.throwIfAborted();
    if (request.held === undefined) share.endSoon();
    else request.held.defer(() => share.end());
    return { status: raw.status, headers: raw.headers, body };
  } catch (error) {
    share.end();
    throw error;
  } finally {
    request.signal?.removeEventListener('abort', onAbort);
  }
}

/** Collects one answer; settles once, whatever undici still calls afterwards. */
async function gather(request: HttpRequest, route: Route, share: Share, signal: AbortSignal): Promise<HttpResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  const progress: Progress = { isSent: false };
  let controller: Dispatcher.DispatchController | undefined;
  const fail = (error: Error): void => {
    reject(error);
    if (controller?.aborted === false) controller.abort(error);
  };
  const onAbort = (): void => fail(abortFault(request, signal, progress));
  const onStart = (started: Dispatcher.DispatchController): void => {
    controller = started;
    progress.isSent = true;
    request.wait?.at(`an answer from ${request.url.origin}`);
    // A request that was given up in the queue must not leave this machine.
    if (signal.aborted) started.abort(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    dispatch(request, route, { onRequestStart: onStart, ...answerHandler(request, share, progress, resolve, fail) }, fail);
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function answerHandler(
  request: HttpRequest,
  share: Share,
  progress: Progress,
  done: (answer: HttpResponse) => void,
  fail: (error: Error) => void,
): Dispatcher.DispatchHandler {
  const { origin } = request.url;
  let status = 0;
  let headers: Record<string, string> = {};
  const body = new Body(request.maxBytes, share);
  const onTooLarge = (): void => {
    // Resolved first: to give up the rest is no failure then.
    if (request.cut === true) done({ status, headers, body: body.bytes() });
    fail(new PenstockError('PEN_HTTP_TOO_LARGE', `the answer of ${origin} is larger than ${request.maxBytes} bytes`, { status }));
  };
  return {
    onResponseStart(_controller, statusCode, rawHeaders) {
      if (statusCode < 200) return;
      status = statusCode;
      headers = joinHeaders(rawHeaders);
      body.expected = Number(headers['content-length'] ?? 0);
      progress.body = body;
      request.wait?.at(() => `the rest of an answer from ${origin}, of which ${formatSize(body.length)} came`);
      if (request.cut !== true && body.expected > request.maxBytes) onTooLarge();
    },
    onResponseData(controller, chunk) {
      const left = request.maxBytes - body.length;
      const room = body.append(chunk.length > left ? chunk.subarray(0, left) : chunk);
      if (chunk.length > left) return onTooLarge();
      if (room === undefined) return;
      controller.pause();
      void room.then(() => controller.resume());
    },
    onResponseEnd: () => done({ status, headers, body: body.bytes() }),
    onResponseError: (_controller, error) => fail(requestFault(error, origin, status)),
  };
}

function dispatch(request: HttpRequest, route: Route, handler: Dispatcher.DispatchHandler, fail: (error: Error) => void): void {
  const options: Dispatcher.DispatchOptions & { servername?: string } = {
    origin: route.origin,
    path: route.path,
    method: request.method,
    headers: { 'accept-encoding': acceptEncoding, ...lowerCase(request.headers ?? {}), ...route.headers },
    body: request.body ?? null,
    headersTimeout: 0,
    bodyTimeout: 0,
    servername: route.servername,
  };
  try {
    route.dispatcher.dispatch(options, handler);
  } catch (error) {
    fail(requestFault(error, request.url.origin));
  }
}

function abortFault({ url: { origin }, timeoutMs }: HttpRequest, signal: AbortSignal, { isSent, body }: Progress): Error {
  const reason = signal.reason as Error;
  if (reason.name !== 'TimeoutError') return reason;
  const came = body === undefined ? '' : `; its headers and ${formatSize(body.length)} came`;
  const what = isSent
    ? `no whole answer from ${origin} within ${timeoutMs} ms${came}`
    : `no connection to ${origin} within ${timeoutMs} ms`;
  return new PenstockError('PEN_HTTP_TIMEOUT', what, { sent: isSent, cause: reason });
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function joinHeaders(headers: RawHeaders): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined)
      joined[name.toLowerCase()] = typeof value === 'string' ? value : value.join(name === 'set-cookie' ? '\n' : ', ');
  }
  return joined;
}
