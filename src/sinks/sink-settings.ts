import type { ActionFilter } from '../event/action-key.ts';
import type { Format } from '../event/event.ts';
import type { Droppable } from '../event/index.ts';

/** How a sink is delivered to: durations in milliseconds, sizes in bytes. Holds no secret. */
export interface SinkSettings {
  readonly name: string;
  /** Name of the kind, `splunk_hec`. */
  readonly type: string;
  readonly format: Format;
  readonly includeRaw: boolean;
  readonly drop: readonly Droppable[];
  /** Names of the sources it takes; undefined: all. */
  readonly sources: readonly string[] | undefined;
  readonly filter: ActionFilter & {
    /** OCSF severity_id, inclusive. */
    readonly min_severity?: number;
  };
  readonly batch: { readonly events: number; readonly bytes: number; readonly waitMs: number };
  readonly inFlight: number;
  readonly timeoutMs: number;
  readonly backoffMaxMs: number;
  readonly holdProbeMs: number;
  readonly stalledAfterMs: number;
  readonly maxDeadLetters: number;
  readonly labels: readonly string[];
}
