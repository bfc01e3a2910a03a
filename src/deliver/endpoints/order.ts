// Which of several batches goes first. A sink that names what it writes after its offset needs them in their order.
import type { Batch } from '../batch.ts';
import type { LoopContext } from '../context.ts';
import type { EndpointUse } from './endpoints.ts';

// Tries in a row that took nothing. A receiver that is busy, and takes one in three, hardly comes so far.
const halvedAfter = 12;

/** True for a batch of which the first event shows as well whether the receiver takes events again, or refuses all of it. */
export const goesByFirst = ({ sink }: LoopContext, { size, blame, doubt }: Batch, use: EndpointUse, isProbe: boolean): boolean =>
  !sink.settlesFirst && (blame.asksFirst(use) || (isProbe && size > 1 && (doubt.isUnacknowledged || doubt.isLasting)));

/** True for an event after which another one shows as well whether they are taken again: so none of them is copied often. */
export const takesTurns = ({ sink }: LoopContext, { size, doubt }: Batch): boolean =>
  size === 1 && !sink.settlesFirst && doubt.isLasting;

/** True for a batch that new ones go before: what it was cut from failed, or a single event in it. */
export function isOvertaken({ sink }: LoopContext, { standsBack, blame, lone }: Batch): boolean {
  // Which sink it is nobody knows before it is open.
  if (sink.sink === undefined || sink.settlesFirst) return false;
  return standsBack || blame.isNarrowed || lone.failures > 0;
}

export const areOvertaken = (context: LoopContext, stack: readonly Batch[]): boolean =>
  stack.every((batch) => isOvertaken(context, batch));

/** Takes all from a stack of which all are overtaken: several would take turns there, and nothing else would ever be sent. */
export function takeOvertaken(context: LoopContext, stack: Batch[]): readonly Batch[] {
  if (!areOvertaken(context, stack)) return [];
  // A single event that failed is judged by what becomes of the others.
  return stack
    .splice(0)
    .toReversed()
    .sort((a, b) => Number(a.lone.failures > 0) - Number(b.lone.failures > 0));
}

/** Lets others go before all of a stack, in halves where nothing was taken for long: good events do not wait for all that stand before them. */
export function stepBack(context: LoopContext, stack: Batch[], use: EndpointUse): void {
  stack.splice(0, stack.length, ...stack.flatMap((batch) => halvesOf(context, batch, use)));
}

function halvesOf({ endpoints }: LoopContext, batch: Batch, use: EndpointUse): Batch[] {
  batch.blame.narrowed();
  if (batch.size === 1 || endpoints.recordOf(use).vain < halvedAfter) return [batch];
  const indexes = [...batch.prepared.keys()];
  const middle = Math.ceil(batch.size / 2);
  return batch.cut([indexes.slice(middle), indexes.slice(0, middle)]);
}

/** What is sent again goes next, or last where it is overtaken. */
export function putBack(context: LoopContext, stack: Batch[], again: readonly Batch[]): void {
  const later = again.filter((batch) => isOvertaken(context, batch));
  stack.unshift(...later.toReversed());
  stack.push(...again.filter((batch) => !later.includes(batch)).toReversed());
}
