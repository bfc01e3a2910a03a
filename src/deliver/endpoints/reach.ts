// Where an event fails alone and nothing else is there to send, nobody knows whether it is the cause or the receiver is away. The sink asks the
// receiver for something that delivers nothing: while that fails, too, the event is not sent again. What fails again and again between two such
// answers becomes a dead letter; without any other event taken in the meantime it is one that goes again with the next event that is.
import { deadline } from '../../base/clock.ts';
import type { Pending, Sink, Verdicts } from '../../sinks/sink.ts';
import type { Batch } from '../batch.ts';
import { isAtRest, isUnclear } from '../blame/judge.ts';
import type { LoopContext } from '../context.ts';
import type { Decision } from '../decide.ts';
import type { SinkUse } from '../open-sink.ts';
import { type EndpointUse, mostInVain } from './endpoints.ts';
import { takesTurns } from './order.ts';

/** What to do with a batch whose turn it is: send it, let others overtake it, or spare it this probe of the hold. Unless it is sent its endpoint is free again. */
export async function worthOf(
  context: LoopContext,
  batch: Batch,
  use: EndpointUse,
  sink: SinkUse,
  isProbe: boolean,
  waiting: readonly Batch[],
): Promise<'send' | 'overtaken' | 'spared'> {
  if (isProbe && (await isSpared(context, batch, use, sink, waiting))) {
    context.endpoints.release(use);
    return 'spared';
  }
  return (await isWorthSending(context, batch, use, sink)) ? 'send' : 'overtaken';
}

/** False for an event that failed alone while the receiver cannot be reached. */
async function isWorthSending(context: LoopContext, batch: Batch, use: EndpointUse, { sink }: SinkUse): Promise<boolean> {
  if (sink.reaches === undefined || !isUnclear(context, batch, use)) return true;
  const { endpoints, log } = context;
  if (isAtRest(context, batch)) {
    endpoints.release(use);
    return false;
  }
  const isReached = await reaches(context, use, sink);
  // Where not even a question leaves this machine no event does: its own attempt says why.
  if (isReached === undefined) return true;
  if (isReached) {
    if (batch.lone.reached === 0) log.warn({ uid: batch.prepared[0]?.uid }, 'the receiver answers, but an event fails alone');
    batch.lone.reaches();
    return true;
  }
  endpoints.fail(use);
  endpoints.release(use);
  return false;
}

/**
 * True for a batch that may have been stored by every probe of a hold, so that one more would only be one more copy: a stranger answers even a
 * question in the receiver's place (a log-in page), or answers that leave it open came again and again. It goes all the same after twice as
 * many probes each time, fewer where several of those that are `waiting` go in turn, and at once where the receiver is there that was not.
 */
async function isSpared(
  context: LoopContext,
  batch: Batch,
  use: EndpointUse,
  { sink }: SinkUse,
  waiting: readonly Batch[],
): Promise<boolean> {
  const { doubt } = batch;
  if (!doubt.isOpen) return false;
  const inTurn = takesTurns(context, batch) ? waiting.reduce((sum, { size }) => sum + size, 0) : 1;
  if (context.hold.wasReleased || doubt.isDue(inTurn)) {
    doubt.goesUnasked();
    return false;
  }
  return !doubt.goes((await reaches(context, use, sink)) !== false);
}

/**
 * True for an event after which the others of its request go. One that was refused alone lets them go first; where one request is under way they
 * keep their order while all are refused, so there the receiver has to answer what delivers nothing.
 */
export async function givesWay(context: LoopContext, batch: Batch, use: EndpointUse, isProbe: boolean): Promise<boolean> {
  if (isProbe && takesTurns(context, batch)) return true;
  return batch.blame.isRefusedAlone(use) && (await mayBeBlamed(context, use));
}

/** True where nothing was taken for long, and what failed now may be to blame: others go before it and all that goes with it, which shows it. */
export async function stepsBack(context: LoopContext, use: EndpointUse, { hold, failure }: Decision): Promise<boolean> {
  if (context.sink.settlesFirst || context.endpoints.recordOf(use).vain < mostInVain) return false;
  if (failure?.isBlameless === false) return true;
  return (hold ?? failure)?.ofRequest === true && (await mayBeBlamed(context, use));
}

/** Of what is refused in words that are meant for all. Where one request is under way the order counts more, unless the receiver answers something. */
async function mayBeBlamed(context: LoopContext, use: EndpointUse): Promise<boolean> {
  const { sink, settlesFirst } = context.sink;
  if (settlesFirst) return false;
  return context.settings.inFlight > 1 || (sink !== undefined && (await reaches(context, use, sink)) === true);
}

/** Undefined where the sink cannot ask, or its question does not leave this machine. */
async function reaches({ clock, settings, cutOff }: LoopContext, use: EndpointUse, sink: Sink): Promise<boolean | undefined> {
  using limit = deadline(clock, settings.timeoutMs, cutOff.signal);
  const isReached = await sink.reaches?.(use.endpoint, limit.signal).catch(() => undefined);
  return isReached === undefined && limit.signal.aborted ? false : isReached;
}

/**
 * What an answer means where it may be a firewall's, to one event in the batch: if the receiver itself answers at that moment, by the same way,
 * halves are sent until the event is alone. Otherwise the sink holds.
 */
export async function ofContent(
  context: LoopContext,
  use: EndpointUse,
  sink: Sink,
  answer: Verdicts | Pending,
): Promise<Verdicts | Pending> {
  if (!('all' in answer) || answer.all.kind !== 'hold' || answer.all.ifReached === undefined) return answer;
  const { ifReached: code, reason } = answer.all;
  return (await reaches(context, use, sink)) === true ? { all: { kind: 'split', code, reason } } : answer;
}
