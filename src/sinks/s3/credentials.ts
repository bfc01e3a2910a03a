import { PenstockError } from '../../base/errors.ts';
import type { SinkContext } from '../sink.ts';
import type { S3Options } from './options.ts';

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
  let found: Promise<CredentialSource> | undefined;
  return async () => {
    try {
      found ??= import('./credential-chain.ts').then(({ openChain }) => openChain(options.region, context));
      return await (await found)();
    } catch (error) {
      throw faultOf(error);
    }
  };
}

/** Nothing was sent to the store yet. */
function faultOf(error: unknown): PenstockError {
  const { name, message, $metadata } = error as Error & { readonly $metadata?: { readonly httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const isRefused = status === undefined ? name === 'CredentialsProviderError' : status >= 400 && status < 500 && status !== 429;
  const code = isRefused ? 'PEN_SOURCE_REFUSED' : 'PEN_SOURCE_UNAVAILABLE';
  return new PenstockError(code, `no credentials for the store: ${name}: ${message}`, { fix, sent: false, cause: error });
}
