// Some receivers close while a large body still arrives, and over TLS their 413 is lost with the connection. What broke is halved on its
// next attempt; bodies above what broke are halved unsent, and the limit is raised little by little with what gets through.
import type { Exchange } from './exchange.ts';
import type { Verdict } from './sink.ts';

/** Every receiver takes at least this much. */
const leastBytes = 16_384;
const growth = 1.02;
/** No configured batch is larger, so there is nothing left to learn. */
const mostBytes = 2 ** 30;

/** How large the bodies of one sink may be, learned from connections that break. */
export interface Ceiling {
  /** The verdict that halves a batch which is not worth sending whole; undefined when it is. */
  halve(events: number, bytes: number): Verdict | undefined;
  /** Learns from what came of a body of so many bytes on the wire. */
  learn(bytes: number, sent: Exchange): void;
}

/** A ceiling that has learned nothing yet. */
export function openCeiling(): Ceiling {
  let most = Number.POSITIVE_INFINITY;
  return {
    halve(events, bytes) {
      if (events < 2 || bytes <= most) return undefined;
      return {
        kind: 'split',
        code: 'too_large',
        reason: `connections broke during requests of more than ${Math.floor(most)} bytes`,
      };
    },
    learn(bytes, sent) {
      if ('failed' in sent) {
        if (sent.isBroken === true && bytes > leastBytes) most = Math.min(most, Math.max(leastBytes, bytes / 2));
        return;
      }
      if (bytes * 2 > most) most *= growth;
      if (most > mostBytes) most = Number.POSITIVE_INFINITY;
    },
  };
}
