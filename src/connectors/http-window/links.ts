// The address of the next page: made relative, without secrets, before it is stored; absolute, with them, before it is asked.
import { PenstockError } from '../../base/errors.ts';
import type { PageState } from '../connector.ts';
import type { HttpWindowSpec } from '../read-section.ts';

/** Stands in a URL and in the journal; servers take 8 kB of a URL. */
const longestLink = 32_768;

type PageSpec = HttpWindowSpec['page'];

interface Place {
  /** The request that was answered. */
  readonly url: URL;
  readonly secrets: readonly string[];
}

/** The target of `rel="next"` in a Link header. Source: https://www.rfc-editor.org/rfc/rfc8288#section-3 */
export function nextLink(header: string): string | undefined {
  for (const [, target, parameters] of header.matchAll(
    /<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s;,"]*))?)*)/g,
  )) {
    for (const [, name = '', value = ''] of (parameters ?? '').matchAll(
      /;\s*([^\s=;,]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;,"]*))?/g,
    )) {
      if (name.toLowerCase() === 'rel' && value.replaceAll(/["']/g, '').toLowerCase().split(/\s+/).includes('next'))
        return target;
    }
  }
  return undefined;
}

/** The target of `rel="next"` in a header that should hold links. Throws PEN_SOURCE_BAD_REPLY for one that holds none. */
export function linkIn(header: string): string | undefined {
  const bare = header.trim();
  if (bare === '' || bare.includes('<')) return nextLink(header);
  throw new PenstockError(
    'PEN_SOURCE_BAD_REPLY',
    'the header that should hold the links to other pages holds none in angle brackets',
    {
      fix: 'where it is the address of the next page alone, the connector needs page.kind: link with page.header',
    },
  );
}

/**
 * The place of a link, resolved against the request (RFC 3986), as it may be stored: without parameters whose value is a secret. Throws
 * PEN_FOREIGN_ORIGIN for one that leads elsewhere, unless the connector takes links from other hosts.
 */
export function linkState(target: string, page: PageSpec, { url, secrets }: Place): PageState {
  if (target.length > longestLink)
    throw new PenstockError(
      'PEN_SOURCE_BAD_REPLY',
      `the link to the next page has ${target.length} characters, more than ${longestLink}`,
    );
  const next = URL.parse(target, url.href);
  if (next === null) throw new PenstockError('PEN_SOURCE_BAD_REPLY', 'the link to the next page is not a URL');
  if (next.origin !== url.origin && page.link_host !== 'ignored') {
    throw new PenstockError('PEN_FOREIGN_ORIGIN', `the link to the next page leads from ${url.origin} to ${next.origin}`, {
      fix: `if that host is the vendor's, set the API address in the options to it, or let the connector say link_host: ignored; credentials are never sent elsewhere`,
    });
  }
  const own = pairsOf(next);
  const kept =
    page.link_query === 'kept' ? pairsOf(url).filter((pair) => !own.some((other) => nameOf(other) === nameOf(pair))) : [];
  const hidden = new Set([...secrets, ...secretPairs(url, secrets).map(valueOf)]);
  const pairs = [...kept, ...own].filter((pair) => !hidden.has(valueOf(pair)) && !holdsOne(valueOf(pair), secrets));
  const query = pairs.map((pair) => withoutSecrets(pair, secrets)).join('&');
  return { kind: 'link', path: `${withoutSecrets(next.pathname, secrets)}${query === '' ? '' : `?${query}`}` };
}

/** The address of a stored link at the origin of a request; parameters of the request that hold a secret come back. */
export function linkUrl(path: string, request: URL, secrets: readonly string[]): URL {
  // Never resolved as a link: a path that begins with two slashes would name a host.
  const url = new URL(request.origin);
  const [place = '/', ...query] = path.split('?');
  url.pathname = withSecrets(place, secrets);
  url.search = withSecrets(query.join('?'), secrets);
  const names = new Set(pairsOf(url).map(nameOf));
  for (const pair of secretPairs(request, secrets))
    if (!names.has(nameOf(pair))) url.search += `${url.search === '' ? '' : '&'}${pair}`;
  return url;
}

const percents = (text: string): string => encodeURIComponent(text.toWellFormed());
const single: Readonly<Record<string, (secret: string) => string>> = {
  plain: (secret) => secret,
  encoded: percents,
  lower: (secret) => percents(secret).replaceAll(/%../g, (escaped) => escaped.toLowerCase()),
  base64: (secret) => Buffer.from(secret).toString('base64'),
  unpadded: (secret) => Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  base64url: (secret) => Buffer.from(secret).toString('base64url'),
  hex: (secret) => Buffer.from(secret).toString('hex'),
  upper: (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
};

/** How a secret may be written in a place, by the words with which the place tells it; in a parameter each of them may be encoded once more. */
const writings = new Map([
  ...Object.entries(single),
  ...Object.entries(single).map(([name, write]) => [`${name}-encoded`, (secret: string) => percents(write(secret))] as const),
]);

/** In a URL it would be escaped. */
const placeOf = (index: number, writing: string): string => `{secret ${index}${writing === 'plain' ? '' : ` ${writing}`}}`;

/** A place that the vendor gave us, as it may be stored: with the number of each secret in it, for what it is when it is asked for. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  // What the vendor wrote like a place of ours is none: it would be sent the secret in its stead.
  let clean = text.replaceAll(/\{secret((?:-text)*) /g, '{secret$1-text ');
  for (const [index, secret] of secrets.entries()) {
    if (secret.length < shortestHidden) continue;
    for (const [name, write] of writings) clean = clean.replaceAll(write(secret), () => placeOf(index, name));
  }
  return clean;
}

/** Places of secrets, and what the vendor wrote like one. */
const places = /\{secret (\d+)(?: ([\w-]+))?\}|\{secret((?:-text)*)-text /g;

/** The same place with the secrets of now. */
export function withSecrets(text: string, secrets: readonly string[]): string {
  return text.replaceAll(places, (found, index?: string, writing = 'plain', written?: string) => {
    if (written !== undefined) return `{secret${written} `;
    const secret = secrets[Number(index)];
    return secret === undefined ? found : (writings.get(writing)?.(secret) ?? found);
  });
}

/** Parameters as they are written: vendors sign what they wrote. */
function pairsOf({ search }: URL): string[] {
  return search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '');
}

function nameOf(pair: string): string {
  return [...new URLSearchParams(pair).keys()][0] ?? '';
}

function valueOf(pair: string): string {
  return [...new URLSearchParams(pair).values()][0] ?? '';
}

/** Beside other text too; a short secret is found in many texts by chance. */
const shortestHidden = 8;

function holdsOne(value: string, secrets: readonly string[]): boolean {
  return secrets.some((secret) => secret.length >= shortestHidden && value.includes(secret));
}

function secretPairs(request: URL, secrets: readonly string[]): string[] {
  return pairsOf(request).filter((pair) => secrets.some((secret) => secret !== '' && valueOf(pair).includes(secret)));
}
