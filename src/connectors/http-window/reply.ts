import type { Clock } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import { parseForeignJson, TooManyValues } from '../../base/foreign-json.ts';
import { isObject } from '../../base/json.ts';
import { redact } from '../../event/index.ts';
import type { HttpResponse } from '../../http/client.ts';
import { answeredAt, retryAfterMs } from '../../http/index.ts';
import type { BudgetNews } from '../connector.ts';

const longestText = 300;

type ParsedBody = { readonly value: unknown } | { readonly fault: string; readonly isHtml: boolean };

/** Parses a JSON body. Bytes that are no UTF-8 become U+FFFD: one wrong byte in a name must not stop a source. */
function parseBody({ body, headers }: HttpResponse): ParsedBody {
  const text = new TextDecoder('utf-8').decode(body);
  try {
    return { value: parseForeignJson(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    if (error instanceof TooManyValues) return { fault: error.message, isHtml: false };
    const isHtml = /^\s*<(!doctype|html|head|body|\?xml|!--)/i.test(text) || /text\/html/i.test(headers['content-type'] ?? '');
    if (text.trim() === '') return { fault: 'an empty body instead of JSON', isHtml: false };
    return { fault: isHtml ? 'an HTML page instead of JSON' : 'a body that is not JSON', isHtml };
  }
}

/** The body of a successful answer; throws PEN_SOURCE_BAD_REPLY, naming the login page or proxy that HTML comes from. */
export function requireJson(response: HttpResponse, request: string): unknown {
  const parsed = parseBody(response);
  if ('value' in parsed) return parsed.value;
  const fix = parsed.isHtml
    ? 'a login page or a proxy answers in place of the API: check the URL in the options, and the proxy'
    : 'check the URL in the options; if the body was cut off, the next poll repeats it';
  throw new PenstockError('PEN_SOURCE_BAD_REPLY', `answered ${response.status} with ${parsed.fault} to ${request}`, {
    fix,
    status: response.status,
  });
}

/**
 * What the vendor said about a fault, for people: at most 300 characters on one line, without secrets; empty when it said nothing.
 *
 * Understands `detail` as text or list, `{id, message}`, `{error: {message}}`, `{message: {field: [..]}}`, `{errors: [..]}` and OAuth errors.
 */
export function vendorWords(response: HttpResponse, scrub: (text: string) => string): string {
  const parsed = parseBody(response);
  if ('fault' in parsed) return parsed.isHtml ? 'an HTML page' : plain(response.body.subarray(0, 2000).toString('utf8'), scrub);
  return plain(wordsOf(parsed.value, 0), scrub);
}

const speaking = [
  'error_description',
  'detail',
  'details',
  'message',
  'errorSummary',
  'error',
  'errors',
  'title',
  'msg',
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
  const key = speaking.find((name) => Object.hasOwn(value, name) && wordsOf(value[name], depth + 1) !== '');
  if (key !== undefined) return wordsOf(value[key], depth + 1);
  // { field: ["is wrong", ...] }; other shapes at the top are records, not words.
  if (depth === 0) return '';
  return joined(
    Object.entries(value)
      .slice(0, 5)
      .map(([name, inner]) => `${name} ${wordsOf(inner, depth + 1)}`),
    '; ',
  );
}

function joined(texts: readonly string[], by: string): string {
  return texts.filter((text) => text.trim() !== '').join(by);
}

function plain(text: string, scrub: (text: string) => string): string {
  // Redacted before it is cut, so that no half of a secret remains.
  const clean = scrub(String(redact(text.slice(0, 5000))));
  const line = clean.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > longestText ? `${line.slice(0, longestText)}...` : line;
}

const prefixes = ['x-ratelimit-', 'x-rate-limit-', 'ratelimit-'];

/** What an answer says of the request budget; undefined when nothing. `resetMs` and `pauseMs` count from now. */
export function budgetNews(status: number, headers: Readonly<Record<string, string>>, clock: Clock): BudgetNews | undefined {
  const remaining = numberOf(headers, 'remaining');
  const limit = numberOf(headers, 'limit');
  const reset = numberOf(headers, 'reset');
  const pause = status === 429 || status === 503 ? retryAfterMs(headers, clock) : undefined;
  const news = {
    remaining,
    limit,
    resetMs: reset === undefined ? undefined : untilMs(reset, answeredAt(headers) ?? clock.now()),
    pauseMs: pause,
  };
  return Object.values(news).every((value) => value === undefined) ? undefined : news;
}

function numberOf(headers: Readonly<Record<string, string>>, name: string): number | undefined {
  for (const prefix of prefixes) {
    // Some send `100, 100;w=60`: the first number is the one in force.
    const match = /^\s*(\d{1,15}(?:\.\d+)?)/.exec(headers[`${prefix}${name}`] ?? '');
    if (match !== null) return Number(match[1]);
  }
  return undefined;
}

// Vendors write the reset as seconds from now, or as a time in seconds or milliseconds.
function untilMs(reset: number, now: number): number {
  if (reset > 100_000_000_000) return Math.max(0, reset - now);
  return Math.max(0, reset > 1_000_000_000 ? reset * 1000 - now : reset * 1000);
}
