// JSON that survives untrusted input: numbers beyond 2^53 keep their digits, `__proto__` stays a key, and every key is read as it is written.
import { parseDeepJson } from './deep-json.ts';
import { hasEscapedKey, parseEscapedKeys } from './escaped-keys.ts';

/** Any JSON value. A number that a double cannot hold is a raw JSON object (`JSON.isRawJSON`). */
export type Json = unknown;

interface RawJson {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
}
// lib.es2024 does not know JSON.rawJSON yet; Node 24 has it.
const raw = JSON as unknown as RawJson;

const longestExact = 15;
/** What may stand beside digits of a number; at the ends of a text nothing does, which is in both. */
const [startsNumber, endsNumber] = [' \t\r\n:,[.eE+-', ' \t\r\n,}].eE'];
/** -1.2345678901234567e-300 */
const longestDouble = 24;
const [plus, minus, point, upperE, lowerE] = [43, 45, 46, 69, 101];

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isInNumber(code: number): boolean {
  return isDigit(code) || code === point || code === minus || code === plus || code === lowerE || code === upperE;
}

const isDigitOrPoint = (code: number): boolean => isDigit(code) || code === point;

/**
 * True where a run of 16 digits stands, a point among them or not, that may be a number which a double cannot hold, or a part of one; ids in quotes are
 * none. Looks at every 16th character only, since a run cannot lie between two of them: a pattern over a page costs as much as parsing half of it.
 */
export function mayHoldInexactNumber(text: string): boolean {
  for (let probe = longestExact; probe < text.length; probe += longestExact + 1) {
    if (!isDigitOrPoint(text.charCodeAt(probe))) continue;
    let [first, last] = [probe, probe];
    while (isDigitOrPoint(text.charCodeAt(first - 1))) first -= 1;
    while (isDigitOrPoint(text.charCodeAt(last + 1))) last += 1;
    if (
      last - first >= longestExact &&
      startsNumber.includes(text.charAt(first - 1)) &&
      endsNumber.includes(text.charAt(last + 1)) &&
      !isHeldByDouble(text, first, last)
    )
      return true;
    probe = last;
  }
  return false;
}

/**
 * True where a double holds the number around these digits, as 0.30000000000000004. Such numbers are everyday, and one that needed the slower
 * path would take all values of its text along.
 */
function isHeldByDouble(text: string, first: number, last: number): boolean {
  let [start, end] = [first, last + 1];
  while (isInNumber(text.charCodeAt(start - 1)) && end - start <= longestDouble) start -= 1;
  while (isInNumber(text.charCodeAt(end)) && end - start <= longestDouble) end += 1;
  const source = text.slice(start, end);
  return source.length <= longestDouble && isHeld(Number(source), source);
}

/**
 * Parses JSON without changing a number: a text with a number that a double cannot hold takes the slower path that keeps the digits of
 * every such number. Throws a SyntaxError as `JSON.parse` does.
 */
export function parseJson(text: string): Json {
  return hasEscapedKey(text) ? parseEscapedKeys(text, parseNumbers) : parseNumbers(text);
}

/** True for JSON that `JSON.parse` reads as it is written: all numbers fit into a double, and no key is written with an escape. */
export function isPlain(text: string): boolean {
  return !hasEscapedKey(text) && !mayHoldOddNumber(text);
}

/** An exponent of three digits may lead beyond what a double reaches; what goes on behind it, as in an id of hex digits, is no number. */
const farExponent = /\de[+-]?\d{3,}(?![\w"+-])/i;

const mayHoldOddNumber = (text: string): boolean => mayHoldInexactNumber(text) || farExponent.test(text);

function parseNumbers(text: string): Json {
  if (!mayHoldOddNumber(text)) return JSON.parse(text) as Json;
  try {
    return raw.parse(text, (_key, value, { source }) =>
      typeof value === 'number' && source !== undefined ? (inexact(value, source) ?? value) : value,
    );
  } catch (error) {
    // The stack ran over: one record nested thousands deep must not take those around it along.
    if (!(error instanceof RangeError)) throw error;
    return parseDeepJson(text, (source) => inexact(Number(source), source));
  }
}

/** The number as raw JSON when a double cannot hold it. */
function inexact(value: number, source: string): object | undefined {
  return isHeld(value, source) ? undefined : raw.rawJSON(source);
}

/** Nearer to 0 a double holds ever fewer digits, and at last none. */
const smallestExact = 2 ** -1022;

/** True where the number that the text was read as stands for it; false for a text that is no number. */
function isHeld(value: number, source: string): boolean {
  if (String(value) === source) return true;
  const digits = significantDigits(source);
  return Number.isFinite(value) && digits <= longestExact && (digits === 0 || Math.abs(value) >= smallestExact);
}

/** Digits between the first and the last that is not 0; the exponent does not count. Goes through the text once: numbers can be long. */
function significantDigits(source: string): number {
  let [seen, first, last] = [0, 0, 0];
  for (let at = 0; at < source.length; at += 1) {
    const code = source.charCodeAt(at);
    if (code === upperE || code === lowerE) break;
    if (!isDigit(code)) continue;
    seen += 1;
    if (code === 48) continue;
    if (first === 0) first = seen;
    last = seen;
  }
  return first === 0 ? 0 : last - first + 1;
}

/** A number of these digits, also where a double cannot hold them. */
export function exactNumber(digits: string): unknown {
  return Number.isSafeInteger(Number(digits)) ? Number(digits) : raw.rawJSON(digits);
}

/** True for a number kept as text by {@link parseJson}; `JSON.stringify` writes its digits unchanged. */
export function isRawNumber(value: unknown): value is { readonly rawJSON: string } {
  return raw.isRawJSON(value);
}

/** What a peer gave as a number, or as digits in a text; NaN for anything else. */
export function foreignNumber(value: Json): number {
  if (isRawNumber(value)) return Number(value.rawJSON);
  return typeof value === 'number' || (typeof value === 'string' && value.trim() !== '') ? Number(value) : Number.NaN;
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

// The same few lists of keys come with record after record: what was sorted last at each length is remembered. Keys come from vendors, so that
// memory is small.
const mostKeys = 64;
const longestKey = 100;
const mostOrders = 12;
interface Order {
  readonly keys: readonly string[];
  readonly sorted: readonly string[] | undefined;
}
const orders: Order[][] = [];

function isSame(a: readonly string[], b: readonly string[]): boolean {
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

/** Undefined for keys that an object does not keep in the order in which they were set. */
function sorted(keys: readonly string[]): readonly string[] | undefined {
  return keys.some((key) => key === '__proto__' || /^\d/.test(key)) ? undefined : keys.toSorted();
}

/** As {@link sorted}, from memory where it can be. */
function sortKeys(keys: readonly string[]): readonly string[] | undefined {
  if (keys.length >= mostKeys) return sorted(keys);
  const known = (orders[keys.length] ??= []);
  for (const order of known) if (isSame(keys, order.keys)) return order.sorted;
  const order = { keys, sorted: sorted(keys) };
  if (keys.some(({ length }) => length > longestKey)) return order.sorted;
  if (known.unshift(order) > mostOrders) known.pop();
  return order.sorted;
}

const noKeys: ReadonlySet<string> = new Set();

/** The value with its objects' keys in order; undefined when an object in it cannot have them so. */
function sortedCopy(value: object, omit: ReadonlySet<string>): object | undefined {
  if (Array.isArray(value)) return sortedItems(value);
  if (raw.isRawJSON(value)) return value;
  const keys = sortKeys(Object.keys(value));
  if (keys === undefined) return undefined;
  const copy: Record<string, unknown> = {};
  for (const key of keys) {
    if (omit !== noKeys && omit.has(key)) continue;
    const member = (value as Record<string, unknown>)[key];
    const clean = typeof member === 'object' && member !== null ? sortedCopy(member, noKeys) : member;
    if (clean === undefined && member !== undefined) return undefined;
    copy[key] = clean;
  }
  return copy;
}

function sortedItems(items: readonly unknown[]): readonly unknown[] | undefined {
  const copy: unknown[] = [];
  for (const item of items) {
    const clean = typeof item === 'object' && item !== null ? sortedCopy(item, noKeys) : item;
    if (clean === undefined && item !== undefined) return undefined;
    copy.push(clean);
  }
  return copy;
}

function written(value: unknown, omit: ReadonlySet<string>): string {
  if (Array.isArray(value)) return `[${value.map((item) => written(item, noKeys)).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value ?? null);
  const members = Object.keys(value)
    .filter((key) => value[key] !== undefined && !omit.has(key))
    .sort()
    .map((key) => `${JSON.stringify(key)}:${written(value[key], noKeys)}`);
  return `{${members.join(',')}}`;
}

/** Compact JSON with the keys of every object sorted by code unit, so that equal values give equal text; `omit` leaves members of the value out. */
export function canonicalJson(value: Json, omit: ReadonlySet<string> = noKeys): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const copy = sortedCopy(value, omit);
  return copy === undefined ? written(value, omit) : JSON.stringify(copy);
}

/**
 * The same value with its own keys in snake_case, as everything that `--json` prints has them. What stands below a key of `foreign` is somebody
 * else's and stays as it is.
 */
export function snakeKeys(value: Json, foreign: readonly string[] = []): Json {
  if (Array.isArray(value)) return value.map((item) => snakeKeys(item, foreign));
  if (!isObject(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const name = key.replaceAll(/[a-z0-9](?=[A-Z])/g, '$&_').toLowerCase();
    setOwn(copy, name, foreign.includes(key) ? item : snakeKeys(item, foreign));
  }
  return copy;
}

/** JSON text where it lies in bytes, UTF-8: parsed each time that somebody asks, so that nothing of it stays in memory. */
export class JsonText {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  /** Known to be what {@link isPlain} is true for: to find that out costs a third of what parsing does. */
  readonly isPlain: boolean;

  /** From `start` to before `end`. */
  constructor(bytes: Buffer, start: number, end: number, isKnownPlain = false) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.isPlain = isKnownPlain;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Throws a SyntaxError. Whoever has the text at hand gives it. */
  parse(text: string = this.toString()): Json {
    return this.isPlain ? (JSON.parse(text) as Json) : parseJson(text);
  }

  toString(): string {
    return this.#bytes.toString('utf8', this.#start, this.#end);
  }

  /** Writes it to a place of a buffer with room for it; gives where it ends. */
  copyTo(target: Buffer, at: number): number {
    return at + this.#bytes.copy(target, at, this.#start, this.#end);
  }
}
