// What this process keeps in mind of the records that it committed, for the status and the warnings.
import { dayMs } from '../base/quantity.ts';
import type { RecordFacts } from '../connectors/connector.ts';
import { addCounts, type SourceTotals } from '../journal/counts.ts';
import type { SourceContext } from './context.ts';
import { sharedIds } from './shared-ids.ts';

/** What a record is labelled with whose detail cannot be had. */
export const withoutDetail = 'without_detail';

/** What was committed at once. */
interface Committed {
  readonly counts: SourceTotals;
  /** All records but those that a filter took out. */
  readonly kept: readonly RecordFacts[];
  /** The new ones. */
  readonly fresh: readonly RecordFacts[];
  /** Of the newest one. */
  readonly maxTime: number;
  readonly received: number;
}

const isUntimed = ({ time, hasUnreadableTime, unreadable }: RecordFacts): boolean =>
  time === undefined && hasUnreadableTime !== true && unreadable === undefined;

/** Adds what was committed to what the process knows of its source. */
export function remember(
  { counts: all, memory, seams }: SourceContext,
  { counts, kept, fresh, maxTime, received }: Committed,
): void {
  addCounts(all, counts);
  memory.known += counts.duplicate;
  if (counts.new === 0) return;
  memory.lastEvent = seams.clock.monotonic();
  memory.newestTime = Math.max(memory.newestTime ?? maxTime, maxTime);
  memory.withoutDetail += fresh.filter(({ labels }) => labels?.includes(withoutDetail) === true).length;
  memory.fresh += counts.new;
  memory.unreadable += counts.unreadable;
  memory.unreadableTimes += fresh.filter(({ hasUnreadableTime }) => hasUnreadableTime === true).length;
  memory.untimed += fresh.filter(isUntimed).length;
  if (counts.new < kept.length || counts.id_conflict > 0) memory.sharedIds += sharedIds(fresh, kept);
  memory.ahead += fresh.filter(({ time }) => time !== undefined && time > received + dayMs).length;
}
