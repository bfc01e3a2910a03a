// How a connector gets its access tokens: by client credentials, by a refresh token that may rotate, by a JWT that it signs.
import { hash } from 'node:crypto';
import { PenstockError } from '../base/errors.ts';
import { isObject, parseJson } from '../base/json.ts';
import { isLoopback } from '../base/loopback.ts';
import { durationMs } from '../base/quantity.ts';
import { uuid } from '../base/random.ts';
import type { Seams } from '../base/seams.ts';
import { compilePath } from '../event/index.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../http/client.ts';
import {
  aheadMs,
  askAtTime,
  askForToken,
  type ClientProof,
  cacheToken,
  type MintedToken,
  readSigningKey,
  readToken,
  refreshTokenIn,
  secretProof,
  signJwt,
  type TokenShape,
  type TokenSource,
} from '../http/index.ts';
import type { AuthSpec } from './auth-section.ts';

/** What a look at a refresh token came to: the one to keep in its place, if any. */
export interface TokenChange<T> {
  readonly keep: string | undefined;
  readonly result: T;
}

/**
 * Where refresh tokens are kept, for all sources and processes of this machine. While `change` runs nobody else changes what `credential`
 * names; what it returns is durable before `update` resolves. Once `signal` aborts, a change that waits for its turn is given up, and one that
 * runs goes on.
 */
export interface TokenStore {
  update<T>(credential: string, change: (kept: string | undefined) => Promise<TokenChange<T>>, signal?: AbortSignal): Promise<T>;
}

export interface Granting {
  readonly http: HttpClient;
  readonly seams: Seams;
  /** Renders a template; empty when it has no value now. */
  readonly value: (text: string | undefined) => string;
  readonly tokens: TokenStore | undefined;
}

export interface Granted {
  readonly source: TokenSource;
  /** What names the credential in budgets. */
  readonly identity: readonly string[];
  /** What no text may show. */
  readonly secrets: () => readonly string[];
  /** Hears an answer that refused the token: one that was signed by a wrong clock is signed by the vendor's next. */
  readonly refused?: (answer: Pick<HttpResponse, 'headers'>) => void;
  /** Resolves once nothing would be lost with the client: asks no more, and keeps what a request under way still brings. */
  readonly close?: () => Promise<void>;
}

export type Grants = { [K in keyof AuthSpec]-?: NonNullable<AuthSpec[K]> };

export const given = (fields: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter(([, text]) => text !== ''));

export const rendered = (form: Readonly<Record<string, string>> = {}, value: Granting['value']): Record<string, string> =>
  Object.fromEntries(Object.entries(form).map(([name, text]) => [name, value(text)]));

function shapeOf({
  token = 'access_token',
  expires = 'expires_in',
}: Pick<Grants['oauth2_jwt_bearer'], 'token' | 'expires'>): TokenShape {
  return { token: compilePath(token), expires: compilePath(expires) };
}

/** Where a token stands that has another name than usual. */
export const tokenAt = ({ token }: Pick<Grants['login'], 'token'>): Pick<HttpRequest, 'tokenAt'> => {
  const path = Array.isArray(token) ? token[0] : token;
  return path === undefined ? {} : { tokenAt: { path } };
};

const assertionSeconds = 300;
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

type Client = Pick<
  Grants['oauth2_refresh_token'],
  'client_id' | 'client_secret' | 'private_key' | 'key_id' | 'algorithm' | 'auth_style'
>;

/** How a client proves itself to its issuer, with the parts of the credential: by a key (private_key_jwt: RFC 7523 section 2.2), by a secret, or by its name alone. */
function clientProof(spec: Client, url: URL, { seams, value }: Granting): Credential {
  const [id, secret, pem] = [spec.client_id, spec.client_secret, spec.private_key].map(value) as [string, string, string];
  const parts = { id, secrets: [secret, pem], ask: once };
  if (pem === '' && secret === '') return { ...parts, prove: () => Promise.resolve({ form: { client_id: id }, headers: {} }) };
  if (pem === '') return { ...parts, prove: () => Promise.resolve(secretProof(id, secret, spec.auth_style)) };
  const key = readSigningKey(pem, spec.algorithm, value(spec.key_id) || undefined);
  const prove = async (nowMs: number): Promise<ClientProof> => {
    const claims = { iss: id, sub: id, aud: url.href, jti: uuid(seams.random) };
    const assertion = await signJwt(key, claims, nowMs, assertionSeconds);
    return { form: { client_id: id, client_assertion_type: assertionType, client_assertion: assertion }, headers: {} };
  };
  return { ...parts, prove, ask: askAtTime };
}

const once: typeof askAtTime = (clock, ask) => ask(clock.now());

interface Credential {
  readonly id: string;
  readonly secrets: readonly string[];
  readonly prove: (nowMs: number) => Promise<ClientProof>;
  /** Asks again by the issuer's clock where what proves it is signed for a time. */
  readonly ask: typeof askAtTime;
}

/** The client credentials grant. */
export function clientCredentials(spec: Grants['oauth2_client_credentials'], granting: Granting): Granted {
  const { http, seams, value } = granting;
  const url = new URL(value(spec.token_url));
  const { id, secrets, prove, ask } = clientProof(spec, url, granting);
  const named = { scope: value(spec.scope), audience: value(spec.audience) };
  const grant = { grant_type: 'client_credentials', ...given({ ...named, ...rendered(spec.form, value) }) };
  const mint = async (): Promise<MintedToken> => {
    const answer = await ask(seams.clock, async (nowMs) =>
      askForToken({ url, grant, proof: await prove(nowMs), ...tokenAt(spec) }, http),
    );
    return readToken(answer, url.origin, seams, shapeOf(spec));
  };
  return { source: cacheToken(mint, seams.clock), identity: [id, ...secrets], secrets: () => secrets.filter(Boolean) };
}

/**
 * A JWT that is signed with the key of a service account and exchanged for a token.
 * Source: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
 */
export function jwtBearer(spec: Grants['oauth2_jwt_bearer'], granting: Granting): Granted {
  const { http, seams, value } = granting;
  const account = readAccount(value(spec.key));
  const endpoint = value(spec.token_url) || account.token_uri;
  const url = endpoint === undefined ? null : URL.parse(endpoint);
  if (url === null || (url.protocol !== 'https:' && !isLoopback(url.hostname)))
    throw new PenstockError('PEN_CONFIG_INVALID', 'the key of the service account names no token endpoint', {
      fix: 'give the JSON key as it was downloaded, or set token_url to an https address',
    });
  const { sign, identity, secrets } = signing({ lifetime: '1h', ...spec }, account, granting, url.href);
  const more = given(rendered(spec.form, value));
  const mint = async (): Promise<MintedToken> => {
    const answer = await askAtTime(seams.clock, async (nowMs) => {
      const { token: assertion } = await sign(nowMs);
      const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion, ...more };
      return askForToken({ url, grant, proof: { form: {}, headers: {} }, ...tokenAt(spec) }, http);
    });
    return readToken(answer, url.origin, seams, shapeOf(spec));
  };
  return { source: cacheToken(mint, seams.clock), identity, secrets };
}

/** A JWT that is the token itself. */
export function signedJwt(spec: Grants['jwt'], granting: Granting): Granted {
  const { clock } = granting.seams;
  const { sign, identity, secrets } = signing({ lifetime: '10m', ...spec }, readAccount(granting.value(spec.key)), granting);
  let ahead = 0;
  return {
    source: cacheToken(() => sign(clock.now() + ahead), clock),
    identity,
    secrets,
    refused: (answer) => void (ahead = aheadMs(answer, clock)),
  };
}

interface Signing extends Pick<Granted, 'identity' | 'secrets'> {
  readonly sign: (nowMs: number) => Promise<MintedToken>;
}

/** What signs JWTs with the key of an account. */
function signing(
  spec: Omit<Grants['jwt'], 'key'> & { readonly lifetime: string; readonly scope?: string },
  account: Account,
  { seams, value }: Granting,
  audience = '',
): Signing {
  const { private_key: pem } = account;
  const key = readSigningKey(pem, spec.algorithm, value(spec.key_id) || account.private_key_id);
  const claims = given({
    iss: value(spec.issuer) || account.client_email || '',
    sub: value(spec.subject),
    aud: value(spec.audience) || audience,
    scope: value(spec.scope),
    ...rendered(spec.claims, value),
  });
  const lifetimeMs = durationMs(spec.lifetime);
  const sign = async (nowMs: number): Promise<MintedToken> => {
    const each = { ...claims, jti: uuid(seams.random) };
    return { token: await signJwt(key, each, nowMs, Math.floor(lifetimeMs / 1000)), lifetimeMs };
  };
  return { sign, identity: [pem, claims['sub'] ?? ''], secrets: () => [pem] };
}

interface Account {
  readonly private_key: string;
  readonly private_key_id?: string;
  readonly client_email?: string;
  readonly token_uri?: string;
}

function readAccount(text: string): Account {
  if (!text.trimStart().startsWith('{')) return { private_key: text };
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const fields = isObject(value) ? value : {};
  const texts = Object.fromEntries(Object.entries(fields).filter(([, field]) => typeof field === 'string')) as Partial<Account>;
  if (texts.private_key !== undefined) return { ...texts, private_key: texts.private_key };
  // Without the parser's words, which quote the file.
  throw new PenstockError('PEN_CONFIG_INVALID', 'the key of the service account is not JSON with a private_key', {
    fix: 'give the JSON key as it was downloaded, or a private key in PEM',
  });
}

/**
 * The refresh token grant. A new refresh token is durable before anything uses it or what came with it, and no two sources or processes of the
 * machine spend the same one: what is kept belongs to the configured token, and one that a person configures anew begins anew.
 */
export function refreshToken(spec: Grants['oauth2_refresh_token'], granting: Granting): Granted {
  const { http, seams, value, tokens } = granting;
  const configured = value(spec.refresh_token);
  const url = new URL(value(spec.token_url));
  const { id, secrets, prove, ask } = clientProof(spec, url, granting);
  const credential = hash('sha256', JSON.stringify([url.href, id, configured]), 'hex').slice(0, 32);
  const more = rendered(spec.form, value);
  const closing = new AbortController();
  let last = configured;
  const spend = async (kept: string | undefined): Promise<TokenChange<HttpResponse>> => {
    const spent = kept ?? configured;
    last = spent;
    const grant = { grant_type: 'refresh_token', refresh_token: spent, ...given({ scope: value(spec.scope), ...more }) };
    const result = await ask(seams.clock, async (nowMs) =>
      askForToken({ url, grant, proof: await prove(nowMs), ...tokenAt(spec) }, http),
    );
    last = refreshTokenIn(result) ?? spent;
    return { keep: last === spent ? undefined : last, result };
  };
  const mint = async (): Promise<MintedToken> => {
    if (tokens === undefined)
      throw new PenstockError('PEN_OPERATION_FAILED', 'there is no place where a new refresh token could be kept', {
        fix: 'run this with the configuration of the daemon, whose data_dir keeps it',
      });
    const answer = await tokens.update(credential, spend, closing.signal);
    return withFix(() => readToken(answer, url.origin, seams, shapeOf(spec)), authorizeAnew);
  };
  const source = cacheToken(mint, seams.clock);
  return {
    source,
    identity: [id, configured],
    secrets: () => [configured, ...secrets, last].filter(Boolean),
    close() {
      closing.abort(new DOMException('the source is stopped', 'AbortError'));
      return source.settled();
    },
  };
}

const authorizeAnew =
  'authorize the application once more and set the new refresh token; collection resumes from the last checkpoint by itself';

export function withFix<T>(read: () => T, fix: string): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PenstockError) || error.code !== 'PEN_SOURCE_REFUSED') throw error;
    throw new PenstockError('PEN_SOURCE_REFUSED', error.message, {
      cause: error,
      fix,
      ...(error.status === undefined ? {} : { status: error.status }),
    });
  }
}
