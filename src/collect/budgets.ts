// How often requests may leave. A key (host and credential) is free, used up to its reserve, or paused; a source has its own rate on top. All
// waits are on the monotonic clock. A limiter that keeps its next turn as a wall time, as bottleneck does, stays silent for two days when
// somebody sets the clock back by two days.
import { type Clock, sleep } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { formatDuration } from '../base/quantity.ts';
import { Queue } from '../base/queue.ts';
import type { Seams } from '../base/seams.ts';
import type { BudgetNews, ReaderDeps } from '../connectors/connector.ts';

/** At most `count` requests in any stretch of `perMs` milliseconds. */
interface RateLimit {
  readonly count: number;
  readonly perMs: number;
}

/** The two functions that a reader gets. Keys name host and credential and hold no secret. */
type SourceBudget = Pick<ReaderDeps, 'limit' | 'budget'>;

interface BudgetOptions {
  /** Share of the vendor's limit that is left to the customer's other tools; default 0.1. */
  readonly reserve?: number;
}

/** No vendor makes us wait longer at a stretch, whatever it says: it is asked again. */
const longestPauseMs = 3_600_000;
/** Assumed where a vendor says that the budget is used up but not until when. */
const unknownResetMs = 10_000;

interface Gate {
  /** Milliseconds until a request may leave; 0 or less: now. */
  waitMs(): number;
  onGranted(): void;
}

/** Lets a rate through. The window slides: a fixed one would let twice the rate through across its border. */
class RateGate implements Gate {
  readonly #clock: Clock;
  readonly #rate: RateLimit;
  /** Times of the last grants. */
  #granted: number[] = [];

  constructor(clock: Clock, rate: RateLimit) {
    this.#clock = clock;
    this.#rate = rate;
  }

  isFor({ count, perMs }: RateLimit): boolean {
    return count === this.#rate.count && perMs === this.#rate.perMs;
  }

  waitMs(): number {
    const { count, perMs } = this.#rate;
    const now = this.#clock.monotonic();
    this.#granted = this.#granted.filter((time) => time > now - perMs);
    const blocking = this.#granted.at(-count);
    return blocking === undefined ? 0 : blocking + perMs - now;
  }

  onGranted(): void {
    this.#granted.push(this.#clock.monotonic());
  }
}

/** Lets through what the vendor's answers say of a key. */
class KeyGate implements Gate {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #reserve: number;
  #pausedUntil = 0;
  #resetAt = 0;
  #remaining: number | undefined;
  #limit = 0;

  constructor(clock: Clock, log: Log, reserve: number) {
    this.#clock = clock;
    this.#log = log;
    this.#reserve = reserve;
  }

  waitMs(): number {
    const now = this.#clock.monotonic();
    if (this.#resetAt <= now) this.#remaining = undefined;
    return Math.max(this.#pausedUntil - now, this.#isUsedUp() ? this.#resetAt - now : 0);
  }

  onGranted(): void {
    if (this.#remaining !== undefined) this.#remaining -= 1;
  }

  take({ pauseMs = 0, remaining, limit, resetMs = unknownResetMs }: BudgetNews): void {
    const now = this.#clock.monotonic();
    if (pauseMs > 0) this.#pause(Math.min(pauseMs, longestPauseMs), now);
    if (remaining === undefined) return;
    this.#remaining = remaining;
    this.#limit = limit ?? Math.max(this.#limit, remaining);
    this.#resetAt = now + Math.min(resetMs, longestPauseMs);
    if (!this.#isUsedUp()) return;
    const fields = { remaining, limit: this.#limit, reset: formatDuration(this.#resetAt - now) };
    this.#log.debug(fields, 'budget down to its reserve');
  }

  #isUsedUp(): boolean {
    return this.#remaining !== undefined && this.#remaining <= Math.floor(this.#limit * this.#reserve);
  }

  #pause(waitMs: number, now: number): void {
    if (this.#pausedUntil <= now) this.#log.warn({ waitMs }, 'rate limited, requests pause');
    this.#pausedUntil = Math.max(this.#pausedUntil, now + waitMs);
  }
}

/** Rejects as soon as the signal aborts; whatever the promise does afterwards is nobody's business any more. */
function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise
      .then(resolve)
      .catch(reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** A gate before which one request waits at a time. */
interface Gated<G extends Gate> {
  readonly gate: G;
  readonly queue: Queue;
}

function pass(clock: Clock, { queue, gate }: Gated<Gate>, signal: AbortSignal): Promise<void> {
  const turn = async (): Promise<void> => {
    signal.throwIfAborted();
    for (let wait = gate.waitMs(); wait > 0; wait = gate.waitMs()) await sleep(clock, wait, signal);
    gate.onGranted();
  };
  return orAborted(queue.run(turn), signal);
}

/** All budgets of the process: one per key, shared by the sources that use it. */
export class Budgets implements SourceBudget {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #reserve: number;
  readonly #keys = new Map<string, Gated<KeyGate>>();
  readonly #sources = new Map<string, Gated<RateGate>>();
  /** What requests of each source wait before just now. */
  readonly #waiting = new Map<string, Gate[]>();

  constructor({ clock }: Seams, log: Log, { reserve = 0.1 }: BudgetOptions = {}) {
    this.#clock = clock;
    this.#log = log;
    this.#reserve = reserve;
  }

  readonly limit = (key: string, signal: AbortSignal): Promise<void> => pass(this.#clock, this.#keyOf(key), signal);

  readonly budget = (key: string, news: BudgetNews): void => this.#keyOf(key).gate.take(news);

  /** The budgets as one source sees them: its `rate_limit`, the same for all its readers, comes on top of what its keys allow. */
  of(source: string, rateLimit?: RateLimit): SourceBudget {
    const own = rateLimit === undefined ? undefined : this.#ownOf(source, rateLimit);
    return {
      budget: this.budget,
      limit: async (key, signal) => {
        if (own !== undefined) await this.#passAs(source, own, signal);
        await this.#passAs(source, this.#keyOf(key), signal);
      },
    };
  }

  /** How long the next request of a source has to wait at least, milliseconds; 0 while none waits. */
  pauseMs(source: string): number {
    return Math.max(0, ...(this.#waiting.get(source) ?? []).map((gate) => gate.waitMs()));
  }

  async #passAs(source: string, gated: Gated<Gate>, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(source) ?? [];
    this.#waiting.set(source, waiting);
    waiting.push(gated.gate);
    try {
      await pass(this.#clock, gated, signal);
    } finally {
      waiting.splice(waiting.indexOf(gated.gate), 1);
    }
  }

  #ownOf(source: string, rateLimit: RateLimit): Gated<RateGate> {
    const known = this.#sources.get(source);
    if (known?.gate.isFor(rateLimit) === true) return known;
    const own = { gate: new RateGate(this.#clock, rateLimit), queue: new Queue() };
    this.#sources.set(source, own);
    return own;
  }

  #keyOf(key: string): Gated<KeyGate> {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const gate = new KeyGate(this.#clock, this.#log.child({ budget: key }), this.#reserve);
    const opened = { gate, queue: new Queue() };
    this.#keys.set(key, opened);
    return opened;
  }
}
