/** Wakes whoever waits for something to have changed; a ring that nobody waits for is forgotten. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
}

/** A silent bell. */
export function createBell(): Bell {
  const waiting = new Set<() => void>();
  return {
    ring() {
      const woken = [...waiting];
      waiting.clear();
      for (const wake of woken) wake();
    },
    wait: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const wake = (): void => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      }),
  };
}
