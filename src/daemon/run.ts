import { type Clock, deadline, systemClock } from '../base/clock.ts';
import { explain, PenstockError } from '../base/errors.ts';
import { collectWhenCalm } from '../base/heap.ts';
import type { Log } from '../base/log.ts';
import { Signal } from '../base/signal.ts';
import type { Daemon } from './daemon.ts';

/** The first SIGTERM or SIGINT aborts `stop`; the second one aborts `now`, and whoever waits gives up at once. */
interface Signals extends Disposable {
  readonly stop: AbortSignal;
  readonly now: AbortSignal;
}

// systemd and others send it to every process of a service, and who handed over to this one passes it on: that is one wish, told twice.
const sameWishMs = 1000;

/** Installs the signal handlers; nothing else in the process ends by them. */
export function catchSignals(log: Log, clock: Pick<Clock, 'monotonic'> = systemClock()): Signals {
  const stop = new AbortController();
  const now = new AbortController();
  let askedAt = Number.NEGATIVE_INFINITY;
  const onSignal = (signal: string): void => {
    if (clock.monotonic() - askedAt < sameWishMs) return;
    askedAt = clock.monotonic();
    if (stop.signal.aborted) now.abort();
    log.info({ signal }, stop.signal.aborted ? 'stopping at once' : 'stopping');
    stop.abort();
  };
  // Without somebody to hear it, it opens a debugger to everybody on this machine.
  const onDebug = (): void => log.warn('SIGUSR1 is ignored');
  const onRejection = (reason: unknown): void => log.error({ err: reason }, 'unhandled error; the daemon keeps running');
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('SIGUSR1', onDebug).on('unhandledRejection', onRejection);
  return {
    stop: stop.signal,
    now: now.signal,
    [Symbol.dispose]: () => {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('SIGUSR1', onDebug).off('unhandledRejection', onRejection);
    },
  };
}

/** Without it SIGHUP would end the process. What comes while nobody waits is kept, several at a time as one. */
export class HangUps implements Disposable {
  readonly #changed = new Signal();
  #isAsked = false;
  readonly #onSignal = (): void => {
    this.#isAsked = true;
    this.#changed.notify();
  };

  constructor() {
    process.on('SIGHUP', this.#onSignal);
  }

  /** Resolves true at the next SIGHUP, false when the signal aborts first. */
  async next(abort: AbortSignal): Promise<boolean> {
    while (!this.#isAsked && !abort.aborted) await this.#changed.wait(abort);
    const isAsked = this.#isAsked && !abort.aborted;
    this.#isAsked = false;
    return isAsked;
  }

  [Symbol.dispose](): void {
    process.off('SIGHUP', this.#onSignal);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function reloadAtEach(hangUps: HangUps, daemon: Daemon, stop: AbortSignal): Promise<void> {
  // A refusal is logged where it happens.
  while (await hangUps.next(stop)) await daemon.reload().catch(() => undefined);
}

async function stopped(daemon: Daemon, { now }: Signals): Promise<void> {
  const cutOff = (): void => daemon.cutOff();
  if (now.aborted) cutOff();
  now.addEventListener('abort', cutOff, { once: true });
  await Promise.race([daemon.stop(), aborted(now)]);
}

/**
 * Runs until a signal, and reloads at each SIGHUP. Calls `onStarted` once everything runs and answers. Resolves when everything is
 * checkpointed, or at the second signal.
 */
export async function runUntilStopped(
  daemon: Daemon,
  signals: Signals,
  hangUps?: HangUps,
  onStarted?: () => void,
): Promise<void> {
  await daemon.start();
  onStarted?.();
  using _collected = collectWhenCalm(daemon.runtime.seams.clock);
  if (hangUps !== undefined) void reloadAtEach(hangUps, daemon, signals.stop);
  await aborted(signals.stop);
  await stopped(daemon, signals);
}

export interface OnceReport {
  /** What stopped a source, by name. */
  readonly failed: Readonly<Record<string, string>>;
  /** Events that a sink did not take in time, by name. */
  readonly pending: Readonly<Record<string, number>>;
}

/** What is pending would never end while others collect. */
async function refuseBesideOthers({ runtime }: Daemon): Promise<void> {
  const others = ((await runtime.journal.ownership.replicas()) ?? []).filter(({ isSelf }) => !isSelf);
  if (others.length === 0) return;
  const names = others.map(({ name }) => name).join(', ');
  throw new PenstockError('PEN_JOURNAL_LOCKED', `replicas work on this journal (${names}); --once works on it alone`, {
    fix: 'stop them, or leave the work to them',
  });
}

/** Collects what is due, delivers all of it, and closes. Throws PEN_JOURNAL_LOCKED while other replicas live. */
export async function runOnce(daemon: Daemon, signals: Signals, timeoutMs: number): Promise<OnceReport> {
  await refuseBesideOthers(daemon);
  const { sources, sinks, seams } = daemon.runtime;
  using limit = deadline(seams.clock, timeoutMs, signals.stop);
  daemon.runtime.startSinks();
  const polls = [...sources.values()].map(async ({ loop }) => {
    try {
      await loop.pollOnce(limit.signal);
      return [];
    } catch (error) {
      return [[loop.name, limit.expired ? 'not finished in time' : explain(error)] as const];
    }
  });
  const failed = (await Promise.all(polls)).flat();
  const drains = [...sinks.values()].map(async ({ loop }) => {
    if (await loop.drained(limit.signal)) return [];
    return [[loop.name, loop.status().pending] as const];
  });
  const pending = (await Promise.all(drains)).flat();
  await stopped(daemon, signals);
  return { failed: Object.fromEntries(failed), pending: Object.fromEntries(pending) };
}
