import { isObject, parseJson, setOwn } from '../base/json.ts';
import { boundDepth } from './depth.ts';

const redacted = '[REDACTED]';

const secretKeys = new Set([
  'secret',
  'token',
  'password',
  'clientsecret',
  'accesstoken',
  'refreshtoken',
  'apikey',
  'privatekey',
]);
const secretWords = /secret|token|password|api[_ -]?key|private[_ -]?key/i;
// A token with a prefix of its own is known wherever it stands; the colon may be percent-encoded.
const prefixedToken = /AstraCS(?::|%3A)[A-Za-z0-9:_%-]+/gi;
const tokenPrefix = /AstraCS/i;
// In text that is no JSON (cut off, or with something around it) a member still looks like one, also with escaped quotes.
const member =
  /(\\*["'])((?:client|access|refresh)?[_ -]?(?:secret|token)|password|api[_ -]?key|private[_ -]?key)\1(\s*:\s*)(?!null|None)("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\\+"(?:[^"\\]|\\+[^"\\])*(?:\\+")?|[^\s"',}\]]+)/gi;
/** Text inside text inside text: beyond this many wrappings it is treated as plain text. */
const deepestWrapping = 8;

function isSecretKey(key: string): boolean {
  if (key.length < 5 || key.length > 40 || !secretWords.test(key)) return false;
  return secretKeys.has(key.toLowerCase().replace(/[^a-z]/g, ''));
}

function redactPlain(text: string): string {
  const known = tokenPrefix.test(text) ? text.replace(prefixedToken, redacted) : text;
  if (!secretWords.test(known)) return known;
  return known.replace(
    member,
    (_all, quote: string, key: string, colon: string) => `${quote}${key}${quote}${colon}${quote}${redacted}${quote}`,
  );
}

function parseEmbedded(text: string): { readonly value: unknown } | undefined {
  const first = text.trimStart().charAt(0);
  if (first !== '{' && first !== '[' && first !== '"') return undefined;
  try {
    return { value: parseJson(text) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function redactText(text: string, wrapping: number): string {
  if (!secretWords.test(text) && !tokenPrefix.test(text) && !text.includes('\\')) return text;
  const embedded = wrapping < deepestWrapping ? parseEmbedded(text) : undefined;
  if (embedded === undefined) return redactPlain(text);
  const bounded = boundDepth(embedded.value);
  const clean = redactValue(bounded, wrapping + 1);
  // Unchanged, and without a second member of the same name that the parser has swallowed: the text stays as it came.
  return clean === embedded.value && redactPlain(text) === text ? text : JSON.stringify(clean);
}

function redactArray(items: readonly unknown[], wrapping: number): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (const [index, item] of items.entries()) {
    const clean = redactValue(item, wrapping);
    if (clean === item) continue;
    copy ??= [...items];
    copy[index] = clean;
  }
  return copy ?? items;
}

function redactObject(object: Record<string, unknown>, wrapping: number): Record<string, unknown> {
  const keys = Object.keys(object);
  let changed = false;
  const members = keys.map((key): [string, unknown] => {
    const value = object[key];
    const cleanKey = key.length > 7 && tokenPrefix.test(key) ? key.replace(prefixedToken, redacted) : key;
    const clean = isSecretKey(key) ? (value === null ? null : redacted) : redactValue(value, wrapping);
    changed ||= clean !== value || cleanKey !== key;
    return [cleanKey, clean];
  });
  if (!changed) return object;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of members) setOwn(copy, key, value);
  return copy;
}

function redactValue(value: unknown, wrapping: number): unknown {
  if (typeof value === 'string') return redactText(value, wrapping);
  if (Array.isArray(value)) return redactArray(value, wrapping);
  return isObject(value) ? redactObject(value, wrapping) : value;
}

/**
 * The record without secrets: values of keys that name one (any case, with or without underscores, at any depth) and tokens with a known
 * prefix become `[REDACTED]`, whatever the value's type, except null. JSON inside of text is parsed first; text that is no JSON is searched.
 * Gives the same object back when there was nothing to take out. Numbers keep their digits.
 */
export function redact(record: unknown): unknown {
  return redactValue(boundDepth(record), 0);
}

const anySecret = new RegExp(`${secretWords.source}|${tokenPrefix.source}`, 'i');

/**
 * True when a record certainly holds nothing to redact, by its JSON text: no word that names a secret, no token's prefix, and no backslash
 * behind which either could hide. Most records end here, for a fraction of what {@link redact} costs.
 */
export function isPlainText(json: string): boolean {
  return !json.includes('\\') && !anySecret.test(json);
}
