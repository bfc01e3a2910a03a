import type { Json } from '../../base/json.ts';

export interface SinkRegistration {
  readonly name: string;
  readonly type: string;
  /** `now`, `oldest`, or milliseconds since the epoch; decides only when the sink is new. */
  readonly start: 'now' | 'oldest' | number;
  /** A sink that may skip pins no space. */
  readonly whenFull: 'wait' | 'skip';
}

export interface SourceRegistration {
  readonly name: string;
  readonly connector: string;
  readonly identity: Readonly<Record<string, string>>;
  /** How long ids are remembered after their day was last touched, milliseconds. */
  readonly seenTtlMs: number;
  /** The part of it that never gives way under pressure: overlap and sweep. */
  readonly seenPinnedMs: number;
}

export interface RegistrationReport {
  /** Sinks that appeared, with the records that they are to deliver. */
  readonly newSinks: readonly { readonly name: string; readonly pending: number }[];
  /** In the journal, but not registered. */
  readonly orphanSinks: readonly { readonly name: string; readonly pending: number }[];
  readonly orphanSources: readonly string[];
  /** Sources whose stored identity differs: name, then what was and what is. */
  readonly changedSources: readonly {
    readonly name: string;
    readonly was: Readonly<Record<string, string>>;
    readonly is: Readonly<Record<string, string>>;
  }[];
}

/** The names that the journal keeps state for. */
export interface Registration {
  /** Replaces what the journal knows as configured. Sinks that are new get their starting offsets durably. */
  register(sources: readonly SourceRegistration[], sinks: readonly SinkRegistration[]): Promise<RegistrationReport>;
  renameSource(from: string, to: string): Promise<void>;
  renameSink(from: string, to: string): Promise<void>;
  /** Deletes a sink's state; what it had pending counts as abandoned. */
  forgetSink(name: string): Promise<void>;
  /** Gives a source a new identity and a live checkpoint; ids stay known. */
  resetSource(name: string, checkpoint: Json): Promise<void>;
}
