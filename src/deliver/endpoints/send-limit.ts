import type { SinkSettings } from '../../sinks/sink-settings.ts';

/** Batches that may wait for a late acknowledgement. */
export const mostPending = 64;

/** As many records of a lane may be open as fit into all requests and pending batches: more could not be sent anyway. */
export const mostOpen = ({ batch, inFlight }: Pick<SinkSettings, 'batch' | 'inFlight'>): number =>
  batch.events * (mostPending + 2 * inFlight);

/** How many requests may be under way: the most that is configured, less while the receiver asks for less. Halves and recovers additively, as TCP does. */
export class SendLimit {
  #most: number;
  #limit: number;
  #halvedAt = Number.NEGATIVE_INFINITY;

  constructor(most: number) {
    this.#most = Math.max(1, most);
    this.#limit = this.#most;
  }

  /** Whole requests, at least 1. */
  get current(): number {
    return Math.max(1, Math.floor(this.#limit));
  }

  /** A request that began at `startedAt` (monotonic milliseconds) was answered with a wish for fewer: halves, once per round. */
  slower(startedAt: number, now: number): void {
    if (startedAt < this.#halvedAt) return;
    this.#limit = Math.max(1, this.#limit / 2);
    this.#halvedAt = now;
  }

  /** A request was taken: one more per round of answers. */
  faster(): void {
    this.#limit = Math.min(this.#most, this.#limit + 1 / Math.floor(this.#limit));
  }

  /** The most that configuration and sink allow. */
  setMost(most: number): void {
    const wasFull = this.#limit >= this.#most;
    this.#most = Math.max(1, most);
    this.#limit = wasFull ? this.#most : Math.min(this.#limit, this.#most);
  }
}
