// A batch that keeps failing without an answer that names the cause: it may be too large, or one event in it may break what reads it. It gets
// smaller until it passes or one event is alone.
import type { Batch } from '../batch.ts';
import type { LoopContext } from '../context.ts';
import type { Decision } from '../decide.ts';
import type { EndpointUse } from '../endpoints/endpoints.ts';
import { copiesBefore, judgeLone } from './judge.ts';

const parts = 8;
const tooLargeCode = /413|too_large/;

/** Makes of a decision to send the same again, where that has failed too often, one to send less, or to give up the one event that is left. */
export function narrow(context: LoopContext, batch: Batch, use: EndpointUse, decision: Decision): Decision {
  learnSplit(context, batch, use, decision);
  const { failure } = decision;
  const { blame } = batch;
  // What was cut off by us says nothing.
  if (failure === undefined || context.cutOff.signal.aborted || failure.isBlameless) return decision;
  // Closed by the peer just as the request left: asked for once more at once.
  if (failure.retryAfterMs === 0 && batch.hasty === 0 && !blame.isSuspect && copiesBefore(context, batch) === 0) {
    blame.repeated();
    return decision;
  }
  if (failure.othersTaken === true) context.endpoints.took(use, 1, 1);
  const named = decision.suspect === undefined ? undefined : batch.prepared[decision.suspect];
  // The receiver was there, and may take nothing.
  if (named?.open.isLetter === false) context.suspects.untaken(named.uid);
  if (batch.size === 1) return judgeLone(context, batch, use, decision, failure);
  blame.failed(use, named !== undefined);
  if (decision.again !== 'same') return apartFrom(decision);
  if (!blame.hasFailedOften) return decision;
  // On a stream a message can be too large, not a batch.
  if (context.sink.sink?.isStream !== true && failure.asksForPause !== true) tooMuch(context, batch, use, 1 / parts);
  if (!blame.isPart) {
    const fields = { endpoint: use.endpoint, events: batch.size, reason: context.trouble(failure.kind, failure.reason) };
    context.log.warn(fields, 'a batch fails again and again; it is sent in smaller ones, which may repeat events');
  }
  return { ...decision, again: cut(batch.size), isNarrowed: true };
}

/** A refusal for size teaches how much the endpoint takes. */
function learnSplit(context: LoopContext, batch: Batch, use: EndpointUse, { tooLarge }: Decision): void {
  if (tooLarge !== undefined && tooLargeCode.test(tooLarge)) tooMuch(context, batch, use, 1 / 2);
}

/** What comes next is at most `share` of the batch, in the next process too. */
function tooMuch({ limits, suspects }: LoopContext, batch: Batch, { endpoint }: EndpointUse, share: number): void {
  limits.failed(endpoint, batch.extent, share);
  suspects.learnt();
}

/** Where the sink knows which event it may be, and nothing was taken before it: what comes after it may be as bad, so it goes in several. */
function apartFrom(decision: Decision): Decision {
  const { again, suspect, acknowledged } = decision;
  if (again === 'same' || suspect === undefined || acknowledged.length > 0) return decision;
  const groups = again.flatMap((group) =>
    group.includes(suspect) ? [group] : cut(group.length).map((each) => each.map((index) => group[index] ?? 0)),
  );
  return { ...decision, again: groups, isNarrowed: true };
}

function cut(size: number): number[][] {
  const length = Math.ceil(size / parts);
  const groups: number[][] = [];
  for (let index = 0; index < size; index += 1) {
    if (index % length === 0) groups.push([]);
    groups.at(-1)?.push(index);
  }
  return groups;
}
