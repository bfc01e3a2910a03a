import { parseForeignJson } from '../base/foreign.ts';
import { isObject, setOwn } from '../base/json.ts';
import { boundDepth } from './depth.ts';
import { redacted, redactKey, redactWords, secretHint, secretKind, tokenPrefix } from './redact-text.ts';

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

/**
 * True when a record certainly holds nothing to redact, by its JSON text: no word that names a secret, no token's prefix, and no backslash
 * behind which either could hide. Most records end here, for a fraction of what {@link redact} costs.
 */
export function isPlainText(json: string, scrub: Scrub = String): boolean {
  return !mayHoldNamed(json) && scrub(json) === json;
}
