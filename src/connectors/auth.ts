import { hash } from 'node:crypto';
import type { Seams } from '../base/seams.ts';
import type { HttpClient } from '../http/client.ts';
import { oauth2ClientCredentials } from '../http/index.ts';
import type { AuthSpec } from './read-section.ts';
import { compileTemplate, type Scope } from './template.ts';

/** Proves who we are on every request. */
export interface Authenticator {
  /** Headers for one request; may have to fetch a token first. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Called on a 401; true when another try with the next `headers` makes sense. */
  renew(): boolean;
  /** Names this credential in budgets without revealing it: 12 hex digits. */
  readonly fingerprint: string;
  /** The credential's parts as they stand in headers, to be kept out of any text. */
  readonly secrets: () => readonly string[];
}

/** Compiles `auth:`; without it requests carry no credential. */
export function openAuth(spec: AuthSpec | undefined, scope: Scope, http: HttpClient, seams: Seams): Authenticator {
  const value = (text: string): string => compileTemplate(text).render(scope) ?? '';
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
  return spec?.oauth2_client_credentials === undefined
    ? fixed({}, [])
    : oauth2(spec.oauth2_client_credentials, scope, http, seams);
}

function fixed(headers: Readonly<Record<string, string>>, secrets: readonly string[]): Authenticator {
  return {
    headers: () => Promise.resolve(headers),
    renew: () => false,
    fingerprint: fingerprint(secrets),
    secrets: () => secrets,
  };
}

function fingerprint(parts: readonly string[]): string {
  return hash('sha256', parts.join('\n'), 'hex').slice(0, 12);
}

function oauth2(
  spec: NonNullable<AuthSpec['oauth2_client_credentials']>,
  scope: Scope,
  http: HttpClient,
  seams: Seams,
): Authenticator {
  const value = (text: string): string => compileTemplate(text).render(scope) ?? '';
  const optional = (name: 'scope' | 'audience'): Record<string, string> => {
    const text = spec[name] === undefined ? undefined : compileTemplate(spec[name]).render(scope);
    return text === undefined || text === '' ? {} : { [name]: text };
  };
  const settings = {
    token_url: value(spec.token_url),
    client_id: value(spec.client_id),
    client_secret: value(spec.client_secret),
    ...optional('scope'),
    ...optional('audience'),
    auth_style: spec.auth_style,
  };
  const source = oauth2ClientCredentials(settings, http, seams);
  let last: string | undefined;
  return {
    async headers(signal) {
      last = await source.token(signal);
      return { authorization: `Bearer ${last}` };
    },
    renew() {
      source.invalidate(last);
      return true;
    },
    fingerprint: fingerprint([settings.client_id, settings.client_secret]),
    secrets: () => (last === undefined ? [settings.client_secret] : [settings.client_secret, last]),
  };
}
