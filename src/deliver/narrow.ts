// A batch that keeps failing without an answer that names the cause: it may be too large, or one event in it may break what reads it. It gets
// smaller until it passes or one event is alone. That one becomes a dead letter only after others were taken between its failures: in an
// outage nothing is taken, and nobody is to blame.
import type { Batch } from './batch.ts';
import type { LoopContext } from './context.ts';
import type { Decision, Failure, Refusal } from './decide.ts';
import type { EndpointUse } from './endpoints.ts';
import { untilOthersCode } from './suspects.ts';

// One failure is daily business. A part of what has failed already needs no second one.
const patience = 2;
const parts = 8;
// What was seen must be so many times likelier when the event is the cause than when the receiver fails now and then.
const odds = 1e5;
// Where the sink knows which message got no answer.
const lowerOdds = 1e4;
// Of an event while its receiver is found to break with it.
const mostCopies = 10;
const mostCopiesOfNamed = 4;
// Left for a dead letter, which goes again in one each time.
const spared = 2;
const fewestReached = 2;
// A receiver that fails more often than once in so many passes loses more than one event.
const fewPasses = 4;
// A passing trouble of the receiver hits the same event twice in a row, and lets others through for a moment.
const fewestTurns = 2;
const tooLargeCode = /413|too_large/;

/** Makes of a decision to send the same again, where that has failed too often, one to send less, or to give up the one event that is left. */
export function narrow(context: LoopContext, batch: Batch, use: EndpointUse, decision: Decision): Decision {
  learnSplit(context, batch, use, decision);
  const { failure } = decision;
  // What was cut off by us says nothing.
  if (failure === undefined || context.cutOff.signal.aborted || failure.isBlameless) return decision;
  // Closed by the peer just as the request left: asked for once more at once.
  if (failure.retryAfterMs === 0 && batch.hasty === 0 && !batch.isSuspect && copiesBefore(context, batch) === 0) {
    batch.hastyCopies += 1;
    return decision;
  }
  if (failure.othersTaken === true) context.endpoints.took(use, 1, 1);
  batch.failures += 1;
  const named = decision.suspect === undefined ? undefined : batch.prepared[decision.suspect];
  // The receiver was there, and may take nothing.
  if (named?.open.isLetter === false) context.suspects.untaken(named.uid);
  if (batch.size === 1) return judgeLonely(context, batch, use, decision, failure);
  noteFailure(context, batch, use, decision.suspect !== undefined);
  if (decision.again !== 'same') return batch.isSuspect ? apartFrom(decision) : decision;
  if (!batch.isPart && batch.failures < patience) return decision;
  // On a stream a message can be too large, not a batch.
  if (context.sink.sink?.isStream !== true && failure.asksForPause !== true) tooMuch(context, batch, use, 1 / parts);
  if (!batch.isPart) {
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

function judgeLonely(context: LoopContext, batch: Batch, use: EndpointUse, decision: Decision, failure: Failure): Decision {
  const hasTaken = noteFailure(context, batch, use);
  if (hasTaken) batch.reached += 1;
  const wasReached = batch.reached > batch.reachedBefore;
  batch.isNamed ||= decision.suspect !== undefined;
  batch.fruitless = hasTaken ? 1 : batch.fruitless + 1;
  batch.reachedBefore = batch.reached;
  for (const { uid } of batch.prepared) context.suspects.failed(uid, copiesOf(batch));
  // Nothing else to send, and the sink cannot ask: what was taken before has to do.
  const isAllThereIs = batch.turns > 0 && batch.isLast && context.sink.sink?.reaches === undefined;
  const counts = wasReached || isAllThereIs || isNearlyProven(context, batch);
  if (batch.lonelyFailures > 0 && !counts) return decision;
  batch.lonelyFailures += 1;
  const isLikely = batch.turns >= fewestTurns && isCause(context, batch, batch.lonelyFailures);
  // What is no event may fare better than all that are: such a one goes again once before it is given up for good.
  const isProven = isLikely && failure.othersTaken !== true;
  const isAccused = batch.prepared.some(({ uid }) => context.suspects.isAccused(uid));
  const isTried = (wasReached || isAllThereIs) && (isLikely || isAccused || isExhausted(context, batch));
  if (!isProven && wasReached && takesNothing(context, batch, failure, isTried))
    return heldBack(context, batch, decision, failure);
  if (!isProven && !isTried) return decision;
  if (isProven || failure.othersTaken === true) {
    context.limits.blame(use.endpoint, batch.bytes);
    context.suspects.learnt();
  }
  return {
    ...decision,
    again: [],
    uncertain: [],
    failure: undefined,
    refused: [refusalOf(context, batch, failure, isProven)],
  };
}

// So many that failed alone, the receiver being there and taking nothing meanwhile, are nobody's fault but its own.
const fewestUntaken = 3;
// So many in a row, though it takes what is no event.
const fewestUntakenBesideOthers = 10;

/** True when no event is taken, this one and others before it, or something else answers in the receiver's place: none of them is the cause. */
function takesNothing(context: LoopContext, batch: Batch, { fix, othersTaken }: Failure, isTried: boolean): boolean {
  if (isTried && fix !== undefined) return true;
  const [event] = batch.prepared;
  if (othersTaken === true && isTried && event?.open.isLetter === false && !context.suspects.isAccused(event.uid))
    return context.suspects.untaken(event.uid) > fewestUntakenBesideOthers;
  if (event === undefined || event.open.isLetter || batch.turns > 0 || othersSince(context, batch).passed > 0) return false;
  if (context.suspects.isAccused(event.uid)) return false;
  const untaken = context.suspects.untaken(event.uid);
  return untaken >= fewestUntaken || (isTried && untaken > 1);
}

/** What to do about a receiver that is there and takes no event. */
export const takesNothingFix =
  'look at the receiver, and at what is before it, for why it breaks off when an event comes: its log, its limits, a firewall that reads along; a new event tries it at once, and penstock sinks release sends these once more: what fails again is a dead letter, which goes again by itself once others are taken';

/** True for a batch that failed at least once for a reason that may lie in it: it may have been stored. */
export const wasInDoubt = (batch: Batch): boolean => copiesOf(batch) > 0;

/** True for an event that was sent as often as may be without anybody knowing whether it is the cause. */
export const wasSentOften = (context: LoopContext, batch: Batch): boolean => hasLeft(context, batch, spared);

/** A hold, in which those that were sent often enough rest longer and longer: new ones go before them. */
function heldBack(context: LoopContext, batch: Batch, decision: Decision, failure: Failure): Decision {
  // Where something answers in its place, the probes of the hold bound how many go, each in its turn.
  if (failure.fix === undefined && wasSentOften(context, batch)) context.suspects.rest(context.clock);
  const { holdProbeMs: retryAfterMs } = context.settings;
  const { fix = takesNothingFix, reason: said } = failure;
  const reason = failure.fix === undefined ? `the receiver is there, but takes no event: ${said}` : said;
  return { ...decision, hold: { reason, fix, untilReleased: false, retryAfterMs } };
}

/** Why a single event is given up: for good only where it shows to be the cause, or fails once more after others were taken for long. */
function refusalOf(context: LoopContext, batch: Batch, { reason, othersTaken, ofRequest }: Failure, isProven: boolean): Refusal {
  const { suspects, endpoints, clock } = context;
  // RELP's first failure alone may have been among others, one of which was under way at a time.
  const times = copiesBefore(context, batch) + Math.max(batch.failures, batch.lonelyFailures);
  const [{ uid, source } = { uid: '', source: '' }] = batch.prepared;
  const isForGood = isProven || suspects.wentRested(uid);
  if (!isForGood) suspects.giveUp(uid, copiesOf(batch), mostCopiesOf(batch), endpoints.total, clock.now(), source);
  const meanwhile =
    (batch.turns > 0 && othersTaken !== true) || isForGood ? 'other events were taken' : 'the receiver answered everything else';
  const code = isForGood ? 'not_taken' : untilOthersCode;
  return {
    index: 0,
    code,
    isDoubtful: ofRequest !== true,
    reason: `sent alone, it failed ${times} times while ${meanwhile}: ${reason}`,
  };
}

/** True for an event that failed alone when nothing shows whether the endpoint takes others now. */
export function isUnclear(context: LoopContext, batch: Batch, use: EndpointUse): boolean {
  if (batch.size !== 1) return false;
  const isKnown = copiesBefore(context, batch) > 0;
  const last = batch.failedAt.get(use.endpoint)?.last;
  if (last === undefined) return isKnown;
  // Most receivers that fail are back before that.
  const hasTried =
    isKnown ||
    hasLeft(context, batch, spared + 1) ||
    batch.lonelyFailures > 1 ||
    batch.fruitless >= (batch.isNamed ? 2 : 3) ||
    context.suspects.inARow > fewestUntaken;
  return hasTried && context.endpoints.recordOf(use).taken <= last.taken && !isNearlyProven(context, batch);
}

function copiesBefore({ suspects }: LoopContext, { prepared }: Batch): number {
  return suspects.copiesBefore(prepared[0]?.uid ?? '');
}

/** True when so many others were taken since its first failure, between its failures more than once, that the copies which are left prove the rest. */
function isNearlyProven(context: LoopContext, batch: Batch): boolean {
  const left = Math.max(1, mostCopiesOf(batch) - spared - copiesOf(batch));
  return batch.turns >= fewestTurns && isCause(context, batch, batch.lonelyFailures + left);
}

/** Times that it was sent and not answered, alone or among others. */
const copiesOf = ({ surprises, failures, hastyCopies }: Batch): number => surprises + failures + hastyCopies;

const mostCopiesOf = ({ isNamed }: Batch): number => (isNamed ? mostCopiesOfNamed : mostCopies);

/** True when at most so many more may be sent. */
const hasLeft = (context: LoopContext, batch: Batch, copies: number): boolean =>
  copiesBefore(context, batch) + copiesOf(batch) + copies >= mostCopiesOf(batch);

/** True when it was sent as often as may be, the receiver having been reached between. */
function isExhausted(context: LoopContext, batch: Batch): boolean {
  // Others fail, too: it is no worse off than they are, and nothing bounds what a network loses.
  const { failed, passed } = othersSince(context, batch);
  if (failed > passed / fewPasses) return false;
  if (context.suspects.wasGivenUp(batch.prepared[0]?.uid ?? '')) return true;
  const fewest = batch.isNamed || copiesBefore(context, batch) > 0 ? 1 : fewestReached;
  const wasAsked = batch.reached >= fewest || context.sink.sink?.reaches === undefined;
  return wasAsked && hasLeft(context, batch, spared);
}

/**
 * True when the event is the cause if it failed so often, and not a receiver that fails with others, too: compares how likely all that
 * happened since its first failure is if the receiver fails with every batch alike, with how likely it is if this event always fails.
 */
export function isCause(context: LoopContext, batch: Batch, failures: number, least = batch.isNamed ? lowerOdds : odds): boolean {
  const { failed, passed } = othersSince(context, batch);
  return logLikelihood(failed, passed) - logLikelihood(failed + failures, passed) >= Math.log(least);
}

/** What became of others since the batch first failed, at all endpoints where it did: its own failures count wherever they were. */
function othersSince({ endpoints }: LoopContext, batch: Batch): { readonly failed: number; readonly passed: number } {
  let failed = -batch.surprises - batch.refusals;
  let passed = 0;
  for (const [endpoint, { first }] of batch.failedAt) {
    const record = endpoints.recordOf({ endpoint });
    failed += record.failed - first.failed;
    passed += record.passed - first.passed;
  }
  return { failed: Math.max(0, failed), passed };
}

/** Of so many failures and passes, at the rate that makes them likeliest. */
function logLikelihood(failed: number, passed: number): number {
  if (failed === 0 || passed === 0) return 0;
  const all = failed + passed;
  return failed * Math.log(failed / all) + passed * Math.log(passed / all);
}

/**
 * True when the endpoint took others since the batch, or what it was cut from, failed there last. `isNamed`: of several events the sink knows
 * which one it was, so that this failure is that one's alone.
 */
function noteFailure({ endpoints }: LoopContext, batch: Batch, use: EndpointUse, isNamed = false): boolean {
  const before = batch.failedAt.get(use.endpoint);
  const last = { ...endpoints.recordOf(use) };
  batch.failedAt.set(use.endpoint, { first: before?.first ?? last, last });
  if (batch.size === 1) batch.withheld += 1;
  else if (!isNamed) {
    batch.surprises += 1;
    endpoints.surprise(use, 1);
  }
  const hasTaken = before !== undefined && last.taken > before.last.taken;
  if (hasTaken) batch.turns += 1;
  return hasTaken;
}
