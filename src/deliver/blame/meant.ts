// Some answers are meant for all of a sink's events (come later, not with these credentials), and may yet be one event's: a gateway that refuses a
// word, a receiver that says so when it fails. Where the same batch meets them while others are taken, again and again, it is what is in it.
import type { Batch } from '../batch.ts';
import type { LoopContext } from '../context.ts';
import type { Decision } from '../decide.ts';
import type { EndpointUse } from '../endpoints/endpoints.ts';
import { mostOpen } from '../endpoints/send-limit.ts';

// So long a receiver that asks to come later is believed, even by one event while it takes others.
const believedMs = 3_600_000;

/** True for an event that may yet be taken, the receiver having asked for no more than an hour to come later. */
export const isOfLate = ({ clock }: LoopContext, { first }: Batch): boolean =>
  first !== undefined && clock.monotonic() - first.monotonic < believedMs;

/** True where so much of its lane was taken behind it that soon no more is read: what follows shows whether it is to blame. */
export const holdsUp = ({ settings }: LoopContext, { prepared }: Batch): boolean =>
  prepared.some(({ open }) => open.isPassed && open.lane.open * 2 >= mostOpen(settings));

/** Makes of an answer that was meant for all a failure whose cause may lie in the batch, where what became of the others shows it. */
export function meantForBatch(context: LoopContext, batch: Batch, use: EndpointUse, decision: Decision): Decision {
  const { hold, failure, again } = decision;
  const order = hold ?? failure;
  if (order?.ofRequest !== true || again !== 'same') return decision;
  const isInTheWay = holdsUp(context, batch);
  const isBelieved = hold === undefined && batch.size === 1 && isOfLate(context, batch) && !isInTheWay;
  if (!batch.blame.refused(use, isBelieved, isInTheWay)) return decision;
  const { reason, retryAfterMs } = order;
  const said = { reason, retryAfterMs, fix: failure?.fix, asksForPause: hold === undefined };
  return { ...decision, hold: undefined, failure: { kind: 'retry', isBlameless: false, ofRequest: true, ...said } };
}
