// A login of the vendor's own, where a POST is answered with a token.
import { isObject } from '../base/json.ts';
import { durationMs } from '../base/quantity.ts';
import { compilePath } from '../event/index.ts';
import type { HttpRequest } from '../http/client.ts';
import { cacheToken, type MintedToken, readToken } from '../http/index.ts';
import { type Granted, type Granting, type Grants, given, rendered, tokenAt, withFix } from './oauth.ts';

type LoginSpec = Grants['login'];

const fix = 'check what the source sends to log in; collection resumes by itself once that is right';

/** Asks for a token as `auth.login` says, and again when it ends. */
export function login(spec: LoginSpec, { http, seams, value }: Granting): Granted {
  const pair = spec.basic === undefined ? '' : `${value(spec.basic.username)}:${value(spec.basic.password)}`;
  const proof = Buffer.from(pair).toString('base64');
  const request = requestOf(spec, value, proof);
  const { token = [], token_header: header, expires = [], lifetime = '5m' } = spec;
  const mint = async (): Promise<MintedToken> => {
    const answer = await http.request(request);
    const find = header === undefined ? compilePath(token) : () => answer.headers[header.toLowerCase()];
    const shape = { token: find, expires: compilePath(expires), unknownMs: durationMs(lifetime) };
    return withFix(() => readToken(answer, request.url.origin, seams, shape), fix);
  };
  return {
    source: cacheToken(mint, seams.clock),
    identity: [request.url.href, JSON.stringify(request.headers), String(request.body ?? '')],
    secrets: () => (proof === '' ? [] : [proof]),
  };
}

function requestOf(spec: LoginSpec, value: Granting['value'], proof: string): HttpRequest {
  const isForm = spec.body_format === 'form';
  const fields = filled(spec.body ?? {}, value) as Record<string, string>;
  const named = Object.entries(given(rendered(spec.headers, value))).map(([name, text]) => [name.toLowerCase(), text]);
  return {
    method: 'POST',
    url: new URL(value(spec.url)),
    headers: {
      accept: 'application/json',
      ...(spec.body !== undefined && { 'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json' }),
      ...(proof !== '' && { authorization: `Basic ${proof}` }),
      ...(Object.fromEntries(named) as Record<string, string>),
    },
    ...(spec.body !== undefined && { body: isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields) }),
    ...(spec.token_header === undefined ? tokenAt(spec) : { tokenAt: { header: spec.token_header.toLowerCase() } }),
    timeoutMs: 30_000,
    maxBytes: 65_536,
  };
}

/** A body with its templates filled in, at any depth; a member without a value is left out. */
function filled(body: unknown, value: Granting['value']): unknown {
  if (typeof body === 'string') return value(body);
  if (Array.isArray(body)) return body.map((item) => filled(item, value));
  if (!isObject(body)) return body;
  const members = Object.entries(body).map(([key, inner]) => [key, filled(inner, value)] as const);
  return Object.fromEntries(members.filter(([, inner]) => inner !== ''));
}
