import type { Verdict, Verdicts } from '../sink.ts';
import type { HecAnswer } from './answer.ts';

/** A batch that Splunk queued and has not yet called indexed. */
interface Waiting {
  readonly bytes: number;
  /** Monotonic time at which it is given up. */
  readonly deadline: number;
  /** How many batches of the channel had come to no answer when the id was given out. */
  readonly unansweredBefore: number;
  /** Splunk says that its id is indexed, and what is on its way decides whether that is this batch. */
  isTold: boolean;
  readonly settle: (verdicts: Verdicts) => void;
}

/** A batch that was let in and whose answer is not read yet. */
interface Post {
  readonly bytes: number;
  /** Resolves when its answer was read, or none came. */
  readonly ended: Promise<void>;
}

/**
 * One HEC channel: a GUID under which one indexer counts acknowledgement ids from 0, at one endpoint.
 *
 * `fresh` until its first answer; `open` while it takes batches; `retired` when a newer one took its place and it only waits for what
 * is outstanding; `lost` when its ids mean nothing any more.
 */
export interface Channel {
  readonly endpoint: string;
  readonly id: string;
  state: 'fresh' | 'open' | 'retired' | 'lost';
  /** Cookies of the load balancer, by name: they keep requests and polls at one indexer. */
  readonly cookies: Map<string, string>;
  readonly outstanding: Map<number, Waiting>;
  /** Every id that this channel gave out since the server began to count: one that comes again means that it restarted its count. */
  readonly seen: Set<number>;
  readonly posts: Set<Post>;
  /** Batches that left and came to no answer: the server may have given them ids. */
  unanswered: number;
  /** Monotonic time of the last poll. */
  polledAt: number;
  /** Monotonic time before which the receiver asked not to be polled. */
  restsUntil: number;
  /** Monotonic time at which a batch was let in or an answer came. */
  usedAt: number;
  /** The poll under way: a channel has one poller, because Splunk says `true` only once. */
  polling: Promise<void> | undefined;
  isWatched: boolean;
  /** Polled every second instead of every `ack_poll`. */
  isHurried: boolean;
  /** Why the last poll told nothing. */
  silence: Verdict | undefined;
}

/** A batch's place on a channel, from before its post until its answer is read. */
export interface Ticket extends Disposable {
  readonly channel: Channel;
  /** Says that HEC cannot have given the batch an id that nobody read. */
  answered(): void;
  /** Learns from an answer: whether the balancer stayed with its indexer, and whether the token acknowledges (undefined: not known yet). */
  hear(
    setCookie: string | undefined,
    answer: HecAnswer,
  ): { readonly isSticky: boolean; readonly acknowledges: boolean | undefined };
  /** Asks whether the token acknowledges, when no answer has shown it yet; undefined when that cannot be learned. */
  learn(signal: AbortSignal): Promise<boolean | undefined>;
  /** Resolves when Splunk says the id is indexed, when it is given up, or its channel is lost. Never rejects. */
  wait(ackId: number): Promise<Verdicts>;
}

/** A channel that nothing was sent on. */
export function freshChannel(endpoint: string, id: string): Channel {
  return {
    endpoint,
    id,
    state: 'fresh',
    cookies: new Map(),
    outstanding: new Map(),
    seen: new Set(),
    posts: new Set(),
    unanswered: 0,
    polledAt: 0,
    restsUntil: 0,
    usedAt: 0,
    polling: undefined,
    isWatched: false,
    isHurried: false,
    silence: undefined,
  };
}

/** What every request on a channel carries, posts and polls alike. */
export function headersOf({ id, cookies }: Channel): Readonly<Record<string, string>> {
  const channel = { 'x-splunk-request-channel': id };
  if (cookies.size === 0) return channel;
  return { ...channel, cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
}

/** A balancer sets one or two; each goes back with every request. A browser keeps as much of one. */
const [mostCookies, longestCookie] = [20, 4096];

/**
 * Keeps an answer's cookies; false when one of them replaces another value, or is new although ids were given out without it: the balancer
 * moved us to another indexer.
 */
export function keepCookies(channel: Channel, setCookie: string | undefined): boolean {
  let isSticky = true;
  for (const line of setCookie?.split('\n') ?? []) {
    const [, name, value] = /^\s*([^=;\s]+)=([^;]*)/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const known = channel.cookies.get(name);
    if (name.length + value.length > longestCookie || (known === undefined && channel.cookies.size >= mostCookies)) continue;
    if (known === undefined ? channel.seen.size > 0 : known !== value) isSticky = false;
    channel.cookies.set(name, value);
  }
  return isSticky;
}

/** Settles one outstanding batch. */
export function settle(channel: Channel, ackId: number, verdicts: Verdicts): void {
  const waiting = channel.outstanding.get(ackId);
  channel.outstanding.delete(ackId);
  waiting?.settle(verdicts);
}

/** Settles all that is outstanding. */
export function settleAll(channel: Channel, verdicts: Verdicts): void {
  for (const ackId of channel.outstanding.keys()) settle(channel, ackId, verdicts);
}

/** Lets a batch in; call `end` when its answer was read, or none came. */
export function openPost(channel: Channel, bytes: number): { end(isAnswered: boolean): void } {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const post: Post = { bytes, ended };
  channel.posts.add(post);
  return {
    end(isAnswered) {
      channel.posts.delete(post);
      if (!isAnswered) channel.unanswered += 1;
      resolve();
    },
  };
}

/**
 * Settles a batch of which Splunk says that its id is indexed.
 *
 * A server that restarts forgets what it had and counts from 0 again, under the same channel: what comes to it then has ids that others were told
 * before. Where it is answered, that shows, for an id comes twice. So id n may stand for another batch once more than n came to no answer since it
 * was given out; those that are on their way are waited for.
 */
export async function settleIndexed(channel: Channel, ackId: number): Promise<void> {
  const waiting = channel.outstanding.get(ackId);
  if (waiting === undefined) return;
  const unanswered = (): number => channel.unanswered - waiting.unansweredBefore;
  if (unanswered() <= ackId && unanswered() + channel.posts.size > ackId) {
    waiting.isTold = true;
    await Promise.all([...channel.posts].map(({ ended }) => ended));
    if (channel.outstanding.get(ackId) !== waiting) return;
  }
  const isSure = unanswered() <= ackId;
  settle(channel, ackId, { all: isSure ? { kind: 'accept' } : mistakable(ackId) });
}

const mistakable = (ackId: number): Verdict =>
  lost(`acknowledgement id ${ackId} may be that of a batch whose answer was lost, if the server restarted its count`);

/** The verdict on a batch that was taken, and of which only the acknowledgement got lost: neither it nor an event in it is the cause. */
export const lost = (reason: string): Verdict & { readonly kind: 'uncertain' } => ({
  kind: 'uncertain',
  reason,
  blameless: true,
});

/** Batches and bytes on their way or waiting, which is what memory holds for a channel. */
export function loadOf({ outstanding, posts }: Channel): { readonly batches: number; readonly bytes: number } {
  let bytes = 0;
  for (const one of [...posts, ...outstanding.values()]) bytes += one.bytes;
  return { batches: outstanding.size + posts.size, bytes };
}

/** Monotonic time at which the first outstanding batch is given up. */
export function earliestDeadline({ outstanding }: Channel): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { deadline, isTold } of outstanding.values()) if (!isTold) earliest = Math.min(earliest, deadline);
  return earliest;
}

const noAcknowledgementFix =
  'if a load balancer sends polls to another indexer, make it sticky by cookie or list the indexers as endpoints; if indexing is blocked, free it; if the receiver never acknowledges, set acknowledge: off';
const unansweredFix =
  'see why the receiver, or what is before it, does not answer requests to /services/collector/ack; if it has no such path, set acknowledge: off';

/** The verdict on a batch whose time is over: no smaller one would be acknowledged sooner. */
export function unacknowledged(timeoutMs: number, silence: Verdict | undefined): Verdict {
  const reason = `no acknowledgement within ${timeoutMs} ms`;
  if (silence === undefined || !('reason' in silence)) return { ...lost(reason), fix: noAcknowledgementFix };
  const { fix = unansweredFix } = 'fix' in silence ? silence : {};
  return { ...lost(`${reason}; the last request for it: ${silence.reason}`), fix };
}
