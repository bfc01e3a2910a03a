import { retryAfterMs } from '../../http/index.ts';
import { type Bodies, type Body, openBodies } from '../body.ts';
import { type Exchange, exchange } from '../exchange.ts';
import type { Batch, Pending, SinkContext, Verdict, Verdicts } from '../sink.ts';
import type { Acknowledgements, Ticket } from './acknowledge.ts';
import { type HecAnswer, readAnswer } from './answer.ts';
import { headersOf } from './channel.ts';
import { asksSlower, classifyRefusal, isAccepted } from './codes.ts';
import type { SplunkHecOptions } from './options.ts';
import { eventPath, type HecRequests } from './request.ts';

const noAckFix =
  'turn on "Enable indexer acknowledgement" for the token in Splunk (not offered by Splunk Cloud), or set acknowledge: off on the sink';

/** Sends batches to HEC and reads its answers. */
export type HecSend = (batch: Batch, signal: AbortSignal) => Promise<Verdicts | Pending>;

/** Makes the `send` of a sink; without `acknowledgements` a queued batch counts as delivered. */
export function hecSend(
  options: SplunkHecOptions,
  context: SinkContext,
  requests: HecRequests,
  acknowledgements: Acknowledgements | undefined,
): HecSend {
  const bodies = openBodies({ head: '', tail: '', cut: 0 }, options.compression);
  const post = poster(options, context, requests, bodies);

  const sendPlain: HecSend = async (batch, signal) => {
    const sent = await post(batch, {}, signal);
    if ('failed' in sent) return { all: sent.failed };
    const answer = readAnswer(sent.response, retryAfterMs(sent.response.headers, context.seams.clock));
    return isAccepted(answer) ? { all: acceptance(answer) } : classifyRefusal(answer, batch.events.length, false);
  };

  const sendAcknowledged = async (batch: Batch, ticket: Ticket, signal: AbortSignal): Promise<Verdicts | Pending> => {
    const sent = await post(batch, headersOf(ticket.channel), signal);
    if ('failed' in sent) return { all: sent.failed };
    const answer = readAnswer(sent.response, retryAfterMs(sent.response.headers, context.seams.clock));
    const { isSticky, acknowledges } = ticket.hear(sent.response.headers['set-cookie'], answer);
    if (!isAccepted(answer)) return classifyRefusal(answer, batch.events.length, acknowledges !== false);
    if (!isSticky) return { all: { kind: 'uncertain', reason: 'the load balancer moved the channel to another indexer' } };
    if (answer.ackId !== undefined) {
      bodies.forget(batch);
      return { pending: ticket.wait(answer.ackId), slower: asksSlower(answer) };
    }
    return { all: unacknowledged(answer, options.acknowledge === 'require' || acknowledges === true) };
  };

  if (acknowledgements === undefined) return sendPlain;
  return async (batch, signal) => {
    const { plainLength } = await bodies.of(batch);
    const ticket = await acknowledgements.enter(batch.endpoint, plainLength, signal);
    if (ticket === undefined)
      return { all: { kind: 'retry', reason: 'too many batches wait for indexer acknowledgement', retryAfterMs: 0 } };
    using _ = ticket;
    return await sendAcknowledged(batch, ticket, signal);
  };
}

/** A success without an id, where an acknowledgement was due (`expected`) or not. */
function unacknowledged(answer: HecAnswer, expected: boolean): Verdict {
  if (!expected) return acceptance(answer);
  if (asksSlower(answer)) return { kind: 'uncertain', reason: `${answer.said} without an acknowledgement id` };
  return {
    kind: 'hold',
    reason: `${answer.said} without an acknowledgement id: the token has no indexer acknowledgement`,
    fix: noAckFix,
  };
}

function acceptance(answer: HecAnswer): Verdict {
  return asksSlower(answer) ? { kind: 'accept', slower: true } : { kind: 'accept' };
}

type Post = (batch: Batch, headers: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Exchange>;

/** Posts a batch; an answer 415 is tried once more without compression, and what that teaches is kept. */
function poster({ compression }: SplunkHecOptions, context: SinkContext, requests: HecRequests, bodies: Bodies): Post {
  const plainBodies = openBodies({ head: '', tail: '', cut: 0 }, 'none');
  let compressing = compression === 'gzip';
  const send = (
    { bytes }: Body,
    endpoint: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Exchange> => exchange(context.http, requests('POST', endpoint, eventPath, { headers, body: bytes, signal }));
  return async (batch, headers, signal) => {
    if (!compressing) return await send(await plainBodies.of(batch), batch.endpoint, headers, signal);
    const packed = await send(await bodies.of(batch), batch.endpoint, { ...headers, 'content-encoding': 'gzip' }, signal);
    if ('failed' in packed || packed.response.status !== 415) return packed;
    const plain = await send(await plainBodies.of(batch), batch.endpoint, headers, signal);
    if ('response' in plain && plain.response.status !== 415) {
      compressing = false;
      context.log.warn('the receiver refuses gzip, requests go uncompressed from now on; set compression: none');
    }
    return plain;
  };
}
