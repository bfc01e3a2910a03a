import { hash } from 'node:crypto';
import type { Seams } from '../base/seams.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../http/client.ts';
import { aheadMs } from '../http/index.ts';
import type { AuthSpec } from './auth-section.ts';
import { login } from './login.ts';
import { clientCredentials, type Granted, jwtBearer, refreshToken, signedJwt, type TokenStore } from './oauth.ts';
import { openSigner } from './signature.ts';
import { compileTemplate, type Scope } from './template.ts';

/** Proves who we are on every request. */
export interface Authenticator extends AsyncDisposable {
  /** The request with what proves who we are; may have to fetch a token first. Asked for each try. */
  prove(request: HttpRequest, signal: AbortSignal): Promise<HttpRequest>;
  /** Called on a 401 with what was answered; true when another try, proven anew, makes sense. */
  renew(answer: Pick<HttpResponse, 'headers'>): boolean;
  /** True where the proof holds our time: other refusals than a 401 may mean that. */
  readonly isDated?: boolean;
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
  if (spec?.signature !== undefined) return bySignature(openSigner(spec.signature, scope, seams), seams);
  const granting = { http, seams, value, tokens };
  const {
    oauth2_client_credentials: client,
    oauth2_refresh_token: refresh,
    oauth2_jwt_bearer: bearer,
    jwt,
    login: own,
  } = spec ?? {};
  if (client !== undefined) return byToken(clientCredentials(client, granting), carrier(client.header, scope));
  if (refresh !== undefined) return byToken(refreshToken(refresh, granting), carrier(refresh.header, scope));
  if (bearer !== undefined) return byToken(jwtBearer(bearer, granting), carrier(bearer.header, scope));
  if (jwt !== undefined) return byToken(signedJwt(jwt, granting), carrier(jwt.header, scope));
  return own === undefined ? fixed({}, []) : byToken(login(own, granting), carrier(own.header, scope));
}

/** The header that a token goes into. */
type Carrier = (token: string) => Readonly<Record<string, string>>;

function carrier(header: NonNullable<NonNullable<AuthSpec['login']>['header']> | undefined, scope: Scope): Carrier {
  if (header === undefined) return (token) => ({ authorization: `Bearer ${token}` });
  const value = compileTemplate(header.value);
  return (token) => ({
    [header.name.toLowerCase()]: value.render((name) => (name === 'token' ? token : scope(name))) ?? '',
  });
}

function fixed(headers: Readonly<Record<string, string>>, secrets: readonly string[]): Authenticator {
  return {
    prove: (request) => Promise.resolve(withHeaders(request, headers)),
    renew: () => false,
    fingerprint: fingerprint(secrets),
    secrets: () => secrets,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function withHeaders(request: HttpRequest, headers: Readonly<Record<string, string>>): HttpRequest {
  return { ...request, headers: { ...request.headers, ...headers } };
}

/** Signs by our clock; when that is refused and the vendor's shows another time, by the vendor's from then on. */
function bySignature(signer: ReturnType<typeof openSigner>, { clock }: Seams): Authenticator {
  let offsetMs = 0;
  let last: readonly string[] = [];
  return {
    prove(request) {
      const signed = signer.sign(request, clock.now() + offsetMs);
      last = signed.proofs;
      return Promise.resolve(signed.request);
    },
    renew(answer) {
      const ms = aheadMs(answer, clock);
      // What the vendor's clock showed did not help: perhaps it was a cache's.
      const isTried = Math.abs(ms - offsetMs) <= clockStepMs;
      if (isTried && offsetMs === 0) return false;
      offsetMs = isTried ? 0 : ms;
      return true;
    },
    isDated: true,
    fingerprint: fingerprint(signer.identity),
    secrets: () => [...signer.secrets, ...last],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Headers tell the time in whole seconds, and answers take a while. */
const clockStepMs = 5_000;

function fingerprint(parts: readonly string[]): string {
  return hash('sha256', parts.join('\n'), 'hex').slice(0, 12);
}

function byToken({ source, identity, secrets, refused, close }: Granted, carry: Carrier): Authenticator {
  let last: string | undefined;
  return {
    async prove(request, signal) {
      last = await source.token(signal);
      return withHeaders(request, carry(last));
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
