// Undoes what texts are wrapped in (percent, backslash and HTML escapes) and remembers where each character came from.

/** A text without one layer of escapes. */
export interface Decoded {
  readonly text: string;
  /** Where in the original each character begins, and where the last one ends. */
  readonly starts: Uint32Array;
}

/** One kind of escapes: texts may be wrapped in several, and a backslash is no escape in all of them. */
interface Escapes {
  readonly mark: string;
  readonly pattern: RegExp;
}

/** Each is undone by itself. */
export const escapeKinds: readonly Escapes[] = [
  { mark: '%', pattern: /(?:%[0-9a-f]{2})+/gi },
  { mark: '\\', pattern: /\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\[^]/gi },
  { mark: '&', pattern: /&#x[0-9a-f]{1,6};|&#[0-9]{1,7};|&[a-z]{2,6};/gi },
];

const named: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  sol: '/',
  plus: '+',
  equals: '=',
  colon: ':',
  num: '#',
};
const short: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

function percent(found: string): string {
  const bytes = Buffer.from(found.replaceAll('%', ''), 'hex');
  return bytes.every((byte) => byte < 128) ? bytes.toString('latin1') : bytes.toString('utf8');
}

function meaning(found: string): string {
  if (found.startsWith('%')) return percent(found);
  if (found.startsWith('\\')) {
    if (found.length > 2) return String.fromCharCode(parseInt(found.slice(2), 16));
    return short[found.charAt(1)] ?? found.charAt(1);
  }
  const code = /^&#x/i.test(found) ? parseInt(found.slice(3), 16) : parseInt(found.slice(2), 10);
  if (!found.startsWith('&#')) return named[found.slice(1, -1).toLowerCase()] ?? found;
  return code <= 0x10ffff ? String.fromCodePoint(code) : found;
}

/** The text with one layer of escapes undone; undefined when it has none. */
export function decodeText({ text, starts }: Decoded, { mark, pattern }: Escapes): Decoded | undefined {
  if (!text.includes(mark)) return undefined;
  const places = new Uint32Array(text.length + 1);
  let [decoded, from, length] = ['', 0, 0];
  const copy = (until: number): void => {
    for (let at = from; at < until; at += 1) places[length++] = starts[at] ?? 0;
    decoded += text.slice(from, until);
  };
  for (const { 0: found, index } of text.matchAll(pattern)) {
    copy(index);
    const one = meaning(found);
    // Of a run of percent escapes each ASCII character has its own; what is not has the whole run.
    const width = found.startsWith('%') && one.length * 3 === found.length ? 3 : 0;
    for (let at = 0; at < one.length; at += 1) places[length++] = starts[index + at * width] ?? 0;
    decoded += one;
    from = index + found.length;
  }
  if (from === 0) return undefined;
  copy(text.length);
  places[length] = starts[text.length] ?? 0;
  return { text: decoded, starts: places.subarray(0, length + 1) };
}

/** A text as it is. */
export function undecoded(text: string): Decoded {
  return { text, starts: Uint32Array.from({ length: text.length + 1 }, (_, index) => index) };
}
