// An endpoint is up, or backing off after failures. When its time is over one real batch is its probe: an answer brings it up again,
// another failure doubles the time. Requests that were under way when it went down do not count again.
import type { Clock } from '../base/clock.ts';
import { fullJitterMs, type Random } from '../base/random.ts';

interface EndpointState {
  readonly endpoint: string;
  failures: number;
  /** Monotonic milliseconds. */
  until: number;
  failedAt: number;
  busy: number;
}

/** A place to send to, taken for one request. */
export interface Claim {
  readonly endpoint: string;
  /** Monotonic milliseconds when the request began. */
  readonly startedAt: number;
}

/** Back-off and turns of a sink's endpoints. */
export interface EndpointPool {
  /** The sink was opened anew: endpoints that stayed keep their state. */
  replace(endpoints: readonly string[]): void;
  /** The next endpoint in turn that may be used; `force` takes the one that is back soonest. Undefined: none now. */
  claim(force: boolean): Claim | undefined;
  /** Gives the claim back without a word about the endpoint. */
  release(claim: Claim): void;
  /** Marks it up; returns how often it had failed in a row. */
  succeed(claim: Claim): number;
  /**
   * Marks it down: full jitter from 1 s doubling to the maximum, or `atLeastMs` where that is longer. Returns how often it failed in a row
   * by now; 0 for a request that was under way when it went down.
   */
  fail(claim: Claim, atLeastMs?: number): number;
  /** Others go first for `ms`; with a single endpoint there is nothing to avoid. */
  avoid(claim: Claim, ms: number): void;
  /** Milliseconds until an endpoint that backs off may be probed; undefined when that is not what one waits for. */
  waitMs(): number | undefined;
  states(): readonly { readonly endpoint: string; readonly backing_off_until?: number; readonly failures: number }[];
}

const baseMs = 1000;
const longestRetryAfterMs = 600_000;

class BackingOff implements EndpointPool {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #maxMs: number;
  #states: EndpointState[] = [];
  #turn = 0;

  constructor(clock: Clock, random: Random, maxMs: number) {
    this.#clock = clock;
    this.#random = random;
    this.#maxMs = maxMs;
  }

  replace(endpoints: readonly string[]): void {
    const known = this.#states;
    const fresh = (endpoint: string): EndpointState => ({ endpoint, failures: 0, until: 0, failedAt: 0, busy: 0 });
    this.#states = endpoints.map((endpoint) => known.find((state) => state.endpoint === endpoint) ?? fresh(endpoint));
  }

  claim(force: boolean): Claim | undefined {
    const state = this.#next(force);
    if (state === undefined) return undefined;
    state.busy += 1;
    return { endpoint: state.endpoint, startedAt: this.#clock.monotonic() };
  }

  release(claim: Claim): void {
    const state = this.#of(claim);
    if (state !== undefined) state.busy = Math.max(0, state.busy - 1);
  }

  succeed(claim: Claim): number {
    const state = this.#of(claim);
    if (state === undefined || claim.startedAt < state.failedAt) return 0;
    const { failures } = state;
    Object.assign(state, { failures: 0, until: 0 });
    return failures;
  }

  fail(claim: Claim, atLeastMs = 0): number {
    const state = this.#of(claim);
    if (state === undefined) return 0;
    const now = this.#clock.monotonic();
    const asked = now + Math.min(atLeastMs, longestRetryAfterMs);
    if (state.failures > 0 && claim.startedAt < state.failedAt) {
      state.until = Math.max(state.until, asked);
      return 0;
    }
    state.until = Math.max(now + fullJitterMs(this.#random, state.failures, baseMs, this.#maxMs), asked);
    state.failures += 1;
    state.failedAt = now;
    return state.failures;
  }

  avoid(claim: Claim, ms: number): void {
    const state = this.#of(claim);
    if (state !== undefined && this.#states.length > 1) state.until = Math.max(state.until, this.#clock.monotonic() + ms);
  }

  waitMs(): number | undefined {
    const now = this.#clock.monotonic();
    const waiting = this.#states.filter((state) => state.until > now).map((state) => state.until - now);
    return waiting.length === 0 ? undefined : Math.min(...waiting);
  }

  states(): ReturnType<EndpointPool['states']> {
    const now = this.#clock.monotonic();
    const shift = this.#clock.now() - now;
    return this.#states.map(({ endpoint, failures, until }) => ({
      endpoint,
      failures,
      ...(until > now ? { backing_off_until: Math.round(until + shift) } : {}),
    }));
  }

  #of({ endpoint }: Claim): EndpointState | undefined {
    return this.#states.find((state) => state.endpoint === endpoint);
  }

  #next(force: boolean): EndpointState | undefined {
    const now = this.#clock.monotonic();
    const count = this.#states.length;
    for (let step = 0; step < count; step += 1) {
      const state = this.#states[(this.#turn + step) % count];
      if (state === undefined || state.until > now || (state.failures > 0 && state.busy > 0)) continue;
      this.#turn = (this.#turn + step + 1) % count;
      return state;
    }
    if (!force) return undefined;
    const [soonest] = [...this.#states].sort((a, b) => a.until - b.until);
    return soonest;
  }
}

/** Endpoints with back-off up to `maxMs`. */
export function createEndpointPool(clock: Clock, random: Random, maxMs: number): EndpointPool {
  return new BackingOff(clock, random, maxMs);
}
