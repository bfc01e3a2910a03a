// What the fuzzers build texts of.
import * as fc from 'fast-check';
import { isObject, setOwn } from '../../src/base/json.ts';

// biome-ignore format: a list
const pieces = ['{', '}', '[', ']', ':', ',', '"', "'", '\\', '\\"', '\\n', '\\u00', '\\ud800', '\\u0070', '/', '<', '>', ';', '=', '&', '%', '%2', '%0A', '|', '#', '?', '..', '//', ' ', '\t', '\n', '\r\n', '\0', '\u0085', '\u2028', '\u200b', '\u202e', '\ufeff', '\ud800', '\udc00', '😀', 'é', '0', '-0', '1e5', '12345678901234567890', '0.10', 'true', 'null', 'NaN', '-Infinity', '{}', '[]', '""', 'rel=next', 'token', 'password', '"api_key":', 'Bearer ', 'AstraCS:', '__proto__', 'constructor', 'a', 'Z', 'https://', '{{', '}}', '{{ options.a }}', '2026-11-20T10:15:30Z', 'Mon, ', 'GMT', '+01:00'];

/** Pieces of every language that a peer speaks, in any order. */
export const soup = fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map((found) => found.join(''));

export const anyText = fc.oneof(soup, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.constantFrom(...pieces));

/** A text with some of its parts cut out, doubled or replaced. */
export function mutated(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const edit = fc.tuple(
    fc.nat(999),
    fc.nat(6),
    fc.oneof(fc.constant(''), fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 2 })),
  );
  return fc.tuple(text, fc.array(edit, { maxLength: 4 })).map(([whole, edits]) =>
    edits.reduce((left, [place, length, by]) => {
      const at = Math.floor((place / 1000) * (left.length + 1));
      return left.slice(0, at) + by + left.slice(at + length);
    }, whole),
  );
}

export const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  anyText.map((text) => Buffer.from(text)),
);

const keys = fc.oneof(anyText, fc.constantFrom('id', 'name', 'items', 'status', '__proto__', '10', 'k\\', 'toString'));

// A double holds fifteen digits; that more are kept is promised of numbers with sixteen in a row.
const isKept = (number: string): boolean =>
  /\d{16}/.test(number) ||
  number
    .replace(/[eE].*/, '')
    .replace(/\D/g, '')
    .replace(/^0+|0+$/g, '').length <= 15;

/** A number as it may be written, of any length, within what a double reaches. */
const numbers = fc
  .tuple(
    fc.boolean(),
    fc.stringMatching(/^(?:0|[1-9]\d{0,24})$/),
    fc.stringMatching(/^(?:\.\d{1,24})?$/),
    fc.stringMatching(/^(?:[eE][+-]?\d{1,2})?$/),
  )
  .map(([minus, whole, fraction, exponent]) => `${minus ? '-' : ''}${whole}${fraction}${exponent}`)
  .filter(isKept);

/** A value of JSON as a tree of what is written. */
export interface Written {
  readonly number?: string;
  readonly text?: string;
  readonly items?: readonly Written[];
  readonly members?: readonly (readonly [string, Written])[];
  readonly word?: 'null' | 'true' | 'false';
}

const { written } = fc.letrec<{ written: Written }>((tie) => ({
  written: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    numbers.map((number) => ({ number })),
    anyText.map((text) => ({ text })),
    fc.constantFrom<Written>({ word: 'null' }, { word: 'true' }, { word: 'false' }),
    fc.array(tie('written'), { maxLength: 4 }).map((items) => ({ items })),
    fc.array(fc.tuple(keys, tie('written')), { maxLength: 5 }).map((members) => ({ members })),
  ),
}));

const blanks = ['', '', '', ' ', '\n', '\t '];

/** Writes a value with blanks, and escapes where they are allowed, as chance (numbers from 0) has it. */
export function writeJson(value: Written, chance: () => number): string {
  const blank = (): string => blanks[chance() % blanks.length] ?? '';
  if (value.number !== undefined) return value.number;
  if (value.text !== undefined) return writeText(value.text, chance);
  if (value.items !== undefined)
    return `[${blank()}${value.items.map((item) => writeJson(item, chance)).join(`${blank()},${blank()}`)}]`;
  if (value.members === undefined) return value.word ?? 'null';
  const members = value.members.map(
    ([key, member]) => `${writeText(key, chance)}${blank()}:${blank()}${writeJson(member, chance)}`,
  );
  return `{${blank()}${members.join(`,${blank()}`)}}`;
}

function writeText(text: string, chance: () => number): string {
  const plain = JSON.stringify(text);
  if (chance() % 3 > 0) return plain;
  const units = Array.from({ length: text.length }, (_, at) => text.charAt(at));
  const written = units.map((unit) =>
    chance() % 3 === 0 ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : JSON.stringify(unit).slice(1, -1),
  );
  return `"${written.join('')}"`;
}

/** Numbers that look like chance and are the same for the same seed. */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}

/** A value and a text that means it. */
export const json = fc.tuple(written, fc.nat()).map(([value, seed]) => ({ value, text: writeJson(value, chanceOf(seed)) }));

/** What a number means, whatever it is written like: its digits and where they stand. */
export function meaningOf(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}

/** A tree as JSON reads it, numbers by what they mean; of two members with one name the later counts. */
export function meant(value: Written): unknown {
  if (value.number !== undefined) return { number: meaningOf(value.number) };
  if (value.text !== undefined) return value.text;
  if (value.items !== undefined) return value.items.map(meant);
  if (value.members === undefined) return value.word ?? 'null';
  const object: Record<string, unknown> = {};
  for (const [key, member] of value.members) setOwn(object, key, meant(member));
  return { object };
}

/** The same of a value that was read. */
export function understood(value: unknown): unknown {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(understood);
  if (!isObject(value)) {
    const text = JSON.stringify(value);
    return typeof value === 'number' || (typeof value === 'object' && value !== null) ? { number: meaningOf(text) } : text;
  }
  const object: Record<string, unknown> = {};
  for (const key of Object.keys(value)) setOwn(object, key, understood(value[key]));
  return { object };
}
