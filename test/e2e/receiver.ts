import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { Random } from '../../src/base/random.ts';
import { patienceMs } from './patience.ts';

/** What the receiver may do instead of answering well, each with its probability per request. */
export interface ReceiverFaults {
  /** 503 before anything is stored. */
  readonly busy?: number;
  /** Stores everything, then cuts the connection: the answer is lost. */
  readonly lostAnswer?: number;
  /** Resets before reading. */
  readonly reset?: number;
}

export interface ReceivedEvent {
  readonly uid: string;
  readonly event: Record<string, unknown>;
}

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** Every stored event in order of arrival, duplicates included. */
  readonly received: readonly ReceivedEvent[];
  /** Copies of each uid that were stored although the answer did not get out. */
  readonly unanswered: ReadonlySet<string>;
  faults: ReceiverFaults;
  /** A status above 299 refuses the request, and nothing of it is stored; undefined takes it. */
  refuse: ((events: readonly ReceivedEvent[]) => number | undefined) | undefined;
  /** Requests that were refused so. */
  readonly refusals: number;
  /** Resolves when the condition holds; looked at after every stored request. */
  until(condition: () => boolean): Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString('utf8');
}

function parse(text: string): ReceivedEvent[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map((event) => ({ uid: (event['metadata'] as { uid: string }).uid, event }));
}

/** A real HTTP receiver of NDJSON that stores what it takes and misbehaves on demand. */
export async function startReceiver(random: Random, faults: ReceiverFaults = {}): Promise<Receiver> {
  const received: ReceivedEvent[] = [];
  const unanswered = new Set<string>();
  let refusals = 0;
  const watchers = new Set<() => void>();
  const strikes = (probability: number | undefined): boolean => probability !== undefined && random.float() < probability;

  function store(events: readonly ReceivedEvent[]): void {
    received.push(...events);
    for (const watcher of watchers) watcher();
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (strikes(receiver.faults.reset)) {
      request.socket.resetAndDestroy();
      return;
    }
    const text = await bodyOf(request);
    if (strikes(receiver.faults.busy)) {
      response.writeHead(503, { 'retry-after': '0' }).end();
      return;
    }
    const events = parse(text);
    const refusal = receiver.refuse?.(events);
    if (refusal !== undefined) {
      refusals += 1;
      response.writeHead(refusal, { 'content-type': 'application/json' }).end('{"error":"refused by the test"}');
      return;
    }
    store(events);
    if (strikes(receiver.faults.lostAnswer)) {
      for (const { uid } of events) unanswered.add(uid);
      request.socket.resetAndDestroy();
      return;
    }
    response.writeHead(200).end();
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    received,
    unanswered,
    faults,
    refuse: undefined,
    get refusals() {
      return refusals;
    },
    until(condition) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (!condition()) return;
          clearTimeout(timer);
          watchers.delete(look);
          resolve();
        };
        const timer = setTimeout(() => {
          watchers.delete(look);
          reject(new Error(`not received within ${patienceMs} ms; ${received.length} events so far`));
        }, patienceMs);
        watchers.add(look);
        look();
      });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}
