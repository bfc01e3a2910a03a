import { consequenceOf, PenstockError } from '../../base/errors.ts';
import { oauth2ClientCredentials, type TokenSource } from '../../http/index.ts';
import type { SinkContext, Verdict } from '../sink.ts';
import { googleServiceAccount } from './google-service-account.ts';
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
export function openAuthorizer(auth: HttpAuth | undefined, preset: Preset, { http, seams }: SinkContext): Authorizer {
  if (auth?.oauth2 !== undefined) {
    const { scope = preset.scope, ...rest } = auth.oauth2;
    return tokens(oauth2ClientCredentials(scope === undefined ? rest : { ...rest, scope }, http, seams), 'auth.oauth2');
  }
  if (auth?.google_service_account !== undefined)
    return tokens(
      googleServiceAccount(auth.google_service_account, preset.scope ?? defaultScope, http, seams),
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

// No batch left this machine yet, so nothing is uncertain here.
function verdictOf(error: PenstockError, path: string): Verdict {
  const reason = error.message;
  if (consequenceOf(error).sink === 'hold') {
    const isAnswered = error.status !== undefined;
    const fix = isAnswered
      ? `check the credentials and URL in "${path}" of the sink`
      : (error.fix ?? `check "${path}" of the sink`);
    return { kind: 'hold', reason, fix };
  }
  return error.retryAfterMs === undefined
    ? { kind: 'retry', reason }
    : { kind: 'retry', reason, retryAfterMs: error.retryAfterMs };
}
