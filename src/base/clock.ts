/** Time as a parameter: rooms receive a clock and never ask the machine. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. May step in either direction. */
  now(): number;
  /** Milliseconds that only grow; for intervals, deadlines and ages. */
  monotonic(): number;
  /** Calls back once, when `monotonic` has grown by `ms` at least; disposing cancels. */
  timer(ms: number, callback: () => void): Disposable;
}

// setTimeout fires at once beyond 2^31-1 ms.
const longestTimerMs = 2_147_483_647;

/** The machine's clock. Its timers do not keep the process alive when `unref` is set. */
export function systemClock({ unref = false }: { unref?: boolean } = {}): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    timer(ms, callback) {
      const due = performance.now() + ms;
      let handle: NodeJS.Timeout;
      // setTimeout fires up to a millisecond early; whoever compares with `monotonic` would then wait for a second call that never comes.
      const arm = (): void => {
        const leftMs = Math.max(0, Math.ceil(due - performance.now()));
        handle = setTimeout(() => (performance.now() < due ? arm() : callback()), Math.min(leftMs, longestTimerMs));
        if (unref) handle.unref();
      };
      arm();
      return { [Symbol.dispose]: () => clearTimeout(handle) };
    },
  };
}

/** Milliseconds since the epoch as the wall clock says now, and grown steadily since, whatever steps that makes. */
export function steadyTime(clock: Clock): () => number {
  const shift = clock.now() - clock.monotonic();
  return () => shift + clock.monotonic();
}

/** Waits `ms` milliseconds; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer[Symbol.dispose]();
      reject(signal?.reason as Error);
    };
    const timer = clock.timer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

interface Deadline extends Disposable {
  /** Aborts when the parent aborts or the time is over. */
  readonly signal: AbortSignal;
  /** True once the time was over before it was disposed. */
  readonly expired: boolean;
}

/** A signal that aborts after `ms` or with its parent; dispose it when the work is done. */
export function deadline(clock: Clock, ms: number, parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  let expired = false;
  const onParent = (): void => controller.abort(parent?.reason);
  const timer = clock.timer(ms, () => {
    expired = true;
    controller.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError'));
  });
  if (parent?.aborted === true) onParent();
  else parent?.addEventListener('abort', onParent, { once: true });
  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
      parent?.removeEventListener('abort', onParent);
    },
  };
}
