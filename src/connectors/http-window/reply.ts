import { PenstockError } from '../../base/errors.ts';
import { shortened, TooManyValues } from '../../base/foreign.ts';
import { isObject, isRawNumber } from '../../base/json.ts';
import { atOnce, type Steps } from '../../base/slices.ts';
import { redact } from '../../event/index.ts';
import type { HttpResponse } from '../../http/client.ts';
import { decodeReply, type ParsedJson, textSteps } from '../../http/index.ts';
import type { Settle } from './doubled.ts';

const longestText = 300;

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
export type ParsedBody = ParsedJson | { readonly fault: string; readonly isHtml: boolean; readonly isTooMuch?: boolean };

/**
 * Parses a JSON body. Bytes that are no UTF-8 become U+FFFD, and what encoders let through is mended: one wrong byte in a name must not
 * stop a source.
 */
export function* bodySteps(response: HttpResponse, charset?: string, settle?: Settle): Steps<ParsedBody> {
  const text = decodeReply(response, charset);
  yield;
  try {
    const parsed = yield* textSteps(text, settle);
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

/** The body of a successful answer; throws PEN_SOURCE_BAD_REPLY, naming the login page or proxy that HTML comes from. */
export function requireJson(parsed: ParsedBody, { status }: HttpResponse, request: string, isOfWindow = false): ParsedJson {
  if ('value' in parsed) return parsed;
  const code = isOfWindow && parsed.isTooMuch === true ? 'PEN_WINDOW_TOO_LARGE' : 'PEN_SOURCE_BAD_REPLY';
  throw new PenstockError(code, `answered ${status} with ${parsed.fault} to ${request}`, { fix: fixOf(parsed), status });
}

function fixOf({ isHtml, isTooMuch }: Exclude<ParsedBody, ParsedJson>): string {
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
