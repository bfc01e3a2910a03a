import type { Clock } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import { retryAfterMs } from '../../http/index.ts';
import type { SinkContext } from '../sink.ts';
import type { S3Options } from './options.ts';
import { isThrottling } from './verdicts.ts';

/** What signs a request. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Gives credentials that are valid now; throws PEN_SOURCE_REFUSED when there are none, PEN_SOURCE_UNAVAILABLE when who issues them fails. */
export type CredentialSource = () => Promise<Credentials>;

const fix =
  'set access_key_id and secret_access_key, or give the process credentials: AWS_ACCESS_KEY_ID, a shared credentials file, a web identity token (IRSA), or the role of a container or instance';

/** The keys of the options, else what the AWS SDK finds around the process; that part is loaded when it is asked for first. */
export function openCredentials(options: S3Options, context: SinkContext): CredentialSource {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token: sessionToken } = options;
  if (accessKeyId !== undefined && secretAccessKey !== undefined)
    return () => Promise.resolve({ accessKeyId, secretAccessKey, sessionToken });
  let found: CredentialSource | undefined;
  return async () => {
    try {
      const { openChain } = await import('./credential-chain.ts');
      return await (found ??= openChain(options.region, context))();
    } catch (error) {
      throw faultOf(error, context.seams.clock);
    }
  };
}

/** An error of the SDK's: its own class, or a service's with the status of the answer. */
type SdkError = Error & {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
};

/**
 * What may be said of it. An issuer's answer is for people; of the rest only what the SDK says in words of its own: it also passes on the
 * whole command line of a `credential_process`, texts of files and of programs, and addresses, any of which may hold a credential.
 */
function wordsOf({ name, message, $metadata }: SdkError): string {
  if ($metadata?.httpStatusCode !== undefined) return `${name}: ${message}`;
  if (/^Command failed\b|credential_process/.test(message)) return 'credential_process failed';
  return ownWords.test(message) ? `${name}: ${message}` : name;
}

const ownWords =
  /^(?:Could not (?:load credentials from any providers|resolve credentials using profile)|AWS_PROFILE is set|Profile \S+ (?:was not found|could not be found|requires multi-factor)|The SSO session (?:token )?associated with (?:this )?profile|Token is expired|Web identity configuration not specified|Unable to (?:find environment variable credentials|connect to instance metadata service)|(?:TimeoutError|Error response received|Invalid response received) from instance metadata service|no (?:connection|whole answer|TLS)|\S+ broke the connection)/;

/** True of what an issuer says while it, or who vouches for us before it, has too much to do or is away: also with a 400. */
const passes = (status: number, name: string): boolean =>
  [408, 425, 429].includes(status) || isThrottling(name) || name.startsWith('IDPCommunicationError');

/** Nothing was sent to the store yet. What the SDK threw is no cause: it would be logged whole. */
function faultOf(error: unknown, clock: Clock): PenstockError {
  const fault = error instanceof Error ? (error as SdkError) : new Error('unknown');
  const { name } = fault;
  const status = (fault as SdkError).$metadata?.httpStatusCode;
  const isRefused =
    status === undefined ? name === 'CredentialsProviderError' : status >= 400 && status < 500 && !passes(status, name);
  const code = isRefused ? 'PEN_SOURCE_REFUSED' : 'PEN_SOURCE_UNAVAILABLE';
  const wait = retryAfterMs((fault as SdkError).$response?.headers ?? {}, clock);
  return new PenstockError(code, `no credentials for the store: ${wordsOf(fault)}`, { fix, sent: false, retryAfterMs: wait });
}
