// JSON that survives untrusted input: numbers beyond 2^53 keep their digits, `__proto__` stays a key.

/** Any JSON value. A number that a double cannot hold is a raw JSON object (`JSON.isRawJSON`). */
export type Json = unknown;

interface RawJson {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
}
// lib.es2024 does not know JSON.rawJSON yet; Node 24 has it.
const raw = JSON as unknown as RawJson;

const longNumber = /\d{16}/;

/**
 * Parses JSON without changing a number: a text with a run of 16 digits takes the slower path that keeps the digits of every number
 * a double cannot hold. Throws a SyntaxError as `JSON.parse` does.
 */
export function parseJson(text: string): Json {
  if (!longNumber.test(text)) return JSON.parse(text) as Json;
  return raw.parse(text, (_key, value, context) => {
    if (typeof value !== 'number' || context.source === undefined) return value;
    return String(value) === context.source || isExact(value, context.source) ? value : raw.rawJSON(context.source);
  });
}

function isExact(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return false;
  const digits = source
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '');
  return digits.length <= 15;
}

/** True for a number kept as text by {@link parseJson}; `JSON.stringify` writes its digits unchanged. */
export function isRawNumber(value: unknown): value is { readonly rawJSON: string } {
  return raw.isRawJSON(value);
}

/** True for a JSON object: not null, not an array, not a raw number. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !raw.isRawJSON(value);
}

/** Sets an own property whatever its name, `__proto__` included. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

/** Compact JSON with the keys of every object sorted by code unit, so that equal values give equal text. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value ?? null);
  const members = Object.keys(value)
    .sort()
    .filter((key) => value[key] !== undefined)
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
  return `{${members.join(',')}}`;
}
