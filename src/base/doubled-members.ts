// Members that stand twice in one object. JSON.parse keeps the last, and what the others held is gone without a word.
import { endOfString, hasEscapedKey, skipBlanks } from './escaped-keys.ts';

/** A way through objects, key by key; `any` stands for every key. */
export type KeyPath = readonly (string | typeof any)[];
export const any: unique symbol = Symbol('any key');

/** Where a value stands in a text. */
interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Doubled {
  readonly path: readonly string[];
  readonly spans: readonly Span[];
}

const [quote, brace, bracket, closingBrace, closingBracket, comma, colon] = [34, 123, 91, 125, 93, 44, 58];

/** The members on these paths that stand there more than once, in the order of their text. A text that is no JSON is read as far as it goes. */
export function doubledMembers(text: string, paths: readonly KeyPath[]): readonly Doubled[] {
  if (!mayDouble(text, paths)) return [];
  const walk = new Walk(text);
  walk.object(skipBlanks(text, 0), paths, []);
  return walk.found;
}

/** False where no key of the paths comes twice: to look for a text takes a fraction of walking over it. */
function mayDouble(text: string, paths: readonly KeyPath[]): boolean {
  if (hasEscapedKey(text)) return true;
  return paths.flat().some((key) => {
    if (key === any) return true;
    const name = JSON.stringify(key);
    const first = text.indexOf(name);
    return first !== -1 && text.includes(name, first + name.length);
  });
}

class Walk {
  readonly found: Doubled[] = [];
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads the object that begins at a place; gives where it ends. `paths` are what is left of them here. */
  object(from: number, paths: readonly KeyPath[], way: readonly string[]): number {
    const text = this.#text;
    if (text.charCodeAt(from) !== brace) return endOfValue(text, from);
    const members = new Map<string, Span[]>();
    let at = skipBlanks(text, from + 1);
    while (text.charCodeAt(at) === quote) {
      const end = endOfString(text, at + 1);
      const name = nameOf(text.slice(at, end));
      at = skipBlanks(text, end);
      if (text.charCodeAt(at) !== colon) break;
      const start = skipBlanks(text, at + 1);
      const onward = paths.filter(([key]) => key === any || key === name).map(([, ...rest]) => rest);
      const deeper = onward.filter((path) => path.length > 0);
      at = deeper.length > 0 ? this.object(start, deeper, [...way, name]) : endOfValue(text, start);
      if (onward.length > 0) {
        const spans = members.get(name) ?? [];
        if (spans.push({ start, end: at }) === 1) members.set(name, spans);
      }
      at = skipBlanks(text, at);
      if (text.charCodeAt(at) === comma) at = skipBlanks(text, at + 1);
    }
    for (const [name, spans] of members) if (spans.length > 1) this.found.push({ path: [...way, name], spans });
    return text.charCodeAt(at) === closingBrace ? at + 1 : text.length;
  }
}

function nameOf(token: string): string {
  if (!token.includes('\\')) return token.slice(1, -1);
  try {
    return String(JSON.parse(token));
  } catch (error) {
    if (error instanceof SyntaxError) return token;
    throw error;
  }
}

function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at + 1) - 1;
    else if (code === brace || code === bracket) depth += 1;
    else if (code === comma && depth === 0) return at;
    else if (code === closingBrace || code === closingBracket) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}
