// JSON from outside: bounded before it is built, for a few bytes of text can become gigabytes of objects.
import { type Json, parseJson } from './json.ts';

/** Every text may hold so many values, and one more for each sixteen characters: records of an audit log need twice as many. */
const mostAnyway = 250_000;
const charactersPerValue = 16;
const [quote, backslash, comma, brace, bracket] = [34, 92, 44, 123, 91];

/** JSON of more values than any log needs. A SyntaxError, for it is as good as none. */
export class TooManyValues extends SyntaxError {
  override readonly name = 'TooManyValues';
}

/** True when the text holds more values than `most`; counts commas and opening brackets outside of strings. */
function exceeds(text: string, most: number): boolean {
  let values = 1;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at + 1);
    else if (code === comma || code === brace || code === bracket) values += 1;
    if (values > most) return true;
  }
  return false;
}

function endOfString(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at;
}

/** As `parseJson`, and throws {@link TooManyValues} before a text becomes more objects than memory should hold. */
export function parseForeignJson(text: string): Json {
  const most = mostAnyway + Math.floor(text.length / charactersPerValue);
  // A value takes two characters at least.
  if (text.length > most * 2 && exceeds(text, most))
    throw new TooManyValues(`more than ${most} values in ${text.length} characters`);
  return parseJson(text);
}
