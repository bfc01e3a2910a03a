// Who collects and delivers what, where several processes share a journal.

/** Called with names of sources; the order says nothing. */
export interface OwnershipListener {
  /** From now on they are this process's: what it may have remembered of them from before is stale. */
  gained(sources: readonly string[]): void;
  /** They may be another's by now: work on them ends, what is under way is not written any more. */
  lost(sources: readonly string[]): void;
  /**
   * They are about to be given back: `owns` says no, but what is under way may still be written. Resolves when nothing is, or the signal
   * aborts; `lost` follows.
   */
  releasing?(sources: readonly string[], signal: AbortSignal): Promise<void>;
}

/** A process that shares the journal. Times are milliseconds since the epoch. */
export interface Replica {
  readonly name: string;
  readonly version: string;
  readonly since: number;
  /** How many sources it collects and delivers. */
  readonly sources: number;
  readonly lastSeen: number;
  /** Names of the sinks that it delivers to, and of those that are disabled in its configuration. */
  readonly sinks: readonly string[];
  readonly disabledSinks: readonly string[];
  /** It is the one that asks. */
  readonly isSelf: boolean;
  /** What it last said of itself, where that was asked for and it is another one that has said something. */
  readonly report?: unknown;
}

/** A process that shared the journal, was not heard of any more and did not leave in order; none came back under its name or in its place. */
export interface MissingReplica {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly lastSeen: number;
  /** Names of the sinks that it was configured with. */
  readonly sinks: readonly string[];
}

/**
 * Exactly one process owns a source at a time: it collects it and delivers its lanes. Writes of who does not own it are refused with
 * PEN_JOURNAL_FENCED, in the same transaction; `owns` is told from memory and keeps bytes from leaving.
 */
export interface Ownership {
  /** False as soon as another process may own the source, by a clock that only goes forward; then `lost` is called, if it was not yet. */
  owns(source: string): boolean;
  /** True also for a source that is about to be given back: what is under way of it may be ended, and nothing is begun. */
  mayFinish(source: string): boolean;
  watch(listener: OwnershipListener): Disposable;
  /** Gives back everything at once, in good order, and takes nothing any more. Loops have ended before. */
  leave(): Promise<void>;
  /** Who lives, this process among them, with what they said of themselves or without; undefined where the journal is one process's alone. */
  replicas(how?: { readonly reports: true }): Promise<readonly Replica[] | undefined>;
  /** Who is missing, for a day at most; absent where the journal is one process's alone. */
  missing?(): Promise<readonly MissingReplica[]>;
  /** True where a living process has it enabled; absent where the journal is one process's alone. */
  isNamed?(kind: 'source' | 'sink', name: string): Promise<boolean>;
  /** Leaves word of this process for the others; nothing where it is alone. */
  report(report: unknown): Promise<void>;
}

/** A journal that is one process's alone. */
export const ownsEverything: Ownership = {
  owns: () => true,
  mayFinish: () => true,
  watch: () => ({ [Symbol.dispose]: () => undefined }),
  leave: () => Promise.resolve(),
  replicas: () => Promise.resolve(undefined),
  report: () => Promise.resolve(),
};
