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

function count(value: object, most: number): number {
  let values = 0;
  const pending: object[] = [value];
  for (let node = pending.pop(); node !== undefined && values <= most; node = pending.pop()) {
    const members = Array.isArray(node) ? (node as unknown[]) : Object.values(node);
    values += members.length;
    for (const member of members) if (Array.isArray(member) || isObject(member)) pending.push(member);
  }
  return values;
}

/** True for a value that is made of more than `most` others. */
export function isWiderThan(value: unknown, most: number): boolean {
  return typeof value === 'object' && value !== null && count(value, most) > most;
}

/** The value itself, or where it is nested beyond 500 levels a copy with {@link tooDeep} in place of what lies deeper. */
export function boundDepth(value: unknown): unknown {
  return exceeds(value, deepest) ? cut(value, deepest) : value;
}
