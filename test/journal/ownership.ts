import type { Ownership, OwnershipListener } from '../../src/journal/journal.ts';

/** Ownership that a test hands out and takes away. */
export interface HandOver {
  readonly ownership: Ownership;
  readonly gain: (...sources: string[]) => void;
  readonly lose: (...sources: string[]) => void;
  /** Begins to give sources back; resolves when nothing of them is under way. */
  readonly release: (...sources: string[]) => Promise<void>;
}

export function handOver(): HandOver {
  const owned = new Set<string>();
  const listeners = new Set<OwnershipListener>();
  return {
    ownership: {
      owns: (source) => owned.has(source),
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
      for (const source of sources) owned.delete(source);
      const { signal } = new AbortController();
      await Promise.all([...listeners].map((listener) => listener.releasing?.(sources, signal) ?? Promise.resolve()));
      for (const listener of listeners) listener.lost(sources);
    },
  };
}
