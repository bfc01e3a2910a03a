import type { Reader } from '../connectors/connector.ts';
import type { Halt } from './context.ts';
import type { Due } from './schedule.ts';

/** What differs between the kinds of sources: windows, files, streams. */
export interface Kind<R extends Reader = Reader> {
  /** False where there is no window that could fall behind. */
  readonly hasWindows: boolean;
  poll(reader: R, poll: Poll): Promise<void>;
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
