import type { Clock } from './clock.ts';

/** Wakes everybody who waits for something to have changed; a `notify` that nobody waits for is forgotten. */
export class Signal {
  readonly #waiting = new Set<() => void>();

  /** True while somebody waits. */
  get isAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  notify(): void {
    // Whoever waits again while the others are woken waits for the next one.
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Resolves at the next `notify` or when `abort` aborts. */
  wait(abort: AbortSignal): Promise<void> {
    return new Promise((resolve) => this.#add(resolve, abort));
  }

  /** As {@link wait}, and no longer than `ms` milliseconds. */
  async waitAtMost(clock: Clock, ms: number, abort: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = this.#add(resolve, abort);
    using _timer = clock.timer(ms, wake);
    await promise;
  }

  #add(resolve: () => void, abort: AbortSignal): () => void {
    const wake = (): void => {
      this.#waiting.delete(wake);
      abort.removeEventListener('abort', wake);
      resolve();
    };
    if (abort.aborted) {
      resolve();
      return wake;
    }
    this.#waiting.add(wake);
    abort.addEventListener('abort', wake, { once: true });
    return wake;
  }
}
