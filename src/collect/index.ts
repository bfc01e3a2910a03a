import { PenstockError } from '../base/errors.ts';
import type { Reader } from '../connectors/connector.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import { openContext, type SourceContext } from './context.ts';
import { FilesKind } from './files/poll.ts';
import type { Kind, Poll } from './kind.ts';
import { PollLoop } from './loop.ts';
import type { SourceEnvironment, SourceLoop } from './source.ts';
import { StreamKind } from './stream/poll.ts';
import { WindowKind } from './windows/poll.ts';

export { type BudgetOptions, type Budgets, createBudgets, plainQueue, type RateLimit, type SourceBudget } from './budgets.ts';
export { checkpointAt } from './checkpoint.ts';
export { type ImportOptions, type ImportProgress, importCsvFiles } from './files/import.ts';
export { idMemoryMs, pinnedIdMemoryMs } from './memory/ids.ts';
export { SourceMemory } from './memory/source-memory.ts';
export {
  parseUnknownCounts,
  type UnknownAction,
  unknownActionsNote,
  unknownSampleNote,
} from './memory/unknown-actions.ts';
export { type ComparedRecord, type Coverage, compareRange } from './windows/compare.ts';
export { pages } from './windows/pages.ts';
export { type RangeOptions, runRange } from './windows/range.ts';

/** Makes the loop of a source, by the kind of its connector; it polls after `start()`. */
export function startSource(settings: SourceSettings, environment: SourceEnvironment): SourceLoop {
  const context = openContext(settings, environment);
  return new PollLoop(context, kindOf(context));
}

function kindOf(context: SourceContext): Kind {
  const { kind } = context.settings.connector;
  if (kind === 'http_window') return checked(kind, new WindowKind(context));
  return kind === 'csv_directory' ? checked(kind, new FilesKind(context)) : checked(kind, new StreamKind(context));
}

/** The kind, for readers of any: the connector's own reader is always of its kind. */
function checked<K extends Reader['kind']>(name: K, kind: Kind<Extract<Reader, { kind: K }>>): Kind {
  const isOurs = (reader: Reader): reader is Extract<Reader, { kind: K }> => reader.kind === name;
  return {
    hasWindows: kind.hasWindows,
    poll(reader: Reader, poll: Poll) {
      if (isOurs(reader)) return kind.poll(reader, poll);
      throw new PenstockError('PEN_INTERNAL', `a reader of kind ${reader.kind} came where ${name} was due`);
    },
    details: () => kind.details(),
    warnings: () => kind.warnings(),
  };
}
