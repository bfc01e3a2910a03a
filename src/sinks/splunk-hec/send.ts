import { retryAfterMs } from '../../http/index.ts';
import { type Bodies, openBodies } from '../body.ts';
import type { Exchange } from '../exchange.ts';
import type { Batch, Pending, SinkContext, Verdict, Verdicts } from '../sink.ts';
import { warnOnce } from '../warn-once.ts';
import type { Acknowledgements } from './acknowledge.ts';
import { asksSlower, classifyRefusal, type HecAnswer, hasStoredSome, isAccepted, readAnswer } from './answer.ts';
import type { Ticket } from './channel.ts';
import { headersOf, lost } from './channel.ts';
import type { SplunkHecOptions } from './options.ts';
import { eventPath, type HecPost } from './request.ts';

const frame = { head: '', tail: '', cut: 0 };
const noAckFix =
  'turn on "Enable indexer acknowledgement" for the token in Splunk (not offered by Splunk Cloud), or set acknowledge: off on the sink';

type HecSend = (batch: Batch, signal: AbortSignal) => Promise<Verdicts | Pending>;

/** Makes the `send` of a sink; without `acknowledgements` a queued batch counts as delivered. */
export function hecSend(
  options: SplunkHecOptions,
  context: SinkContext,
  post: HecPost,
  acknowledgements: Acknowledgements | undefined,
): HecSend {
  const poster = openPoster(options, context, post);

  const sendPlain: HecSend = async (batch, signal) => {
    const sent = await poster.post(batch, {}, signal);
    if ('failed' in sent) return { all: sent.failed };
    const answer = readAnswer(sent.response, retryAfterMs(sent.response.headers, context.seams.clock));
    return isAccepted(answer) ? { all: acceptance(answer) } : classifyRefusal(answer, batch.events.length, false);
  };

  const sendAcknowledged = async (batch: Batch, ticket: Ticket, signal: AbortSignal): Promise<Verdicts | Pending> => {
    const sent = await poster.post(batch, headersOf(ticket.channel), signal);
    if ('failed' in sent) return { all: sent.failed };
    const answer = readAnswer(sent.response, retryAfterMs(sent.response.headers, context.seams.clock));
    const { isSticky, acknowledges } = ticket.hear(sent.response.headers['set-cookie'], answer);
    if (!isAccepted(answer)) {
      const isDue = acknowledges ?? (hasStoredSome(answer) ? await ticket.learn(signal) : undefined);
      return classifyRefusal(answer, batch.events.length, isDue !== false);
    }
    if (!isSticky) return { all: lost('the load balancer moved the channel to another indexer') };
    if (answer.ackId !== undefined) {
      poster.forget(batch);
      return { pending: ticket.wait(answer.ackId), slower: asksSlower(answer) };
    }
    return { all: unacknowledged(answer, options.acknowledge === 'require' || acknowledges === true) };
  };

  if (acknowledgements === undefined) return sendPlain;
  return async (batch, signal) => {
    const ticket = await acknowledgements.enter(batch.endpoint, await poster.sizeOf(batch), signal);
    if (ticket === undefined)
      return { all: { kind: 'retry', reason: 'too many batches wait for indexer acknowledgement', retryAfterMs: 0 } };
    using _ = ticket;
    const verdicts = await sendAcknowledged(batch, ticket, signal);
    if (!('all' in verdicts) || verdicts.all.kind !== 'uncertain') ticket.answered();
    return verdicts;
  };
}

/** A success without an id, where an acknowledgement was expected or not. */
function unacknowledged(answer: HecAnswer, expected: boolean): Verdict {
  if (!expected) return acceptance(answer);
  if (asksSlower(answer)) return { kind: 'uncertain', reason: `${answer.said} without an acknowledgement id` };
  return {
    kind: 'hold',
    reason: `${answer.said} without an acknowledgement id: the token has no indexer acknowledgement`,
    fix: noAckFix,
    maybeStored: true,
  };
}

function acceptance(answer: HecAnswer): Verdict {
  return asksSlower(answer) ? { kind: 'accept', slower: true } : { kind: 'accept' };
}

/** Posts batches, compressed as long as the receiver takes it. */
interface Poster {
  post(batch: Batch, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Exchange>;
  /** Bytes of a batch before compression. */
  sizeOf(batch: Batch): Promise<number>;
  /** Forgets the bytes of a batch. */
  forget(batch: Batch): void;
}

/** An answer 415 is tried once more without compression, and what that teaches is kept. */
function openPoster({ compression }: SplunkHecOptions, context: SinkContext, post: HecPost): Poster {
  const plain = openBodies(frame, 'none');
  const packed = compression === 'gzip' ? openBodies(frame, 'gzip') : plain;
  let current = packed;
  const send = async (
    bodies: Bodies,
    batch: Batch,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Exchange> => {
    const { bytes } = await bodies.of(batch);
    const encoding: Record<string, string> = bodies === plain ? {} : { 'content-encoding': 'gzip' };
    const parts = { headers: { ...headers, ...encoding }, body: bytes, signal };
    return await post(batch.endpoint, eventPath, parts);
  };
  return {
    async post(batch, headers, signal) {
      const first = await send(current, batch, headers, signal);
      if (current === plain || 'failed' in first || first.response.status !== 415) return first;
      const second = await send(plain, batch, headers, signal);
      if ('response' in second && second.response.status !== 415) {
        current = plain;
        warnOnce(context.log, {}, 'the receiver refuses gzip, requests go uncompressed; set compression: none');
      }
      return second;
    },
    sizeOf: async (batch) => (await current.of(batch)).plainLength,
    forget(batch) {
      packed.forget(batch);
      plain.forget(batch);
    },
  };
}
