// An endpoint is up, or backing off after failures. When its time is over one real batch is its probe: an answer brings it up again,
// another failure doubles the time. Requests that were under way when it went down do not count again.
import type { Clock } from '../../base/clock.ts';
import { fullJitterMs, type Random } from '../../base/random.ts';

/** What an endpoint did so far. */
export interface EndpointRecord {
  /** Events that it took. */
  readonly taken: number;
  /** Messages that it took, and batches that failed there for a reason that may lie in them. */
  readonly passed: number;
  readonly failed: number;
}

/** Tries in a row that took nothing; and those of batches, whatever became of single events meanwhile. */
interface TriesInVain {
  readonly vain: number;
  readonly vainBatches: number;
}

interface EndpointState extends EndpointRecord, TriesInVain {
  taken: number;
  passed: number;
  failed: number;
  readonly endpoint: string;
  failures: number;
  /** Monotonic milliseconds. */
  until: number;
  /** As long as it asked to be left alone. */
  askedUntil: number;
  failedAt: number;
  busy: number;
  /** Batches that it has and will acknowledge later. */
  pending: number;
  /** Rounds in a row in which a batch that it had was not acknowledged, and when the last was seen. */
  doubts: number;
  doubtedAt: number;
  vain: number;
  vainBatches: number;
  /** When the last of them ended. */
  vainAt: number;
}

/** How an endpoint is doing, as `status --json` prints it; milliseconds since the epoch. */
export interface EndpointStatus {
  readonly endpoint: string;
  readonly backing_off_until?: number;
  readonly failures: number;
}

/** An endpoint that one request has taken. */
export interface EndpointUse {
  readonly endpoint: string;
  /** Monotonic milliseconds when the request began. */
  readonly startedAt: number;
}

const untouched = {
  failures: 0,
  until: 0,
  askedUntil: 0,
  failedAt: 0,
  busy: 0,
  taken: 0,
  passed: 0,
  failed: 0,
  pending: 0,
  doubts: 0,
  doubtedAt: 0,
  vain: 0,
  vainAt: 0,
  vainBatches: 0,
};

const baseMs = 1000;
const longestRetryAfterMs = 600_000;
// Tries in a row, about a minute: most troubles of a receiver are over by then.
export const mostInVain = 6;

/** Back-off and turns of a sink's endpoints. */
export class Endpoints {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #maxMs: number;
  readonly #total = { taken: 0, passed: 0, failed: 0 };
  /** What had failed for a reason that may lie in it was taken, monotonic milliseconds: they fail with whatever there is. */
  clearedAt = Number.NEGATIVE_INFINITY;
  #states: EndpointState[] = [];
  #turn = 0;

  /** Endpoints back off up to `maxMs`. */
  constructor(clock: Clock, random: Random, maxMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#maxMs = maxMs;
  }

  /** The sink was opened anew: endpoints that stayed keep their state. */
  replace(endpoints: readonly string[]): void {
    const known = this.#states;
    this.#states = endpoints.map((endpoint) => known.find((state) => state.endpoint === endpoint) ?? { endpoint, ...untouched });
  }

  /** The next endpoint that may be used, one that fails only by who is `isFirst`; `force` takes the one that is back soonest. Undefined: none now. */
  take(force: boolean, isFirst = true): EndpointUse | undefined {
    const state = this.#next(force, isFirst);
    if (state === undefined) return undefined;
    state.busy += 1;
    return { endpoint: state.endpoint, startedAt: this.#clock.monotonic() };
  }

  /** The request is over; says nothing about the endpoint. */
  release(use: EndpointUse): void {
    const state = this.#of(use);
    if (state !== undefined) state.busy = Math.max(0, state.busy - 1);
  }

  /** Marks it up; returns how often it had failed in a row. */
  succeed(use: EndpointUse): number {
    const state = this.#of(use);
    if (state === undefined || use.startedAt < state.failedAt) return 0;
    const { failures } = state;
    Object.assign(state, { failures: 0, until: 0, askedUntil: 0 });
    return failures;
  }

  /**
   * Marks it down: full jitter from 1 s doubling to the maximum, or `atLeastMs` where that is longer. Returns how often it failed in a row
   * by now; 0 for a request that was under way when it went down.
   */
  fail(use: EndpointUse, atLeastMs = 0): number {
    const state = this.#of(use);
    if (state === undefined) return 0;
    const now = this.#clock.monotonic();
    this.rest(use, atLeastMs);
    const asked = state.askedUntil;
    if (state.failures > 0 && use.startedAt < state.failedAt) {
      state.until = Math.max(state.until, asked);
      return 0;
    }
    state.until = Math.max(now + fullJitterMs(this.#random, state.failures, baseMs, this.#maxMs), asked);
    state.failures += 1;
    state.failedAt = now;
    this.#total.failed += 1;
    return state.failures;
  }

  /** A batch failed there that is likely to blame: the next try comes soon, and others go on beside it. */
  pause(use: EndpointUse, atLeastMs = 0): void {
    this.rest(use, atLeastMs);
    const state = this.#of(use);
    const soon = this.#clock.monotonic() + fullJitterMs(this.#random, 0, baseMs, this.#maxMs);
    if (state !== undefined) state.until = Math.max(state.until, soon, state.askedUntil);
  }

  /** It asked to be left alone for `ms`, at most ten minutes, also by the probes of a hold. */
  rest(use: EndpointUse, ms: number): void {
    const state = this.#of(use);
    if (state !== undefined)
      state.askedUntil = Math.max(state.askedUntil, this.#clock.monotonic() + Math.min(ms, longestRetryAfterMs));
  }

  /** Milliseconds until the first of them may be asked at all. */
  get restMs(): number {
    const until = this.#states.length === 0 ? 0 : Math.min(...this.#states.map(({ askedUntil }) => askedUntil));
    return Math.max(0, until - this.#clock.monotonic());
  }

  /** An operator wants them to be asked now. */
  wake(): void {
    for (const state of this.#states) state.askedUntil = 0;
  }

  /** It took so many events, in answer to so many messages. */
  took(use: EndpointUse, events: number, messages: number): void {
    const state = this.#of(use);
    if (state === undefined) return;
    for (const record of [state, this.#total]) {
      record.taken += events;
      record.passed += messages;
    }
    Object.assign(state, { doubts: 0, vain: 0, ...(events > 1 && { vainBatches: 0 }) });
  }

  /** A try took nothing, whatever was said; those that were under way together count once. */
  inVain(use: EndpointUse, isBatch: boolean): void {
    const state = this.#of(use);
    if (state === undefined || (state.vain > 0 && use.startedAt < state.vainAt)) return;
    state.vain += 1;
    state.vainBatches += isBatch ? 1 : 0;
    state.vainAt = this.#clock.monotonic();
  }

  /** True where none of them took anything for long. */
  get areInVain(): boolean {
    return this.#states.every(({ vain }) => vain >= mostInVain);
  }

  /** Batches failed there. */
  surprise(use: EndpointUse, failures: number): void {
    const state = this.#of(use);
    if (state === undefined) return;
    state.failed += failures;
    this.#total.failed += failures;
  }

  /** What all of them did; that one of them went down, for whatever reason, counts as failed, too. */
  get total(): EndpointRecord {
    return this.#total;
  }

  recordOf(use: Pick<EndpointUse, 'endpoint'>): EndpointRecord & TriesInVain {
    return this.#of(use) ?? untouched;
  }

  /** It has a batch and will acknowledge it later: as good as taken, unless it owes acknowledgements already. */
  handOver(use: EndpointUse): void {
    const state = this.#of(use);
    if (state === undefined) return;
    state.pending += 1;
    if (state.doubts === 0) this.succeed(use);
  }

  /** The later answer is there. */
  handedBack(use: EndpointUse): void {
    const state = this.#of(use);
    if (state !== undefined) state.pending = Math.max(0, state.pending - 1);
  }

  /** A batch that it had was not acknowledged: until one is, they go one by one. Returns in how many rounds in a row that was so. */
  doubt(use: EndpointUse): number {
    const state = this.#of(use);
    if (state === undefined) return 0;
    if (state.doubts > 0 && use.startedAt < state.doubtedAt) return state.doubts;
    state.doubts += 1;
    state.doubtedAt = this.#clock.monotonic();
    return state.doubts;
  }

  /** True while it bears one try at a time. */
  isFailing(use: EndpointUse): boolean {
    return (this.#of(use)?.failures ?? 0) > 0;
  }

  /** True while it owes acknowledgements. */
  isDoubted(use: EndpointUse): boolean {
    return (this.#of(use)?.doubts ?? 0) > 0;
  }

  /** Others go first for `ms`; with a single endpoint there is nothing to avoid. */
  avoid(use: EndpointUse, ms: number): void {
    const state = this.#of(use);
    if (state !== undefined && this.#states.length > 1) state.until = Math.max(state.until, this.#clock.monotonic() + ms);
  }

  /** Milliseconds until an endpoint that backs off may be probed; undefined when that is not what one waits for. */
  waitMs(): number | undefined {
    const now = this.#clock.monotonic();
    const waiting = this.#states.filter((state) => state.until > now).map((state) => state.until - now);
    return waiting.length === 0 ? undefined : Math.min(...waiting);
  }

  states(): readonly EndpointStatus[] {
    const now = this.#clock.monotonic();
    const shift = this.#clock.now() - now;
    return this.#states.map(({ endpoint, failures, until }) => ({
      endpoint,
      failures,
      ...(until > now ? { backing_off_until: Math.round(until + shift) } : {}),
    }));
  }

  #of({ endpoint }: Pick<EndpointUse, 'endpoint'>): EndpointState | undefined {
    return this.#states.find((state) => state.endpoint === endpoint);
  }

  #next(force: boolean, isFirst: boolean): EndpointState | undefined {
    const now = this.#clock.monotonic();
    const count = this.#states.length;
    for (let step = 0; step < count; step += 1) {
      const state = this.#states[(this.#turn + step) % count];
      if (state === undefined || state.until > now || isOccupied(state) || (state.failures > 0 && !isFirst)) continue;
      this.#turn = (this.#turn + step + 1) % count;
      return state;
    }
    if (!force) return undefined;
    const rests = ({ askedUntil }: EndpointState): number => Math.max(0, askedUntil - now);
    const [soonest] = [...this.#states].sort((a, b) => rests(a) - rests(b) || a.until - b.until);
    return soonest;
  }
}

/** After a failure one batch at a time shows whether it is over. */
function isOccupied({ failures, busy, doubts, pending }: EndpointState): boolean {
  return (failures > 0 && busy > 0) || (doubts > 0 && (busy > 0 || pending > 0));
}
