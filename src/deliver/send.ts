// A batch is sent until each of its events has an outcome: sent -> settled, or again (the same batch, or smaller ones that replace it), or
// held -> probe. What was handed over for later acknowledgement is given to the caller, and comes back through `applyLate`.
import { unlessCutOff } from '../base/abort.ts';
import type { Pending, Verdicts } from '../sinks/sink.ts';
import { apply } from './apply.ts';
import { attempt, isOwned, ownedPart } from './attempt.ts';
import type { Batch } from './batch.ts';
import { takesNothingFix } from './blame/judge.ts';
import { meantForBatch } from './blame/meant.ts';
import { narrow } from './blame/narrow.ts';
import type { LoopContext } from './context.ts';
import { decide, type Failure, type HoldOrder } from './decide.ts';
import type { EndpointUse } from './endpoints/endpoints.ts';
import { learn } from './endpoints/learn.ts';
import { areOvertaken, goesByFirst, isOvertaken, putBack, stepBack, takeOvertaken } from './endpoints/order.ts';
import { givesWay, stepsBack, worthOf } from './endpoints/reach.ts';
import type { Pass } from './hold/hold.ts';
import { enterHold, isStillProbing, passHold, renew, reopen } from './hold/probe.ts';
import type { SinkUse } from './open-sink.ts';
import { toWithdraw, withdraw } from './settles-first/withdraw.ts';

/** A batch that the receiver has and will acknowledge later. */
export interface PendingBatch {
  readonly batch: Batch;
  readonly endpoint: EndpointUse;
  /** Keeps the sink open until the verdicts are there. */
  readonly use: SinkUse;
  readonly verdicts: Promise<Verdicts>;
}

/** A single event that fails, or a probe that was refused: others go before it, which shows whether it is the cause. */
interface OvertakenBatch {
  readonly overtaken: Batch;
}

/**
 * Sends a batch, and what it is split into, until all has an outcome, is pending or is to be overtaken, or the loop stops. Gives what is
 * pending or overtaken, as it comes.
 */
export async function* send(context: LoopContext, first: Batch): AsyncGenerator<PendingBatch | OvertakenBatch> {
  const stack = [first];
  let isProbe = false;
  try {
    for (let batch = stack.at(-1); batch !== undefined; batch = stack.at(-1)) {
      const { pass, endpoint } = await takeTurn(context, stack, batch, isProbe);
      isProbe = pass === 'probe';
      if (pass === 'aside') yield* takeOvertaken(context, stack).map((overtaken) => ({ overtaken }));
      if (pass === 'aside') continue;
      if (endpoint === undefined) return;
      if (isReplaced(context, endpoint, stack, batch, isProbe)) continue;
      const use = context.sink.use();
      if (use === undefined) {
        await openMissing(context, endpoint, isProbe);
        isProbe = false;
        continue;
      }
      const worth = await worthOf(context, batch, endpoint, use, isProbe, stack);
      if (worth !== 'send') {
        use[Symbol.dispose]();
        if (worth === 'overtaken') yield { overtaken: stack.pop() ?? batch };
        isProbe = await endProbe(context, isProbe, worth === 'spared' ? 'refused' : 'unclear');
        continue;
      }
      let answer = await attempt(context, batch, endpoint, use, isProbe);
      if ('pending' in answer && isProbe && waitsForMore(context, endpoint)) answer = await acknowledged(context, answer);
      if ('pending' in answer) {
        stack.pop();
        yield handOver(context, batch, endpoint, use, answer);
        isProbe = await endProbe(context, isProbe, 'ended');
        continue;
      }
      use[Symbol.dispose]();
      isProbe = await conclude(context, stack, batch, { endpoint, verdicts: answer, generation: use.generation, isProbe });
      // A probe that needs less goes on with it.
      if (!isProbe) for (const overtaken of takeOvertaken(context, stack)) yield { overtaken };
    }
  } finally {
    // Nothing was left to probe with, or the loop stops: somebody else has to probe.
    await endProbe(context, isProbe, 'unclear');
  }
}

interface Turn {
  readonly pass: Pass;
  /** Undefined where the stack steps aside, or the loop stops. */
  readonly endpoint?: EndpointUse | undefined;
}

/** Waits for the end of a hold, or a probe of it, and for an endpoint; steps aside where what is new comes first. */
async function takeTurn(context: LoopContext, stack: readonly Batch[], batch: Batch, isProbe: boolean): Promise<Turn> {
  const { endpoints, turns, changed, clock, stopping } = context;
  const areOld = (): boolean => areOvertaken(context, stack);
  const pass = isProbe ? 'probe' : await passHold(context, batch.attempts === 0 && !isOvertaken(context, batch), areOld);
  if (pass === 'stop' || pass === 'aside') return { pass };
  const isTurnOfNew = (use: EndpointUse): boolean => pass === 'open' && turns.isOfNew && endpoints.isFailing(use) && areOld();
  let endpoint = await takeEndpoint(context, pass === 'probe');
  // What is new is on its way to the endpoint, too: it only has to come first.
  while (endpoint !== undefined && isTurnOfNew(endpoint) && !turns.hasNew) {
    endpoints.release(endpoint);
    await changed.waitAtMost(clock, lookAgainMs, stopping.signal);
    endpoint = await takeEndpoint(context, false);
  }
  if (endpoint === undefined) return { pass };
  // The last try of an endpoint that fails was of what had failed before, so the next one is of what is new.
  if (isTurnOfNew(endpoint)) {
    endpoints.release(endpoint);
    return { pass: 'aside' };
  }
  turns.began(batch, isOvertaken(context, batch));
  if (endpoints.isFailing(endpoint) || endpoints.isDoubted(endpoint)) await renew(context);
  return { pass, endpoint };
}

async function endProbe({ hold }: LoopContext, isProbe: boolean, answer: 'ended' | 'refused' | 'unclear'): Promise<false> {
  if (isProbe) await hold.probed(answer);
  return false;
}

/** True when others have taken the place of the batch on top of the stack. */
function isReplaced(context: LoopContext, endpoint: EndpointUse, stack: Batch[], batch: Batch, isProbe: boolean): boolean {
  const instead = insteadOf(context, batch, endpoint, isProbe);
  if (instead === undefined) return false;
  context.endpoints.release(endpoint);
  context.turns.began(batch, false);
  stack.splice(-1, 1, ...instead);
  return true;
}

/** What takes the batch's place, the first to be sent last: without what another process delivers now, or smaller where the endpoint takes less. */
function insteadOf(context: LoopContext, batch: Batch, endpoint: EndpointUse, isProbe: boolean): Batch[] | undefined {
  if (!isOwned(context, batch)) return ownedPart(context, batch);
  if (goesByFirst(context, batch, endpoint, isProbe)) return batch.cutFirst(endpoint).toReversed();
  const [first = [], ...rest] = groupsOf(context, endpoint, batch);
  // Only what goes now: with what it teaches the rest is cut otherwise.
  return rest.length === 0 ? undefined : batch.cut([first, rest.flat()]).toReversed();
}

/** Reads a pending batch's late verdicts; gives what must be sent again. */
export async function applyLate(
  context: LoopContext,
  { batch, endpoint }: PendingBatch,
  verdicts: Verdicts,
): Promise<readonly Batch[]> {
  context.endpoints.handedBack(endpoint);
  const decision = narrow(context, batch, endpoint, decide(verdicts, batch.size));
  const applied = apply(context, batch, decision);
  learn(context, batch, endpoint, decision, applied.delivered);
  batch.doubt.answeredLate((decision.hold ?? decision.failure)?.fix !== undefined);
  await doubtEndpoint(context, endpoint, decision.failure);
  if (applied.hold !== undefined) await context.hold.enter(applied.hold);
  if (decision.hold !== undefined) {
    // It took the batch all the same: only what it acknowledges shows that the hold may end.
    context.endpoints.doubt(endpoint);
    await enterHold(context, decision.hold);
  }
  return applied.again;
}

/** What of a batch goes now, and the rest; one group: all of it. */
function groupsOf({ sink, plan, limits, suspects }: LoopContext, { endpoint }: EndpointUse, { prepared }: Batch): number[][] {
  const planned = sink.settlesFirst ? plan.groups(prepared) : [];
  if (planned.length > 1) return planned;
  return limits.groups(endpoint, prepared, ({ uid }) => suspects.copiesBefore(uid) > 0);
}

/** Waits, for a sink that asks for it, until the journal has what was taken, and for a shared journal until it takes offsets; or the loop stops. */
async function offsetWritten({ sink, settler, changed, clock, stopping }: LoopContext): Promise<void> {
  while (sink.settlesFirst && !settler.isIdle && !stopping.signal.aborted) await changed.wait(stopping.signal);
  while (settler.isCutOff && !stopping.signal.aborted) await changed.waitAtMost(clock, lookAgainMs, stopping.signal);
}

// Where no endpoint says how long: one batch probes it at the moment.
const lookAgainMs = 1000;

async function takeEndpoint(context: LoopContext, force: boolean): Promise<EndpointUse | undefined> {
  const { endpoints, turns, clock, changed, stopping } = context;
  await offsetWritten(context);
  using place = turns.queue();
  while (!stopping.signal.aborted) {
    const use = endpoints.take(force, turns.isFirst(place));
    if (use !== undefined) return use;
    await changed.waitAtMost(clock, Math.max(1, endpoints.waitMs() ?? lookAgainMs), stopping.signal);
  }
  return undefined;
}

async function openMissing(context: LoopContext, endpoint: EndpointUse, isProbe: boolean): Promise<void> {
  context.endpoints.release(endpoint);
  await reopen(context);
  if (isProbe) await context.hold.probed('refused');
}

/** True where a probe that is taken ends no hold: what the receiver had was not acknowledged before, or it took no event though it was there. */
const waitsForMore = ({ endpoints, hold }: LoopContext, endpoint: EndpointUse): boolean =>
  endpoints.isDoubted(endpoint) || hold.cause?.fix === takesNothingFix;

/** The answer to come, where nothing less shows that a hold may end; `pending` still when the loop stops first. */
async function acknowledged({ stopping }: LoopContext, answer: Pending): Promise<Verdicts | Pending> {
  return (await unlessCutOff(answer.pending, stopping.signal)) ?? answer;
}

// Rounds of batches without acknowledgement after which a person has to look.
const mostDoubts = 3;

async function doubtEndpoint(context: LoopContext, endpoint: EndpointUse, failure: Failure | undefined): Promise<void> {
  if (failure?.fix === undefined) return;
  const { reason, fix } = failure;
  if (context.endpoints.doubt(endpoint) >= mostDoubts) await enterHold(context, { reason, fix, untilReleased: false });
}

function handOver(
  { endpoints, limit, clock }: LoopContext,
  batch: Batch,
  endpoint: EndpointUse,
  use: SinkUse,
  { pending, slower }: Pending,
): PendingBatch {
  endpoints.handOver(endpoint);
  if (slower === true) limit.slower(endpoint.startedAt, clock.monotonic());
  return { batch, endpoint, use, verdicts: pending };
}

interface Answer {
  readonly endpoint: EndpointUse;
  readonly verdicts: Verdicts;
  /** Of the sink that gave it. */
  readonly generation: number;
  readonly isProbe: boolean;
}

/** Carries out the answer to the batch on top of the stack; true while the caller goes on as the probe. */
async function conclude(context: LoopContext, stack: Batch[], batch: Batch, answer: Answer): Promise<boolean> {
  const { endpoint, verdicts, isProbe } = answer;
  const decision = narrow(context, batch, endpoint, meantForBatch(context, batch, endpoint, decide(verdicts, batch.size)));
  const withdrawn = await toWithdraw(context, batch, decision);
  const applied = apply(context, batch, decision);
  learn(context, batch, endpoint, decision, applied.delivered);
  await doubtEndpoint(context, endpoint, decision.failure);
  if (withdrawn !== undefined && applied.letters > 0) {
    await offsetWritten(context);
    await withdraw(context, withdrawn);
  }
  batch.doubt.answered(decision.uncertain.length > 0 && (decision.hold ?? decision.failure)?.fix !== undefined, isProbe);
  stack.pop();
  batch.underWay(false);
  // Asked with what is refused for its own content, a hold would never end.
  batch.standsBack = isProbe && applied.hold?.kind === 'systematic' && applied.delivered === 0;
  putBack(context, stack, applied.again);
  // The rest of what it was cut from is likely as bad, and one after the other would keep the next probes from what is new.
  if (batch.standsBack) for (const each of stack) each.standsBack = true;
  if (await stepsBack(context, endpoint, decision)) stepBack(context, stack, endpoint);
  if (stack.at(-1) === batch && (await givesWay(context, batch, endpoint, isProbe))) stack.unshift(...stack.splice(-1));
  if (applied.hold !== undefined) await context.hold.enter(applied.hold);
  if (decision.hold !== undefined) {
    await onHold(context, stack.at(-1) ?? batch, decision.hold, answer);
    return false;
  }
  return isProbe && isStillProbing(context, applied, decision);
}

async function onHold(
  context: LoopContext,
  batch: Batch,
  order: HoldOrder,
  { endpoint, generation, isProbe }: Answer,
): Promise<void> {
  const { endpoints, sink, hold, settings } = context;
  const { retryAfterMs = 0 } = order;
  endpoints.avoid(endpoint, settings.holdProbeMs);
  endpoints.rest(endpoint, retryAfterMs);
  // Where a pause is asked for, the probe after it opens the sink anew.
  if (!isProbe && !order.untilReleased && retryAfterMs === 0) {
    // Somebody opened the sink anew since this request began: its answer says nothing about the new secrets.
    if (generation < sink.generation) return;
    if (!batch.wasReopenedFor) {
      batch.wasReopenedFor = true;
      await reopen(context);
      return;
    }
  }
  batch.wasReopenedFor = false;
  await enterHold(context, order);
  if (isProbe) await hold.probed('refused');
}
