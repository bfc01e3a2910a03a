import type { SourceSettings } from '../connectors/source-settings.ts';
import { openContext, type SourceContext } from './context.ts';
import { CursorKind } from './cursor/poll.ts';
import { FilesKind } from './files/poll.ts';
import type { Kind } from './kind.ts';
import { PollLoop } from './loop.ts';
import type { SourceEnvironment, SourceLoop } from './source.ts';
import { StreamKind } from './stream/poll.ts';
import { WindowKind } from './windows/poll.ts';

export { Budgets } from './budgets.ts';
export { checkpointAt } from './checkpoint.ts';
export { CursorSteps } from './cursor/step.ts';
export { importCsvFiles } from './files/import.ts';
export { idMemoryMs, pinnedIdMemoryMs } from './memory/ids.ts';
export { describeShortfalls, parseShortfalls, type Shortfall, shortfallsNote } from './memory/shortfalls.ts';
export { forgetMemory, SourceMemory } from './memory/source-memory.ts';
export {
  parseUnknownCounts,
  unknownActionsNote,
  unknownSampleNote,
} from './memory/unknown-actions.ts';
export { refusedFiles, refusedRange } from './older-records.ts';
export { isSameRecord, sharedIds } from './shared-ids.ts';
export { type ComparedRecord, compareRange } from './windows/compare.ts';
export { pages } from './windows/pages.ts';
export { runRange } from './windows/range.ts';

/** Makes the loop of a source, by the kind of its connector; it polls after `start()`. */
export function startSource(settings: SourceSettings, environment: SourceEnvironment): SourceLoop {
  const context = openContext(settings, environment);
  return new PollLoop(context, kindOf(context));
}

function kindOf(context: SourceContext): Kind {
  const { kind } = context.settings.connector;
  if (kind === 'http_window') return new WindowKind(context);
  if (kind === 'http_cursor') return new CursorKind(context);
  return kind === 'csv_directory' ? new FilesKind(context) : new StreamKind(context);
}
