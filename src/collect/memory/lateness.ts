import { isObject, type Json } from '../../base/json.ts';
import { minuteMs } from '../../base/quantity.ts';

/** Upper bounds of the histogram's buckets, milliseconds; the last bucket is open. */
const bounds = [minuteMs, 5 * minuteMs, 15 * minuteMs, 60 * minuteMs, 6 * 60 * minuteMs, 24 * 60 * minuteMs, 72 * 60 * minuteMs];
const names = ['1m', '5m', '15m', '1h', '6h', '24h', '72h', 'more'] as const;

function bucketOf(ms: number): number {
  const index = bounds.findIndex((bound) => ms <= bound);
  return index === -1 ? bounds.length : index;
}

/** A histogram of how late records showed up that were not there when their window was first read. */
export class Lateness {
  readonly #counts: number[] = names.map(() => 0);
  #onTime = 0;
  #latestMs = 0;

  /** Counts a record that was there the first time. */
  onTime(): void {
    this.#onTime += 1;
  }

  /** Counts a record that was late by so many milliseconds (receipt minus its own time). */
  late(ms: number): void {
    const index = bucketOf(ms);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#latestMs = Math.max(this.#latestMs, ms);
  }

  /** An overlap that would have caught every late record: a bucket's bound, milliseconds; undefined when `overlapMs` does, or none would. */
  suggestedOverlapMs(overlapMs: number): number | undefined {
    const bound = bounds[bucketOf(this.#latestMs)];
    return this.#latestMs <= overlapMs || bound === undefined ? undefined : bound;
  }

  /** `{ on_time, late: {'1m': n, ...}, latest_ms }`; undefined while nothing was late. */
  report(): Readonly<Record<string, unknown>> | undefined {
    if (this.#latestMs === 0) return undefined;
    const late = Object.fromEntries(names.map((name, i) => [name, this.#counts[i] ?? 0]));
    return { on_time: this.#onTime, late, latest_ms: this.#latestMs };
  }

  /** Adds what an earlier process wrote down as its report. */
  load(value: Json): void {
    if (!isObject(value) || !isObject(value['late'])) return;
    const late = value['late'];
    for (const [i, name] of names.entries()) this.#counts[i] = (this.#counts[i] ?? 0) + (Number(late[name]) || 0);
    this.#onTime += Number(value['on_time']) || 0;
    this.#latestMs = Math.max(this.#latestMs, Number(value['latest_ms']) || 0);
  }
}
