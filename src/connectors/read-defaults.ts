import type { EpochFormat } from './request-section.ts';

/** Windows, in milliseconds. What the connector proposes; a source's `window:` overrides. */
export interface ReadDefaults {
  readonly scheduleMs: number;
  readonly overlapMs: number;
  readonly settleMs: number;
  readonly maxMs: number;
  readonly minMs: number;
  /** Granularity of window bounds in milliseconds: 1000 for `s`, 1 for `ms` and `us`. */
  readonly precisionMs: number;
  /** The unit of window bounds that are numbers. */
  readonly epoch?: EpochFormat | undefined;
  /** How long the vendor keeps events; undefined when unknown. */
  readonly retentionMs: number | undefined;
  /** True when pages are proven to come in ascending time order, so that an offset walk may restart after the last committed time when it crashed. */
  readonly ascending: boolean;
  readonly maxPages: number;
  /** How far beside a window its records may lie, milliseconds: 0 by default, more where bounds are days, infinite for what files came up in it. */
  readonly strayMs?: number;
  /** Most records that the vendor returns for one window, over all pages; undefined when unlimited or unknown. */
  readonly cap?: number | undefined;
  /** Days that a duplicate's memory is kept beyond overlap, sweep and retention. */
  readonly seenDays: number;
}
