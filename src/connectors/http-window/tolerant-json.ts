// JSON as encoders that are not quite right write it: raw control characters in texts, wrong escapes, and numbers that JSON does not know.
import { parseJson } from '../../base/json.ts';

/** Marks a place that was mended, in a second reading that is only compared. */
const mark = '\uFFFD\uE000';
const escapes = '"\\/bfnrtu';

/** A mended value, and the same with every mended place marked. */
interface Mended {
  readonly value: unknown;
  readonly marked: unknown;
}

/** Parses a text that {@link parseJson} refused; throws its SyntaxError when it cannot be mended, as when it was cut off. */
export function parseMended(text: string): Mended {
  return { value: parseJson(mend(text, '')), marked: parseJson(mend(text, mark)) };
}

const piece = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g;

function mend(text: string, marking: string): string {
  return text.replace(piece, (found) => {
    if (found.startsWith('"')) return mendText(found, marking);
    return marking === '' ? 'null' : `"${marking}"`;
  });
}

function mendText(text: string, marking: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f]|\\[\s\S]/g, (found) => {
    const [first = '', second = ''] = found;
    if (first !== '\\') return `${marking}\\u${first.charCodeAt(0).toString(16).padStart(4, '0')}`;
    if (escapes.includes(second)) return found;
    // The backslash stood for itself; what follows it may be a control character of its own.
    return `${marking}\\\\${second < ' ' ? `\\u${second.charCodeAt(0).toString(16).padStart(4, '0')}` : second}`;
  });
}
