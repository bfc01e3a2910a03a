import type { Log } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import type { SourceEnvironment, SourceLoop } from '../collect/source.ts';
import type { SourceSettings } from '../connectors/source-settings.ts';
import type { DeliverDeps } from '../deliver/deps.ts';
import type { SinkLoop } from '../deliver/loop.ts';
import type { Journal } from '../journal/journal.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';

/** A configured source with what operations on it need. */
export interface RunningSource {
  readonly settings: SourceSettings;
  readonly deps: SourceEnvironment;
  readonly loop: SourceLoop;
}

/** A configured sink with its loop. */
export interface RunningSink {
  readonly settings: SinkSettings;
  readonly deps: DeliverDeps;
  readonly loop: SinkLoop;
}

/** What operations work on: the journal and the enabled sources and sinks of one configuration. */
export interface Runtime {
  readonly journal: Journal;
  readonly seams: Seams;
  readonly log: Log;
  readonly sources: ReadonlyMap<string, RunningSource>;
  readonly sinks: ReadonlyMap<string, RunningSink>;
}
