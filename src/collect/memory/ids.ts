import { dayMs } from '../../base/quantity.ts';
import type { SourceSettings } from '../../connectors/source-settings.ts';

/** Assumed where nobody knows how long the vendor keeps events. */
const unknownRetentionMs = 90 * dayMs;

/** How long ids are remembered after their day was last touched, milliseconds: `seenTtlMs` of the source's registration. */
export function idMemoryMs({ window, sweep, retentionMs, connector }: SourceSettings): number {
  return window.overlapMs + (sweep?.backMs ?? 0) + (retentionMs ?? unknownRetentionMs) + connector.defaults.seenDays * dayMs;
}

/** The part of it that never gives way under pressure: `seenPinnedMs` of the source's registration. */
export function pinnedIdMemoryMs({ window, sweep }: SourceSettings): number {
  return window.overlapMs + (sweep?.backMs ?? 0);
}
