import { X509Certificate } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { PenstockError } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import { findToken, type RunningDaemon } from './token-file.ts';

/** A running daemon as the commands see it. Everything rejects with PEN_OPERATION_FAILED when it does not answer as expected. */
export interface AdminClient {
  readonly url: string;
  status(signal?: AbortSignal): Promise<unknown>;
  /** False when there is no such source or sink. */
  release(kind: 'source' | 'sink', name: string, signal?: AbortSignal): Promise<boolean>;
  wakeJobs(signal?: AbortSignal): Promise<void>;
}

export interface AdminClientSettings {
  readonly dataDir: string;
  readonly files: Pick<Files, 'readFile'>;
  /** The certificate that the daemon serves; nothing else is believed. */
  readonly tls?: { readonly cert_file: string };
  readonly timeoutMs?: number;
}

const mostBytes = 64 * 2 ** 20;

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Ask = (method: 'GET' | 'POST', path: string, body?: unknown, signal?: AbortSignal) => Promise<Answer>;

/** Finds the daemon that works on `data_dir` and speaks to it; undefined when none runs. */
export async function adminClient({
  dataDir,
  files,
  tls,
  timeoutMs = 10_000,
}: AdminClientSettings): Promise<AdminClient | undefined> {
  const daemon = await findToken(dataDir, files);
  if (daemon === undefined || !URL.canParse(daemon.url)) return undefined;
  const certificate = tls === undefined ? undefined : new X509Certificate(await files.readFile(tls.cert_file));
  const ask: Ask = (method, path, body, signal) => exchange(daemon, certificate, { method, path, body, timeoutMs, signal });
  const first = await answerOrNothing(ask);
  if (first === undefined) return undefined;
  if (first.status === 401) return undefined;
  return {
    url: daemon.url,
    status: async (signal) => expectOk(daemon, await ask('GET', '/status', undefined, signal)),
    async release(kind, name, signal) {
      const answer = await ask('POST', '/release', { kind, name }, signal);
      if (answer.status === 404) return false;
      expectOk(daemon, answer);
      return true;
    },
    wakeJobs: async (signal) => void expectOk(daemon, await ask('POST', '/jobs/wake', undefined, signal)),
  };
}

/** A first question proves that the address belongs to the daemon that wrote the token, not to whoever took its port since. */
async function answerOrNothing(ask: Ask): Promise<Answer | undefined> {
  try {
    return await ask('POST', '/jobs/wake');
  } catch (error) {
    const code = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
    if (['ECONNREFUSED', 'ECONNRESET', 'EADDRNOTAVAIL', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code ?? '')) return undefined;
    throw error;
  }
}

function expectOk({ url }: RunningDaemon, { status, body }: Answer): unknown {
  if (status >= 200 && status < 300) return body;
  const said = isObject(body) && typeof body['error'] === 'string' ? `: ${body['error']}` : '';
  throw new PenstockError('PEN_OPERATION_FAILED', `the daemon answered ${status}${said}`, {
    where: url,
    fix: 'look into its log',
  });
}

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: unknown;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

async function exchange(daemon: RunningDaemon, certificate: X509Certificate | undefined, question: Question): Promise<Answer> {
  const { method, path, body, timeoutMs } = question;
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(question.signal === undefined ? [] : [question.signal])]);
  const url = new URL(daemon.url);
  try {
    const socket = await connect(url, certificate, signal);
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${daemon.token}`,
      host: url.host,
      connection: 'close',
      ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
    };
    return await new Promise<Answer>((resolve, reject) => {
      const request = http.request({ method, path, headers, signal, createConnection: () => socket }, (response) => {
        readAnswer(response).then(resolve, reject);
      });
      request.on('error', reject);
      request.end(text);
    });
  } catch (cause) {
    if (question.signal?.aborted === true) throw cause;
    const what = signal.aborted ? `no answer within ${timeoutMs} ms` : `no answer (${(cause as Error).message})`;
    throw new PenstockError('PEN_OPERATION_FAILED', what, { where: daemon.url, fix: 'see whether the daemon runs', cause });
  }
}

/** A connected socket; over TLS only to the very certificate that is configured, before a byte of the token is sent. */
async function connect(url: URL, certificate: X509Certificate | undefined, signal: AbortSignal): Promise<net.Socket> {
  const place = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) };
  const isEncrypted = url.protocol === 'https:';
  const socket = isEncrypted ? tls.connect({ ...place, rejectUnauthorized: false }) : net.connect(place);
  const abort = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once(isEncrypted ? 'secureConnect' : 'connect', resolve);
    });
    if (socket instanceof tls.TLSSocket && socket.getPeerX509Certificate()?.fingerprint256 !== certificate?.fingerprint256) {
      throw new Error('it serves another certificate than admin.tls.cert_file');
    }
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`its answer is larger than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as unknown };
}
