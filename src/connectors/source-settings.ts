import type { ActionFilter } from '../event/action-key.ts';
import type { Connector } from './connector.ts';

/** When a source polls. Exactly one of the two. */
export type Schedule = { readonly everyMs: number } | { readonly cron: string; readonly timezone: string };

/** How a source is read: durations in milliseconds, the connector's defaults applied. Holds no secret. */
export interface SourceSettings {
  readonly name: string;
  /** Compiled, with the source's own action rows applied. */
  readonly connector: Connector;
  /** Undefined when only the records know it. */
  readonly tenant: string | undefined;
  readonly identity: Readonly<Record<string, string>>;
  readonly schedule: Schedule;
  /** First run: how far back in milliseconds, an absolute time, or now. */
  readonly start: { readonly backMs: number } | { readonly at: number } | 'now';
  /** The connector's windows with the source's overrides. */
  readonly window: { readonly overlapMs: number; readonly settleMs: number; readonly maxMs: number; readonly minMs: number };
  readonly filter: ActionFilter;
  readonly selfEvents: 'exclude' | 'forward';
  readonly retentionMs: number | undefined;
  readonly expectEventsWithinMs: number | undefined;
  /** Milliseconds since the epoch. */
  readonly credentialExpires: number | undefined;
  readonly sweep: { readonly everyMs: number; readonly backMs: number } | undefined;
  readonly labels: readonly string[];
}
