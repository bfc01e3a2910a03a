import { createHmac } from 'node:crypto';
import { consequenceOf, PenstockError } from '../../base/errors.ts';
import {
  askAtTime,
  askForToken,
  cacheToken,
  type MintedToken,
  oauth2ClientCredentials,
  readSigningKey,
  readToken,
  signJwt,
  type TokenSource,
} from '../../http/index.ts';
import { afterPause } from '../exchange.ts';
import type { SinkContext, Verdict } from '../sink.ts';
import { parseAnswer } from './answer.ts';
import type { HttpAuth } from './options.ts';
import type { Preset } from './preset.ts';

/** The headers of one attempt, or the verdict when none can be had: nothing was sent then. */
type Authorization = { readonly headers: Readonly<Record<string, string>> } | { readonly failed: Verdict };

/** Proves who we are. */
export interface Authorizer {
  authorize(signal: AbortSignal): Promise<Authorization>;
  /** After a 401: true when it pays to ask for new headers and send once more. */
  renew(refused: Readonly<Record<string, string>>): boolean;
}

/** Makes the authorizer of a sink. Throws PEN_CONFIG_INVALID for an invalid key file. */
export function openAuthorizer(auth: HttpAuth | undefined, preset: Preset, context: SinkContext): Authorizer {
  const { http, seams, timeoutMs } = context;
  if (auth?.oauth2 !== undefined) {
    const { scope = preset.scope, ...rest } = auth.oauth2;
    return tokens(
      oauth2ClientCredentials(scope === undefined ? rest : { ...rest, scope }, http, seams, timeoutMs),
      'auth.oauth2',
    );
  }
  if (auth?.google_service_account !== undefined)
    return tokens(
      googleServiceAccount(auth.google_service_account, preset.scope ?? defaultScope, context),
      'auth.google_service_account',
    );
  const headers = fixedHeaders(auth ?? {}, preset);
  return { authorize: () => Promise.resolve({ headers }), renew: () => false };
}

const defaultScope = 'https://www.googleapis.com/auth/cloud-platform';

function fixedHeaders({ bearer, basic, header, api_key }: HttpAuth, { apiKey }: Preset): Readonly<Record<string, string>> {
  if (bearer !== undefined) return { authorization: `Bearer ${bearer}` };
  if (basic !== undefined)
    return { authorization: `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}` };
  if (header !== undefined) return { [header.name.toLowerCase()]: header.value };
  if (api_key !== undefined && apiKey !== undefined) return { [apiKey.header]: `${apiKey.prefix}${api_key}` };
  return {};
}

function tokens(source: TokenSource, path: string): Authorizer {
  return {
    async authorize(signal) {
      try {
        return { headers: { authorization: `Bearer ${await source.token(signal)}` } };
      } catch (error) {
        if (isTimeout(signal))
          return { failed: { kind: 'retry', reason: `no access token came in time: check "${path}" of the sink` } };
        if (!(error instanceof PenstockError)) throw error;
        return { failed: verdictOf(error, path) };
      }
    },
    renew(refused) {
      source.invalidate(refused['authorization']?.slice('Bearer '.length));
      return true;
    },
  };
}

/** True when the time of the whole exchange is over, and not when somebody stops the sink. */
function isTimeout({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof DOMException && reason.name === 'TimeoutError';
}

// No batch left this machine yet, so nothing is uncertain here.
function verdictOf(error: PenstockError, path: string): Verdict {
  const reason = error.message;
  if (consequenceOf(error).sink === 'hold') {
    const isAnswered = error.status !== undefined;
    const fix = isAnswered
      ? `check the credentials and URL in "${path}" of the sink`
      : (error.fix ?? `check "${path}" of the sink`);
    return afterPause({ kind: 'hold', reason, fix }, error.retryAfterMs);
  }
  return afterPause({ kind: 'retry', reason }, error.retryAfterMs);
}

/** Signs one attempt: the headers of a body that is sent as `bytes` at a time in milliseconds. */
export type Sign = (id: string, bytes: Uint8Array, nowMs: number) => Readonly<Record<string, string>>;

/**
 * Standard Webhooks 1.0.0, HMAC-SHA256 over `id.timestamp.body` of the bytes as sent. Every secret signs, so that a receiver can move
 * from one to the next. Throws PEN_CONFIG_INVALID for a secret that is not base64 of 24 to 64 bytes.
 *
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function standardWebhooks(secrets: readonly string[]): Sign {
  const keys = secrets.map(signingKeyOf);
  return (id, bytes, nowMs) => {
    // A dot would let two different messages sign the same text.
    const name = id.replaceAll('.', '-');
    const timestamp = String(Math.floor(nowMs / 1000));
    const signatures = keys.map((key) =>
      createHmac('sha256', key).update(`${name}.${timestamp}.`).update(bytes).digest('base64'),
    );
    return {
      'webhook-id': name,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures.map((signature) => `v1,${signature}`).join(' '),
    };
  };
}

function signingKeyOf(secret: string): Buffer {
  const encoded = secret.replace(/^whsec_/, '');
  const key = Buffer.from(encoded, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || key.length < 24 || key.length > 64)
    throw new PenstockError('PEN_CONFIG_INVALID', 'a secret of signature.standard_webhooks is not base64 of 24 to 64 bytes', {
      fix: 'copy the secret with its prefix "whsec_" from the receiver',
    });
  return key;
}

interface ServiceAccount {
  readonly email: string;
  readonly key: ReturnType<typeof readSigningKey>;
  readonly tokenUri: string;
}

const lifetimeSeconds = 3600;

/**
 * Access tokens of a Google service account: a JWT signed with its key (RS256), exchanged at its token endpoint, cached.
 *
 * `keyFile` is the text of the JSON key. Throws PEN_CONFIG_INVALID when it is invalid.
 * Source: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
 */
function googleServiceAccount(keyFile: string, scope: string, context: Exchanging): TokenSource {
  const account = readKeyFile(keyFile);
  return cacheToken(() => mint(account, scope, context), context.seams.clock);
}

type Exchanging = Pick<SinkContext, 'http' | 'seams' | 'timeoutMs'>;

async function mint(account: ServiceAccount, scope: string, context: Exchanging): Promise<MintedToken> {
  const { http, seams, timeoutMs = 30_000 } = context;
  const url = new URL(account.tokenUri);
  const claims = { iss: account.email, scope, aud: account.tokenUri };
  const answer = await askAtTime(seams.clock, async (nowMs) => {
    const assertion = await signJwt(account.key, claims, nowMs, lifetimeSeconds);
    const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion };
    return await askForToken({ url, grant, proof: { form: {}, headers: {} } }, http, timeoutMs);
  });
  return readToken(answer, url.origin, seams);
}

/** Reads the JSON key of a service account; throws PEN_CONFIG_INVALID when it is invalid. */
export function readKeyFile(keyFile: string): ServiceAccount {
  const { client_email: email, private_key: pem, private_key_id: keyId, token_uri: uri } = parseAnswer(Buffer.from(keyFile));
  const tokenUri = typeof uri === 'string' ? uri : 'https://oauth2.googleapis.com/token';
  if (typeof email !== 'string' || typeof pem !== 'string' || !URL.canParse(tokenUri)) throw badKeyFile();
  try {
    return { email, key: readSigningKey(pem, 'RS256', typeof keyId === 'string' ? keyId : undefined), tokenUri };
  } catch (error) {
    throw badKeyFile(error);
  }
}

function badKeyFile(cause?: unknown): PenstockError {
  return new PenstockError('PEN_CONFIG_INVALID', 'auth.google_service_account is not the JSON key of a service account', {
    fix: 'download a key of type JSON for the service account and write ${file:PATH} here',
    cause,
  });
}
