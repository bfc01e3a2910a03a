// All sources and sinks share one event loop. Long work goes in slices; whoever has more to do queues here between two of them, and each turn of
// the loop serves one, and beside it one that delivers. So a small reply waits for one slice and not for one of everybody, however many large replies
// are being worked on, and what was collected leaves as fast as more comes.
import type { Clock } from './clock.ts';

/** A slice of work, milliseconds of the machine's clock. */
const sliceMs = 8;

/** Who queues: each for itself. */
type Queue = 'delivery' | 'others';

const last: Record<Queue, Promise<unknown>> = { delivery: Promise.resolve(), others: Promise.resolve() };

const loopTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves in a turn of the event loop that nobody else in the queue has. */
export function nextTurn(queue: Queue = 'others'): Promise<void> {
  const mine = last[queue].then(loopTurn);
  last[queue] = mine;
  return mine;
}

/** Work of which each `yield` is a place where other work may come in between. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Does all of it now, for whoever has little to do. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Does it slice by slice; rejects with the signal's reason when that aborts between two of them. */
export async function inTurns<T>(steps: Steps<T>, clock: Pick<Clock, 'monotonic'>, signal?: AbortSignal): Promise<T> {
  const slices = new Slices(clock);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const pause = slices.pause();
    if (pause === undefined) continue;
    await pause;
    signal?.throwIfAborted();
  }
}

/** Long work that gives way: asked at each step, it says when to stop for {@link nextTurn}. */
export class Slices {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #queue: Queue | undefined;
  #since: number;

  constructor(clock: Pick<Clock, 'monotonic'>, queue?: Queue) {
    this.#clock = clock;
    this.#queue = queue;
    this.#since = clock.monotonic();
  }

  /** Undefined while the slice lasts; else what to wait for before the next step. */
  pause(): Promise<void> | undefined {
    return this.#clock.monotonic() - this.#since < sliceMs ? undefined : this.turn();
  }

  /** Ends the slice, however long it took. */
  async turn(): Promise<void> {
    await nextTurn(this.#queue);
    this.#since = this.#clock.monotonic();
  }
}
