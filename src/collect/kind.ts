import { PenstockError } from '../base/errors.ts';
import type { Reader } from '../connectors/connector.ts';
import type { Halt } from './context.ts';
import type { Due } from './schedule.ts';

/** What differs between the kinds of sources: windows, files, streams. */
export interface Kind {
  /** False where there is no window that could fall behind. */
  readonly hasWindows: boolean;
  /** True where one poll lasts as long as the loop. */
  readonly isEndless?: true;
  poll(reader: Reader, poll: Poll): Promise<void>;
  /** For the status. */
  details(): Readonly<Record<string, unknown>>;
  warnings(): readonly string[];
}

/** One poll. */
export interface Poll {
  readonly halt: Halt;
  /** True for `run --once`: the poll ends when nothing more comes, even where it would go on for ever. */
  readonly once: boolean;
  /** When the next one is due; what is optional then waits. */
  readonly next: Due;
}

/** The reader as one of the kind; a connector's own reader always is. */
export function readerOf<K extends Reader['kind']>(kind: K, reader: Reader): Extract<Reader, { kind: K }> {
  const isOne = (item: Reader): item is Extract<Reader, { kind: K }> => item.kind === kind;
  if (isOne(reader)) return reader;
  throw new PenstockError('PEN_INTERNAL', `a reader of kind ${reader.kind} came where ${kind} was due`);
}
