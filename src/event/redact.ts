import { parseForeignJson } from '../base/foreign.ts';
import { isObject, setOwn } from '../base/json.ts';
import { redacted } from '../base/secrets.ts';
import { boundDepth } from './depth.ts';
import { redactKey, redactWords, secretHint, secretHints, secretKind, tokenPrefix } from './redact-text.ts';

/** Text inside text inside text: beyond this many wrappings it is treated as plain text. */
const deepestWrapping = 8;

/** Takes out of a text the secrets that are known by their value; the same text when there are none. */
export type Scrub = (text: string) => string;

/** Where a redaction is: how many texts it has unwrapped, and what it knows. */
interface Context {
  readonly wrapping: number;
  readonly scrub: Scrub;
}

function parseEmbedded(text: string): { readonly value: unknown } | undefined {
  const first = text.trimStart().charAt(0);
  if (first !== '{' && first !== '[' && first !== '"') return undefined;
  try {
    return { value: parseForeignJson(text) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function redactText(text: string, { wrapping, scrub }: Context): string {
  if (!mayHoldNamed(text)) return scrub(text);
  const embedded = wrapping < deepestWrapping ? parseEmbedded(text) : undefined;
  if (embedded === undefined) return scrub(redactWords(text));
  const bounded = boundDepth(embedded.value);
  const clean = redactValue(bounded, { wrapping: wrapping + 1, scrub });
  // Unchanged, and without a second member of the same name that the parser has swallowed: the text stays as it came.
  return clean === embedded.value && redactWords(text) === text ? scrub(text) : JSON.stringify(clean);
}

function redactArray(items: readonly unknown[], clean: (item: unknown) => unknown): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (const [index, item] of items.entries()) {
    const kept = clean(item);
    if (kept === item) continue;
    copy ??= [...items];
    copy[index] = kept;
  }
  return copy ?? items;
}

/** The value of a key whose texts are secret: an object below it is looked through like any other. */
function redactTexts(value: unknown, context: Context): unknown {
  if (typeof value === 'string') return redacted;
  if (Array.isArray(value)) return redactArray(value, (item) => redactTexts(item, context));
  return redactValue(value, context);
}

function redactMember(key: string, value: unknown, context: Context): unknown {
  const kind = secretKind(key);
  if (kind === undefined) return redactValue(value, context);
  if (value === null) return null;
  return kind === 'any' ? redacted : redactTexts(value, context);
}

function redactObject(object: Record<string, unknown>, context: Context): Record<string, unknown> {
  const keys = Object.keys(object);
  let changed = false;
  const members = keys.map((key): [string, unknown] => {
    const value = object[key];
    const cleanKey = context.scrub(redactKey(key));
    const clean = redactMember(key, value, context);
    changed ||= clean !== value || cleanKey !== key;
    return [cleanKey, clean];
  });
  if (!changed) return object;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of members) setOwn(copy, key, value);
  return copy;
}

function redactValue(value: unknown, context: Context): unknown {
  if (typeof value === 'string') return redactText(value, context);
  if (Array.isArray(value)) return redactArray(value, (item) => redactValue(item, context));
  return isObject(value) ? redactObject(value, context) : value;
}

/**
 * The record without secrets: values of keys that name one (any case, with or without underscores, at any depth) and tokens with a known
 * prefix become `[REDACTED]`, whatever the value's type, except null; of keys such as `cookie` and `authorization` only texts. JSON inside
 * of text is parsed first; text that is no JSON is searched. `scrub` takes out what is known by its value. Gives the same object back when
 * there was nothing to take out. Numbers keep their digits.
 */
export function redact(record: unknown, scrub: Scrub = String): unknown {
  return redactValue(boundDepth(record), { wrapping: 0, scrub });
}

const anyNamed = new RegExp(`${secretHint.source}|${tokenPrefix.source}`, 'i');

const mayHoldNamed = (text: string): boolean => text.includes('\\') || anyNamed.test(text);

/** True when a text certainly holds nothing to redact: no word that names a secret, and no backslash behind which one could hide. */
export function isPlainText(text: string, scrub: Scrub = String): boolean {
  return !mayHoldNamed(text) && scrub(text) === text;
}

/**
 * True when a record certainly holds nothing to redact, by its JSON text, for a fraction of what {@link redact} costs. Where a word that could name a
 * secret stands decides: most are part of a longer name (`credentialProvider`) or of prose. What hides behind a backslash is left to `redact`.
 */
export function isPlainJson(json: string, scrub: Scrub = String): boolean {
  return !json.includes('\\') && namesNothing(json) && scrub(json) === json;
}

const namedParts = [...secretHints, tokenPrefix.source].map((words) => new RegExp(words, 'gi'));

const namesNothing = (json: string): boolean => namedParts.every((named) => namesNone(json, named));

function namesNone(json: string, named: RegExp): boolean {
  named.lastIndex = 0;
  for (let found = named.exec(json); found !== null; found = named.exec(json)) {
    // Without backslashes every quote begins or ends a text.
    const start = json.lastIndexOf('"', found.index) + 1;
    const end = json.indexOf('"', found.index);
    if (start === 0 || end < named.lastIndex || !isHarmless(json, start, end)) return false;
    named.lastIndex = end + 1;
  }
  return true;
}

/** True for the name of a member that holds no secret, and for a text that says none. */
function isHarmless(json: string, start: number, end: number): boolean {
  const text = json.slice(start, end);
  if (tokenPrefix.test(text)) return false;
  if (isName(json, end + 1)) return secretKind(text) === undefined;
  return !/^\s*[{["]/.test(text) && redactWords(text) === text;
}

/** Only a colon follows the name of a member. */
function isName(json: string, from: number): boolean {
  let at = from;
  while (json[at] === ' ' || json[at] === '\t' || json[at] === '\n' || json[at] === '\r') at += 1;
  return json[at] === ':';
}
