// A batch that keeps failing without an answer that names the cause: it may be too large, or one event in it may break what reads it. It gets
// smaller until it passes or one event is alone. That one becomes a dead letter only after others were taken between its failures: in an
// outage nothing is taken, and nobody is to blame.
import type { Batch } from './batch.ts';
import type { LoopContext } from './context.ts';
import type { Decision, Failure } from './decide.ts';
import type { EndpointUse } from './endpoints.ts';

// One failure is daily business. A part of what has failed already needs no second one.
const patience = 2;
const parts = 8;
// What was seen must be so many times likelier when the event is the cause than when the receiver fails now and then.
const odds = 1e5;
const tooLargeCode = /413|too_large/;

/** True when the cause of the failure may lie in the batch as it is. */
function mayLieInBatch(failure: Failure, batch: Batch): boolean {
  if (failure.isBlameless) return false;
  // Asked for once more at once: closed by the peer just as the request left.
  return failure.kind === 'uncertain' && (failure.retryAfterMs !== 0 || batch.hasty > 0);
}

/** Makes of a decision to send the same again, where that has failed too often, one to send less, or to give up the one event that is left. */
export function narrow(context: LoopContext, batch: Batch, use: EndpointUse, decision: Decision): Decision {
  learnSplit(context, batch, use, decision);
  const { failure } = decision;
  // What was cut off by us says nothing.
  if (failure === undefined || context.cutOff.signal.aborted || !mayLieInBatch(failure, batch)) return decision;
  batch.failures += 1;
  if (batch.size === 1) return judgeLonely(context, batch, use, decision, failure);
  noteFailure(context, batch, use);
  // The sink knows which event it may be.
  if (decision.again !== 'same') return decision;
  if (!batch.isPart && batch.failures < patience) return decision;
  // On a stream a message can be too large, not a batch.
  if (context.sink.sink?.isStream !== true) context.limits.failed(use.endpoint, batch.extent, 1 / parts);
  if (!batch.isPart) {
    const fields = { endpoint: use.endpoint, events: batch.size, reason: context.trouble(failure.kind, failure.reason) };
    context.log.warn(fields, 'a batch fails again and again; it is sent in smaller ones, which may repeat events');
  }
  return { ...decision, again: cut(batch.size) };
}

/** A refusal for size teaches how much the endpoint takes. */
function learnSplit({ limits }: LoopContext, batch: Batch, { endpoint }: EndpointUse, { tooLarge }: Decision): void {
  if (tooLarge !== undefined && tooLargeCode.test(tooLarge)) limits.failed(endpoint, batch.extent, 1 / 2);
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

function judgeLonely(context: LoopContext, batch: Batch, use: EndpointUse, decision: Decision, failure: Failure): Decision {
  const hasTaken = noteFailure(context, batch, use);
  batch.isConspicuous ||= hasTaken;
  if (batch.lonelyFailures > 0 && !hasTaken && !(batch.isConspicuous && batch.isLast)) return decision;
  batch.lonelyFailures += 1;
  if (!batch.isConspicuous || !isCause(context, batch, use)) return decision;
  context.limits.blame(use.endpoint, batch.bytes);
  const reason = `sent alone, it failed ${batch.lonelyFailures} times while other events were taken: ${failure.reason}`;
  return { ...decision, again: [], uncertain: [], failure: undefined, refused: [{ index: 0, code: 'not_taken', reason }] };
}

/**
 * True when the event is the cause, and not a receiver that fails with others, too: compares how likely all that happened since its first
 * failure is if the receiver fails with every batch alike, with how likely it is if this event always fails.
 */
function isCause({ endpoints }: LoopContext, batch: Batch, use: EndpointUse): boolean {
  const since = batch.failedAt.get(use.endpoint)?.first;
  const record = endpoints.recordOf(use);
  const failed = Math.max(0, record.failed - (since?.failed ?? 0) - batch.surprises);
  const passed = record.passed - (since?.passed ?? 0);
  return logLikelihood(failed, passed) - logLikelihood(failed + batch.lonelyFailures, passed) >= Math.log(odds);
}

/** Of so many failures and passes, at the rate that makes them likeliest. */
function logLikelihood(failed: number, passed: number): number {
  if (failed === 0 || passed === 0) return 0;
  const all = failed + passed;
  return failed * Math.log(failed / all) + passed * Math.log(passed / all);
}

/** True when the endpoint took others since the batch, or what it was cut from, failed there last. */
function noteFailure({ endpoints }: LoopContext, batch: Batch, use: EndpointUse): boolean {
  const before = batch.failedAt.get(use.endpoint);
  const last = { ...endpoints.recordOf(use) };
  batch.failedAt.set(use.endpoint, { first: before?.first ?? last, last });
  if (batch.size === 1) batch.withheld += 1;
  else {
    batch.surprises += 1;
    endpoints.surprise(use, 1);
  }
  return before !== undefined && last.taken > before.last.taken;
}
