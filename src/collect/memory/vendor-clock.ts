// What time it is for the vendor, as far as the Date of its answers tells.
import type { Clock } from '../../base/clock.ts';

/** Two clocks that are further apart: nobody knows which of them is right, and the vendor's holds no window back. */
export const mostSkewMs = 176_400_000;
/** A Date carries whole seconds; one that stands still for longer comes from a cache, or from no clock. */
const standStillMs = 5_000;
/** A measurement that nothing confirms must not hold windows back for ever. */
const forgottenAfterMs = 900_000;

/** So much our clock may be behind before somebody has to say what time it is. */
const behindMs = 60_000;

/** A time that was once, and when that was on the monotonic clock. */
interface Witness {
  readonly time: number;
  readonly at: number;
}

const sinceThen = ({ time, at }: Witness, clock: Clock): number => time + clock.monotonic() - at;

/** The vendor's clock against ours. */
export class VendorClock {
  /** The latest time that our own clock showed, and the time of the newest record. */
  #ours: Witness | undefined;
  #newest: Witness | undefined;
  #last: { readonly time: number; readonly at: number } | undefined;
  #skew: { readonly ms: number; readonly at: number; readonly time: number; readonly isSure: boolean } | undefined;

  /** False until the vendor answered this process for the first time, with or without a time. */
  hasAnswered = false;

  /** Its clock minus ours, milliseconds; undefined while nothing is known. */
  get skewMs(): number | undefined {
    return this.#skew?.ms;
  }

  /** Hears where collection stands: everything up to `until` was read once, when our clock had passed it, and the vendor dated a record `newest`. */
  remember({ until, newest }: { readonly until: number; readonly newest?: number | undefined }, clock: Clock): void {
    const later = (before: Witness | undefined, time: number): Witness =>
      before !== undefined && sinceThen(before, clock) >= time ? before : { time, at: clock.monotonic() };
    this.#ours = later(this.#ours, Math.max(until, clock.now()));
    if (newest !== undefined) this.#newest = later(this.#newest, newest);
  }

  /** What time it is there: never ahead of our own clock, unless that is proven to be behind. */
  now(clock: Clock): number {
    return this.#nowWhereBehind(clock) ?? this.#earlier(clock);
  }

  /** How far our clock is behind what the vendor and what was collected agree on, milliseconds; 0 where it is not. */
  behindMs(clock: Clock): number {
    return (this.#nowWhereBehind(clock) ?? clock.now()) - clock.now();
  }

  /**
   * The time where our wall clock is wrong: it lies before a record that the vendor has dated, or both the vendor's clock and what our own showed
   * before have passed it. A clock that was ahead and is set right is not behind: then the vendor's does not agree with what ours showed.
   */
  #nowWhereBehind(clock: Clock): number | undefined {
    const least = clock.now() + behindMs;
    const [ours, newest] = [this.#ours, this.#newest].map((one) => (one === undefined ? 0 : sinceThen(one, clock))) as [
      number,
      number,
    ];
    const isFresh = this.#skew !== undefined && clock.monotonic() - this.#skew.at <= forgottenAfterMs;
    const theirs = isFresh ? this.estimate(clock) : undefined;
    if (theirs === undefined) return newest > least ? newest : undefined;
    return [ours, newest].some((witness) => witness > least && theirs >= witness - behindMs) ? theirs : undefined;
  }

  #earlier(clock: Clock): number {
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
    this.#skew = isFrozen
      ? undefined
      : { ms, at, time, isSure: Math.abs(ms) <= mostSkewMs || this.#goesOn(time, clock) || this.#fits(time, clock) };
    return isFrozen ? undefined : time;
  }

  /** True where the vendor's clock is near what ours showed before, so that it is ours that was set. */
  #fits(time: number, clock: Clock): boolean {
    return this.#ours !== undefined && Math.abs(time - sinceThen(this.#ours, clock)) <= mostSkewMs;
  }

  /** True where the vendor's clock went on as expected, so that it is ours that was set. */
  #goesOn(time: number, clock: Clock): boolean {
    const expected = this.estimate(clock);
    return expected !== undefined && Math.abs(time - expected) <= standStillMs;
  }
}
