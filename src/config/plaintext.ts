import { isObject } from '../base/json.ts';
import type { Fault, YamlPath, YamlText } from '../base/yaml-faults.ts';
import { placeholder } from './interpolate.ts';

const plain = /^(http|ws|tcp|udp|relp):\/\//i;
const loopback = /^(localhost|([a-z0-9-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\]|\[::ffff:127(\.\d{1,3}){3}\])$/i;

function isPlainBeyondLoopback(url: string): boolean {
  if (!plain.test(url) || url.includes(placeholder)) return false;
  const host = /^[a-z]+:\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^/:?#]*)/i.exec(url)?.[1] ?? '';
  return !loopback.test(host);
}

/** Every text in a value that begins like a URL, with its path. */
export function urlsIn(value: unknown, at: YamlPath = []): { readonly path: YamlPath; readonly url: string }[] {
  if (typeof value === 'string') return /^[a-z]+:\/\//i.test(value) ? [{ path: at, url: value }] : [];
  if (Array.isArray(value)) return value.flatMap((item, index) => urlsIn(item, [...at, index]));
  return isObject(value) ? Object.entries(value).flatMap(([key, item]) => urlsIn(item, [...at, key])) : [];
}

/** Faults (or, when plain text is allowed, warnings) for the URLs of a block that travel unencrypted beyond this machine. */
export function plaintextFaults(
  urls: readonly { readonly path: YamlPath; readonly url: string }[],
  isAllowed: boolean,
  doc: YamlText,
): Fault[] {
  return urls
    .filter(({ url }) => isPlainBeyondLoopback(url))
    .map(({ path, url }) => {
      const scheme = url.slice(0, url.indexOf(':'));
      const what = `${scheme}:// sends events and credentials unencrypted beyond this machine`;
      return isAllowed
        ? doc.fault(path, what, `use ${encrypted[scheme.toLowerCase()] ?? 'TLS'} as soon as the other side can`)
        : doc.fault(path, what, `use ${encrypted[scheme.toLowerCase()] ?? 'TLS'}, or add "allow_plaintext: true" beside it`);
    });
}

const encrypted: Readonly<Record<string, string>> = {
  http: 'https://',
  ws: 'wss://',
  tcp: 'tls://',
  udp: 'tls://',
  relp: 'relps://',
};
