import type { Clock } from './clock.ts';

/** A change that goes from one to the next, a machine that starts anew, or all that come back after an outage take less. */
export const goneAfterMs = 600_000;
/** No more passes between two looks than that; beyond it nobody could look, which says nothing: all may only be about to come back. */
const mostBetweenMs = 20_000;

/** Tells what is gone from what is only away: nobody had it at any look, for ten minutes of looks. */
export class Absence<Key> {
  readonly #clock: Clock;
  /** For how long each was found with nobody. */
  readonly #awayMs = new Map<Key, number>();
  #lookedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lookedAt = clock.monotonic();
  }

  /** Notes all that nobody has at this look; returns those of them that are gone. */
  look(away: readonly Key[]): Key[] {
    const now = this.#clock.monotonic();
    const sinceMs = Math.min(now - this.#lookedAt, mostBetweenMs);
    this.#lookedAt = now;
    for (const key of this.#awayMs.keys()) if (!away.includes(key)) this.#awayMs.delete(key);
    for (const key of away) {
      const before = this.#awayMs.get(key);
      this.#awayMs.set(key, before === undefined ? 0 : before + sinceMs);
    }
    return away.filter((key) => (this.#awayMs.get(key) ?? 0) >= goneAfterMs);
  }
}
