// How often requests may leave. A key (host and credential) is free, used up to its reserve, or paused; a source has its own rate on top.
import Bottleneck from 'bottleneck';
import { type Clock, sleep } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { formatDuration } from '../base/quantity.ts';
import type { Seams } from '../base/seams.ts';
import type { BudgetNews, ReaderDeps } from '../connectors/connector.ts';
import { PlainQueue, type Queue } from './queue.ts';

/** At most `count` requests in any stretch of `perMs` milliseconds. */
export interface RateLimit {
  readonly count: number;
  readonly perMs: number;
}

/** The two functions that a reader gets. Keys name host and credential and hold no secret. */
export type SourceBudget = Pick<ReaderDeps, 'limit' | 'budget'>;

/** All budgets of the process: one per key, shared by the sources that use it. */
export interface Budgets extends SourceBudget {
  /** The budgets as one source sees them: its `rate_limit`, the same for all its readers, comes on top of what its keys allow. */
  of(source: string, rateLimit?: RateLimit): SourceBudget;
}

export interface BudgetOptions {
  /** Share of the vendor's limit that is left to the customer's other tools; default 0.1. */
  readonly reserve?: number;
  /** Opens the queue of a key; default bottleneck. A simulation hands in one without timers of its own: {@link plainQueue}. */
  readonly openQueue?: () => Queue;
}

/** No vendor makes us wait longer at a stretch, whatever it says: it is asked again. */
const longestPauseMs = 3_600_000;
/** Assumed where a vendor says that the budget is used up but not until when. */
const unknownResetMs = 10_000;

/** A queue on bottleneck. */
function bottleneckQueue(): Queue {
  const limiter = new Bottleneck({ maxConcurrent: 1 });
  return { run: (work) => limiter.schedule(work) };
}

/** A queue for runs on a virtual clock. */
export function plainQueue(): Queue {
  return new PlainQueue();
}

interface Gate {
  /** Milliseconds until a request may leave; 0 or less: now. */
  waitMs(): number;
  onGranted(): void;
}

function rateGate(clock: Clock, { count, perMs }: RateLimit): Gate {
  // Times of the last grants. The window slides: a fixed one would let twice the rate through across its border.
  let granted: number[] = [];
  return {
    waitMs() {
      const now = clock.monotonic();
      granted = granted.filter((time) => time > now - perMs);
      const blocking = granted.at(-count);
      return blocking === undefined ? 0 : blocking + perMs - now;
    },
    onGranted: () => void granted.push(clock.monotonic()),
  };
}

interface KeyGate extends Gate {
  take(news: BudgetNews): void;
}

function keyGate(clock: Clock, log: Log, reserve: number): KeyGate {
  let pausedUntil = 0;
  let resetAt = 0;
  let remaining: number | undefined;
  let limit = 0;

  const pause = (ms: number): void => {
    const now = clock.monotonic();
    const until = now + Math.min(ms, longestPauseMs);
    if (pausedUntil <= now) log.warn({ waitMs: until - now }, 'rate limited, requests pause');
    pausedUntil = Math.max(pausedUntil, until);
  };

  return {
    waitMs() {
      const now = clock.monotonic();
      if (resetAt <= now) remaining = undefined;
      const isUsedUp = remaining !== undefined && remaining <= Math.floor(limit * reserve);
      return Math.max(pausedUntil - now, isUsedUp ? resetAt - now : 0);
    },
    onGranted() {
      if (remaining !== undefined) remaining -= 1;
    },
    take(news) {
      if (news.pauseMs !== undefined && news.pauseMs > 0) pause(news.pauseMs);
      if (news.remaining === undefined) return;
      remaining = news.remaining;
      limit = news.limit ?? Math.max(limit, news.remaining);
      resetAt = clock.monotonic() + Math.min(news.resetMs ?? unknownResetMs, longestPauseMs);
      if (remaining <= Math.floor(limit * reserve))
        log.debug({ remaining, limit, reset: formatDuration(resetAt - clock.monotonic()) }, 'budget down to its reserve');
    },
  };
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

function pass(clock: Clock, queue: Queue, gate: Gate, signal: AbortSignal): Promise<void> {
  const turn = async (): Promise<void> => {
    signal.throwIfAborted();
    for (let wait = gate.waitMs(); wait > 0; wait = gate.waitMs()) await sleep(clock, wait, signal);
    gate.onGranted();
  };
  return orAborted(queue.run(turn), signal);
}

/** Opens the budgets of a process. */
export function createBudgets(
  { clock }: Seams,
  log: Log,
  { reserve = 0.1, openQueue = bottleneckQueue }: BudgetOptions = {},
): Budgets {
  const keys = new Map<string, { readonly gate: KeyGate; readonly queue: Queue }>();
  const sources = new Map<string, { readonly gate: Gate; readonly queue: Queue }>();
  const keyOf = (key: string) => {
    const known = keys.get(key);
    if (known !== undefined) return known;
    const opened = { gate: keyGate(clock, log.child({ budget: key }), reserve), queue: openQueue() };
    keys.set(key, opened);
    return opened;
  };
  const limit = (key: string, signal: AbortSignal): Promise<void> => {
    const { gate, queue } = keyOf(key);
    return pass(clock, queue, gate, signal);
  };
  const budget = (key: string, news: BudgetNews): void => keyOf(key).gate.take(news);
  return {
    limit,
    budget,
    of(source, rateLimit) {
      if (rateLimit === undefined) return { limit, budget };
      const own = sources.get(source) ?? { gate: rateGate(clock, rateLimit), queue: openQueue() };
      sources.set(source, own);
      return {
        budget,
        async limit(key, signal) {
          await pass(clock, own.queue, own.gate, signal);
          await limit(key, signal);
        },
      };
    },
  };
}
