import { isObject, setOwn } from '../base/json.ts';

// JSON.parse reads any depth, JSON.stringify overflows the stack in the thousands; no vendor nests beyond a dozen.
const deepest = 500;

/** Stands where a record is nested so deeply that it could not be written again. */
const tooDeep = '[NESTED TOO DEEP]';

function exceeds(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (left === 0) return true;
  for (const item of Array.isArray(value) ? (value as unknown[]) : Object.values(value)) {
    if (typeof item === 'object' && item !== null && exceeds(item, left - 1)) return true;
  }
  return false;
}

function cut(value: unknown, left: number): unknown {
  if (Array.isArray(value)) return left === 0 ? tooDeep : value.map((item) => cut(item, left - 1));
  if (!isObject(value)) return value;
  if (left === 0) return tooDeep;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) setOwn(copy, key, cut(value[key], left - 1));
  return copy;
}

/** The value itself, or where it is nested beyond 500 levels a copy with {@link tooDeep} in place of what lies deeper. */
export function boundDepth(value: unknown): unknown {
  return exceeds(value, deepest) ? cut(value, deepest) : value;
}
