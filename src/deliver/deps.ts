import type { Durations } from '../base/histogram.ts';
import type { Log } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import type { Secrets } from '../base/secrets.ts';
import type { Mapper } from '../event/event.ts';
import type { Journal } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';

/** What a loop is handed from outside the room. */
export interface DeliverDeps {
  readonly journal: Journal;
  readonly seams: Seams;
  /** Bound to the sink's name. */
  readonly log: Log;
  readonly secrets: Secrets;
  /** Where what is measured goes. */
  readonly durations?: Durations;
  /** Opens the sink with freshly read secrets and certificates. */
  openSink(): Promise<Sink>;
  /** The mapper of the connector that the named source has loaded, else of a loaded one of that name, else of the stored version; asked for each page. */
  mapperFor(connector: { readonly name: string; readonly hash: string }, source: string): Promise<Mapper>;
}
