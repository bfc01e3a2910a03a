import type { Socket } from 'node:net';
import { Agent, type Dispatcher, Pool } from 'undici';
import type { Clock } from '../base/clock.ts';
import type { Seams } from '../base/seams.ts';
import type { HttpClient, HttpClientSettings, HttpRequest } from './client.ts';
import { type Connect, directConnect, openTunnel, proxyConnect, type Tunnel } from './connect.ts';
import { learnCredentials, learnProxy } from './credentials.ts';
import { chooseProxies, describeProxy, type Proxy } from './proxy.ts';
import { ReplyMemory } from './reply-memory.ts';
import { type Route, sendRequest } from './send-request.ts';
import { type LoadedTls, loadTls } from './tls.ts';

/** As much as browsers take: gateways add cookies and policies of theirs to every answer. */
const maxHeaderSize = 262_144;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Opens the HTTP client of one source or sink: its own connections, TLS settings and way through a proxy.
 *
 * HTTP/1.1 only. Throws PEN_CONFIG_INVALID when a file that `tls` names cannot be used or the proxy is not a URL.
 */
export async function openHttpClient(
  settings: HttpClientSettings,
  seams: Seams,
  environment: Environment = process.env,
): Promise<HttpClient> {
  const { secrets, memory = new ReplyMemory() } = settings;
  const proxyFor = chooseProxies(settings.proxy, environment);
  const routes = new Routes(await loadTls(settings.tls ?? {}, seams.files), settings.connections ?? 8, seams.clock);
  /** The way of a request through a proxy, whose credentials are known before it is taken. */
  const hidden = (url: URL): Proxy | undefined => {
    const proxy = proxyFor(url);
    if (proxy?.authorization !== undefined && secrets !== undefined) learnProxy(proxy.authorization, secrets);
    return proxy;
  };
  return {
    request(request) {
      const named = { ...request, headers: { 'user-agent': settings.userAgent, ...request.headers } };
      const route = routes.of(named, hidden(request.url));
      if (secrets !== undefined) learnCredentials(named, secrets);
      return sendRequest(named, route, seams.clock, memory);
    },
    openSocket(url) {
      if (secrets !== undefined) learnCredentials({ url }, secrets);
      return routes.socket(url, hidden(url));
    },
    describeRoute: (url) => describeProxy(proxyFor(url)),
    [Symbol.asyncDispose]: () => routes[Symbol.asyncDispose](),
  };
}

function proxyHeaders(proxy: Proxy | undefined): Readonly<Record<string, string>> {
  return proxy?.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization };
}

/** The dispatchers of one client, opened at first use: one for direct requests, one per proxy for tunnels, one for plain requests. */
class Routes implements AsyncDisposable {
  readonly #tls: LoadedTls;
  readonly #connections: number;
  readonly #clock: Clock;
  readonly #dispatchers = new Map<string, Dispatcher>();
  readonly #tunnels = new Map<string, Tunnel>();

  constructor(tls: LoadedTls, connections: number, clock: Clock) {
    this.#tls = tls;
    this.#connections = connections;
    this.#clock = clock;
  }

  of({ url }: HttpRequest, proxy: Proxy | undefined): Route {
    const path = `${url.pathname}${url.search}`;
    const { origin } = url;
    if (proxy === undefined)
      return { dispatcher: this.#agent('direct', () => directConnect(this.#tls)), origin, path, headers: {} };
    const via = proxy.url.origin;
    if (url.protocol === 'https:')
      return { dispatcher: this.#agent(`tunnel ${via}`, () => this.#tunnel(proxy).connect), origin, path, headers: {} };
    const options = { connect: proxyConnect(this.#tls), connections: this.#connections, allowH2: false, maxHeaderSize };
    const dispatcher = this.#once(`plain ${via}`, () => new Pool(via, options));
    const headers = { host: url.host, ...proxyHeaders(proxy) };
    return { dispatcher, origin: via, path: `${origin}${path}`, headers, servername: proxy.url.hostname };
  }

  socket(url: URL, proxy: Proxy | undefined): Promise<Socket> {
    return connectTo(proxy === undefined ? directConnect(this.#tls) : this.#tunnel(proxy).connect, url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
    await Promise.all([...this.#tunnels.values()].map((tunnel) => tunnel[Symbol.asyncDispose]()));
  }

  #agent(key: string, connect: () => Connect): Dispatcher {
    return this.#once(
      key,
      () => new Agent({ connect: connect(), connections: this.#connections, allowH2: false, maxHeaderSize }),
    );
  }

  #once(key: string, make: () => Dispatcher): Dispatcher {
    const dispatcher = this.#dispatchers.get(key) ?? make();
    this.#dispatchers.set(key, dispatcher);
    return dispatcher;
  }

  #tunnel(proxy: Proxy): Tunnel {
    const tunnel = this.#tunnels.get(proxy.url.origin) ?? openTunnel(proxy, this.#tls, this.#clock);
    this.#tunnels.set(proxy.url.origin, tunnel);
    return tunnel;
  }
}

function connectTo(connect: Connect, url: URL): Promise<Socket> {
  const secure = url.protocol === 'https:' || url.protocol === 'wss:';
  const target = {
    hostname: url.hostname.replace(/^\[(.+)\]$/, '$1'),
    host: url.host,
    protocol: secure ? 'https:' : 'http:',
    port: url.port,
  };
  return new Promise((resolve, reject) => {
    connect(target, (...[error, socket]) => (error === null ? resolve(socket) : reject(error)));
  });
}
