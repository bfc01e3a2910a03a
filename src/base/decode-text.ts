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
  /** False for what only looks so: it stays as it is. */
  readonly isOne?: (found: string) => boolean;
  readonly joins?: boolean;
}

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
  if (found.charAt(1) !== '#') return put(named[found.slice(1, -1).toLowerCase()] ?? found, 0, found.length);
  const [, x = '', digits = ''] = /^&#(x?)([0-9a-f]+)/i.exec(found) ?? [];
  readCode(digits, x === '' ? 10 : 16, found, put);
}

/** `109, 97, 114`, `6d:61:72` or `6d61 726b`: bytes as programs print them, so many groups at least. */
const listOf = (group: string, between: string, least: number): RegExp =>
  new RegExp(`\\b${group}(?:${between}${group}\\b){${least - 1},}`, 'gi');

/** No list of bytes, though it looks like one: UUIDs and dates stand in most lines of a log. */
const noBytes = '(?!\\d{4}-\\d\\d-\\d\\d\\b|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\\b)';
const shortestList = 8;

function readList(found: string, radix: 10 | 16, put: Put): void {
  const all = [...found.matchAll(radix === 10 ? /[0-9]+/g : /[0-9a-f]{2}/gi)];
  const bytes = Buffer.from(all.map(([digits]) => Number.parseInt(digits, radix)));
  readBytes(bytes, (byte) => all[byte]?.index ?? found.length, put);
}

function readWord(found: string, encoding: 'hex' | 'base64', placeOf: (byte: number) => number, put: Put): void {
  readBytes(Buffer.from(found, encoding), (byte) => Math.min(found.length, placeOf(byte)), put);
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

const entities: Writing = { pattern: /&#x[0-9a-f]{1,6};?|&#[0-9]{1,7};?|&[a-z]{2,16};/gi, read: readEntity };
const quotedPrintable: Writing = {
  pattern: /(?:=[0-9a-f]{2})+/gi,
  read: (found, put) => readMarked(found.replaceAll('=', ''), 3, put),
};
/** Lines, folded headers, UTF-16 read byte by byte, marks where a page may break a word. */
const unseen: Writing = { pattern: between, read: () => undefined, joins: true };

/** Those of the {@link writings} that stand beside characters as they are, and a sign of it: `?a=12` of a URL is none. */
export const marks: readonly { readonly writing: Writing; readonly sign: RegExp }[] = [
  { writing: entities, sign: /&/ },
  { writing: quotedPrintable, sign: /(?:=[0-9a-f]{2}){2}|=[0-9][a-f]/i },
  { writing: unseen, sign: between },
];

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
  entities,
  quotedPrintable,
  // The lines of quoted-printable.
  { pattern: /=\r?\n/g, read: () => undefined, joins: true },
  unseen,
  // A blank of the text itself stands between two others; more of them end it, so that a run of blanks is gone through once.
  { pattern: /\S(?:[ \u00a0](?:\S|[ \u00a0](?=[ \u00a0]\S))){7,}/g, read: readSpaced, joins: true },
  {
    pattern: /\b(?:[0-9a-f]{2}){8,}/gi,
    isOne: (found) => mayBeText(Buffer.from(found, 'hex')),
    read: (found, put) => readWord(found, 'hex', (byte) => byte * 2, put),
  },
  {
    pattern: /(?<![\w+/-])[\w+/-]{16,}={0,2}/g,
    isOne: (found) => mayBeText(Buffer.from(found, 'base64')),
    read: (found, put) => readWord(found, 'base64', (byte) => Math.ceil((byte * 4) / 3), put),
  },
  {
    pattern: listOf('(?:1?[0-9]{1,2}|2[0-4][0-9]|25[0-5])', '[\\s,]+', shortestList),
    read: (found, put) => readList(found, 10, put),
  },
  {
    pattern: listOf(`${noBytes}(?:0x)?(?:[0-9a-f]{2}){1,4}`, '[\\s:,-]+', 4),
    isOne: (found) => (found.match(/[0-9a-f]{2}/gi)?.length ?? 0) >= shortestList,
    read: (found, put) => readList(found, 16, put),
  },
];

/** True where something of the text is written so. */
export function isWritten(text: string, { pattern, isOne }: Writing): boolean {
  if (text.search(pattern) === -1) return false;
  return isOne === undefined || (text.match(pattern) ?? []).some((found) => isOne(found));
}

/** As {@link decodeText}, without the places: the same text where nothing of it is written so. */
export function undo(text: string, { pattern, read }: Writing): string {
  return text.replace(pattern, (found) => {
    let undone = '';
    read(found, (piece) => {
      undone += piece;
    });
    return undone;
  });
}

/** The text with one way of writing undone; undefined when nothing of it is written so. */
export function decodeText(wrapped: Decoded, { pattern, read, isOne, joins = false }: Writing): Decoded | undefined {
  const { text } = wrapped;
  if (text.search(pattern) === -1) return undefined;
  const places = [...text.matchAll(pattern)].filter(({ 0: found }) => isOne?.(found) !== false);
  if (places.length === 0) return undefined;
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
  for (const { 0: found, index } of places) {
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
  const places = new Uint32Array(text.length + 1);
  for (let at = 1; at <= text.length; at += 1) places[at] = at;
  return { text, starts: places.subarray(0, -1), ends: places.subarray(1), isJoined: false };
}
