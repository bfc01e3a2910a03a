// Finds the records of a JSON reply without building it: each is parsed when it is examined and forgotten before the next one, and its text goes
// into the journal as it came. One pass over the bytes; a reply that is in any way unusual is left to the parser that reads all of it at once.
import { isUtf8 } from 'node:buffer';
import { PenstockError } from '../../base/errors.ts';
import { mostValuesIn, parseForeignJson } from '../../base/foreign.ts';
import { type Json, JsonText, setOwn } from '../../base/json.ts';
import type { Steps } from '../../base/slices.ts';
import { parsePath } from '../../event/index.ts';
import type { RawRecord } from '../connector.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import { compileSettle, type Settle } from './doubled.ts';

const [quote, comma, colon, brace, bracket, backslash, closingBracket] = [34, 44, 58, 123, 91, 92, 93];

// What a byte outside of strings is. Everything that is not named is no JSON, or JSON that wants mending: NaN, Infinity.
const [wrong, plain, opens, closes, separates, begins, breaks, scales] = [0, 1, 2, 3, 4, 5, 6, 7];
const kinds = new Uint8Array(256).fill(wrong);
for (const character of '+-.0123456789aflnrstu \t:') kinds[character.charCodeAt(0)] = plain;
for (const character of 'Ee') kinds[character.charCodeAt(0)] = scales;
for (const character of '{[') kinds[character.charCodeAt(0)] = opens;
for (const character of '}]') kinds[character.charCodeAt(0)] = closes;
for (const character of '\r\n') kinds[character.charCodeAt(0)] = breaks;
kinds[comma] = separates;
kinds[quote] = begins;

/** A number that a double cannot hold has at least so many characters, if it has no exponent. */
const shortestInexact = 16;
/** Levels of a record that are few enough for everybody. */
const shallow = 100;

/** A record as it lies in the reply. A copy with another value has no text, because that is a getter. */
export class ReplyRecord implements RawRecord {
  readonly #json: JsonText;
  readonly #isShallow: boolean;

  constructor(json: JsonText, isShallow: boolean) {
    this.#json = json;
    this.#isShallow = isShallow;
  }

  get json(): JsonText {
    return this.#json;
  }

  get value(): Json {
    return this.read().value;
  }

  /** Throws PEN_SOURCE_BAD_REPLY for what only looked like JSON. */
  read(): { readonly value: Json; readonly text: string; readonly isShallow: boolean } {
    const text = this.#json.toString();
    try {
      return { value: this.#json.parse(text), text, isShallow: this.#isShallow };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const fix = 'if the body was damaged on its way, the next poll repeats it';
      throw new PenstockError('PEN_SOURCE_BAD_REPLY', 'a record of the reply is not JSON', { cause: error, fix });
    }
  }
}

/** Gives the reply with {@link ReplyRecord}s in its list; records that are written with escapes or over several lines stand there as they are. */
export type FindRecords = (body: Buffer) => Steps<{ readonly value: unknown } | undefined>;

/**
 * Compiles the search for records that stand at the top or below one key; undefined for a connector that reads something else out of its list of
 * records. What is found gives undefined for a reply that has to be read at once.
 */
export function compileFindRecords(
  { records, page, failures = {}, pending, ...spec }: HttpWindowSpec,
  settle: Settle = compileSettle({ records, page, failures, ...spec }),
): FindRecords | undefined {
  const path = typeof records === 'string' ? parsePath(records) : undefined;
  const [key] = path ?? [];
  if (
    pending !== undefined ||
    spec.columns !== undefined ||
    spec.records_into !== undefined ||
    path === undefined ||
    path.length > 1 ||
    (key !== undefined && typeof key !== 'string')
  )
    return undefined;
  const others = [page.total, page.more, page.token, page.link, ...Object.keys(failures)].flat();
  const isInside = (other: string): boolean => key === undefined || (parsePath(other)?.[0] ?? key) === key;
  if (others.some((other) => other !== undefined && isInside(other))) return undefined;
  return function* (body) {
    return isUtf8(body) ? yield* new Scan(body).reply(key, settle) : undefined;
  };
}

/** What reads the replies of a connector: without building them where that can be, and each member once. */
export function compileReading(spec: HttpWindowSpec): { readonly find: FindRecords | undefined; readonly settle: Settle } {
  const settle = compileSettle(spec);
  return { find: compileFindRecords(spec, settle), settle };
}

/** Records that are found in one step. */
const recordsPerStep = 100;

class Scan {
  readonly #bytes: Buffer;
  readonly #mostValues: number;
  #at = 0;
  #values = 0;
  /** The value that was passed last holds a backslash or a line break. */
  #isOdd = false;
  /** It has numbers that a double holds, as far as their length tells, and no exponents. */
  #isPlain = true;
  /** How deep it is nested. */
  #depth = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#mostValues = mostValuesIn(bytes.length);
  }

  *reply(key: string | undefined, settle: Settle): Steps<{ readonly value: unknown } | undefined> {
    if (key !== undefined && !this.#enter(key)) return undefined;
    const start = this.#at;
    const list = yield* this.#list();
    if (list === undefined) return undefined;
    if (key === undefined) return this.#blanks() === this.#bytes.length ? { value: list } : undefined;
    const [head, tail] = [this.#bytes.toString('utf8', 0, start), this.#bytes.toString('utf8', this.#at)];
    // Of two members with one name the later counts, and a name may be written with escapes.
    if (head.includes('\\') || tail.includes('\\') || tail.includes(`"${key}"`)) return undefined;
    return withList(settle(`${head}[]${tail}`), key, list);
  }

  /** Goes to the list below the key; false when there is none in sight. */
  #enter(key: string): boolean {
    if (this.#bytes[this.#blanks()] !== brace) return false;
    for (;;) {
      this.#at += 1;
      const start = this.#blanks();
      if (this.#bytes[start] !== quote || !this.#pass() || this.#isOdd) return false;
      const isKey = this.#bytes.toString('utf8', start + 1, this.#at - 1) === key;
      if (this.#bytes[this.#blanks()] !== colon) return false;
      this.#at += 1;
      this.#blanks();
      if (isKey) return this.#bytes[this.#at] === bracket;
      if (!this.#pass() || this.#bytes[this.#blanks()] !== comma) return false;
    }
  }

  /** The objects of the list that begins here; undefined when it holds anything else. */
  *#list(): Steps<unknown[] | undefined> {
    if (this.#bytes[this.#blanks()] !== bracket) return undefined;
    const found: unknown[] = [];
    this.#at += 1;
    if (this.#bytes[this.#blanks()] === closingBracket) return this.#end(found);
    for (;;) {
      const record = this.#record();
      if (record === undefined) return undefined;
      found.push(record);
      if (found.length % recordsPerStep === 0) yield;
      const after = this.#bytes[this.#blanks()];
      if (after === closingBracket) return this.#end(found);
      if (after !== comma) return undefined;
      this.#at += 1;
      this.#blanks();
    }
  }

  #end(found: unknown[]): unknown[] {
    this.#at += 1;
    return found;
  }

  #record(): unknown {
    const start = this.#at;
    if (this.#bytes[start] !== brace || !this.#pass()) return undefined;
    const json = new JsonText(this.#bytes, start, this.#at, this.#isPlain && !this.#isOdd);
    return this.#isOdd ? parsed(json) : new ReplyRecord(json, this.#depth <= shallow);
  }

  /** Passes one value; false when it has no end, is no JSON, or the reply holds too many. */
  #pass(): boolean {
    const bytes = this.#bytes;
    let [at, depth, values, deepest, behind] = [this.#at, 0, this.#values, 0, this.#at];
    this.#isOdd = false;
    this.#isPlain = true;
    for (; at < bytes.length; at += 1) {
      const kind = kinds[bytes[at] ?? 0];
      if (kind === plain) continue;
      if (kind === scales) {
        if (isDigit(bytes[at - 1] ?? 0)) this.#isPlain = false;
        continue;
      }
      if (at - behind >= shortestInexact) this.#isPlain = false;
      if (kind === begins) {
        at = this.#endOfString(at + 1);
        if (depth === 0) break;
      } else if (kind === opens) {
        depth += 1;
        values += 1;
        if (depth > deepest) deepest = depth;
      } else if (kind === closes) {
        // The list or object that a number stands in.
        if (depth === 0) at -= 1;
        if (depth <= 1) break;
        depth -= 1;
      } else if (kind === separates) {
        // The end of a number.
        if (depth === 0) {
          at -= 1;
          break;
        }
        values += 1;
      } else if (kind === breaks) this.#isOdd = true;
      else return false;
      behind = at + 1;
    }
    [this.#at, this.#values, this.#depth] = [at + 1, values, deepest];
    return at < bytes.length && values <= this.#mostValues;
  }

  /** Where the quote stands that ends the string around `from`; behind the last byte when there is none, or a control character comes before it. */
  #endOfString(from: number): number {
    const bytes = this.#bytes;
    let at = from;
    for (let code = bytes[at] ?? 0; code !== quote; code = bytes[(at += 1)] ?? 0) {
      if (code < 32) return bytes.length;
      if (code !== backslash) continue;
      this.#isOdd = true;
      at += 1;
    }
    return at;
  }

  #blanks(): number {
    while (this.#at < this.#bytes.length && isBlank(this.#bytes[this.#at] ?? 0)) this.#at += 1;
    return this.#at;
  }
}

const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 10 || code === 13;
const isDigit = (code: number): boolean => code >= 48 && code <= 57;

function withList(text: string, key: string, list: readonly unknown[]): { readonly value: unknown } | undefined {
  try {
    const value = parseForeignJson(text) as Record<string, unknown>;
    setOwn(value, key, list);
    return { value };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A record whose text says other things than it shows; undefined when it is no JSON. */
function parsed(json: JsonText): unknown {
  try {
    return json.parse();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
