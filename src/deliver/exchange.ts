import { type Clock, deadline } from '../base/clock.ts';
import { explainInLine, PenstockError } from '../base/errors.ts';
import type { Batch, Pending, Sink, Verdict, Verdicts } from '../sinks/sink.ts';

/** What an exception from a sink means: doubt, unless it is certain that nothing left this machine. */
export function verdictOf(error: unknown): Verdict {
  if (!(error instanceof PenstockError) || error.sent) return { kind: 'uncertain', reason: explainInLine(error) };
  const { retryAfterMs } = error;
  return { kind: 'retry', reason: explainInLine(error), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

// A sink that obeys its signal gets this long to say what it knows of a request that was cut off.
const lastWordsMs = 1000;

function givenUp(clock: Clock, signal: AbortSignal): { readonly verdict: Promise<Verdicts>; cancel(): void } {
  let timer: Disposable | undefined;
  const { promise, resolve } = Promise.withResolvers<Verdicts>();
  const onAbort = (): void => {
    const reason = signal.reason instanceof Error ? signal.reason.message : 'cut off';
    timer = clock.timer(lastWordsMs, () => resolve({ all: { kind: 'uncertain', reason } }));
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return {
    verdict: promise,
    cancel() {
      timer?.[Symbol.dispose]();
      signal.removeEventListener('abort', onAbort);
    },
  };
}

/** Sends a batch once. Never rejects and always ends: `timeoutMs`, or the abort of `signal`, plus a second for last words. */
export async function exchange(
  sink: Sink,
  batch: Batch,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Verdicts | Pending> {
  using limit = deadline(clock, timeoutMs, signal);
  const lost = givenUp(clock, limit.signal);
  try {
    return await Promise.race([sink.send(batch, limit.signal), lost.verdict]);
  } catch (error) {
    return { all: verdictOf(error) };
  } finally {
    lost.cancel();
  }
}
