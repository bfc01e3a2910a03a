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
