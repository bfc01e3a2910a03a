import type { HttpRequest } from '../../http/client.ts';
import type { SinkContext } from '../sink.ts';

/** Where envelopes go. */
export const eventPath = '/services/collector/event';

/** Largest answer that is read; HEC's own are below 200 bytes. */
const maxAnswerBytes = 65_536;

/** Makes HEC requests with the token in the header and nowhere else. */
export type HecRequests = (
  method: 'GET' | 'POST',
  endpoint: string,
  path: string,
  parts: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Uint8Array;
    readonly signal: AbortSignal;
  },
) => HttpRequest;

/** Builds the requests of one sink. */
export function hecRequests(token: string, { timeoutMs = 30_000 }: SinkContext): HecRequests {
  return (method, endpoint, path, { headers = {}, body, signal }) => ({
    method,
    url: new URL(path, endpoint),
    headers: {
      authorization: `Splunk ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
    timeoutMs,
    maxBytes: maxAnswerBytes,
    signal,
  });
}
