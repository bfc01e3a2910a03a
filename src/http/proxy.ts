import { BlockList, isIP } from 'node:net';
import { PenstockError } from '../base/errors.ts';
import { isLoopback } from '../base/loopback.ts';
import { percentDecoded } from '../base/percent.ts';

/** Which proxy a request takes, and why. */
export interface Proxy {
  readonly url: URL;
  /** `Basic ...`, when the proxy URL carries credentials. */
  readonly authorization: string | undefined;
  /** The setting that chose it: `proxy`, `HTTPS_PROXY`. */
  readonly setting: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Decides the way of each request; undefined means directly. */
type ProxyChooser = (url: URL) => Proxy | undefined;

/**
 * Reads the proxy settings once: an explicit URL takes every request, otherwise HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide (lower-case
 * names win, as in curl). The environment sends loopback only to a proxy on this machine: another one would reach its own. Throws PEN_CONFIG_INVALID without quoting a URL that may hold a password.
 */
export function chooseProxies(explicit: string | undefined, environment: Environment): ProxyChooser {
  if (explicit !== undefined && explicit !== '') {
    const proxy = parseProxy(explicit, 'proxy');
    return () => proxy;
  }
  const forHttps = fromEnvironment(environment, 'HTTPS_PROXY');
  const forHttp = fromEnvironment(environment, 'HTTP_PROXY');
  if (forHttps === undefined && forHttp === undefined) return () => undefined;
  const isExcluded = compileNoProxy(environment['no_proxy'] ?? environment['NO_PROXY'] ?? '');
  return (url) => {
    if (isExcluded(url)) return undefined;
    const proxy = url.protocol === 'https:' || url.protocol === 'wss:' ? forHttps : forHttp;
    return proxy !== undefined && isLoopback(hostOf(url)) && !isLoopback(hostOf(proxy.url)) ? undefined : proxy;
  };
}

function fromEnvironment(environment: Environment, name: string): Proxy | undefined {
  const value = environment[name.toLowerCase()] ?? environment[name];
  return value === undefined || value.trim() === '' ? undefined : parseProxy(value.trim(), name);
}

function parseProxy(text: string, setting: string): Proxy {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  // An "@" behind the host: a password with a "/" or "#" in it has become a path, and the host is a part of it.
  const isTorn = url !== null && `${url.pathname}${url.search}${url.hash}`.includes('@');
  if (url === null || url.hostname === '' || !['http:', 'https:'].includes(url.protocol) || isTorn) {
    throw new PenstockError('PEN_CONFIG_INVALID', `${setting} is not the URL of an HTTP proxy`, {
      fix: `write ${setting} as http://host:port or https://host:port; in user and password write @ / # ? % as %40 %2F %23 %3F %25`,
    });
  }
  const credentials = url.username === '' ? undefined : `${percentDecoded(url.username)}:${percentDecoded(url.password)}`;
  return {
    url: new URL(url.origin),
    authorization: credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`,
    setting,
  };
}

/** `direct`, or `proxy http://proxy:3128 (HTTPS_PROXY)`; without credentials. */
export function describeProxy(proxy: Proxy | undefined): string {
  return proxy === undefined ? 'direct' : `proxy ${proxy.url.origin} (${proxy.setting})`;
}

function hostOf(url: URL): string {
  return url.hostname
    .replace(/^\[(.+)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'ws:': '80', 'https:': '443', 'wss:': '443' };

// `example.com` and `.example.com` cover the name and everything below it, `*.example.com` only what is below, `10.0.0.0/8` addresses of a
// network, `*` everything.
function compileNoProxy(text: string): (url: URL) => boolean {
  const words = text.split(/[,\s]+/).filter((entry) => entry !== '');
  const networks = new BlockList();
  const entries = words.filter((entry) => !addNetwork(networks, entry)).map(parseEntry);
  return (url) => {
    const host = hostOf(url);
    const port = url.port === '' ? (defaultPorts[url.protocol] ?? '') : url.port;
    const family = isIP(host);
    if (family !== 0 && networks.check(host, family === 4 ? 'ipv4' : 'ipv6')) return true;
    return entries.some((entry) => {
      if (entry.port !== '' && entry.port !== port) return false;
      return entry.host === '*' || (host === entry.host && !entry.below) || host.endsWith(`.${entry.host}`);
    });
  };
}

/** Adds what is a network in CIDR notation; false for anything else. */
function addNetwork(networks: BlockList, entry: string): boolean {
  const [, address = '', bits = ''] = /^([0-9A-Fa-f:.]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) return false;
  networks.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return true;
}

/** An IPv6 address in its shortest spelling, a name with other letters in Punycode: as they stand in a URL that was parsed. */
function asInUrl(host: string): string {
  if (isIP(host) !== 6 && /^[\x20-\x7e]*$/.test(host)) return host;
  const url = URL.parse(isIP(host) === 6 ? `http://[${host}]` : `http://${host}`);
  return url === null ? host : hostOf(url);
}

function parseEntry(entry: string): { host: string; port: string; below: boolean } {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(entry);
  const named = /^([^:]+):(\d+)$/.exec(entry);
  const host = bracketed?.[1] ?? named?.[1] ?? entry;
  const below = host.startsWith('*.');
  return {
    host: asInUrl(host.replace(/^\*?\./, '').replace(/\.$/, '')).toLowerCase(),
    port: bracketed?.[2] ?? named?.[2] ?? '',
    below,
  };
}
