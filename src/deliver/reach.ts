// Where an event fails alone and nothing else is there to send, nobody knows whether it is the cause or the receiver is away. The sink asks the
// receiver for something that delivers nothing: while that fails, too, the event is not sent again. What fails again and again between two such
// answers becomes a dead letter; without any other event taken in the meantime it is one that goes again with the next event that is.
import { deadline } from '../base/clock.ts';
import type { Batch } from './batch.ts';
import type { LoopContext } from './context.ts';
import type { EndpointUse } from './endpoints.ts';
import { isUnclear } from './narrow.ts';
import type { SinkUse } from './open-sink.ts';

/** False for an event that failed alone while the receiver cannot be reached. */
export async function isWorthSending(context: LoopContext, batch: Batch, use: EndpointUse, { sink }: SinkUse): Promise<boolean> {
  if (sink.reaches === undefined || !isUnclear(context, batch, use)) return true;
  const { endpoints, clock, settings, cutOff, log } = context;
  using limit = deadline(clock, settings.timeoutMs, cutOff.signal);
  const isReached = await sink.reaches(use.endpoint, limit.signal).catch(() => undefined);
  // Where not even a question leaves this machine no event does: its own attempt says why.
  if (isReached === undefined && !limit.signal.aborted) return true;
  if (isReached === true) {
    if (batch.reached === 0) log.warn({ uid: batch.prepared[0]?.uid }, 'the receiver answers, but an event fails alone');
    batch.reached += 1;
    return true;
  }
  endpoints.fail(use);
  endpoints.release(use);
  return false;
}
