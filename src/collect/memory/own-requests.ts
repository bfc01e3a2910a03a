import { isObject, type Json } from '../../base/json.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;

/**
 * How many requests a source made when: bounds how many self-made records may be left out of a window. By minute for six hours, then by
 * hour for eight days, then by day for 100: a few hundred numbers however often it polls.
 */
export interface RequestLog {
  /** Adds `count` requests made at `time`, milliseconds on the vendor's clock. */
  add(time: number, count: number): void;
  /** Requests between two times, both inclusive, widened to whole buckets. */
  count(from: number, to: number): number;
  toJson(): Json;
  /** Adds what an earlier process wrote with `toJson`; anything else is ignored. */
  load(value: Json): void;
}

interface Bucket {
  readonly start: number;
  readonly width: number;
  count: number;
}

const widthFor = (age: number): number => (age <= 6 * hourMs ? minuteMs : age <= 8 * dayMs ? hourMs : dayMs);

function isEntry(value: unknown): value is [number, number, number] {
  return Array.isArray(value) && value.length === 3 && value.every((item) => Number.isFinite(item));
}

/** An empty log. */
export function createRequestLog(): RequestLog {
  let buckets = new Map<string, Bucket>();
  let newest = Number.NEGATIVE_INFINITY;
  let compactedAt = Number.NEGATIVE_INFINITY;

  const put = (time: number, width: number, count: number): void => {
    const start = Math.floor(time / width) * width;
    const key = `${width}:${start}`;
    const bucket = buckets.get(key);
    if (bucket === undefined) buckets.set(key, { start, width, count });
    else bucket.count += count;
  };

  const compact = (): void => {
    const old = buckets;
    buckets = new Map();
    for (const bucket of old.values()) {
      const age = newest - bucket.start;
      if (age <= 100 * dayMs) put(bucket.start, Math.max(bucket.width, widthFor(age)), bucket.count);
    }
    compactedAt = newest;
  };

  const add = (time: number, width: number, count: number): void => {
    if (count <= 0) return;
    put(time, width, count);
    newest = Math.max(newest, time);
    if (newest - compactedAt > hourMs) compact();
  };

  return {
    add: (time, count) => add(time, minuteMs, count),
    count(from, to) {
      let sum = 0;
      for (const bucket of buckets.values()) if (bucket.start <= to && bucket.start + bucket.width > from) sum += bucket.count;
      return sum;
    },
    toJson: () => ({ requests: [...buckets.values()].map(({ start, width, count }) => [start, width, count]) }),
    load(value) {
      const entries = isObject(value) && Array.isArray(value['requests']) ? value['requests'] : [];
      for (const entry of entries) if (isEntry(entry)) add(entry[0], entry[1], entry[2]);
    },
  };
}
