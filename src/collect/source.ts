import type { Log } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import type { Secrets } from '../base/secrets.ts';
import type { Semaphore } from '../base/semaphore.ts';
import type { Waits } from '../base/waits.ts';
import type { Reader } from '../connectors/connector.ts';
import type { HoldNote, Journal } from '../journal/journal.ts';
import type { UnknownSummary } from './memory/unknown-actions.ts';

/** What a source works with. */
export interface SourceEnvironment {
  readonly journal: Journal;
  readonly seams: Seams;
  /** Bound to the source's name. */
  readonly log: Log;
  /** Opens a reader with freshly read secrets; called at start and before every probe of a hold. */
  openReader(): Promise<Reader>;
  /** Opens the reader of a directory source over another directory, for imports. */
  readonly openDirectory?: (directory: string) => Promise<Reader>;
  /** What our requests are called in the vendor's log. */
  readonly userAgent: string;
  /** What no record may show; nothing when absent. */
  readonly secrets?: Pick<Secrets, 'scrubValues'>;
  /** How long the next request has to wait for the vendor's limit or `rate_limit`, milliseconds; 0 while none waits. */
  readonly pauseMs?: () => number;
  /** What its requests wait for just now. */
  readonly waits?: Waits;
  /** The first poll comes within so many milliseconds of the start, at random; default 400. More spreads hundreds of sources. */
  readonly startJitterMs?: number;
  /** Turns at a first poll, where many sources begin at once. */
  readonly beginnings?: Semaphore;
}

/** How a source is doing; field names are stable, they are what `status --json` prints. Times are milliseconds since the epoch. */
export interface SourceStatus {
  readonly name: string;
  readonly connector: string;
  readonly state: 'starting' | 'idle' | 'polling' | 'waiting_for_room' | 'hold' | 'failing' | 'disabled' | 'stopped';
  readonly hold?: HoldNote;
  /** End of the last complete window, or newest committed record for streams and files. */
  readonly cursor?: number;
  readonly cursor_age_seconds?: number;
  readonly retention_seconds?: number;
  readonly last_poll?: number;
  /** When the poll that runs began; absent while none does, and for streams. */
  readonly polling_since?: number;
  /** What a request waits for that takes longer than usual, since when, and why it is tried again. */
  readonly waits_for?: { readonly what: string; readonly since: number; readonly after?: string };
  readonly last_success?: number;
  readonly last_event?: number;
  readonly next_poll?: number;
  readonly last_error?: { readonly at: number; readonly code: string; readonly message: string; readonly fix?: string };
  readonly consecutive_failures: number;
  /** The vendor's clock minus ours, milliseconds. */
  readonly clock_skew_ms?: number;
  readonly records: {
    readonly fetched: number;
    readonly new: number;
    readonly duplicate: number;
    readonly excluded: number;
    readonly unreadable: number;
  };
  /** Actions that no row of the table knows; absent where there are none. */
  readonly unknown_actions?: UnknownSummary;
  /** What a person should look at, one sentence each. */
  readonly warnings: readonly string[];
  /** Those of the warnings that are errors: something is lost, or will be, unless a person acts. */
  readonly errors?: readonly string[];
  /** More for particular kinds: open topics, skipped files, lateness and suggested overlap. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A running source. Disposing stops it after the request in flight. */
export interface SourceLoop extends AsyncDisposable {
  readonly name: string;
  status(): SourceStatus;
  /** Ends a hold by hand and polls at once. */
  release(): void;
  /** For `run --once`: one poll until caught up; rejects with what stopped it. Only on a loop that was not started. */
  pollOnce(signal: AbortSignal): Promise<void>;
  /** Begins the schedule. */
  start(): void;
}

/** A range that a job collects; event times in milliseconds, both inclusive. */
export interface RangeJob {
  readonly job: number;
  readonly from: number;
  readonly to: number;
}

export interface RangeProgress {
  /** Event time walked through so far, milliseconds. */
  readonly at: number;
  readonly fetched: number;
  readonly new: number;
  readonly duplicate: number;
}
