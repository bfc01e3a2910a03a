import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { type SessionFaults, serveConsumer } from './pulsar-session.ts';
import { type Acknowledgement, type Consumer, Subscription, Topics } from './pulsar-topics.ts';

interface PulsarSettings {
  readonly clock: Clock;
  readonly random: Random;
  /** Ports of the header and the query address; 0 for free ones. */
  readonly ports: readonly [number, number];
  /** Tokens that are accepted now; may change at any time. */
  readonly tokens: Set<string>;
  /** A connection from which nothing comes for so long is closed; the broker's default is 300,000 ms. */
  readonly idleMs?: number;
}

/** What the admin API tells of a namespace; may change at any time. A missing one is answered with 204. */
interface NamespacePolicies {
  retention?: unknown;
  backlogQuotaMap?: unknown;
  messageTTL?: number;
  subscriptionExpirationTime?: number;
}

/** A simulated WebSocket service of Apache Pulsar with the admin calls that `check` makes. */
export interface SimulatedPulsar extends AsyncDisposable {
  /** `ws://127.0.0.1:PORT/ws/v2`: reads the token from the header only. */
  readonly headerUrl: string;
  /** Reads the token from the query only. */
  readonly queryUrl: string;
  readonly adminUrl: string;
  readonly policies: NamespacePolicies;
  readonly faults: SessionFaults;
  /** Every acknowledgement in order of arrival. */
  readonly acknowledged: readonly Acknowledgement[];
  /** Upgrades answered so far, by status; 101 for those that were let in. */
  readonly upgrades: ReadonlyMap<number, number>;
  /** Topics are `tenant/namespace/topic`. */
  createTopic(topic: string): void;
  deleteTopic(topic: string): void;
  /** Makes a durable subscription at the latest message. */
  subscribe(topic: string, subscription: string): Subscription;
  /** Publishes a payload as bytes; `raw` puts a text in the place of the base64. Returns the message id. */
  publish(topic: string, payload: string | Uint8Array, raw?: 'raw'): string;
  /** Ends every session: without a close frame, or with a close code such as the protocol's 1 to 8. */
  cut(code?: number): void;
  /** Takes no connections until {@link start}; what is stored stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

interface Front {
  readonly server: Server;
  readonly isQuery: boolean;
}

/** Starts the service. Source: https://pulsar.apache.org/docs/client-libraries-websocket/ */
export async function startPulsar(settings: PulsarSettings): Promise<SimulatedPulsar> {
  const pulsar = new Pulsar(settings);
  await pulsar.start();
  return pulsar;
}

const statusTexts: Readonly<Record<number, string>> = { 401: 'Unauthorized', 404: 'Not Found', 409: 'Conflict' };

class Pulsar implements SimulatedPulsar {
  readonly policies: NamespacePolicies = {};
  readonly faults: SessionFaults = { repeat: 0, reorder: 0 };
  readonly upgrades = new Map<number, number>();
  readonly #settings: PulsarSettings;
  readonly #topics = new Topics();
  readonly #sessions = new Set<{ cut(code?: number): void }>();
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #ports: [number, number];
  #fronts: readonly Front[] = [];

  constructor(settings: PulsarSettings) {
    this.#settings = settings;
    this.#ports = [...settings.ports];
  }

  get headerUrl(): string {
    return `ws://127.0.0.1:${this.#ports[0]}/ws/v2`;
  }

  get queryUrl(): string {
    return `ws://127.0.0.1:${this.#ports[1]}/ws/v2`;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.#ports[0]}`;
  }

  get acknowledged(): readonly Acknowledgement[] {
    return this.#topics.acknowledged;
  }

  createTopic(topic: string): void {
    this.#topics.create(topic);
  }

  deleteTopic(topic: string): void {
    this.#topics.delete(topic);
  }

  subscribe(topic: string, subscription: string): Subscription {
    this.#topics.create(topic);
    return this.#topics.subscribe(topic, subscription) ?? new Subscription();
  }

  publish(topic: string, payload: string | Uint8Array, raw?: 'raw'): string {
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : Buffer.from(payload);
    const text = raw === 'raw' ? bytes.toString('utf8') : bytes.toString('base64');
    return this.#topics.publish(topic, text, this.#settings.clock.now());
  }

  cut(code?: number): void {
    for (const session of this.#sessions) session.cut(code);
  }

  async start(): Promise<void> {
    this.#fronts = await Promise.all([this.#listen(0), this.#listen(1)]);
  }

  async stop(): Promise<void> {
    this.cut();
    const servers = this.#fronts.map(({ server }) => server);
    this.#fronts = [];
    await Promise.all(
      servers.map((server) => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #listen(index: 0 | 1): Promise<Front> {
    const isQuery = index === 1;
    const server = createServer((request, response) => this.#answer(request, response));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head, isQuery));
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(this.#ports[index], '127.0.0.1', () => resolve()),
    );
    this.#ports[index] = (server.address() as AddressInfo).port;
    return { server, isQuery };
  }

  #isKnown({ headers }: IncomingMessage, url: URL, isQuery: boolean): boolean {
    const token = isQuery ? url.searchParams.get('token') : (headers.authorization ?? '').replace(/^Bearer /, '');
    return token !== null && this.#settings.tokens.has(token);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, isQuery: boolean): void {
    socket.on('error', () => undefined);
    const url = new URL(request.url ?? '/', 'ws://simulator');
    const refuse = (status: number): void => {
      this.#count(status);
      socket.end(`HTTP/1.1 ${status} ${statusTexts[status] ?? ''}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
    };
    if (!this.#isKnown(request, url, isQuery)) return refuse(401);
    const [kind, , tenant, namespace, name, subscription = ''] = url.pathname
      .replace(/^\/ws\/v2\//, '')
      .split('/')
      .map(decodeURIComponent);
    const topic = `${tenant}/${namespace}/${name}`;
    if (!this.#topics.has(topic)) return refuse(404);
    // A reader has a subscription of its own that ends with it.
    const place = kind === 'reader' ? new Subscription() : this.#topics.subscribe(topic, subscription);
    if (place === undefined || !isFree(place, url)) return refuse(409);
    this.#count(101);
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      const { clock, random, idleMs } = this.#settings;
      const acknowledge = (id: string): void => this.#topics.acknowledge(topic, place, id, clock.now());
      const session = serveConsumer({
        client,
        socket,
        url,
        clock,
        random,
        faults: this.faults,
        idleMs: idleMs ?? 300_000,
        acknowledge,
        onClose: () => {
          this.#sessions.delete(session);
          place.detach(session);
        },
      });
      this.#sessions.add(session);
      if (!place.attach(session)) session.cut(2);
    });
  }

  #count(status: number): void {
    this.upgrades.set(status, (this.upgrades.get(status) ?? 0) + 1);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://simulator');
    const { status, body } = this.#isKnown(request, url, false) ? this.#admin(url.pathname) : { status: 401, body: undefined };
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  }

  #admin(path: string): { status: number; body: unknown } {
    const [area, ...rest] = path
      .replace(/^\/admin\/v2\//, '')
      .split('/')
      .map(decodeURIComponent);
    const what = rest.pop() ?? '';
    if (area === 'persistent' && what === 'subscriptions') {
      const topic = rest.join('/');
      const isThere = this.#topics.has(topic);
      return { status: isThere ? 200 : 404, body: isThere ? this.#topics.subscriptions(topic) : { reason: 'Topic not found' } };
    }
    if (area !== 'namespaces') return { status: 404, body: { reason: 'Not Found' } };
    const policy = this.policies[what as keyof NamespacePolicies];
    return policy === undefined ? { status: 204, body: undefined } : { status: 200, body: policy };
  }
}

function isFree(subscription: Subscription, url: URL): boolean {
  const first: Consumer | undefined = subscription.consumers[0];
  const type = url.searchParams.get('subscriptionType') ?? 'Exclusive';
  return first === undefined || (first.type === type && type !== 'Exclusive');
}
