import { isObject, type Json } from '../../base/json.ts';
import { dayMs, hourMs, minuteMs } from '../../base/quantity.ts';

interface Bucket {
  readonly start: number;
  readonly width: number;
  count: number;
}

const widthFor = (age: number): number => (age <= 6 * hourMs ? minuteMs : age <= 8 * dayMs ? hourMs : dayMs);

function isEntry(value: unknown): value is [number, number, number] {
  return Array.isArray(value) && value.length === 3 && value.every((item) => Number.isFinite(item));
}

/**
 * How many requests a source made when: bounds how many self-made records may be left out of a window. By minute for six hours, then by
 * hour for eight days, then by day for 100: a few hundred numbers however often it polls. Times are milliseconds on the vendor's clock.
 */
export class OwnRequests {
  #buckets = new Map<string, Bucket>();
  #newest = Number.NEGATIVE_INFINITY;
  #compactedAt = Number.NEGATIVE_INFINITY;

  add(time: number, count: number): void {
    this.#add(time, minuteMs, count);
  }

  /** Requests between two times, both inclusive, widened to whole buckets. */
  count(from: number, to: number): number {
    let sum = 0;
    for (const { start, width, count } of this.#buckets.values()) if (start <= to && start + width > from) sum += count;
    return sum;
  }

  toJson(): Json {
    return { requests: [...this.#buckets.values()].map(({ start, width, count }) => [start, width, count]) };
  }

  /** Adds what an earlier process wrote with `toJson`; anything else is ignored. */
  load(value: Json): void {
    const entries = isObject(value) && Array.isArray(value['requests']) ? value['requests'] : [];
    for (const entry of entries) if (isEntry(entry)) this.#add(entry[0], entry[1], entry[2]);
  }

  #add(time: number, width: number, count: number): void {
    if (count <= 0) return;
    this.#put(time, width, count);
    this.#newest = Math.max(this.#newest, time);
    if (this.#newest - this.#compactedAt > hourMs) this.#compact();
  }

  #put(time: number, width: number, count: number): void {
    const start = Math.floor(time / width) * width;
    const key = `${width}:${start}`;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, { start, width, count });
    else bucket.count += count;
  }

  #compact(): void {
    const old = this.#buckets;
    this.#buckets = new Map();
    for (const { start, width, count } of old.values()) {
      const age = this.#newest - start;
      if (age <= 100 * dayMs) this.#put(start, Math.max(width, widthFor(age)), count);
    }
    this.#compactedAt = this.#newest;
  }
}
