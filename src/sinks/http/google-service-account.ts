import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { PenstockError } from '../../base/errors.ts';
import type { Seams } from '../../base/seams.ts';
import type { HttpClient } from '../../http/client.ts';
import { cacheToken, type MintedToken, readToken, type TokenSource } from '../../http/index.ts';
import { parseAnswer } from './answer.ts';

interface ServiceAccount {
  readonly email: string;
  readonly keyId: string | undefined;
  readonly key: KeyObject;
  readonly tokenUri: string;
}

const lifetimeSeconds = 3600;

/**
 * Access tokens of a Google service account: a JWT signed with its key (RS256), exchanged at its token endpoint, cached.
 *
 * `keyFile` is the text of the JSON key. Throws PEN_CONFIG_INVALID when it is invalid.
 * Source: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
 */
export function googleServiceAccount(keyFile: string, scope: string, http: HttpClient, seams: Seams): TokenSource {
  const account = readKeyFile(keyFile);
  return cacheToken(() => mint(account, scope, http, seams), seams.clock);
}

async function mint(account: ServiceAccount, scope: string, http: HttpClient, seams: Seams): Promise<MintedToken> {
  const url = new URL(account.tokenUri);
  const assertion = signedJwt(account, scope, seams.clock.now());
  const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  const answer = await http.request({ method: 'POST', url, headers, body, timeoutMs: 30_000, maxBytes: 65_536 });
  return readToken(answer, url.origin, seams);
}

/** The assertion that the token endpoint takes; `nowMs` becomes its time of issue. */
function signedJwt({ email, keyId, key, tokenUri }: ServiceAccount, scope: string, nowMs: number): string {
  const issued = Math.floor(nowMs / 1000);
  const header = { alg: 'RS256', typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) };
  const claims = { iss: email, scope, aud: tokenUri, iat: issued, exp: issued + lifetimeSeconds };
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`;
}

/** Reads the JSON key of a service account; throws PEN_CONFIG_INVALID when it is invalid. */
export function readKeyFile(keyFile: string): ServiceAccount {
  const { client_email: email, private_key: pem, private_key_id: keyId, token_uri: uri } = parseAnswer(Buffer.from(keyFile));
  const tokenUri = typeof uri === 'string' ? uri : 'https://oauth2.googleapis.com/token';
  if (typeof email !== 'string' || typeof pem !== 'string' || !URL.canParse(tokenUri)) throw badKeyFile();
  try {
    return { email, keyId: typeof keyId === 'string' ? keyId : undefined, key: createPrivateKey(pem), tokenUri };
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
