import { isObject, type Json } from '../../base/json.ts';

const minuteMs = 60_000;
/** Upper bounds of the histogram's buckets, milliseconds; the last bucket is open. */
const bounds = [minuteMs, 5 * minuteMs, 15 * minuteMs, 60 * minuteMs, 6 * 60 * minuteMs, 24 * 60 * minuteMs, 72 * 60 * minuteMs];
const names = ['1m', '5m', '15m', '1h', '6h', '24h', '72h', 'more'] as const;

/** How late records showed up that were not there when their window was first walked. */
export interface Lateness {
  /** Records that were there the first time. */
  onTime(count: number): void;
  /** One record that was late by so many milliseconds (receipt minus its own time). */
  late(ms: number): void;
  /** Suggests an overlap that would have caught every late record: a bucket's bound, milliseconds; undefined when `overlapMs` does, or none would. */
  suggestedOverlapMs(overlapMs: number): number | undefined;
  /** `{ on_time, late: {'1m': n, ...}, latest_ms }`; undefined while nothing was late. */
  report(): Readonly<Record<string, unknown>> | undefined;
  toJson(): Json;
  load(value: Json): void;
}

/** An empty histogram. */
export function createLateness(): Lateness {
  const counts: number[] = names.map(() => 0);
  let onTime = 0;
  let latest = 0;
  const toJson = (): Record<string, unknown> => ({
    on_time: onTime,
    late: Object.fromEntries(names.map((name, i) => [name, counts[i] ?? 0])),
    latest_ms: latest,
  });
  const bucketOf = (ms: number): number => {
    const index = bounds.findIndex((bound) => ms <= bound);
    return index === -1 ? bounds.length : index;
  };

  return {
    onTime(count) {
      onTime += count;
    },
    late(ms) {
      const index = bucketOf(ms);
      counts[index] = (counts[index] ?? 0) + 1;
      latest = Math.max(latest, ms);
    },
    suggestedOverlapMs(overlapMs) {
      const bound = bounds[bucketOf(latest)];
      return latest <= overlapMs || bound === undefined ? undefined : bound;
    },
    report: () => (latest === 0 ? undefined : toJson()),
    toJson,
    load(value) {
      if (!isObject(value) || !isObject(value['late'])) return;
      const late = value['late'];
      for (const [i, name] of names.entries()) counts[i] = (counts[i] ?? 0) + (Number(late[name]) || 0);
      onTime += Number(value['on_time']) || 0;
      latest = Math.max(latest, Number(value['latest_ms']) || 0);
    },
  };
}
