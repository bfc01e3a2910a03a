// Read when a sink has no keys of its own: nobody else pays for the AWS SDK's providers.
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import type { HttpResponse } from '../../http/client.ts';
import type { SinkContext } from '../sink.ts';

/** Credentials from around the process: environment, shared files, web identity, container, instance. Renews them before they end. */
export function openChain(region: string | undefined, context: SinkContext): ReturnType<typeof defaultProvider> {
  const quiet = (): void => undefined;
  // What it warns of may repeat a command line, a file or an answer with a credential in it.
  const warn = (): void =>
    context.log.warn('the AWS SDK warns about the credentials of the store: compare AWS_PROFILE with the keys beside it');
  return defaultProvider({
    // Of the instance's metadata service, which is near or not there.
    timeout: 2000,
    maxRetries: 1,
    logger: { trace: quiet, debug: quiet, info: quiet, warn, error: warn },
    clientConfig: { requestHandler: sdkRequests(context), maxAttempts: 2, ...(region === undefined ? {} : { region }) },
  });
}

/** A request as the AWS SDK hands it to what sends it. */
interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface SdkAnswer {
  readonly response: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer };
}

const maxBytes = 1_048_576;
const timeoutMs = 20_000;

/** What the AWS SDK asks for credentials by (STS, SSO) goes our way, too: proxy, certificates, caps and time-outs are the sink's. */
function sdkRequests({ http }: SinkContext): {
  readonly metadata: object;
  handle(request: SdkRequest): Promise<SdkAnswer>;
} {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle({ method, headers, body, ...rest }) {
      const answer: HttpResponse = await http.request({
        method: method === 'GET' || method === 'PUT' ? method : 'POST',
        url: urlOf(rest),
        headers,
        ...(typeof body === 'string' || body instanceof Uint8Array ? { body } : {}),
        timeoutMs,
        maxBytes,
      });
      return { response: { statusCode: answer.status, headers: answer.headers, body: answer.body } };
    },
  };
}

function urlOf({ protocol, hostname, port, path, query = {} }: Omit<SdkRequest, 'method' | 'headers' | 'body'>): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`);
  for (const [name, value] of Object.entries(query)) for (const each of [value ?? ''].flat()) url.searchParams.append(name, each);
  return url;
}
