// JSON as encoders that are not quite right write it: raw control characters in texts, wrong escapes, and numbers that JSON does not know.
import { parseForeignJson } from '../../base/foreign.ts';

/** Marks a place that was mended, in a second reading that is only compared. */
const mark = '\uFFFD\uE000';
const escapes = '"\\/bfnrtu';
const [quote, backslash] = [34, 92];

/** A mended value, and the same with every mended place marked. */
interface Mended {
  readonly value: unknown;
  readonly marked: unknown;
}

/** Parses a text that is no JSON to the letter; throws a SyntaxError when it cannot be mended, as when it was cut off. */
export function parseMended(text: string): Mended {
  const mended = mend(text, '');
  if (mended === undefined || mended === text) throw new SyntaxError('not JSON');
  return { value: parseForeignJson(mended), marked: parseForeignJson(mend(text, mark) ?? '') };
}

/** Walks over the texts of JSON once; undefined when the last one never ends. */
function mend(text: string, marking: string): string | undefined {
  const pieces: string[] = [];
  for (let at = 0; ; ) {
    const start = text.indexOf('"', at);
    pieces.push(mendNumbers(text.slice(at, start === -1 ? text.length : start), marking));
    if (start === -1) return pieces.join('');
    const end = endOf(text, start + 1);
    if (end === undefined) return undefined;
    pieces.push(mendText(text.slice(start, end), marking));
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

function mendNumbers(text: string, marking: string): string {
  return text.length < 3 ? text : text.replace(/-?\b(?:NaN|Infinity)\b/g, marking === '' ? 'null' : `"${marking}"`);
}

function mendText(text: string, marking: string): string {
  return text.replace(/\p{Cc}|\\[\s\S]/gu, (found) => {
    const [first = '', second = ''] = found;
    if (first !== '\\') return first < ' ' ? `${marking}${escaped(first)}` : first;
    if (escapes.includes(second)) return found;
    // The backslash stood for itself; what follows it may be a control character of its own.
    return `${marking}\\\\${second < ' ' ? escaped(second) : second}`;
  });
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
