import { unlessAborted } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import { PenstockError, passingFix } from '../base/errors.ts';
import { foreignNumber, isObject } from '../base/json.ts';
import { dayMs } from '../base/quantity.ts';
import type { Seams } from '../base/seams.ts';
import type { HttpClient, HttpRequest, HttpResponse } from './client.ts';
import { jsonOf } from './json-reply.ts';
import { answeredAt, retryAfterMs } from './retry-after.ts';

/** The client credentials grant. Source: https://www.rfc-editor.org/rfc/rfc6749#section-4.4 */
export interface OAuth2Settings {
  readonly token_url: string;
  readonly client_id: string;
  readonly client_secret: string;
  readonly scope?: string;
  readonly audience?: string;
  /** Where the credentials go: form fields, or an Authorization header. Default `body`. */
  readonly auth_style?: 'body' | 'basic';
}

/** Holds one access token for everybody who asks. */
export interface TokenSource {
  /** The token; minted when there is none or it ends within 60 s. All who wait share one request. */
  token(signal?: AbortSignal): Promise<string>;
  /** Forgets a token that was refused, so that the next call mints; no effect when another one is already in its place. */
  invalidate(token?: string): void;
  /** Resolves once no request for a token is under way. */
  settled(): Promise<void>;
}

const earlyMs = 60_000;
// RFC 6749 leaves expires_in optional; five minutes is shorter than what any known issuer gives.
const unknownLifetimeMs = 300_000;
const longestLifetimeMs = 366 * dayMs;

/**
 * Tokens by client credentials, cached until 60 s before they end.
 *
 * A 4xx of the token endpoint other than 408, 425 and 429 rejects with PEN_SOURCE_REFUSED: the credential is wrong. Everything else
 * rejects with PEN_SOURCE_UNAVAILABLE, PEN_SOURCE_BAD_REPLY or what the client throws.
 */
export function oauth2ClientCredentials(
  settings: OAuth2Settings,
  http: HttpClient,
  seams: Seams,
  timeoutMs = 30_000,
): TokenSource {
  return cacheToken(() => mint(settings, http, seams, timeoutMs), seams.clock);
}

/** An access token fresh from its issuer. */
export interface MintedToken {
  readonly token: string;
  readonly lifetimeMs: number;
}

/** Keeps what `mint` makes until 60 s before it ends; all who wait share one request. */
export function cacheToken(mint: () => Promise<MintedToken>, clock: Clock): TokenSource {
  let held: { token: string; until: number } | undefined;
  let minting: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    const asked = clock.monotonic();
    const { token, lifetimeMs } = await mint();
    // A lifetime below two minutes still serves half of itself.
    held = { token, until: asked + Math.max(lifetimeMs - earlyMs, lifetimeMs / 2) };
    return token;
  };
  return {
    token(signal) {
      if (held !== undefined && clock.monotonic() < held.until) return Promise.resolve(held.token);
      minting ??= renew().finally(() => {
        minting = undefined;
      });
      // The shared request continues when one of those who wait for it gives up.
      return signal === undefined ? minting : unlessAborted(minting, signal);
    },
    invalidate(token) {
      if (token === undefined || token === held?.token) held = undefined;
    },
    async settled() {
      await minting?.catch(() => undefined);
    },
  };
}

/** What goes to a token endpoint beside the grant, to say who asks. */
export interface ClientProof {
  readonly form: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** How a client proves itself by its secret: in form fields, or in a Basic header. */
export function secretProof(id: string, secret: string, style: 'body' | 'basic' = 'body'): ClientProof {
  if (style === 'body') return { form: { client_id: id, client_secret: secret }, headers: {} };
  // RFC 6749 2.3.1 wants both parts form-encoded before they are joined.
  const encoded = [id, secret].map((part) => new URLSearchParams({ p: part }).toString().slice(2)).join(':');
  return { form: {}, headers: { authorization: `Basic ${Buffer.from(encoded).toString('base64')}` } };
}

async function mint(settings: OAuth2Settings, http: HttpClient, seams: Seams, timeoutMs: number): Promise<MintedToken> {
  const { token_url, client_id, client_secret, scope, audience, auth_style } = settings;
  const more = { ...(scope === undefined ? {} : { scope }), ...(audience === undefined ? {} : { audience }) };
  const grant = { grant_type: 'client_credentials', ...more };
  const proof = secretProof(client_id, client_secret, auth_style);
  return requestToken({ url: new URL(token_url), grant, proof }, http, seams, timeoutMs);
}

interface TokenRequest {
  readonly url: URL;
  readonly grant: Readonly<Record<string, string>>;
  readonly proof: ClientProof;
  readonly shape?: TokenShape;
  readonly tokenAt?: HttpRequest['tokenAt'];
}

/** Where a token and its end stand in an answer; by default `access_token` and `expires_in`. */
export interface TokenShape {
  readonly token: (reply: Readonly<Record<string, unknown>>) => unknown;
  readonly expires: (reply: Readonly<Record<string, unknown>>) => unknown;
  /** How long a token lives of which the answer does not say it; five minutes by default. */
  readonly unknownMs?: number;
}

/** Asks a token endpoint; rejects as {@link oauth2ClientCredentials} says. */
async function requestToken(request: TokenRequest, http: HttpClient, seams: Seams, timeoutMs?: number): Promise<MintedToken> {
  return readToken(await askForToken(request, http, timeoutMs), request.url.origin, seams, request.shape);
}

/** What is signed for a time ahead of the issuer's is refused by some, however little that is; a Date tells whole seconds, and was on its way. */
const skewMs = 2_000;

/** How far the clock of who answered is ahead of ours, milliseconds; 0 where that is little or unknown. */
export function aheadMs({ headers }: Pick<HttpResponse, 'headers'>, clock: Clock): number {
  const ms = (answeredAt(headers) ?? clock.now()) - clock.now();
  return Math.abs(ms) > skewMs ? ms : 0;
}

/** Asks with what is signed for a time, ours; where that is refused and the issuer has another time, once more with the issuer's. */
export async function askAtTime(clock: Clock, ask: (nowMs: number) => Promise<HttpResponse>): Promise<HttpResponse> {
  const answer = await ask(clock.now());
  const ms = answer.status >= 400 && answer.status < 500 ? aheadMs(answer, clock) : 0;
  return ms === 0 ? answer : await ask(clock.now() + ms);
}

/** What a token endpoint answers, whatever that is. */
export function askForToken(
  { url, grant, proof, tokenAt }: Omit<TokenRequest, 'shape'>,
  http: HttpClient,
  timeoutMs = 30_000,
): Promise<HttpResponse> {
  return http.request({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json', ...proof.headers },
    body: new URLSearchParams({ ...grant, ...proof.form }).toString(),
    timeoutMs,
    maxBytes: 65_536,
    ...(tokenAt === undefined ? {} : { tokenAt }),
  });
}

/** The refresh token that takes the place of the one that was sent; of any success, whatever else is wrong with the answer. */
export function refreshTokenIn(answer: HttpResponse): string | undefined {
  const { status } = answer;
  const next = status >= 200 && status < 300 ? fieldsOf(answer)['refresh_token'] : undefined;
  return typeof next === 'string' && next !== '' ? next : undefined;
}

const usualShape: TokenShape = { token: (reply) => reply['access_token'], expires: (reply) => reply['expires_in'] };

/** Reads a token endpoint's answer; throws as {@link oauth2ClientCredentials} says. */
export function readToken(answer: HttpResponse, origin: string, seams: Seams, shape: TokenShape = usualShape): MintedToken {
  const passing = [408, 425, 429].includes(answer.status);
  const wait = retryAfterMs(answer.headers, seams.clock);
  if (answer.status >= 400 && answer.status < 500 && !passing) {
    throw new PenstockError(
      'PEN_SOURCE_REFUSED',
      `${origin} answered ${answer.status}${reasonOf(answer)} to the request for an access token`,
      {
        fix: 'check client_id, client_secret and token_url; collection resumes by itself once they are right',
        status: answer.status,
        retryAfterMs: wait,
      },
    );
  }
  if (![200, 201, 203, 204].includes(answer.status)) {
    throw new PenstockError('PEN_SOURCE_UNAVAILABLE', `${origin} answered ${answer.status} to the request for an access token`, {
      fix: passingFix,
      status: answer.status,
      retryAfterMs: wait,
    });
  }
  const reply = fieldsOf(answer);
  const told = shape.token(reply);
  const token = typeof told === 'string' ? told.trim() : '';
  if (token === '') {
    // Some issuers say with status 200 that they refuse.
    const reason = reasonOf(answer);
    throw new PenstockError(
      reason === '' ? 'PEN_SOURCE_BAD_REPLY' : 'PEN_SOURCE_REFUSED',
      `${origin} answered ${answer.status}${reason} without an access_token`,
      { fix: reason === '' ? 'check token_url' : 'check the credential', status: answer.status, retryAfterMs: wait },
    );
  }
  return { token, lifetimeMs: lifetimeOf(shape, reply, answeredAt(answer.headers) ?? seams.clock.now()) };
}

/** So many seconds, a time since 1970 in seconds or milliseconds, or a date; five minutes where it says nothing of the kind. */
function lifetimeOf({ expires: find, unknownMs }: TokenShape, reply: Readonly<Record<string, unknown>>, nowMs: number): number {
  const expires = find(reply);
  const number = foreignNumber(expires);
  const date = typeof expires === 'string' && !Number.isFinite(number) ? Date.parse(expires) : Number.NaN;
  const until = number > 100_000_000_000 ? number : number > 1_000_000_000 ? number * 1000 : date;
  const ms = Number.isFinite(until) ? until - nowMs : number * 1000;
  return ms > 0 && ms < longestLifetimeMs ? ms : (unknownMs ?? unknownLifetimeMs);
}

// The standard's `error` is one of a few words; its free text may repeat the credential and stays out.
function reasonOf(answer: HttpResponse): string {
  const { error } = fieldsOf(answer);
  return typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) ? ` "${error}"` : '';
}

function fieldsOf(answer: HttpResponse): Record<string, unknown> {
  const value = jsonOf(answer);
  return isObject(value) ? value : {};
}
