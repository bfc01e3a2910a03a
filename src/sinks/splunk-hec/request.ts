import type { Clock } from '../../base/clock.ts';
import type { HttpClient } from '../../http/client.ts';
import { retryAfterMs } from '../../http/index.ts';
import { type Exchange, exchange } from '../exchange.ts';
import type { SinkContext, Verdict } from '../sink.ts';
import { classifyRefusal, readAcks, readAnswer } from './answer.ts';
import { type Channel, headersOf } from './channel.ts';

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

const ackPath = '/services/collector/ack';
/** Splunk answers any number; more would only make one lost answer cost more. */
const maxIdsPerPoll = 1000;
/** "ACK is disabled". */
const ackDisabled = 14;
/** Codes after which this channel will never get an answer; any other refusal ends when somebody corrects the token or the network. */
const channelRefusals: readonly number[] = [10, 11, ackDisabled];

/** What a poll taught. `silent`: nothing, ask again later; its verdict says why. */
export type PollReply =
  | { readonly kind: 'told'; readonly indexed: ReadonlySet<number>; readonly setCookie: string | undefined }
  | { readonly kind: 'refused'; readonly verdict: Verdict }
  | { readonly kind: 'silent'; readonly verdict: Verdict };

/** Asks about all that is outstanding on a channel, with the channel's own GUID, endpoint and cookies. */
export type Ask = (channel: Channel, signal: AbortSignal) => Promise<PollReply>;

/**
 * Asks whether the token acknowledges at all, before any answer has shown it: true, false, or undefined when that cannot be learned.
 *
 * Without acknowledgement the answer is code 14. The id belongs to nothing yet, so asking for it takes no news from anybody.
 */
export type AskWhether = (channel: Channel, signal: AbortSignal) => Promise<boolean | undefined>;

/** Makes that question of one sink. */
export function askWhetherAcknowledged(post: HecPost): AskWhether {
  return async (channel, signal) => {
    const parts = { headers: headersOf(channel), body: '{"acks":[0]}', signal };
    const asked = await post(channel.endpoint, ackPath, parts);
    if ('failed' in asked) return undefined;
    const { response } = asked;
    if (response.status === 200 && readAcks(response.body) !== undefined) return true;
    return readAnswer(response, undefined).code === ackDisabled ? false : undefined;
  };
}

/** Makes the question of one sink. Source: https://docs.splunk.com/Documentation/Splunk/latest/Data/AboutHECIDXAck */
export function askForAcks(post: HecPost, clock: Clock): Ask {
  return async (channel, signal) => {
    const acks = [...channel.outstanding.keys()].slice(0, maxIdsPerPoll);
    const body = JSON.stringify({ acks });
    const asked = await post(channel.endpoint, ackPath, { headers: headersOf(channel), body, signal });
    if ('failed' in asked) return { kind: 'silent', verdict: asked.failed };
    const { response } = asked;
    const indexed = readAcks(response.body);
    if (response.status === 200 && indexed !== undefined)
      return { kind: 'told', indexed, setCookie: response.headers['set-cookie'] };
    const answer = readAnswer(response, retryAfterMs(response.headers, clock));
    const refusal = classifyRefusal(answer, 1, true);
    const verdict: Verdict = 'all' in refusal ? refusal.all : { kind: 'uncertain', reason: answer.said };
    const isOver = verdict.kind === 'hold' && answer.code !== undefined && channelRefusals.includes(answer.code);
    return isOver ? { kind: 'refused', verdict: { ...verdict, maybeStored: true } } : { kind: 'silent', verdict };
  };
}
