import { type Clock, systemClock } from '../src/base/clock.ts';

/**
 * A clock that runs so many times as fast as the machine's, timers and all, so that a test over real sockets need not wait for long waits.
 * Whoever is given a second by it has only a fraction of one: too much haste makes time-outs of what is merely slow.
 */
export function hastyClock(times: number, clock: Clock = systemClock()): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() * times,
    timer: (ms, callback) => clock.timer(ms / times, callback),
  };
}

export interface LeapingClock extends Clock {
  /** So much time passes at once: what waits that long at most has waited. */
  leap(ms: number): void;
}

/** The machine's clock, and time that passes besides where a test says: a receiver that takes long takes as long on any machine. */
export function leapingClock(clock: Clock = systemClock()): LeapingClock {
  const waiting = new Set<{ readonly due: number; readonly callback: () => void; armed: Disposable }>();
  let leaptMs = 0;
  const monotonic = (): number => clock.monotonic() + leaptMs;
  return {
    now: () => clock.now() + leaptMs,
    monotonic,
    timer(ms, callback) {
      const end = (): void => {
        waiting.delete(timer);
        callback();
      };
      const timer = { due: monotonic() + ms, callback: end, armed: neverArmed };
      timer.armed = clock.timer(ms, timer.callback);
      waiting.add(timer);
      return {
        [Symbol.dispose]() {
          waiting.delete(timer);
          timer.armed[Symbol.dispose]();
        },
      };
    },
    leap(ms) {
      leaptMs += ms;
      for (const timer of [...waiting].sort((a, b) => a.due - b.due)) {
        // One that ended before may have ended this one.
        if (!waiting.has(timer)) continue;
        timer.armed[Symbol.dispose]();
        const leftMs = timer.due - monotonic();
        if (leftMs > 0) timer.armed = clock.timer(leftMs, timer.callback);
        else timer.callback();
      }
    },
  };
}

const neverArmed: Disposable = { [Symbol.dispose]: () => undefined };
