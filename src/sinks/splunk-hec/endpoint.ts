import { type Channel, earliestDeadline, freshChannel, loadOf } from './channel.ts';

const maxOutstanding = 64;
const maxOutstandingBytes = 32_000_000;
const hurryMs = 1000;

/** What is known of one endpoint. */
export interface Endpoint {
  /** The channel that takes batches. */
  current: Channel;
  /** It, and older ones that still wait. */
  readonly live: Set<Channel>;
  /** Whether the token acknowledges; undefined until an answer has shown it. */
  acknowledges: boolean | undefined;
  lossesInARow: number;
}

/** An endpoint that nothing was sent to. */
export function freshEndpoint(name: string, channelId: string): Endpoint {
  const current = freshChannel(name, channelId);
  return { current, live: new Set([current]), acknowledges: undefined, lossesInARow: 0 };
}

/**
 * True when one more batch may be sent. The first of a channel goes alone, so that a balancer's cookie is known before the second one;
 * what is outstanding is capped, for memory holds it.
 */
export function hasPlace({ current, live }: Endpoint, bytes: number): boolean {
  if (current.state === 'fresh' && current.posts.size > 0) return false;
  let batches = 0;
  let held = 0;
  for (const channel of live) {
    const load = loadOf(channel);
    batches += load.batches;
    held += load.bytes;
  }
  return batches < maxOutstanding && (batches === 0 || held + bytes <= maxOutstandingBytes);
}

/**
 * Monotonic time of a channel's next poll: every `pollMs`, every second when hurried or nearly full, at once for a batch that is overdue, and
 * never before the receiver's own Retry-After is over.
 */
export function nextPoll(channel: Channel, pollMs: number): number {
  const isHurried = channel.isHurried || channel.outstanding.size >= maxOutstanding * 0.75;
  const pace = isHurried ? Math.min(hurryMs, pollMs) : pollMs;
  const due = Math.min(channel.polledAt + pace, Math.max(earliestDeadline(channel), channel.polledAt + 1));
  return Math.max(channel.restsUntil, due);
}

/** Forgets an idle old channel. */
export function tidy({ current, live }: Endpoint, channel: Channel): void {
  if (channel !== current && channel.outstanding.size === 0 && channel.posts.size === 0) live.delete(channel);
}
