import type { Ownership, OwnershipListener } from '../../src/journal/journal.ts';

/** Ownership that a test hands out and takes away. */
export interface HandOver {
  readonly ownership: Ownership;
  readonly gain: (...sources: string[]) => void;
  readonly lose: (...sources: string[]) => void;
  /** Begins to give sources back; resolves when nothing of them is under way, and all that is taken of them is settled. */
  readonly release: (...sources: string[]) => Promise<void>;
  /** The time for that is over. */
  readonly stopWaiting: () => void;
}

export function handOver(): HandOver {
  const owned = new Set<string>();
  const ending = new Set<string>();
  const listeners = new Set<OwnershipListener>();
  const waiting = new AbortController();
  return {
    stopWaiting: () => waiting.abort(),
    ownership: {
      owns: (source) => owned.has(source),
      mayFinish: (source) => owned.has(source) || ending.has(source),
      watch(listener) {
        listeners.add(listener);
        return { [Symbol.dispose]: () => void listeners.delete(listener) };
      },
      leave: () => Promise.resolve(),
      replicas: () => Promise.resolve([]),
      report: () => Promise.resolve(),
    },
    gain(...sources) {
      for (const source of sources) owned.add(source);
      for (const listener of listeners) listener.gained(sources);
    },
    lose(...sources) {
      for (const source of sources) owned.delete(source);
      for (const listener of listeners) listener.lost(sources);
    },
    async release(...sources) {
      for (const source of sources) {
        owned.delete(source);
        ending.add(source);
      }
      await Promise.all([...listeners].map((listener) => listener.releasing?.(sources, waiting.signal) ?? Promise.resolve()));
      for (const source of sources) ending.delete(source);
      for (const listener of listeners) listener.lost(sources);
    },
  };
}
