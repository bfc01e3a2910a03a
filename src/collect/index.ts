import { PenstockError } from '../base/errors.ts';
import type { Reader } from '../connectors/connector.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import { openContext, type SourceContext } from './context.ts';
import { directoryKind } from './files/poll.ts';
import { type KindLoop, PollLoop } from './loop.ts';
import type { CollectDeps, SourceLoop } from './source.ts';
import { streamKind } from './stream/poll.ts';
import { windowKind } from './windows/poll.ts';

export {
  type BudgetOptions,
  type Budgets,
  createBudgets,
  plainQueue,
  type Queue,
  type RateLimit,
  type SourceBudget,
} from './budgets.ts';
export { checkpointAt } from './checkpoint.ts';
export { type ImportOptions, type ImportProgress, importCsvFiles } from './files/import.ts';
export { idMemoryMs, pinnedIdMemoryMs } from './memory/ids.ts';
export {
  parseUnknownCounts,
  type UnknownAction,
  unknownActionsNote,
  unknownSampleNote,
} from './memory/unknown-actions.ts';
export { type ComparedRecord, type Coverage, compareRange } from './windows/compare.ts';
export { createWalkGuard, type WalkGuard } from './windows/guard.ts';
export { type RangeOptions, runRange } from './windows/range.ts';

/** Makes the loop of a source, by the kind of its connector; it polls after `start()`. */
export function startSource(settings: SourceSettings, deps: CollectDeps): SourceLoop {
  const c = openContext(settings, deps);
  return new PollLoop(c, kindLoop(c));
}

function kindLoop(c: SourceContext): KindLoop {
  const { kind } = c.settings.connector;
  if (kind === 'http_window') return checked(kind, windowKind(c));
  return kind === 'csv_directory' ? checked(kind, directoryKind(c)) : checked(kind, streamKind(c));
}

function checked<K extends Reader['kind']>(kind: K, loop: KindLoop<Extract<Reader, { kind: K }>>): KindLoop {
  const isKind = (reader: Reader): reader is Extract<Reader, { kind: K }> => reader.kind === kind;
  return {
    ...loop,
    poll(reader, session) {
      if (isKind(reader)) return loop.poll(reader, session);
      throw new PenstockError('PEN_INTERNAL', `a reader of kind ${reader.kind} came where ${kind} was due`);
    },
  };
}
