import type { Clock } from '../src/base/clock.ts';

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Clock {
  /** Goes on by `ms`: runs every timer that falls due, in order, and lets promises settle before and after each. */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock alone, as an operator or NTP would; timers and `monotonic` do not notice. */
  step(ms: number): void;
  /** Lets promises (and I/O that is ready) settle without moving time. */
  settle(): Promise<void>;
  /** Goes on, timer by timer, until the promise settles; throws when `limitMs` pass without that. */
  until<T>(promise: PromiseLike<T>, limitMs?: number): Promise<T>;
  /** Timers that wait. */
  readonly pending: number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

function watch(promise: PromiseLike<unknown>): { settled: boolean } {
  const state = { settled: false };
  const settle = (): void => {
    state.settled = true;
  };
  promise.then(settle, settle);
  return state;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A virtual clock whose wall time starts at `startMs` and whose monotonic time starts at 0. */
export function virtualClock(startMs: number): VirtualClock {
  let elapsed = 0;
  let offset = startMs;
  let order = 0;
  const timers = new Set<Timer>();

  const next = (): Timer | undefined => [...timers].sort((a, b) => a.at - b.at || a.order - b.order)[0];

  const settle = async (): Promise<void> => {
    for (let round = 0; round < 4; round += 1) await turn();
  };

  const fire = async (timer: Timer): Promise<void> => {
    timers.delete(timer);
    elapsed = Math.max(elapsed, timer.at);
    timer.callback();
    await settle();
  };

  return {
    now: () => Math.floor(offset + elapsed),
    monotonic: () => elapsed,
    timer(ms, callback) {
      order += 1;
      const timer = { at: elapsed + Math.max(0, ms), order, callback };
      timers.add(timer);
      return { [Symbol.dispose]: () => void timers.delete(timer) };
    },
    async advance(ms) {
      const target = elapsed + ms;
      await settle();
      for (let timer = next(); timer !== undefined && timer.at <= target; timer = next()) await fire(timer);
      elapsed = target;
    },
    step(ms) {
      offset += ms;
    },
    settle,
    async until(promise, limitMs = 3_600_000) {
      const limit = elapsed + limitMs;
      const state = watch(promise);
      await settle();
      while (!state.settled) {
        const timer = next();
        if (timer === undefined) await turn();
        else if (timer.at > limit) throw new Error(`not settled within ${limitMs} virtual milliseconds`);
        else await fire(timer);
      }
      return promise;
    },
    get pending() {
      return timers.size;
    },
  };
}
