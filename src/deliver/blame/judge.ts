// An event that fails alone without an answer that says why. It becomes a dead letter only after others were taken between its failures: in an
// outage nothing is taken, and nobody is to blame.
import { counted } from '../../base/quantity.ts';
import type { Batch } from '../batch.ts';
import type { LoopContext } from '../context.ts';
import type { Decision, Failure, Refusal } from '../decide.ts';
import type { EndpointUse } from '../endpoints/endpoints.ts';
import { holdsUp, isOfLate } from './meant.ts';
import { untilOthersCode } from './suspects.ts';

// Left for a dead letter, which goes again in one each time.
const spared = 2;
const fewestReached = 2;
// A receiver that fails more often than once in so many passes loses more than one event.
const fewPasses = 4;
// A passing trouble of the receiver hits the same event twice in a row, and lets others through for a moment.
const fewestTurns = 2;
// So many that failed alone, the receiver being there and taking nothing meanwhile, are nobody's fault but its own.
const fewestUntaken = 3;
// So many in a row, though it takes what is no event.
const fewestUntakenBesideOthers = 10;

/** What to do about a receiver that is there and takes no event. */
export const takesNothingFix =
  'look at the receiver, and at what is before it, for why it breaks off when an event comes: its log, its limits, a firewall that reads along; a new event tries it at once, and penstock sinks release sends these once more: what fails again is a dead letter, which goes again by itself once others are taken';

/** What becomes of the only event of a batch that failed. */
export function judgeLone(context: LoopContext, batch: Batch, use: EndpointUse, decision: Decision, failure: Failure): Decision {
  const { blame, lone } = batch;
  const isNamed = decision.suspect !== undefined;
  const wasReached = lone.failed(blame.failed(use, isNamed), isNamed);
  for (const { uid } of batch.prepared) context.suspects.failed(uid, blame.copies);
  // Nothing else to send, and the sink cannot ask: what was taken before has to do.
  const isAllThereIs = blame.turns > 0 && batch.isLast && context.sink.sink?.reaches === undefined;
  if (!lone.counts(wasReached || isAllThereIs || isNearlyProven(batch))) return decision;
  const isLikely = isLikelyCause(batch, lone.failures);
  // What is no event may fare better than all that are: such a one goes again once before it is given up for good.
  const isShown = isLikely && failure.othersTaken !== true && !areManyAlone(context, batch);
  // So does one that was asked to come later, and holds up what stands behind it.
  const isProven = isShown && !(failure.asksForPause === true && isOfLate(context, batch));
  const isAccused = batch.prepared.some(({ uid }) => context.suspects.isAccused(uid));
  const isTried =
    (wasReached || isAllThereIs) && (isLikely || isAccused || isOverdue(context, batch) || isExhausted(context, batch));
  if (!isShown && wasReached && takesNothing(context, batch, failure, isTried))
    return heldBack(context, batch, decision, failure);
  if (!isShown && !isTried) return decision;
  if (isShown || failure.othersTaken === true) {
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

/** True where so many others were taken behind it that soon no more is read: to fail twice shows enough, for it goes again by itself. */
const isOverdue = (context: LoopContext, batch: Batch): boolean =>
  batch.lone.failures >= fewestTurns && batch.isSingledOut && holdsUp(context, batch);

/** True when no event is taken, this one and others before it, or something else answers in the receiver's place: none of them is the cause. */
function takesNothing(context: LoopContext, batch: Batch, { fix, othersTaken }: Failure, isTried: boolean): boolean {
  if (isTried && fix !== undefined) return true;
  const [event] = batch.prepared;
  if (othersTaken === true && isTried && event?.open.isLetter === false && !context.suspects.isAccused(event.uid))
    return context.suspects.untaken(event.uid) > fewestUntakenBesideOthers;
  if (event === undefined || event.open.isLetter || batch.blame.turns > 0 || holdsUp(context, batch)) return false;
  if (batch.blame.othersSince().passed > 0) return false;
  if (context.suspects.isAccused(event.uid)) return false;
  const untaken = context.suspects.untaken(event.uid);
  return untaken >= fewestUntaken || (isTried && untaken > 1);
}

/** True for an event that was sent as often as may be without anybody knowing whether it is the cause. */
const wasSentOften = (context: LoopContext, batch: Batch): boolean => hasLeft(context, batch, spared);

/** True for such an event while the receiver takes none: it goes again after a rest, or where a person asks for it. */
export function isAtRest(context: LoopContext, batch: Batch): boolean {
  const { suspects, clock, hold, sink } = context;
  if (sink.sink?.reaches === undefined || batch.size !== 1 || !suspects.isResting(clock.monotonic())) return false;
  return wasSentOften(context, batch) && !hold.wasReleased && !batch.prepared.some(({ uid }) => suspects.isAccused(uid));
}

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
  const { suspects, endpoints, steadyNow } = context;
  // RELP's first failure alone may have been among others, one of which was under way at a time.
  const times = copiesBefore(context, batch) + Math.max(batch.blame.failures, batch.lone.failures);
  const [{ uid, source } = { uid: '', source: '' }] = batch.prepared;
  const isForGood = isProven || suspects.wentRested(uid);
  if (!isForGood) suspects.giveUp(uid, batch.blame.copies, batch.lone.mostCopies, endpoints.total, steadyNow(), source);
  const meanwhile =
    (batch.blame.turns > 0 && othersTaken !== true) || isForGood
      ? 'other events were taken'
      : 'the receiver answered everything else';
  const code = isForGood ? 'not_taken' : untilOthersCode;
  return {
    index: 0,
    code,
    isAlone: true,
    isDoubtful: ofRequest !== true,
    reason: `sent alone, it failed ${counted(times, 'time')} while ${meanwhile}: ${reason}`,
  };
}

/** True for an event that failed alone when nothing shows whether the endpoint takes others now. */
export function isUnclear(context: LoopContext, batch: Batch, use: EndpointUse): boolean {
  if (batch.size !== 1) return false;
  const { blame, lone } = batch;
  const isKnown = copiesBefore(context, batch) > 0;
  const taken = blame.takenSince(use);
  if (holdsUp(context, batch) && context.endpoints.recordOf(use).vain > 0) return true;
  if (taken === undefined) return isKnown;
  const hasTried =
    isKnown ||
    hasLeft(context, batch, spared + 1) ||
    lone.failures > 1 ||
    lone.isFruitless ||
    context.suspects.inARow > fewestUntaken;
  return hasTried && taken <= 0 && !isNearlyProven(batch);
}

/** Of its first event: those that earlier processes made, or that were made before it was given up. */
export const copiesBefore = ({ suspects }: LoopContext, { prepared }: Batch): number =>
  suspects.copiesBefore(prepared[0]?.uid ?? '');

/** True when others were taken between its failures more than once, and so many since the first that it is the cause if it failed so often. */
const isLikelyCause = ({ blame, lone }: Batch, failures: number): boolean =>
  blame.turns >= fewestTurns && blame.isCause(failures, lone.odds);

/** True where more events fail alone than others were taken since: what is held against each of them may be the receiver's doing. */
function areManyAlone({ suspects }: LoopContext, { prepared, blame }: Batch): boolean {
  return suspects.othersThan(prepared[0]?.uid ?? '') > blame.othersSince().passed;
}

/** True when the copies that are left prove the rest. */
function isNearlyProven(batch: Batch): boolean {
  const { blame, lone } = batch;
  return isLikelyCause(batch, lone.failures + Math.max(1, lone.mostCopies - spared - blame.copies));
}

/** True when at most so many more may be sent. */
const hasLeft = (context: LoopContext, batch: Batch, copies: number): boolean =>
  copiesBefore(context, batch) + batch.blame.copies + copies >= batch.lone.mostCopies;

/** True when it was sent as often as may be, the receiver having been reached between. */
function isExhausted(context: LoopContext, batch: Batch): boolean {
  // Others fail, too: it is no worse off than they are, and nothing bounds what a network loses.
  const { failed, passed } = batch.blame.othersSince();
  if (failed > passed / fewPasses) return false;
  if (context.suspects.wasGivenUp(batch.prepared[0]?.uid ?? '')) return true;
  const fewest = batch.lone.isNamed || copiesBefore(context, batch) > 0 ? 1 : fewestReached;
  const wasAsked = batch.lone.reached >= fewest || context.sink.sink?.reaches === undefined;
  return wasAsked && hasLeft(context, batch, spared);
}
