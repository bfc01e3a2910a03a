// JSON as encoders that are not quite right write it: raw control characters in texts, wrong escapes, and numbers that JSON does not know.
import { parseForeignJson } from './foreign.ts';
import type { Steps } from './slices.ts';

/** Marks a place that was mended, in a second reading that is only compared. */
const mark = '\uFFFD\uE000';
const escapes = '"\\/bfnrtu';
const [quote, backslash] = [34, 92];

/** A mended value, and the same with every mended place marked. */
interface MendedJson {
  readonly value: unknown;
  readonly marked: unknown;
}

/** Parses a text that is no JSON to the letter; throws a SyntaxError when it cannot be mended, as when it was cut off. */
export function* parseMended(text: string): Steps<MendedJson> {
  const mended = yield* mend(text, '');
  if (mended === undefined || mended === text) throw new SyntaxError('not JSON');
  const value = parseForeignJson(mended);
  yield;
  const marked = (yield* mend(text, mark)) ?? '';
  return { value, marked: parseForeignJson(marked) };
}

/** Encoders get the odd character wrong, in each of many records at worst: every place costs as much as a hundred characters. */
const mendedAnyway = 10_000;
const charactersPerMended = 50;
/** Texts that are looked at in one step. */
const textsPerStep = 1000;

/** Walks over the texts of JSON once; undefined when the last one never ends. Throws a SyntaxError where there is too much to mend. */
function* mend(text: string, marking: string): Steps<string | undefined> {
  const pieces: string[] = [];
  let left = mendedAnyway + text.length / charactersPerMended;
  const mended = (by: string): string => {
    left -= 1;
    if (left < 0) throw new SyntaxError('too much to mend');
    return by;
  };
  for (let at = 0; ; ) {
    const start = text.indexOf('"', at);
    pieces.push(mendNumbers(text.slice(at, start === -1 ? text.length : start), marking, mended));
    if (start === -1) return pieces.join('');
    if (pieces.length % textsPerStep === 1) yield;
    const end = endOf(text, start + 1);
    if (end === undefined) return undefined;
    pieces.push(mendText(text.slice(start, end), marking, mended));
    at = end;
  }
}

function endOf(text: string, from: number): number | undefined {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code === backslash) at += 1;
  }
  return undefined;
}

type Mended = (by: string) => string;

function mendNumbers(text: string, marking: string, mended: Mended): string {
  const by = marking === '' ? 'null' : `"${marking}"`;
  return text.length < 3 ? text : text.replace(/-?\b(?:NaN|Infinity)\b/g, () => mended(by));
}

function mendText(text: string, marking: string, mended: Mended): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f]|\\[^]/g, (found) => {
    const [first, second] = [found.charAt(0), found.charAt(1)];
    if (first !== '\\') return mended(`${marking}${escaped(first)}`);
    if (escapes.includes(second)) return found;
    // The backslash stood for itself; what follows it may be a control character of its own.
    return mended(`${marking}\\\\${second < ' ' ? escaped(second) : second}`);
  });
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
