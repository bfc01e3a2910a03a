// One event, one line: what every receiver's line splitter must not see.
import { boundDepth } from '../depth.ts';

const separators = /[\u0085\u2028\u2029]/g;
// JSON.stringify writes half of a surrogate pair as an escape, which strict readers refuse. A pair of backslashes is a backslash.
const escapes = /\\\\|\\u[dD][89a-fA-F][0-9a-fA-F]{2}/g;

function escapeSeparator(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // The stack overflows on what is nested thousands of levels deep.
    if (error instanceof RangeError) return JSON.stringify(boundDepth(value));
    throw error;
  }
}

/**
 * JSON text without what strict readers refuse or take for a line break: U+2028, U+2029 and U+0085 become escapes, halves of surrogate
 * pairs U+FFFD.
 */
export function tidyJson(json: string): string {
  let line = json;
  if (line.includes('\\ud')) line = line.replace(escapes, (found) => (found === '\\\\' ? found : '\ufffd'));
  // A search for one character costs far less than a pattern, and nearly every line ends here.
  if (line.includes('\u2028') || line.includes('\u2029') || line.includes('\u0085'))
    line = line.replace(separators, escapeSeparator);
  return line;
}

/** Compact JSON on one line, valid UTF-8 whatever the record held. */
export function jsonLine(value: unknown): string {
  return tidyJson(stringify(value));
}

// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000a-\u001f\u007f\u0085\u2028\u2029]/g;

/** Text on one line: line breaks and control characters become blanks, tabs stay; halves of surrogate pairs become U+FFFD. */
export function oneLine(text: string): string {
  return text.replace(controls, ' ').toWellFormed();
}

/** The first `limit` characters, whole ones: a pair of surrogates is not cut in two. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}
