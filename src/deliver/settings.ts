import type { Log } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import type { Secrets } from '../base/secrets.ts';
import type { Mapper } from '../event/event.ts';
import type { HoldNote, Journal } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';

export interface DeliverDeps {
  readonly journal: Journal;
  readonly seams: Seams;
  /** Bound to the sink's name. */
  readonly log: Log;
  readonly secrets: Secrets;
  /** Opens the sink with freshly read secrets and certificates. */
  openSink(): Promise<Sink>;
  /** The mapper of the connector that the named source has loaded, else of a loaded one of that name, else of the stored version. */
  mapperFor(connector: { readonly name: string; readonly hash: string }, source: string): Promise<Mapper>;
  /** Told for every page which actions no row knows, once per (source, table, action) with how many of its events; 1,000 names at most, then `(others)`. */
  onUnknownAction?(news: UnknownAction): void;
}

export interface UnknownAction {
  readonly source: string;
  readonly table: string;
  readonly action: string;
  /** Events of the page. */
  readonly count?: number;
}

/** How a sink is doing; field names are stable, they are what `status --json` prints. Times are milliseconds since the epoch. */
export interface SinkStatus {
  readonly name: string;
  readonly type: string;
  readonly state: 'starting' | 'idle' | 'delivering' | 'retrying' | 'hold' | 'disabled' | 'stopped';
  readonly hold?: HoldNote;
  readonly lag_seconds: number;
  readonly pending: number;
  readonly in_flight: number;
  readonly last_acknowledged?: number;
  readonly last_error?: { readonly at: number; readonly kind: string; readonly reason: string };
  readonly dead_letters: number;
  readonly acknowledged: number;
  readonly unconfirmed: number;
  readonly map_failed: number;
  readonly unknown_actions: Readonly<Record<string, number>>;
  /** Events mapped since the start, by OCSF class name. */
  readonly classes?: Readonly<Record<string, number>>;
  readonly endpoints: readonly { readonly endpoint: string; readonly backing_off_until?: number; readonly failures: number }[];
  readonly warnings: readonly string[];
}

/** A running sink loop. */
export interface SinkLoop extends AsyncDisposable {
  readonly name: string;
  status(): SinkStatus;
  /** Ends a hold by hand: probes at once. */
  release(): void;
  start(): void;
  /** Resolves true when nothing is pending in any lane, false when the signal aborts first. Flushes the sink. */
  drained(signal: AbortSignal): Promise<boolean>;
  /** Stops reading, gives requests in flight `graceMs`, settles what was answered. */
  stop(graceMs: number): Promise<void>;
}
