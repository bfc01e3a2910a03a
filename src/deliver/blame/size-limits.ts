// How much a receiver takes at once shows only by what fails. Learnt as TCP learns its window: after failures the size falls, what gets
// through doubles it up to half of what failed last, and from there it grows by half a hundredth, so that a limit is forgotten slowly.
import type { Clock } from '../../base/clock.ts';
import { isObject } from '../../base/json.ts';

/** Of a batch. */
interface Size {
  readonly events: number;
  readonly bytes: number;
}

/** What was learnt of an endpoint, as the journal keeps it; what is unlimited is left out. */
interface LearntLimit {
  readonly events: number;
  readonly bytes: number;
  readonly ceiling?: Size;
}

interface Limit {
  most: Size;
  /** What failed last after something had got through. */
  ceiling: Size;
  hasPassed: boolean;
  /** Bytes of the smallest event that failed alone, and when, monotonic milliseconds. */
  message: number;
  messageAt: number;
}

const isSize = (value: unknown): value is Size =>
  isObject(value) && typeof value['events'] === 'number' && typeof value['bytes'] === 'number';

/** True for what {@link SizeLimits.learnt} gave. */
export function isLearnt(value: unknown): value is LearntLimit {
  return isSize(value) && (!('ceiling' in value) || isSize(value.ceiling));
}

const unlimited: Size = { events: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
const growth = 1.005;
/** Larger than every batch that can be configured: nothing is left to learn. */
const mostEvents = 100_000;
const messageMemoryMs = 86_400_000;
/** Endpoints that are in no configuration any more. */
const mostNoted = 100;

const scaled = ({ events, bytes }: Size, factor: number): Size => ({
  events: Math.max(1, events * factor),
  bytes: Math.max(1, bytes * factor),
});

/** How large the batches for each endpoint may be, and from which size on an event goes alone. */
export class SizeLimits {
  readonly #clock: Clock;
  readonly #limits = new Map<string, Limit>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A batch failed, or was refused, for a reason that may be its size; what comes next is at most `share` of it. */
  failed(endpoint: string, size: Size, share: number): void {
    const limit = this.#of(endpoint);
    if (limit.hasPassed) limit.ceiling = size;
    limit.hasPassed = false;
    const least = scaled(size, share);
    limit.most = { events: Math.min(limit.most.events, least.events), bytes: Math.min(limit.most.bytes, least.bytes) };
  }

  /** A batch was taken; true when nothing is left to learn. */
  passed(endpoint: string, { events, bytes }: Size): boolean {
    const limit = this.#limits.get(endpoint);
    if (limit === undefined) return false;
    limit.hasPassed = true;
    if (events === 1 && bytes >= limit.message) limit.message = Number.POSITIVE_INFINITY;
    const isFull = events * 2 > limit.most.events || bytes * 2 > limit.most.bytes;
    if (!isFull) return false;
    const isLow = limit.most.events * 2 < limit.ceiling.events && limit.most.bytes * 2 < limit.ceiling.bytes;
    limit.most = scaled(limit.most, isLow ? 2 : growth);
    const isForgotten = limit.most.events > mostEvents && Number.isFinite(limit.most.events);
    if (isForgotten) limit.most = unlimited;
    return isForgotten;
  }

  /** A single event was the cause: the size of the batches was not. Events as large go alone for a day. */
  blame(endpoint: string, bytes: number): void {
    const limit = this.#of(endpoint);
    Object.assign(limit, { most: unlimited, ceiling: unlimited, hasPassed: false });
    limit.message = Math.min(limit.message, bytes);
    limit.messageAt = this.#clock.monotonic();
  }

  /** Groups of a batch's indexes, in order, none of which is larger than the endpoint takes, and those that go alone; one group: as it is. */
  groups<E extends { readonly bytes: number }>(
    endpoint: string,
    prepared: readonly E[],
    goesAlone: (event: E) => boolean = () => false,
  ): number[][] {
    const limit = this.#limits.get(endpoint);
    if (limit === undefined && !prepared.some(goesAlone)) return [[...prepared.keys()]];
    const most = limit?.most ?? unlimited;
    const isKnown = limit !== undefined && this.#clock.monotonic() - limit.messageAt < messageMemoryMs;
    const message = isKnown ? limit.message : Number.POSITIVE_INFINITY;
    const groups: number[][] = [];
    let bytes = 0;
    let isClosed = true;
    for (const [index, event] of prepared.entries()) {
      const { bytes: more } = event;
      const group = groups.at(-1) ?? [];
      const isAlone = more >= message || goesAlone(event);
      if (isClosed || isAlone || group.length + 1 > most.events || bytes + more > most.bytes) {
        groups.push([index]);
        bytes = more;
      } else {
        group.push(index);
        bytes += more;
      }
      isClosed = isAlone;
    }
    return groups;
  }

  /** What the next process is to know, by endpoint: what was noted stays for endpoints that only other replicas learnt of. */
  learnt(noted: readonly (readonly [string, LearntLimit])[] = []): Readonly<Record<string, LearntLimit>> {
    const others = noted.filter(([endpoint]) => !this.#limits.has(endpoint)).slice(-mostNoted);
    const known = [...this.#limits].filter(([, { most }]) => Number.isFinite(most.events));
    const ceilingOf = ({ ceiling }: Limit): { ceiling?: Size } => (Number.isFinite(ceiling.events) ? { ceiling } : {});
    const own = known.map(([endpoint, limit]) => [endpoint, { ...limit.most, ...ceilingOf(limit) }] as const);
    return Object.fromEntries([...others, ...own]);
  }

  /** Takes over what another process learnt, where this one knows of no limit. */
  restore(endpoint: string, { events, bytes, ceiling = unlimited }: LearntLimit): void {
    const limit = this.#of(endpoint);
    if (!Number.isFinite(limit.most.events)) Object.assign(limit, { most: { events, bytes }, ceiling });
  }

  #of(endpoint: string): Limit {
    const known = this.#limits.get(endpoint);
    if (known !== undefined) return known;
    const none = Number.POSITIVE_INFINITY;
    const limit = { most: unlimited, ceiling: unlimited, hasPassed: false, message: none, messageAt: 0 };
    this.#limits.set(endpoint, limit);
    return limit;
  }
}
