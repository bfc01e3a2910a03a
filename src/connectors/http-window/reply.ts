import { PenstockError } from '../../base/errors.ts';
import { parseForeignJson, shortened, TooManyValues } from '../../base/foreign.ts';
import { isObject, isRawNumber } from '../../base/json.ts';
import { atOnce, type Steps } from '../../base/slices.ts';
import { redact } from '../../event/index.ts';
import type { HttpResponse } from '../../http/client.ts';
import { decodeReply } from './decode.ts';

const longestText = 300;

/** A parsed body; `marked` is there when the text had to be mended: the value with every mended place marked. */
interface Parsed {
  readonly value: unknown;
  readonly marked?: unknown;
}

/** Most records of one reply: each takes a kilobyte of memory while it is examined, however small it is. */
export const mostRecords = 100_000;

/** A row of a reply that is no record, with its text. */
export class UnreadableRow {
  readonly text: string;
  readonly reason: string;
  constructor(text: string, reason: string) {
    this.text = text;
    this.reason = reason;
  }
}

/** `isTooMuch`: it may be well, but holds more than memory should. */
export type ParsedBody = Parsed | { readonly fault: string; readonly isHtml: boolean; readonly isTooMuch?: boolean };

/**
 * Parses a JSON body. Bytes that are no UTF-8 become U+FFFD, and what encoders let through is mended: one wrong byte in a name must not
 * stop a source.
 */
export function* bodySteps(response: HttpResponse, charset?: string): Steps<ParsedBody> {
  const text = decodeReply(response, charset);
  yield;
  try {
    const parsed = yield* textSteps(text);
    if (parsed !== undefined) return parsed;
  } catch (error) {
    if (error instanceof TooManyValues) return { fault: error.message, isHtml: false, isTooMuch: true };
    throw error;
  }
  const isHtml =
    /^\s*<(!doctype|html|head|body|\?xml|!--)/i.test(text) || /text\/html/i.test(response.headers['content-type'] ?? '');
  if (text.trim() === '') return { fault: 'an empty body instead of JSON', isHtml: false };
  return { fault: isHtml ? 'an HTML page instead of JSON' : 'a body that is not JSON', isHtml };
}

/** {@link bodySteps} in one go. */
export const parseBody = (response: HttpResponse, charset?: string): ParsedBody => atOnce(bodySteps(response, charset));

/** JSON, mended where it has to be; undefined when it is none. Throws a TooManyValues. */
export const parseText = (text: string): Parsed | undefined => atOnce(textSteps(text));

function* textSteps(text: string): Steps<Parsed | undefined> {
  try {
    return { value: parseForeignJson(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError) || error instanceof TooManyValues) throw error;
    yield;
    const bare = withoutGuard(text);
    return yield* bare === text ? tryMended(text) : textSteps(bare);
  }
}

// What keeps a page of another site from running the reply as a script, and what files and programs in C leave around a text.
const guard = /^\s*(?:\)\]\}'?,?|while\s*\((?:1|true)\);?|for\s*\(;;\);?)?\s*/;

function withoutGuard(text: string): string {
  let end = text.length;
  while (text.charCodeAt(end - 1) === 0) end -= 1;
  return text.slice(guard.exec(text)?.[0].length, end);
}

function* tryMended(text: string): Steps<Parsed | undefined> {
  try {
    return yield* parseMended(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The body of a successful answer; throws PEN_SOURCE_BAD_REPLY, naming the login page or proxy that HTML comes from. */
export function requireJson(parsed: ParsedBody, { status }: HttpResponse, request: string, isOfWindow = false): Parsed {
  if ('value' in parsed) return parsed;
  const code = isOfWindow && parsed.isTooMuch === true ? 'PEN_WINDOW_TOO_LARGE' : 'PEN_SOURCE_BAD_REPLY';
  throw new PenstockError(code, `answered ${status} with ${parsed.fault} to ${request}`, { fix: fixOf(parsed), status });
}

function fixOf({ isHtml, isTooMuch }: Exclude<ParsedBody, Parsed>): string {
  if (isHtml) return 'a login page or a proxy answers in place of the API: check the URL in the options, and the proxy';
  return isTooMuch === true
    ? 'ask for fewer records at once: a smaller size in read.page of the connector, or a smaller window for the source'
    : 'check the URL in the options; if the body was cut off, the next poll repeats it';
}

const yes = new Set(['true', 'yes', 'y', 'on', 't']);
const no = new Set(['false', 'no', 'n', 'off', 'f']);

/** What a flag says: a number says how many are left. Undefined where nothing stands; throws PEN_SOURCE_BAD_REPLY for what is no answer. */
export function answerOf(value: unknown): boolean | undefined {
  const text = isRawNumber(value) ? value.rawJSON : typeof value === 'string' ? value.trim().toLowerCase() : value;
  if (text === undefined || text === null || text === '' || text === 'null') return undefined;
  if (typeof text === 'boolean') return text;
  if (typeof text === 'string' && (yes.has(text) || no.has(text))) return yes.has(text);
  const count = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : text;
  if (typeof count === 'number' && Number.isInteger(count) && count >= 0) return count > 0;
  throw new PenstockError(
    'PEN_SOURCE_BAD_REPLY',
    `the reply does not say whether there is another page: ${shortened(JSON.stringify(value), 'a value')}`,
    {
      fix: 'read.page.more of the connector must lead to true or false, yes or no, or a number of pages or records left',
    },
  );
}

/**
 * What the vendor said about a fault, for people: at most 300 characters on one line, without secrets; empty when it said nothing.
 *
 * Understands `detail` as text or list, `{id, message}`, `{error: {message}}`, `{message: {field: [..]}}`, `{errors: [..]}` and OAuth errors,
 * whatever the case of the names, also in an envelope.
 */
export function vendorWords(response: HttpResponse, scrub: (text: string) => string): string {
  const parsed = parseFewBytes(response);
  if ('fault' in parsed && parsed.isTooMuch === true) return parsed.fault;
  if ('fault' in parsed) return parsed.isHtml ? 'an HTML page' : plain(response.body.subarray(0, 2000).toString('utf8'), scrub);
  return plain(wordsOf(parsed.value, 0), scrub);
}

/** No refusal is longer: it is read several times over, and nothing depends on its end. */
const longestRefusal = 1024 * 1024;

/** {@link parseBody} for what says something in a few words. */
export function parseFewBytes(response: HttpResponse): ParsedBody {
  const { length } = response.body;
  return length > longestRefusal ? { fault: `a body of ${length} bytes`, isHtml: false, isTooMuch: true } : parseBody(response);
}

/** Names of members with words, the best first; compared without case and punctuation. */
const speaking = [
  'errordescription',
  'detail',
  'details',
  'message',
  'errorsummary',
  'errormessage',
  'error',
  'errors',
  'err',
  'fail',
  'failure',
  'failures',
  'fault',
  'faultstring',
  'title',
  'msg',
  'errmsg',
  'errormsg',
  'statusmessage',
  'statustext',
  'reason',
  'description',
];

function wordsOf(value: unknown, depth: number): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (depth > 4) return '';
  if (Array.isArray(value))
    return joined(
      value.slice(0, 5).map((item) => wordsOf(item, depth + 1)),
      '; ',
    );
  if (!isObject(value)) return '';
  if (Array.isArray(value['loc']) && typeof value['msg'] === 'string')
    return `${value['loc'].map(String).join('.')}: ${value['msg']}`;
  const spoken = spokenIn(value, depth);
  if (spoken !== '') return spoken;
  // { field: ["is wrong", ...] }; other shapes at the top are records, not words, or an envelope around them.
  if (depth === 0)
    return (
      Object.values(value)
        .map((inner) => (isObject(inner) ? spokenIn(inner, 1) : ''))
        .find((text) => text !== '') ?? ''
    );
  return joined(
    Object.entries(value)
      .slice(0, 5)
      .map(([name, inner]) => `${name} ${wordsOf(inner, depth + 1)}`),
    '; ',
  );
}

function spokenIn(value: Record<string, unknown>, depth: number): string {
  const members = new Map(Object.entries(value).map(([name, inner]) => [name.toLowerCase().replaceAll(/[^a-z]/g, ''), inner]));
  const texts = speaking.map((name) => (members.has(name) ? wordsOf(members.get(name), depth + 1) : ''));
  return texts.find((text) => text !== '') ?? '';
}

function joined(texts: readonly string[], by: string): string {
  return texts.filter((text) => text.trim() !== '').join(by);
}

function plain(text: string, scrub: (text: string) => string): string {
  // Redacted before it is cut, so that no half of a secret remains.
  const clean = scrub(String(redact(text.slice(0, 5000))));
  const line = clean.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  if (line.length <= longestText) return line;
  // Between words: other secrets than those of the source are taken out later, and half of one would not be known.
  const end = line.lastIndexOf(' ', longestText);
  return end > 0 ? `${line.slice(0, end)}...` : `a text of ${line.length} characters`;
}

// JSON as encoders that are not quite right write it: raw control characters in texts, wrong escapes, and numbers that JSON does not know.

/** Marks a place that was mended, in a second reading that is only compared. */
const mark = '\uFFFD\uE000';
const escapes = '"\\/bfnrtu';
const [quote, backslash] = [34, 92];

/** A mended value, and the same with every mended place marked. */
interface MendedJson {
  readonly value: unknown;
  readonly marked: unknown;
}

/** Parses a text that is no JSON to the letter; throws a SyntaxError when it cannot be mended, as when it was cut off. */
function* parseMended(text: string): Steps<MendedJson> {
  const mended = yield* mend(text, '');
  if (mended === undefined || mended === text) throw new SyntaxError('not JSON');
  const value = parseForeignJson(mended);
  yield;
  const marked = (yield* mend(text, mark)) ?? '';
  return { value, marked: parseForeignJson(marked) };
}

/** Encoders get the odd character wrong, in each of many records at worst: every place costs as much as a hundred characters. */
const mendedAnyway = 10_000;
const charactersPerMended = 50;
/** Texts that are looked at in one step. */
const textsPerStep = 1000;

/** Walks over the texts of JSON once; undefined when the last one never ends. Throws a SyntaxError where there is too much to mend. */
function* mend(text: string, marking: string): Steps<string | undefined> {
  const pieces: string[] = [];
  let left = mendedAnyway + text.length / charactersPerMended;
  const mended = (by: string): string => {
    left -= 1;
    if (left < 0) throw new SyntaxError('too much to mend');
    return by;
  };
  for (let at = 0; ; ) {
    const start = text.indexOf('"', at);
    pieces.push(mendNumbers(text.slice(at, start === -1 ? text.length : start), marking, mended));
    if (start === -1) return pieces.join('');
    if (pieces.length % textsPerStep === 1) yield;
    const end = endOf(text, start + 1);
    if (end === undefined) return undefined;
    pieces.push(mendText(text.slice(start, end), marking, mended));
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

type Mended = (by: string) => string;

function mendNumbers(text: string, marking: string, mended: Mended): string {
  const by = marking === '' ? 'null' : `"${marking}"`;
  return text.length < 3 ? text : text.replace(/-?\b(?:NaN|Infinity)\b/g, () => mended(by));
}

function mendText(text: string, marking: string, mended: Mended): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f]|\\[^]/g, (found) => {
    const [first, second] = [found.charAt(0), found.charAt(1)];
    if (first !== '\\') return mended(`${marking}${escaped(first)}`);
    if (escapes.includes(second)) return found;
    // The backslash stood for itself; what follows it may be a control character of its own.
    return mended(`${marking}\\\\${second < ' ' ? escaped(second) : second}`);
  });
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
