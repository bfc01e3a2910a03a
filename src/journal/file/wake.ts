import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../base/clock.ts';
import { pragma } from './database.ts';

/** Tells those who wait that something may have changed. */
export interface Wake {
  /** Called after a commit that may have brought something to read. */
  bell(): void;
  /** Resolves at the next bell, when another process wrote, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** How often a wait looks whether another process wrote, milliseconds. */
const pollMs = 1000;

/**
 * Opens the bell of a database. A bell that rang shortly before a wait began wakes it at its first look, so that nothing is slept
 * through by a caller that looked, was interrupted, and only then began to wait.
 */
export function openWake(db: DatabaseSync, clock: Clock): Wake {
  const waiters = new Set<() => void>();
  let timer: Disposable | undefined;
  let rung = 0;
  let rungAtLastLook = 0;
  let dataVersion = pragma(db, 'data_version');

  function wakeAll(): void {
    timer?.[Symbol.dispose]();
    timer = undefined;
    for (const wake of waiters) wake();
  }
  function look(): void {
    timer = undefined;
    const version = pragma(db, 'data_version');
    const changed = version !== dataVersion || rung !== rungAtLastLook;
    dataVersion = version;
    rungAtLastLook = rung;
    if (changed) wakeAll();
    else if (waiters.size > 0) timer = clock.timer(pollMs, look);
  }
  return {
    bell() {
      rung++;
      wakeAll();
    },
    wait(signal) {
      timer ??= clock.timer(pollMs, look);
      return waitAmong(waiters, signal);
    },
    close: wakeAll,
  };
}

function waitAmong(waiters: Set<() => void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = (): void => {
      waiters.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    waiters.add(wake);
    signal.addEventListener('abort', wake, { once: true });
  });
}
