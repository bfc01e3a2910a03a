// What comes from outside. JSON is bounded before it is built, for a few bytes of text can become gigabytes of objects; text is made
// harmless before people see it, after secrets were taken out (secrets.ts).
import { endOfString } from './escaped-keys.ts';
import { type Json, parseJson } from './json.ts';

/** Every text may hold so many values, and one more for each sixteen characters: records of an audit log need twice as many. */
const mostAnyway = 250_000;
const charactersPerValue = 16;
const [quote, comma, brace, bracket] = [34, 44, 123, 91];

/** JSON of more values than any log needs. A SyntaxError, for it is as good as none. */
export class TooManyValues extends SyntaxError {
  override readonly name = 'TooManyValues';
}

/** True when a JSON text holds more values than `most`; counts commas and opening brackets outside of strings. */
export function holdsMoreValues(text: string, most: number): boolean {
  // A value takes two characters at least.
  if (text.length <= most * 2) return false;
  let values = 1;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at + 1) - 1;
    else if (code === comma || code === brace || code === bracket) values += 1;
    if (values > most) return true;
  }
  return false;
}

/** How many values a text of so many characters may hold before memory holds no more. */
export function mostValuesIn(characters: number): number {
  return mostAnyway + Math.floor(characters / charactersPerValue);
}

/** As `parseJson`, and throws {@link TooManyValues} before a text becomes more objects than memory should hold. */
export function parseForeignJson(text: string): Json {
  const most = mostValuesIn(text.length);
  if (holdsMoreValues(text, most)) throw new TooManyValues(`more than ${most} values in ${text.length} characters`);
  return parseJson(text);
}

/** Longest message of somebody else that is kept, in characters. */
export const longestMessage = 1_000;

/** At most `most` characters, whole ones; `…` is the last where something was left out. */
export function clip(text: string, most: number = longestMessage): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 2);
  return `${text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 2 : most - 1)}…`;
}

const longestName = 60;

/** A short text as it is, of a longer one only how long it is: what is cut before secrets are taken out of it may show half of one. */
export function shortened(text: string, what: string): string {
  return text.length <= longestName ? text : `${what} of ${text.length} characters`;
}

// oxlint-disable-next-line no-control-regex
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]|\p{Cf}|\p{Cs}/gu;

/** Text of several lines with `\uFFFD` for each character that steers a terminal or turns its writing round; tabs stay. */
export function harmless(text: string): string {
  return text.replace(steering, '\uFFFD');
}

const controls = /[\p{Cc}\u2028\u2029]+/gu;
const invisible = /\p{Cf}|\p{Cs}/gu;

/** One line without anything that steers a terminal or turns its writing round: controls become a blank, invisible marks `\uFFFD`. */
export function tame(text: string): string {
  return text.replace(controls, ' ').replace(invisible, '\uFFFD');
}

/** JSON text with escapes for what JSON.stringify leaves raw of the same: C1, DEL, marks of direction and other invisible characters. */
export function tameJson(json: string): string {
  return json.replace(/[\u007f-\u009f\u2028\u2029]|\p{Cf}/gu, (found) =>
    found.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}
