import { X509Certificate } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { PenstockError } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import type { Files } from '../base/seams.ts';
import { findToken, type LeftToken } from './token-file.ts';

/** The daemon that works on a `data_dir`, as the commands see it. */
interface RunningDaemon {
  readonly url: string;
  /** What `penstock status --json` prints; rejects with PEN_OPERATION_FAILED when the daemon does not answer as expected. */
  status(): Promise<unknown>;
}

interface Search {
  readonly dataDir: string;
  readonly files: Pick<Files, 'readFile'>;
  /** The certificate that the daemon serves; nothing else is believed. */
  readonly tls?: { readonly cert_file: string };
  readonly timeoutMs?: number;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Ask = (path: string) => Promise<Answer>;

const mostBytes = 64 * 2 ** 20;

/** Finds the daemon that works on `data_dir`; undefined when none runs. Rejects with PEN_OPERATION_FAILED when one is there but does not answer. */
export async function findDaemon({ dataDir, files, tls, timeoutMs = 10_000 }: Search): Promise<RunningDaemon | undefined> {
  const left = await findToken(dataDir, files);
  if (left === undefined || !URL.canParse(left.url)) return undefined;
  const certificate = tls === undefined ? undefined : new X509Certificate(await files.readFile(tls.cert_file));
  const ask: Ask = (path) => exchange(left, certificate, path, timeoutMs);
  if (!(await answersWithOurToken(ask))) return undefined;
  return { url: left.url, status: async () => expectOk(left.url, await ask('/status')) };
}

/** The health path refuses a wrong token: so the address belongs to the daemon that left the token, not to whoever took its port since. */
async function answersWithOurToken(ask: Ask): Promise<boolean> {
  try {
    return (await ask('/healthz')).status !== 401;
  } catch (error) {
    const code = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
    if (['ECONNREFUSED', 'ECONNRESET', 'EADDRNOTAVAIL', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code ?? '')) return false;
    throw error;
  }
}

function expectOk(url: string, { status, body }: Answer): unknown {
  if (status >= 200 && status < 300) return body;
  const said = isObject(body) && typeof body['error'] === 'string' ? `: ${body['error']}` : '';
  throw new PenstockError('PEN_OPERATION_FAILED', `the daemon answered ${status}${said}`, {
    where: url,
    fix: 'see its log',
  });
}

async function exchange(
  daemon: LeftToken,
  certificate: X509Certificate | undefined,
  path: string,
  timeoutMs: number,
): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs);
  const url = new URL(daemon.url);
  try {
    const socket = await connect(url, certificate, signal);
    const headers = { authorization: `Bearer ${daemon.token}`, host: url.host, connection: 'close' };
    return await new Promise<Answer>((resolve, reject) => {
      const request = http.request({ path, headers, signal, createConnection: () => socket }, (response) => {
        readAnswer(response).then(resolve, reject);
      });
      request.on('error', reject);
      request.end();
    });
  } catch (cause) {
    const what = signal.aborted ? `no answer within ${timeoutMs} ms` : `no answer (${(cause as Error).message})`;
    throw new PenstockError('PEN_OPERATION_FAILED', what, { where: daemon.url, fix: 'check that the daemon is running', cause });
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
      throw new Error('it serves a different certificate than admin.tls.cert_file');
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
