// Undoes what texts are wrapped in, one layer at a time (escapes of URLs, JSON, HTML and mail, bytes written as digits, lines and marks between
// the characters), and remembers where each character came from.
import { isUtf8 } from 'node:buffer';

/** A text without some layers of what it was wrapped in. */
export interface Decoded {
  readonly text: string;
  /** Where in the original each character begins and ends. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** True where characters stand side by side that others stood between: what is short may be there by chance. */
  readonly isJoined: boolean;
}

/** Takes characters, and from where to where they stand in the place that is read. */
type Put = (text: string, from: number, to: number) => void;

/** One way of writing. Each is undone by itself: a backslash is no escape in all texts. */
interface Writing {
  /** What stands for something else. */
  readonly pattern: RegExp;
  /** Reads one such place. */
  readonly read: (found: string, put: Put) => void;
  readonly joins?: boolean;
}

const asItIs = (found: string, put: Put): void => put(found, 0, found.length);

/** True for what may be text in UTF-8, or in UTF-16 of mostly Latin letters: the rest of what looks like base64 or hex are words and hashes. */
const mayBeText = (bytes: Buffer): boolean => isUtf8(bytes) || bytes.filter((byte) => byte === 0).length * 3 > bytes.length;

/** Bytes as UTF-8, or one by one where they are none; `placeOf` says where each begins. */
function readBytes(bytes: Buffer, placeOf: (byte: number) => number, put: Put): void {
  const isText = isUtf8(bytes);
  let at = 0;
  for (const char of bytes.toString(isText ? 'utf8' : 'latin1')) {
    const next = at + (isText && char > '\x7f' ? Buffer.byteLength(char) : 1);
    put(char, placeOf(at), placeOf(next));
    at = next;
  }
}

/** Each byte as two digits, and with its mark so many characters. */
const readMarked = (digits: string, width: number, put: Put): void =>
  readBytes(Buffer.from(digits, 'hex'), (byte) => byte * width, put);

function readCode(digits: string, radix: 8 | 10 | 16, found: string, put: Put): void {
  const code = Number.parseInt(digits, radix);
  put(code <= 0x10ffff ? String.fromCodePoint(code) : found, 0, found.length);
}

const short: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

function readBackslash(found: string, put: Put): void {
  const second = found.charAt(1);
  if (found.length === 2) put(short[second] ?? second, 0, 2);
  else if (second === 'x') readMarked(found.replaceAll('\\x', ''), 4, put);
  else if (second === 'u' || second === 'U') readCode(found.replace(/[^0-9a-f]/gi, ''), 16, found, put);
  else readCode(found.slice(1), 8, found, put);
}

const named: Readonly<Record<string, string>> = {
  amp: '&',
  apos: "'",
  ast: '*',
  bsol: '\\',
  colon: ':',
  comma: ',',
  commat: '@',
  dash: '-',
  dollar: '$',
  equals: '=',
  excl: '!',
  grave: '`',
  gt: '>',
  hat: '^',
  hyphen: '-',
  lbrace: '{',
  lbrack: '[',
  lcub: '{',
  lowbar: '_',
  lpar: '(',
  lrm: '\u200e',
  lsqb: '[',
  lt: '<',
  nbsp: '\u00a0',
  newline: '\n',
  nobreak: '\u2060',
  num: '#',
  percnt: '%',
  period: '.',
  plus: '+',
  quest: '?',
  quot: '"',
  rbrace: '}',
  rbrack: ']',
  rcub: '}',
  rlm: '\u200f',
  rpar: ')',
  rsqb: ']',
  semi: ';',
  shy: '\u00ad',
  sol: '/',
  tab: '\t',
  underbar: '_',
  verbar: '|',
  vert: '|',
  zerowidthspace: '\u200b',
  zwj: '\u200d',
  zwnj: '\u200c',
};

function readEntity(found: string, put: Put): void {
  const [, x, digits] = /^&#(x?)([0-9a-f]+)/i.exec(found) ?? [];
  if (digits === undefined) put(named[found.slice(1, -1).toLowerCase()] ?? found, 0, found.length);
  else readCode(digits, x === '' ? 10 : 16, found, put);
}

/** `109, 97, 114`, `6d:61:72` or `6d61 726b`: bytes as programs print them, so many groups at least. */
const listOf = (group: string, between: string, least: number): RegExp =>
  new RegExp(`\\b${group}(?:${between}${group}\\b){${least - 1},}`, 'gi');

function readList(found: string, radix: 10 | 16, put: Put): void {
  const all = [...found.matchAll(radix === 10 ? /[0-9]+/g : /[0-9a-f]{2}/gi)];
  const bytes = Buffer.from(all.map(([digits]) => Number.parseInt(digits, radix)));
  readBytes(bytes, (byte) => all[byte]?.index ?? found.length, put);
}

function readWord(found: string, encoding: 'hex' | 'base64', placeOf: (byte: number) => number, put: Put): void {
  const bytes = Buffer.from(found, encoding);
  if (mayBeText(bytes)) readBytes(bytes, (byte) => Math.min(found.length, placeOf(byte)), put);
  else asItIs(found, put);
}

// Colours of a terminal, controls, what Unicode calls ignorable where it cannot be shown (marks of width, direction and variant, fillers), what stands
// for an unreadable byte, tags and comments.
const between =
  // oxlint-disable-next-line no-control-regex
  /(?:\u001b\[[0-9;:]{0,20}[a-z]|[\p{Cc}\p{Cf}\p{DI}\u2028\u2029\ufffd]\s*|<\/?[a-z][a-z0-9]{0,9}(?:\s[^<>]{0,80})?\/?>|<!--[^<>]{0,80}-->)+/giu;

/** `s p a c e d`: reads every other character. */
function readSpaced(found: string, put: Put): void {
  for (let at = 0; at < found.length; at += 2) put(found.charAt(at), at, at + 1);
}

/** The ways of writing that are undone, in the order in which they are tried. Each goes through a text once. */
export const writings: readonly Writing[] = [
  {
    pattern: /(?:%[0-9a-f]{2})+|%u[0-9a-f]{4}/gi,
    read: (found, put) =>
      /^%u/i.test(found) ? readCode(found.slice(2), 16, found, put) : readMarked(found.replaceAll('%', ''), 3, put),
  },
  {
    pattern: /(?:\\x[0-9a-f]{2})+|\\u\{[0-9a-f]{1,6}\}|\\U[0-9a-f]{8}|\\u[0-9a-f]{4}|\\[0-3][0-7]{2}|\\[^]/gi,
    read: readBackslash,
  },
  { pattern: /&#x[0-9a-f]{1,6};?|&#[0-9]{1,7};?|&[a-z]{2,16};/gi, read: readEntity },
  // Quoted-printable, and its lines.
  { pattern: /(?:=[0-9a-f]{2})+/gi, read: (found, put) => readMarked(found.replaceAll('=', ''), 3, put) },
  { pattern: /=\r?\n/g, read: () => undefined, joins: true },
  // Lines, folded headers, UTF-16 read byte by byte, marks where a page may break a word.
  { pattern: between, read: () => undefined, joins: true },
  { pattern: /(?:.[ \u00a0]){7,}\S/g, read: readSpaced, joins: true },
  { pattern: /\b(?:[0-9a-f]{2}){8,}/gi, read: (found, put) => readWord(found, 'hex', (byte) => byte * 2, put) },
  {
    pattern: /[\w+/-]{16,}={0,2}/g,
    read: (found, put) => readWord(found, 'base64', (byte) => Math.ceil((byte * 4) / 3), put),
  },
  { pattern: listOf('(?:1?[0-9]{1,2}|2[0-4][0-9]|25[0-5])', '[\\s,]+', 8), read: (found, put) => readList(found, 10, put) },
  { pattern: listOf('(?:0x)?(?:[0-9a-f]{2}){1,4}', '[\\s:,-]+', 4), read: (found, put) => readList(found, 16, put) },
];

/** The text with one way of writing undone; undefined when nothing of it is written so. */
export function decodeText(wrapped: Decoded, { pattern, read, joins = false }: Writing): Decoded | undefined {
  const { text } = wrapped;
  if (text.search(pattern) === -1) return undefined;
  const [starts, ends] = [new Uint32Array(text.length), new Uint32Array(text.length)];
  let [decoded, from, length] = ['', 0, 0];
  const copy = (until: number): void => {
    starts.set(wrapped.starts.subarray(from, until), length);
    ends.set(wrapped.ends.subarray(from, until), length);
    decoded += text.slice(from, until);
    length += until - from;
  };
  const put: Put = (piece, start, end) => {
    for (let unit = 0; unit < piece.length; unit += 1, length += 1) {
      starts[length] = wrapped.starts[from + start] ?? 0;
      ends[length] = wrapped.ends[from + end - 1] ?? 0;
    }
    decoded += piece;
  };
  for (const { 0: found, index } of text.matchAll(pattern)) {
    copy(index);
    from = index;
    read(found, put);
    from = index + found.length;
  }
  copy(text.length);
  return { text: decoded, starts, ends, isJoined: wrapped.isJoined || joins };
}

/** A text as it is. */
export function undecoded(text: string): Decoded {
  const starts = Uint32Array.from({ length: text.length }, (_, index) => index);
  return { text, starts, ends: starts.map((start) => start + 1), isJoined: false };
}
