import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../../base/clock.ts';
import { Signal } from '../../../base/signal.ts';
import { pragma } from './database.ts';

/** How often a wait looks whether another process wrote, milliseconds. */
const pollMs = 1000;

/**
 * Wakes who waits for the journal to have changed, by this process or another. A `notify` shortly before a wait began wakes it at its first
 * look, so that nothing is slept through by a caller that looked, was interrupted, and only then began to wait.
 */
export class Changes {
  readonly #db: DatabaseSync;
  readonly #clock: Clock;
  readonly #signal = new Signal();
  #timer: Disposable | undefined;
  #notified = 0;
  #notifiedAtLastLook = 0;
  #dataVersion: unknown;

  constructor(db: DatabaseSync, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#dataVersion = pragma(db, 'data_version');
  }

  /** Call it after a commit that may have brought something to read. */
  notify(): void {
    this.#notified++;
    this.#wakeAll();
  }

  /** Resolves at the next `notify`, when another process wrote, or when `abort` aborts. */
  wait(abort: AbortSignal): Promise<void> {
    this.#timer ??= this.#clock.timer(pollMs, () => this.#look());
    return this.#signal.wait(abort);
  }

  close(): void {
    this.#wakeAll();
  }

  #wakeAll(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#signal.notify();
  }

  #look(): void {
    this.#timer = undefined;
    const version = pragma(this.#db, 'data_version');
    const changed = version !== this.#dataVersion || this.#notified !== this.#notifiedAtLastLook;
    this.#dataVersion = version;
    this.#notifiedAtLastLook = this.#notified;
    if (changed) this.#wakeAll();
    else if (this.#signal.isAwaited) this.#timer = this.#clock.timer(pollMs, () => this.#look());
  }
}
