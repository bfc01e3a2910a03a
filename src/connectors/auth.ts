import { hash } from 'node:crypto';
import type { Seams } from '../base/seams.ts';
import type { HttpClient, HttpResponse } from '../http/client.ts';
import type { AuthSpec } from './auth-section.ts';
import { clientCredentials, type Granted, jwtBearer, refreshToken, signedJwt, type TokenStore } from './oauth.ts';
import { compileTemplate, type Scope } from './template.ts';

/** Proves who we are on every request. */
export interface Authenticator extends AsyncDisposable {
  /** Headers for one request; may have to fetch a token first. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Called on a 401 with what was answered; true when another try with the next `headers` makes sense. */
  renew(answer: Pick<HttpResponse, 'headers'>): boolean;
  /** Names this credential in budgets without revealing it: 12 hex digits. */
  readonly fingerprint: string;
  /** The credential's parts as they stand in headers, to be kept out of any text. */
  readonly secrets: () => readonly string[];
}

/** Compiles `auth:`; without it requests carry no credential. `tokens` keeps a refresh token that rotates. */
export function openAuth(
  spec: AuthSpec | undefined,
  scope: Scope,
  { http, seams, tokens }: { readonly http: HttpClient; readonly seams: Seams; readonly tokens?: TokenStore | undefined },
): Authenticator {
  const value = (text: string | undefined): string => (text === undefined ? '' : (compileTemplate(text).render(scope) ?? ''));
  if (spec?.basic !== undefined) {
    const pair = Buffer.from(`${value(spec.basic.username)}:${value(spec.basic.password)}`).toString('base64');
    return fixed({ authorization: `Basic ${pair}` }, [pair]);
  }
  if (spec?.bearer !== undefined) {
    const token = value(spec.bearer);
    return fixed({ authorization: `Bearer ${token}` }, [token]);
  }
  if (spec?.header !== undefined) {
    const text = value(spec.header.value);
    return fixed({ [spec.header.name.toLowerCase()]: text }, [text]);
  }
  const granting = { http, seams, value, tokens };
  if (spec?.oauth2_client_credentials !== undefined) return byToken(clientCredentials(spec.oauth2_client_credentials, granting));
  if (spec?.oauth2_refresh_token !== undefined) return byToken(refreshToken(spec.oauth2_refresh_token, granting));
  if (spec?.jwt !== undefined) return byToken(signedJwt(spec.jwt, granting));
  return spec?.oauth2_jwt_bearer === undefined ? fixed({}, []) : byToken(jwtBearer(spec.oauth2_jwt_bearer, granting));
}

function fixed(headers: Readonly<Record<string, string>>, secrets: readonly string[]): Authenticator {
  return {
    headers: () => Promise.resolve(headers),
    renew: () => false,
    fingerprint: fingerprint(secrets),
    secrets: () => secrets,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function fingerprint(parts: readonly string[]): string {
  return hash('sha256', parts.join('\n'), 'hex').slice(0, 12);
}

function byToken({ source, identity, secrets, refused, close }: Granted): Authenticator {
  let last: string | undefined;
  return {
    async headers(signal) {
      last = await source.token(signal);
      return { authorization: `Bearer ${last}` };
    },
    renew(answer) {
      refused?.(answer);
      source.invalidate(last);
      return true;
    },
    fingerprint: fingerprint(identity),
    secrets: () => (last === undefined ? secrets() : [...secrets(), last]),
    [Symbol.asyncDispose]: async () => close?.(),
  };
}
