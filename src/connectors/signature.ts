// Signs requests as a connector says: values made of the request, the time and the options, one after the other, and where they go.
import { createHash, createHmac } from 'node:crypto';
import { PenstockError } from '../base/errors.ts';
import { uuid } from '../base/random.ts';
import type { Seams } from '../base/seams.ts';
import type { HttpRequest } from '../http/client.ts';
import type { SignatureSpec } from './auth-section.ts';
import { compileBound } from './http-window/request.ts';
import { compileTemplate, type Scope } from './template.ts';

/** A signed request, and what of it is a proof: to be kept out of any text. */
interface Signed {
  readonly request: HttpRequest;
  readonly proofs: readonly string[];
}

interface Signer {
  /** Signs for a time, milliseconds since 1970. Throws PEN_CONFIG_INVALID for a key that is not written as `key_is` says. */
  sign(request: HttpRequest, nowMs: number): Signed;
  /** What tells this credential from others. */
  readonly identity: readonly string[];
  /** The keys. */
  readonly secrets: readonly string[];
}

type ValueSpec = SignatureSpec['values'][string];
type Make = (scope: Scope, nowMs: number) => string;

/** Opens the signer of one source. `options` gives the values of its options. */
export function openSigner(spec: SignatureSpec, options: Scope, { random }: Pick<Seams, 'random'>): Signer {
  const values = Object.entries(spec.values).map(([name, value]) => ({
    name: `value.${name}`,
    make: compileValue(name, value, random),
    isProof: value.algorithm !== undefined && (value.key !== undefined || !isOfRequest(value.text)),
  }));
  const basic = spec.basic && ([spec.basic.username, spec.basic.password].map(compileText) as [Text, Text]);
  const [headers, query] = [compileTexts(spec.headers), compileTexts(spec.query)];
  const keys = Object.values(spec.values).flatMap(({ key }) => (key === undefined ? [] : namesOf(key)));
  const used = [...new Set(namesOf(JSON.stringify(spec)))].map((name) => options(name) ?? '');
  return {
    identity: used,
    secrets: [...new Set(keys)].map((name) => options(name) ?? ''),
    sign(request, nowMs) {
      const url = withoutPairs(request.url, new Set(query.map(([name]) => name)));
      const made = new Map(requestValues({ ...request, url }));
      const scope: Scope = (name) => made.get(name) ?? options(name);
      for (const { name, make } of values) made.set(name, make(scope, nowMs));
      const pair = basic && Buffer.from(basic.map((text) => text(scope)).join(':')).toString('base64');
      const proven = {
        ...(pair === undefined ? {} : { authorization: `Basic ${pair}` }),
        ...Object.fromEntries(headers.map(([name, text]) => [name.toLowerCase(), text(scope)])),
      };
      for (const [name, text] of query)
        url.search += `${url.search === '' ? '' : '&'}${encodeURIComponent(name)}=${encodeURIComponent(text(scope))}`;
      const proofs = values.flatMap(({ name, isProof }) => (isProof ? [made.get(name) ?? ''] : []));
      return {
        request: { ...request, url, headers: { ...request.headers, ...proven }, proofs },
        proofs: pair === undefined ? proofs : [...proofs, pair],
      };
    },
  };
}

type Text = (scope: Scope) => string;

/** True for a text that holds only what everybody sees: the digest of a body may stand in anybody's records. */
const isOfRequest = (text = ''): boolean => compileTemplate(text).names.every((name) => name.startsWith('request.'));

/** A text in which a value that is not there is empty. */
function compileText(text: string): Text {
  const template = compileTemplate(text);
  return (scope) => template.render((name) => scope(name) ?? '') ?? '';
}

const compileTexts = (texts: Readonly<Record<string, string>> = {}): readonly (readonly [string, Text])[] =>
  Object.entries(texts).map(([name, text]) => [name, compileText(text)] as const);

const namesOf = (text: string): readonly string[] => compileTemplate(text).names.filter((name) => name.startsWith('options.'));

function compileValue(name: string, spec: ValueSpec, random: Seams['random']): Make {
  const { time, random: form, algorithm, key, key_is: keyIs = 'text', encoding, skip_empty: skips = false } = spec;
  if (time === 'http') return (_scope, nowMs) => new Date(nowMs).toUTCString();
  if (time !== undefined) {
    const bound = compileBound({ overlap: '0s', settle: '0s', max: '1s', format: time });
    return (_scope, nowMs) => bound(nowMs, 'from');
  }
  if (form !== undefined) return () => (form === 'uuid' ? uuid(random) : random.hex(16));
  const text = compileText(spec.text ?? '');
  const keyText = key === undefined ? undefined : compileText(key);
  return (scope) => {
    const plain = text(scope);
    if (plain === '' && skips) return '';
    if (encoding === 'percent') return strictly(plain);
    if (encoding === 'sorted_query') return sortedQuery(new URLSearchParams(plain));
    if (algorithm === undefined) return encoding === undefined ? plain : encoded(Buffer.from(plain), encoding);
    const digest = keyText === undefined ? createHash(algorithm) : createHmac(algorithm, keyOf(keyText(scope), keyIs, name));
    return encoded(digest.update(plain).digest(), encoding ?? 'hex');
  };
}

const written = { hex: /^(?:[0-9a-f]{2})+$/i, base64: /^[0-9a-z+/]+={0,2}$/i, base64url: /^[\w-]+={0,2}$/ };

function keyOf(text: string, form: NonNullable<ValueSpec['key_is']>, name: string): Buffer {
  if (form === 'text') return Buffer.from(text);
  if (written[form].test(text)) return Buffer.from(text, form);
  throw new PenstockError('PEN_CONFIG_INVALID', `the key that signs "${name}" is not ${form}`, {
    fix: 'check the option that it names: the secret must be whole, as the vendor showed it',
  });
}

type ByteEncoding = Exclude<NonNullable<ValueSpec['encoding']>, 'percent' | 'sorted_query'>;

function encoded(bytes: Buffer, encoding: ByteEncoding): string {
  if (encoding === 'upper_hex') return bytes.toString('hex').toUpperCase();
  return encoding === 'hex_base64' ? Buffer.from(bytes.toString('hex')).toString('base64') : bytes.toString(encoding);
}

/** What texts may name of a request, as it goes over the wire. */
function requestValues({ method, url, body = '' }: HttpRequest): [string, string][] {
  const values = {
    method,
    scheme: url.protocol.slice(0, -1),
    host: url.host,
    hostname: url.hostname,
    address: `${url.origin}${url.pathname}`,
    path: url.pathname,
    query: url.search.slice(1),
    sorted_query: sortedQuery(url.searchParams),
    path_query: `${url.pathname}${url.search}`,
    body: typeof body === 'string' ? body : Buffer.from(body).toString(),
  };
  return Object.entries(values).map(([name, value]) => [`request.${name}`, value]);
}

/** Parameters by name and value, each percent-encoded as RFC 3986 has it. Source: https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.3.2 */
function sortedQuery(parameters: URLSearchParams): string {
  const pairs = [...parameters].map((pair) => pair.map(strictly) as [string, string]);
  const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return pairs
    .toSorted((a, b) => byText(a[0], b[0]) || byText(a[1], b[1]))
    .map((pair) => pair.join('='))
    .join('&');
}

function strictly(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The address without parameters that the signature brings: a link may hold those of the request before. */
function withoutPairs(address: URL, names: ReadonlySet<string>): URL {
  const url = new URL(address);
  if (names.size === 0) return url;
  const pairs = url.search.slice(1).split('&');
  url.search = pairs.filter((pair) => !names.has([...new URLSearchParams(pair).keys()][0] ?? '')).join('&');
  return url;
}
