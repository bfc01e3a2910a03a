import { Agent, type Dispatcher, Pool } from 'undici';
import type { Seams } from '../base/seams.ts';
import type { HttpClient, HttpClientSettings, HttpRequest } from './client.ts';
import { directConnector, openTunnel, proxyConnector } from './connector.ts';
import { type Exchange, exchange } from './exchange.ts';
import { chooseProxies, describeProxy, type Proxy } from './proxy.ts';
import { type LoadedTls, loadTls } from './tls.ts';

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
  const proxyFor = chooseProxies(settings.proxy, environment);
  const ways = openWays(await loadTls(settings.tls ?? {}, seams.files), settings.connections ?? 8);
  return {
    request(request) {
      const named = { ...request, headers: { 'user-agent': settings.userAgent, ...request.headers } };
      return exchange(named, ways.way(named, proxyFor(request.url)), seams.clock);
    },
    describeRoute: (url) => describeProxy(proxyFor(url)),
    [Symbol.asyncDispose]: ways[Symbol.asyncDispose],
  };
}

interface Ways extends AsyncDisposable {
  way(request: HttpRequest, proxy: Proxy | undefined): Exchange;
}

/** The dispatchers of one client, opened at first use: one for direct requests, one per proxy for tunnels, one for plain requests. */
function openWays(tls: LoadedTls, connections: number): Ways {
  const open = new Map<string, Dispatcher>();
  const closers: AsyncDisposable[] = [];
  const once = (key: string, make: () => Dispatcher): Dispatcher => {
    const dispatcher = open.get(key) ?? make();
    open.set(key, dispatcher);
    return dispatcher;
  };
  const agent = (connect: ReturnType<typeof directConnector>): Agent => new Agent({ connect, connections, allowH2: false });
  const tunnel = (proxy: Proxy): Agent => {
    const opened = openTunnel(proxy, tls);
    closers.push(opened);
    return agent(opened.connector);
  };
  return {
    way({ url }, proxy) {
      const path = `${url.pathname}${url.search}`;
      if (proxy === undefined)
        return { dispatcher: once('direct', () => agent(directConnector(tls))), origin: url.origin, path, headers: {} };
      const { origin } = proxy.url;
      if (url.protocol === 'https:')
        return { dispatcher: once(`tunnel ${origin}`, () => tunnel(proxy)), origin: url.origin, path, headers: {} };
      const pool = once(`plain ${origin}`, () => new Pool(origin, { connect: proxyConnector(tls), connections, allowH2: false }));
      const headers = {
        host: url.host,
        ...(proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
      };
      return { dispatcher: pool, origin, path: `${url.origin}${path}`, headers, servername: proxy.url.hostname };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...open.values()].map((dispatcher) => dispatcher.destroy()));
      await Promise.all(closers.map((closer) => closer[Symbol.asyncDispose]()));
    },
  };
}
