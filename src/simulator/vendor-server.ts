import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { type FaultName, type Faults, strikes } from './faults.ts';

/** What a simulated vendor answers with. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent as it is, anything else as JSON. */
  readonly body: unknown;
}

export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface VendorServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** Requests answered so far. */
  readonly calls: () => number;
}

interface ServerSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  /** 0 for a free one. */
  readonly port: number;
  readonly answer: (call: Call) => Answer;
}

const html = (title: string): string =>
  `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`;
const biggestBody = 64 * 1024;

const faultyAnswers: readonly [FaultName, (clock: Clock) => Answer][] = [
  ['rate_limited', () => ({ status: 429, headers: { 'retry-after': '1' }, body: { message: 'slow down' } })],
  [
    'rate_limited_date',
    (clock) => ({ status: 429, headers: { 'retry-after': new Date(clock.now() + 1000).toUTCString() }, body: '' }),
  ],
  ['server_error', () => ({ status: 500, body: { detail: 'internal error' } })],
  ['html_error', () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: html('502 Bad Gateway') })],
  ['login_page', () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: html('Sign in') })],
];

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > biggestBody) throw new Error('request body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, answer: Answer, cut: boolean): void {
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
  const type = typeof answer.body === 'string' ? 'text/plain' : 'application/json';
  response.writeHead(answer.status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...answer.headers });
  if (!cut) {
    response.end(text);
    return;
  }
  response.write(text.slice(0, Math.floor(text.length / 2)), () => response.destroy());
}

/** Serves one vendor on loopback; faults of the network strike here, faults of the data where the answer is made. */
export async function startVendorServer(settings: ServerSettings): Promise<VendorServer> {
  const { clock, random, faults } = settings;
  let calls = 0;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    calls += 1;
    const body = await readBody(request);
    if (strikes(faults, 'reset', random)) {
      request.socket.resetAndDestroy();
      return;
    }
    const fault = faultyAnswers.find(([name]) => strikes(faults, name, random));
    const url = new URL(request.url ?? '/', 'http://simulator');
    const answer = fault?.[1](clock) ?? settings.answer({ method: request.method ?? 'GET', url, headers: request.headers, body });
    send(
      response,
      { ...answer, headers: { date: new Date(clock.now()).toUTCString(), ...answer.headers } },
      strikes(faults, 'cut_body', random),
    );
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(settings.port, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    calls: () => calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
