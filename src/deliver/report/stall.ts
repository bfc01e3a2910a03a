import type { Clock } from '../../base/clock.ts';

/** How long a sink with events that wait has made no progress. */
export class Stall {
  readonly #clock: Clock;
  readonly #afterMs: number;
  #movedAt: number;

  constructor(clock: Clock, afterMs: number) {
    this.#clock = clock;
    this.#afterMs = afterMs;
    this.#movedAt = clock.monotonic();
  }

  /** Something was settled, or nothing waits. */
  moved(): void {
    this.#movedAt = this.#clock.monotonic();
  }

  /** How long there was no progress; undefined while that is shorter than what is configured. */
  get ms(): number | undefined {
    const ms = this.#clock.monotonic() - this.#movedAt;
    return ms < this.#afterMs ? undefined : ms;
  }
}
