// A probe of a held sink: the sink is opened with fresh secrets, one batch is sent, and its answer ends the hold or puts off the next probe.
import { explainInLine } from '../../base/errors.ts';
import type { Sink } from '../../sinks/sink.ts';
import type { Applied } from '../apply.ts';
import { takesNothingFix } from '../blame/judge.ts';
import type { LoopContext } from '../context.ts';
import type { Decision, HoldOrder } from '../decide.ts';
import { cannotOpen, type Pass } from './hold.ts';

/** Waits for the open sink, opening it where an earlier try failed; undefined when the loop stops. */
export async function openedSink(context: LoopContext): Promise<Sink | undefined> {
  const { hold, sink, stopping } = context;
  for (;;) {
    // One that is being opened anew needs no opening here, which would use up the probe of a batch.
    const opened = await sink.opened();
    if (opened !== undefined) return opened;
    const pass = await hold.pass(stopping.signal);
    if (pass === 'stop') return undefined;
    // A batch that was waiting too has opened it.
    if (pass === 'open' && sink.sink !== undefined) continue;
    const isOpen = await reopen(context);
    if (pass !== 'probe') continue;
    if (!isOpen) await hold.probed('refused');
    else await hold.probed(hold.cause?.kind === 'open' ? 'ended' : 'unclear');
  }
}

/** Opens the sink anew; false, and on hold, when that fails. */
export async function reopen(context: LoopContext): Promise<boolean> {
  try {
    await context.sink.reopen();
    return true;
  } catch (error) {
    const reason = context.trouble('hold', explainInLine(error));
    await context.hold.enter(cannotOpen(reason));
    return false;
  }
}

/** Opens a sink that fails anew where what it was opened with has been replaced: a receiver that refuses an old certificate may just hang up. */
export async function renew(context: LoopContext): Promise<void> {
  if ((await context.sink.sink?.isOutdated?.()) !== true) return;
  context.log.warn('secrets or certificates have been replaced, they are read again');
  await reopen(context);
}

/** Waits while the sink is on hold; a probe goes through the sink opened anew. `isOld`: all that the batch stands for failed before. */
export async function passHold(context: LoopContext, isNew: boolean, isOld: () => boolean): Promise<Pass> {
  const { hold, stopping, endpoints, turns } = context;
  // Where the receiver takes nothing, nobody knows whether it would take something else.
  const isForNew = (): boolean => hold.cause?.fix === takesNothingFix;
  for (;;) {
    const pass = await hold.passInTurn(stopping.signal, {
      rest: () => endpoints.restMs,
      ...(isNew && { isNew: () => isForNew() }),
      stepsAside: () => turns.hasNew && isOld(),
    });
    if (pass !== 'probe' || (await prepareProbe(context))) return pass;
  }
}

/** False when there is nothing to send yet. */
async function prepareProbe(context: LoopContext): Promise<boolean> {
  const { hold, deadLetters } = context;
  if (hold.cause?.kind === 'letters') {
    await hold.probed((await deadLetters.findsRoom().catch(() => false)) ? 'ended' : 'refused');
    return false;
  }
  if (await reopen(context)) return true;
  await hold.probed('refused');
  return false;
}

/** Tells the hold what its probe learned; true while only smaller batches can show it. */
export async function isStillProbing(context: LoopContext, applied: Applied, { failure }: Decision): Promise<boolean> {
  const { hold } = context;
  // A letter that is refused once more says nothing about a hold that such refusals caused.
  const isRefusedAgain = hold.cause?.kind === 'systematic' && applied.delivered === 0 && applied.newLetters === 0;
  if (applied.hold !== undefined || (isRefusedAgain && applied.letters > 0)) await hold.probed('refused');
  else if (applied.delivered > 0 || applied.letters > 0) await hold.probed('ended');
  else if (failure !== undefined) {
    await hold.met(context.trouble(failure.kind, failure.reason));
    await hold.probed(failure.fix === undefined ? 'unclear' : 'refused');
  } else return true;
  return false;
}

/** Puts the sink on hold as it asked. */
export async function enterHold(
  context: LoopContext,
  { reason, fix, untilReleased }: Omit<HoldOrder, 'retryAfterMs'>,
): Promise<void> {
  const scrubbed = context.trouble('hold', reason);
  await context.hold.enter({ kind: 'refused', reason: scrubbed, fix, untilReleased });
}
