import { deadline } from '../../base/clock.ts';
import { mayFinish } from '../attempt.ts';
import type { Batch } from '../batch.ts';
import type { LoopContext } from '../context.ts';
import type { Decision } from '../decide.ts';
import type { PreparedEvent } from '../prepare.ts';

/** The event that becomes a dead letter although it may be stored, where the sink can take that back. */
export async function toWithdraw(context: LoopContext, batch: Batch, { refused }: Decision): Promise<PreparedEvent | undefined> {
  const [event] = batch.prepared;
  if (context.sink.sink?.withdraw === undefined || refused.length === 0 || batch.size > 1 || batch.blame.copies === 0)
    return undefined;
  if (event === undefined) return undefined;
  // Without the note only a process that ends now leaves it there.
  await context.withdrawals
    .expect(event)
    .catch((error: unknown) => context.log.debug({ err: error }, 'what is to be taken back of a dead letter is not noted'));
  return event;
}

/** Takes back what may be stored of an event whose letter is written, unless the loop stops or another process has its lane. */
export async function withdraw(context: LoopContext, event: PreparedEvent): Promise<void> {
  const { withdrawals, clock, settings, cutOff, stopping } = context;
  using use = context.sink.use();
  if (use === undefined || stopping.signal.aborted || !mayFinish(context, event.open.lane)) return;
  using limit = deadline(clock, settings.timeoutMs, cutOff.signal);
  await withdrawals.written(event, use.sink, limit.signal);
}
