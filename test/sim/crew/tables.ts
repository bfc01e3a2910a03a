// What the parts of the model of the database have in common: statements by what is special in them, and who is told what became durable.
import type { Commit, Lane } from '../../../src/journal/journal.ts';
import type { settle } from '../../journal/memory/delivery.ts';
import type { MemoryDisk } from '../../journal/memory/disk.ts';

/** What a settle says that its statements only repeat. */
export type Settlement = Parameters<typeof settle>[1];

/** What a replica is about to have stored: statements carry its columns, the model takes it whole. */
export interface Offered {
  commit(source: string): Commit | undefined;
  settlement(sink: string, lane: Lane): Settlement | undefined;
}

/** Who asks: a process, with what it offers in the moment in which it asks. */
export interface Asker {
  readonly process: number;
  /** What its wall clock said when it asked, milliseconds. */
  readonly wall: number;
  readonly offered: Offered;
}

/** Told of everything that becomes durable, in the moment in which it does. */
export interface Auditor {
  onJoined(member: string, process: number): void;
  onHeard(process: number): void;
  onOwner(source: string, owner: string | null): void;
  onStored(process: number, owner: string | null, commit: Commit, before: number): void;
  onSettled(process: number, owner: string | null, settlement: Settlement, from: number): void;
  /** A page that ended at a position of its lane. */
  onDeleted(lane: Pick<Lane, 'kind' | 'source'>, last: number): void;
  onPassed(sink: string, source: string, as: 'skipped' | 'abandoned'): void;
  problem(text: string): void;
}

export type Values = readonly unknown[];
export type Row = Readonly<Record<string, unknown>>;
export type Handler = (values: Values, text: string, asker: Asker) => readonly Row[];
/** By what stands in no statement before it. */
export type Statement = readonly [mark: string, handler: Handler];

/** What the tables of one concern need of the others. */
export interface Shared {
  readonly disk: MemoryDisk;
  readonly auditor: Auditor;
  now(): number;
  isAlive(member: string | null): boolean;
  ownerOf(source: string): string | null;
  sources(): readonly { readonly id: number; readonly source: string }[];
  sourceOf(id: unknown): string;
  sinkOf(id: unknown): string;
  sinkId(name: string): number;
  /** False where there is one already. */
  addUnit(source: string): boolean;
  /** Whether members are configured with it: those that live, and those that are missing where the text of a statement counts them. */
  isNamed(kind: 'source' | 'sink', name: string, text: string): boolean;
  /** True while a replica of that name does. */
  lives(replica: string): boolean;
  isDone(key: string, attempt: unknown): boolean;
  noteAttempt(key: string, attempt: unknown): void;
}

/** What stands in a statement in a place: the value of the parameter that the pattern captures. */
export function valueIn(text: string, values: Values, pattern: RegExp): unknown {
  const number = pattern.exec(text)?.[1];
  return number === undefined ? undefined : values[Number(number) - 1];
}

/** As many rows were written. */
export const done = (count: number): Row[] => Array.from({ length: count }, () => ({}));
/** By their numbers. */
export const kinds = ['live', 'backfill'] as const;
