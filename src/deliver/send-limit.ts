/** How many requests may be under way: the configured number, less while the receiver asks for less. */
export interface SendLimit {
  /** Whole requests, at least 1. */
  current(): number;
  /** A request that began at `startedAt` (monotonic milliseconds) was answered with a wish for fewer: halves, once per round. */
  slower(startedAt: number, now: number): void;
  /** A request was taken: one more per round of answers. */
  faster(): void;
  /** The most that configuration and sink allow. */
  setMost(most: number): void;
}

/** A limit that starts at `most`; halves and recovers additively, as TCP does. */
export function createSendLimit(most: number): SendLimit {
  let ceiling = Math.max(1, most);
  let limit = ceiling;
  let halvedAt = Number.NEGATIVE_INFINITY;
  return {
    current: () => Math.max(1, Math.floor(limit)),
    slower(startedAt, now) {
      if (startedAt < halvedAt) return;
      limit = Math.max(1, limit / 2);
      halvedAt = now;
    },
    faster() {
      limit = Math.min(ceiling, limit + 1 / Math.floor(limit));
    },
    setMost(value) {
      const wasFull = limit >= ceiling;
      ceiling = Math.max(1, value);
      limit = wasFull ? ceiling : Math.min(limit, ceiling);
    },
  };
}
