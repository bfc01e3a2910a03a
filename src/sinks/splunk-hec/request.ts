import type { HttpClient } from '../../http/client.ts';
import { type Exchange, exchange } from '../exchange.ts';
import type { SinkContext } from '../sink.ts';

/** Where envelopes go. */
export const eventPath = '/services/collector/event';

/** Largest answer that is read; HEC's own are below 200 bytes. */
const maxAnswerBytes = 65_536;

/** Posts to HEC with the token in the header and nowhere else. */
export type HecPost = (
  endpoint: string,
  path: string,
  parts: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly body: string | Uint8Array;
    readonly signal: AbortSignal;
  },
) => Promise<Exchange>;

interface HecPosts {
  /** With the token and the certificates that the sink was opened with. */
  readonly post: HecPost;
  /**
   * With those of the sink's newest opening: acknowledgements are still asked for after the token was replaced and the sink opened
   * again, while the older one waits for them.
   */
  readonly postNewest: HecPost;
}

interface Way {
  readonly http: HttpClient;
  readonly token: string;
}

// By the process's seams, then by the sink's name.
const newest = new WeakMap<SinkContext['seams'], Map<string, Way>>();

/** Opens the ways of a sink; it is the newest of its name from now on. */
export function openPosts(token: string, { http, seams, name, timeoutMs = 30_000 }: SinkContext): HecPosts {
  const own = { http, token };
  const known = newest.get(seams) ?? new Map<string, Way>();
  newest.set(seams, known.set(name, own));
  const over =
    (way: () => Way): HecPost =>
    (endpoint, path, { headers = {}, body, signal }) => {
      const { http: client, token: secret } = way();
      const named = { authorization: `Splunk ${secret}`, 'content-type': 'application/json', ...headers };
      const url = new URL(path, endpoint);
      return exchange(client, { method: 'POST', url, headers: named, body, timeoutMs, maxBytes: maxAnswerBytes, signal });
    };
  return { post: over(() => own), postNewest: over(() => known.get(name) ?? own) };
}
