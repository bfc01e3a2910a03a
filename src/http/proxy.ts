import { PenstockError } from '../base/errors.ts';

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
export type ProxyChooser = (url: URL) => Proxy | undefined;

/**
 * Reads the proxy settings once: an explicit URL takes every request, otherwise HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide (lower-case
 * names win, as in curl). Loopback is proxied only explicitly. Throws PEN_CONFIG_INVALID without quoting a URL that may hold a password.
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
    if (isLoopback(hostOf(url)) || isExcluded(url)) return undefined;
    return url.protocol === 'https:' || url.protocol === 'wss:' ? forHttps : forHttp;
  };
}

function fromEnvironment(environment: Environment, name: string): Proxy | undefined {
  const value = environment[name.toLowerCase()] ?? environment[name];
  return value === undefined || value.trim() === '' ? undefined : parseProxy(value.trim(), name);
}

function parseProxy(text: string, setting: string): Proxy {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || url.hostname === '' || !['http:', 'https:'].includes(url.protocol)) {
    throw new PenstockError('PEN_CONFIG_INVALID', `${setting} is not the URL of an HTTP proxy`, {
      fix: `write ${setting} as http://host:port or https://host:port`,
    });
  }
  const credentials = url.username === '' ? undefined : `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
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

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'ws:': '80', 'https:': '443', 'wss:': '443' };

// `example.com` and `.example.com` cover the name and everything below it, `*.example.com` only what is below, `*` everything.
function compileNoProxy(text: string): (url: URL) => boolean {
  const entries = text
    .split(/[,\s]+/)
    .filter((entry) => entry !== '')
    .map(parseEntry);
  return (url) => {
    const host = hostOf(url);
    const port = url.port === '' ? (defaultPorts[url.protocol] ?? '') : url.port;
    return entries.some((entry) => {
      if (entry.port !== '' && entry.port !== port) return false;
      return entry.host === '*' || (host === entry.host && !entry.below) || host.endsWith(`.${entry.host}`);
    });
  };
}

function parseEntry(entry: string): { host: string; port: string; below: boolean } {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(entry);
  const named = /^([^:]+):(\d+)$/.exec(entry);
  const host = bracketed?.[1] ?? named?.[1] ?? entry;
  const below = host.startsWith('*.');
  return {
    host: host
      .replace(/^\*?\./, '')
      .replace(/\.$/, '')
      .toLowerCase(),
    port: bracketed?.[2] ?? named?.[2] ?? '',
    below,
  };
}
