import type { Verdict } from '../sink.ts';
import { readAcks, readAnswer } from './answer.ts';
import { type Channel, headersOf } from './channel.ts';
import { classifyRefusal } from './codes.ts';
import type { HecPost } from './request.ts';

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
export function askForAcks(post: HecPost): Ask {
  return async (channel, signal) => {
    const acks = [...channel.outstanding.keys()].slice(0, maxIdsPerPoll);
    const body = JSON.stringify({ acks });
    const asked = await post(channel.endpoint, ackPath, { headers: headersOf(channel), body, signal });
    if ('failed' in asked) return { kind: 'silent', verdict: asked.failed };
    const { response } = asked;
    const indexed = readAcks(response.body);
    if (response.status === 200 && indexed !== undefined)
      return { kind: 'told', indexed, setCookie: response.headers['set-cookie'] };
    const answer = readAnswer(response, undefined);
    const refusal = classifyRefusal(answer, 1, true);
    const verdict: Verdict = 'all' in refusal ? refusal.all : { kind: 'uncertain', reason: answer.said };
    const isOver = verdict.kind === 'hold' && answer.code !== undefined && channelRefusals.includes(answer.code);
    return isOver ? { kind: 'refused', verdict: { ...verdict, maybeStored: true } } : { kind: 'silent', verdict };
  };
}
