// What time it is for the vendor, as far as the Date of its answers tells.
import type { Clock } from '../../base/clock.ts';

/** Two clocks that are further apart: nobody knows which of them is right, and the vendor's holds no window back. */
export const mostSkewMs = 176_400_000;
/** A Date carries whole seconds; one that stands still for longer comes from a cache, or from no clock. */
const standStillMs = 5_000;
/** A measurement that nothing confirms must not hold windows back for ever. */
const forgottenAfterMs = 900_000;

/** The vendor's clock against ours. */
export class VendorClock {
  #last: { readonly time: number; readonly at: number } | undefined;
  #skew: { readonly ms: number; readonly at: number; readonly time: number; readonly isSure: boolean } | undefined;

  /** False until the vendor answered this process for the first time, with or without a time. */
  hasAnswered = false;

  /** Its clock minus ours, milliseconds; undefined while nothing is known. */
  get skewMs(): number | undefined {
    return this.#skew?.ms;
  }

  /** What time it is there: never ahead of our own clock. */
  now(clock: Clock): number {
    const now = clock.now();
    if (this.#skew === undefined || clock.monotonic() - this.#skew.at > forgottenAfterMs) return now;
    if (Math.abs(this.#skew.ms) > mostSkewMs) return now;
    return Math.min(now, now + this.#skew.ms);
  }

  /** What its clock says by now, counted on from its last answer, whatever became of our wall clock since; undefined where nobody knows. */
  estimate(clock: Clock): number | undefined {
    if (this.#skew?.isSure !== true) return undefined;
    return this.#skew.time + clock.monotonic() - this.#skew.at;
  }

  /** Takes the time of an answer; gives it back where it is one of a clock. */
  take(time: number, clock: Clock): number | undefined {
    const at = clock.monotonic();
    const { time: lastTime, at: lastAt } = this.#last ?? { time: Number.NEGATIVE_INFINITY, at };
    if (time !== lastTime) this.#last = { time, at };
    const isFrozen = time <= lastTime && at - lastAt > standStillMs;
    const ms = time - clock.now();
    this.#skew = isFrozen ? undefined : { ms, at, time, isSure: Math.abs(ms) <= mostSkewMs || this.#goesOn(time, clock) };
    return isFrozen ? undefined : time;
  }

  /** True where the vendor's clock went on as expected, so that it is ours that was set. */
  #goesOn(time: number, clock: Clock): boolean {
    const expected = this.estimate(clock);
    return expected !== undefined && Math.abs(time - expected) <= standStillMs;
  }
}
