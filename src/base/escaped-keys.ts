// Keys with escapes, which V8 (13.6 and later) can take for another key. It guesses that an object goes on as the last one that began like it,
// and compares the guess with the text as it is written: after a key `\\u0070as`, the key "\u0070assword" is read as that, eight characters
// being the same, and nobody finds the password.
// Source: https://github.com/nodejs/node/issues/63785
import { hash } from 'node:crypto';

const [quote, backslash, colon] = [34, 92, 58];

/** Where a string ends that `at` stands in, behind its quote; `at` is no part of an escape, or its beginning. */
export function endOfString(text: string, at: number): number {
  let end = at;
  while (end < text.length && text.charCodeAt(end) !== quote) end += text.charCodeAt(end) === backslash ? 2 : 1;
  return end + 1;
}

/** Where something else than the blanks that JSON knows comes next. */
export function skipBlanks(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === 32 || (code >= 9 && code <= 13); code = text.charCodeAt(at)) at += 1;
  return at;
}

/** True when a key of a JSON text is written with an escape. Looks only at the strings that hold one. */
export function hasEscapedKey(text: string): boolean {
  for (let at = text.indexOf('\\'); at !== -1; at = text.indexOf('\\', at)) {
    at = endOfString(text, at);
    if (text.charCodeAt(skipBlanks(text, at)) === colon) return true;
  }
  return false;
}

/** Strings, with the colon that makes one a key; without nested repetition, so that long strings cost no stack. */
const strings = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?/gs;

/** Parses JSON with escaped keys: every key is replaced in the text by one without, and given its name back. Throws a SyntaxError as `JSON.parse` does. */
export function parseEscapedKeys(text: string, parse: (text: string) => unknown): unknown {
  // Strings are found in linear time only where each has an end.
  JSON.parse(text);
  const names: string[] = [];
  // No document holds its own hash, however its text is escaped.
  const mark = `${hash('sha256', text, 'hex')}:`;
  const marked = text.replace(strings, (all, token: string, end?: string) =>
    end === undefined ? all : `"${mark}${names.push(JSON.parse(token) as string) - 1}"${end}`,
  );
  const nameOf = (key: string): string => (key.startsWith(mark) ? (names[Number(key.slice(mark.length))] ?? key) : key);
  const root = [parse(marked)];
  const pending: unknown[] = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const members = node as Record<string, unknown>;
    for (const key of Object.keys(members)) {
      const value = members[key];
      if (typeof value !== 'object' || value === null || Object.isFrozen(value)) continue;
      const renamed = Array.isArray(value) ? value : withNames(value as Record<string, unknown>, mark, nameOf);
      if (renamed !== value) put(members, key, renamed);
      pending.push(renamed);
    }
  }
  return root[0];
}

/** The object with its names, in its order; the same object when none was replaced. Of two members with one name the later counts. */
function withNames(value: Record<string, unknown>, mark: string, nameOf: (key: string) => string): Record<string, unknown> {
  const keys = Object.keys(value);
  if (!keys.some((key) => key.startsWith(mark))) return value;
  const named: Record<string, unknown> = {};
  for (const key of keys) put(named, nameOf(key), value[key]);
  return named;
}

// Plain assignment would set the prototype when the key is __proto__.
function put(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
