import { redacted } from '../base/secrets.ts';

// Secrets in text that is no JSON: cut off, wrapped in other text, headers, URLs, forms. Each pass goes through the text once, whatever it
// holds: vendors and their users write it. Which names say that their value is a secret comes first.

/** What a key holds: `any` value of it is secret, or only its `text`s, because objects and numbers under such a name are evidence. */
type SecretKind = 'any' | 'text';

const whatIsLocked =
  'api|private|access|secret|signing|encryption|shared|master|auth|session|account|storage|subscription|service';
const anyValue = new RegExp(`(?:secret|token|password|passwd|passphrase|pwd|(?:${whatIsLocked})key)$`);
const textValue = new RegExp(
  `(?:authori[sz]ation|cookies?|credentials?|bearer|jwt|secrets|tokens|passwords|passphrases|(?:${whatIsLocked})keys)$`,
);

const words = ['secret', 'token|cookie|authori[sz]ation', 'credential|bearer', 'passw|passphrase', 'pwd|jwt'];

/** Occurs, without regard to case, in every text in which a key could name a secret. */
export const secretHint = new RegExp([...words, `(?:${whatIsLocked})[^a-z]{0,2}key`].join('|'), 'i');

/** One of them occurs where {@link secretHint} does. To look for a few words at a time takes half as long as for all of them at once. */
export const secretHints: readonly string[] = [...words, 'key'];

const longestSecretKey = 80;

/**
 * What a key's last words say: `session_token`, `x-api-key`, `awsSecretAccessKey` and `Passwd` name secrets; `token_id` and `secretQuestion`
 * name something else. Case, digits and what stands between the words do not matter.
 */
export function secretKind(key: string): SecretKind | undefined {
  if (key.length < 3 || key.length > longestSecretKey || !secretHint.test(key)) return undefined;
  const letters = key.toLowerCase().replace(/[^a-z]/g, '');
  if (anyValue.test(letters)) return 'any';
  return textValue.test(letters) ? 'text' : undefined;
}

// A token with a prefix of its own is known wherever it stands; the colon may be percent-encoded.
const prefixedToken = /AstraCS(?::|%3A)[A-Za-z0-9:_%-]+/gi;
/** Occurs in every text that holds a token with a prefix of its own. */
export const tokenPrefix = /AstraCS/i;
const scheme = /\b(bearer|basic)[ \t]+([A-Za-z0-9._~+/=-]{16,})/gi;

/** A piece of a text and what takes its place. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly by: string;
}

const isBlank = (char: string | undefined): boolean => char === ' ' || char === '\t' || char === '\n' || char === '\r';

function skip(text: string, from: number, isSkipped: (char: string) => boolean, step: 1 | -1, until: number): number {
  let at = from;
  while (at !== until && isSkipped(text.charAt(at))) at += step;
  return at;
}

const skipBlanks = (text: string, from: number): number => skip(text, from, isBlank, 1, text.length);

/** How many backslashes end just before `at`, none of them before `floor`. */
function backslashesBefore(text: string, at: number, floor: number): number {
  return at - 1 - skip(text, at - 1, (char) => char === '\\', -1, floor - 1);
}

interface Quoted {
  readonly key: string;
  /** Backslashes before each quote: JSON in JSON has one, and so on. */
  readonly escapes: number;
  readonly quote: string;
}

/** The quoted name that ends before a colon. */
function quotedKey(text: string, colon: number, floor: number): Quoted | undefined {
  const close = skip(text, colon - 1, isBlank, -1, floor - 1);
  const quote = text.charAt(close);
  if (close < floor || (quote !== '"' && quote !== "'")) return undefined;
  const escapes = backslashesBefore(text, close, floor);
  const end = close - escapes;
  for (let at = end - 1; at >= floor && at >= end - longestSecretKey; at -= 1) {
    if (text.charAt(at) !== quote) continue;
    const key = text
      .slice(at + 1, end)
      .replace(/\\+u00([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    return { key, escapes, quote };
  }
  return undefined;
}

/** The end of a text in quotes that begins at `from`, after its quote: a quote as much escaped as the first, or less. */
function endOfQuoted(text: string, from: number, { escapes, quote }: Omit<Quoted, 'key'>): number {
  let period = 1;
  while (period <= escapes) period *= 2;
  period *= 2;
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 1)) {
    const before = backslashesBefore(text, at, from);
    if (before < escapes || before % period === escapes) return at + 1;
  }
  return text.length;
}

/** The end of a list or object that begins at `from`; the end of the text when it was cut off. */
function endOfNested(text: string, from: number, quoted: Omit<Quoted, 'key'>): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === quoted.quote) at = endOfQuoted(text, at + 1, quoted) - 1;
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

const endsBare = (char: string): boolean => isBlank(char) || '"\',}]&;<>)\\'.includes(char);
const bareEnd = (text: string, from: number): number => skip(text, from, (char) => !endsBare(char), 1, text.length);

function memberValue(text: string, colon: number, floor: number): Piece | undefined {
  const name = quotedKey(text, colon, floor);
  const kind = name === undefined ? undefined : secretKind(name.key);
  if (name === undefined || kind === undefined) return undefined;
  const start = skipBlanks(text, colon + 1);
  const open = skip(text, start, (char) => char === '\\', 1, text.length);
  const around = `${'\\'.repeat(name.escapes)}${name.quote}`;
  const by = `${around}${redacted}${around}`;
  const quote = text.charAt(open);
  if (quote === '"' || quote === "'") return { start, end: endOfQuoted(text, open + 1, { quote, escapes: open - start }), by };
  if (quote === '[' || (quote === '{' && kind === 'any')) return { start, end: endOfNested(text, open, name), by };
  const end = bareEnd(text, start);
  const bare = text.slice(start, Math.min(end, start + 6));
  if (end === start || bare === 'null' || bare === 'None' || quote === '{') return undefined;
  return kind === 'text' && /^(?:[-\d]|true|false)/.test(bare) ? undefined : { start, end, by };
}

/** The name without quotes that ends before `at`. */
function bareKey(text: string, at: number, floor: number): string {
  const isWord = (char: string): boolean => /[\w.-]/.test(char);
  const before = skip(text, at - 1, isWord, -1, Math.max(floor - 1, at - 1 - longestSecretKey - 1));
  return text.slice(before + 1, at);
}

/** `Authorization: Bearer abc` up to the end of its line; in prose only names of headers count. */
function headerValue(text: string, colon: number, floor: number): Piece | undefined {
  const key = bareKey(text, colon, floor);
  if (secretKind(key) === undefined || !/-|authori[sz]ation|cookie/i.test(key)) return undefined;
  const start = skip(text, colon + 1, (char) => char === ' ' || char === '\t', 1, text.length);
  const end = skip(text, start, (char) => !'\r\n"\'\\,'.includes(char), 1, text.length);
  return end === start ? undefined : { start, end, by: redacted };
}

/** `?access_token=abc&...`, `password="a b"`. */
function assignedValue(text: string, equals: number, floor: number): Piece | undefined {
  if (secretKind(bareKey(text, equals, floor)) === undefined) return undefined;
  const start = equals + 1;
  const quote = text.charAt(start);
  if (quote === '"' || quote === "'")
    return { start, end: endOfQuoted(text, start + 1, { quote, escapes: 0 }), by: `${quote}${redacted}${quote}` };
  // What was taken out before ends with a bracket, which ends a bare value.
  const end = bareEnd(text, text.startsWith(redacted, start) ? start + redacted.length : start);
  return end === start ? undefined : { start, end, by: redacted };
}

type FindValue = (text: string, at: number, floor: number) => Piece | undefined;

function replaceAfter(text: string, mark: string, find: FindValue): string {
  let clean = '';
  let from = 0;
  for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, Math.max(at + 1, from))) {
    const piece = find(text, at, from);
    if (piece === undefined) continue;
    clean += text.slice(from, piece.start) + piece.by;
    from = piece.end;
  }
  return from === 0 ? text : clean + text.slice(from);
}

/** The text with `[REDACTED]` for the values of what names a secret, tokens with a known prefix, and what follows `Bearer` or `Basic`. */
export function redactWords(text: string): string {
  const known = tokenPrefix.test(text) ? text.replace(prefixedToken, redacted) : text;
  // Half of a key may be written in escapes.
  if (!secretHint.test(known) && !known.includes('\\u00')) return known;
  const members = replaceAfter(known, ':', (...at) => memberValue(...at) ?? headerValue(...at));
  const assigned = replaceAfter(members, '=', assignedValue);
  return assigned.replace(scheme, (all, name: string, proof: string) => (/\d/.test(proof) ? `${name} ${redacted}` : all));
}

/** A key with its prefixed token taken out. */
export function redactKey(key: string): string {
  return key.length > 7 && tokenPrefix.test(key) ? key.replace(prefixedToken, redacted) : key;
}
