import type { Clock } from '../../base/clock.ts';

/** A clock that stands still on the wall and lets no timer wait: what a vendor asks to wait for is not waited for in a test. */
export function stillClock(now: number): Clock {
  let passed = 0;
  return {
    now: () => now,
    monotonic: () => passed,
    timer(ms, callback) {
      const handle = setImmediate(() => {
        passed += ms;
        callback();
      });
      return { [Symbol.dispose]: () => clearImmediate(handle) };
    },
  };
}
