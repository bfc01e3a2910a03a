// What an answer means: by its status, by what the connector says of members of the body, and by what bodies say by custom.
import type { Clock } from '../../base/clock.ts';
import { consequenceOf, type ErrorCode, PenstockError, passingFix } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import { inTurns, type Steps } from '../../base/slices.ts';
import { compilePath } from '../../event/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/client.ts';
import type { HttpWindowSpec } from '../read-section.ts';
import type { Meaning } from '../request-section.ts';
import { tellsOfRate } from './budget-news.ts';
import { customaryFailure, textOf } from './customary-failure.ts';
import { bodySteps, type ParsedBody, parseFewBytes, vendorWords } from './reply.ts';

/** `meaning` is absent where the status alone decides. */
export interface Judgement {
  readonly isReply: boolean;
  readonly isEmpty: boolean;
  readonly parsed: ParsedBody;
  readonly meaning?: Meaning;
  /** The status to go by: that of the body where one stands there. */
  readonly status: number;
}

/** Judges an answer, slice by slice; rejects only with the reason of the signal. */
export type Judge = (response: HttpResponse, clock: Pick<Clock, 'monotonic'>, signal: AbortSignal) => Promise<Judgement>;

type Rule = (body: unknown) => Meaning | undefined;

const rateWords =
  /rate.?limit|too.?many.?requests|throttl|(?:quota|limit).{0,20}exceeded|exceeded.{0,30}(?:quota|limit)|request.{0,10}limit.{0,10}reached/i;
// A refusal for lack of a right is not for a moment; these statuses are used for both.
const rateStatuses = new Set([400, 402, 403, 409, 420, 498, 509, 529]);

/** Compiles `read.failures` and `read.statuses`. */
export function compileJudge(spec: HttpWindowSpec, parse: (response: HttpResponse) => Steps<ParsedBody> = bodySteps): Judge {
  const rules = Object.entries(spec.failures ?? {}).map(([path, values]) => [path, compileRule(path, values)] as const);
  const records = [spec.records].flat();
  const lists = records.map((path) => compilePath(path));
  const statuses: Readonly<Record<string, Meaning>> = spec.statuses ?? {};
  return async (response, clock, signal) => {
    const { status } = response;
    const isReply = status >= 200 && status < 300;
    const parsed = isReply ? await inTurns(parse(response), clock, signal) : parseFewBytes(response);
    const body = 'value' in parsed ? parsed.value : undefined;
    const told = rules.map(([path, rule]) => [path, rule(body)] as const).filter(([, meaning]) => meaning !== undefined);
    const [, ruling] = told.find(([, meaning]) => isReply || meaning !== 'ok') ?? [];
    // Nothing wrong with the body does not change what its status means.
    const byStatus = ruling === undefined || ruling === 'ok' ? statuses[String(status)] : undefined;
    const meaning = byStatus ?? ruling ?? (isReply ? undefined : rateMeaning(response));
    if (meaning !== undefined && meaning !== 'ok')
      return { isReply: false, parsed, isEmpty: meaning === 'empty', meaning, status };
    if (!isReply || status === 204) return { isReply: false, parsed, isEmpty: status === 204, status };
    const holdsRecords = lists.some((list) => isFilled(list(body), spec.records_are));
    // Accepted, and nothing there yet: never an empty page.
    if (status === 202 && byStatus === undefined && !holdsRecords)
      return { isReply: false, parsed, isEmpty: false, meaning: 'unavailable', status };
    // What an entry says nothing of in this body is not explained by it.
    const said = new Set(told.map(([path]) => path));
    const lacksList = lists.every((list) => (list(body) ?? null) === null);
    const failure = customaryFailure(body, { holdsRecords, lacksList, said, records });
    return failure === undefined
      ? { isReply, parsed, isEmpty: false, status }
      : { isReply: false, parsed, isEmpty: false, meaning: failure.meaning, status: failure.status ?? status };
  };
}

function isFilled(value: unknown, form: HttpWindowSpec['records_are']): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return form === 'map' && isObject(value) && Object.keys(value).length > 0;
}

function rateMeaning(response: HttpResponse): Meaning | undefined {
  const { status, headers } = response;
  if (status === 429) return 'rate_limit';
  if (!rateStatuses.has(status)) return undefined;
  if (status === 403 ? tellsOfRate(headers) : (headers['retry-after'] ?? '').trim() !== '') return 'rate_limit';
  return rateWords.test(vendorWords(response, String)) ? 'rate_limit' : undefined;
}

function compileRule(path: string, { '*': others = 'failed', ...values }: Readonly<Record<string, Meaning>>): Rule {
  const read = compilePath(path);
  const meanings = new Map(Object.entries(values).map(([text, meaning]) => [text.toLowerCase(), meaning]));
  return (body) => {
    const value = read(body);
    const text = textOf(value);
    const listed = text === undefined ? undefined : meanings.get(text.trim().toLowerCase());
    return listed ?? (isNothing(value) ? undefined : others);
  };
}

/** True for what says that there is no failure: nothing, false, zero, an empty text, list or map. */
function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** `GET https://host/path`, without a query. */
export function describe({ method, url }: Pick<HttpRequest, 'method' | 'url'>): string {
  return `${method} ${url.origin}${url.pathname}`;
}

interface Refusal {
  readonly status: number;
  /** What the connector or the body say that the answer means; absent where the status decides. */
  readonly meaning?: Meaning | undefined;
  /** What the vendor said, without secrets; may be empty. */
  readonly words: string;
  /** What was asked, without a query. */
  readonly request: string;
  /** Where the walk stands. */
  readonly at: 'first' | 'offset' | 'cursor';
  readonly retryAfterMs: number | undefined;
  /** From the connector, by status. */
  readonly hints: Readonly<Record<string, string>>;
  /** Origin of a redirect's target. */
  readonly redirect: string | undefined;
}

const fixes: Readonly<Record<number, string>> = {
  401: 'renew the credential: it may have expired or been revoked; collection resumes from the last checkpoint by itself',
  402: 'the plan of this tenant does not include the audit log API',
  403: 'give the credential the right to read audit logs; collection resumes from the last checkpoint by itself',
  404: 'check the URL, organization or workspace in the options, and that the audit log is enabled for it',
  422: 'the API does not take our parameters: check the options, and whether the vendor has changed its API',
};

/** True for an answer that may be different in a moment. */
function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

function statusFix(status: number): string {
  return (
    fixes[status] ?? (isPassing(status) ? passingFix : 'check the options; where they are right, ask the vendor what it means')
  );
}

/** Turns an answer other than 2xx into the error that says what the loop does. */
export function refusalError(refusal: Refusal): PenstockError {
  const { status, meaning, words, request, hints, redirect, retryAfterMs } = refusal;
  const code = codeOf(refusal);
  // A success in which the vendor says nothing: what the connector makes of it.
  const means = status < 300 && meaning !== undefined ? ` (${meaning})` : '';
  const said = words === '' ? means : ` "${words}"`;
  const target = redirect === undefined ? '' : ` with a redirect to ${redirect}`;
  const fix =
    hints[String(status)] ??
    fixOf(refusal) ??
    (redirect === undefined ? statusFix(status) : 'check the URL in the options: redirects are not followed with credentials');
  return new PenstockError(code, `answered ${status}${said}${target} to ${request}`, {
    // Whatever the status was, the rate is all that is wrong.
    status: refusal.meaning === 'rate_limit' ? 429 : status,
    fix,
    retryAfterMs,
  });
}

// The credential and the options were good for the page before.
const placeFix =
  'the window is read again; if that does not help, see that read.page of the connector takes the token or link as the vendor means it';

/** What a meaning that the status does not tell asks people to do. */
function fixOf(refusal: Refusal): string | undefined {
  const { status, meaning } = refusal;
  if (codeOf(refusal) === 'PEN_PAGE_TOKEN_REFUSED') return placeFix;
  if (meaning === 'refused') return fixes[401];
  if (meaning === 'rate_limit' || meaning === 'unavailable') return 'nothing needs to be done: the request is repeated';
  if (meaning !== 'failed' || status >= 300) return undefined;
  return 'the vendor says so in the body: if it is no failure, say in read.failures of the connector what the member means';
}

const codes: Partial<Record<Meaning, ErrorCode>> = {
  refused: 'PEN_SOURCE_REFUSED',
  rate_limit: 'PEN_SOURCE_UNAVAILABLE',
  unavailable: 'PEN_SOURCE_UNAVAILABLE',
  window_too_large: 'PEN_WINDOW_TOO_LARGE',
  failed: 'PEN_SOURCE_BAD_REPLY',
};

function codeOf({ status, at, meaning, retryAfterMs }: Refusal): ErrorCode {
  if (meaning === 'page_token_refused') return at === 'first' ? 'PEN_SOURCE_BAD_REPLY' : 'PEN_PAGE_TOKEN_REFUSED';
  // What says so in the body is an answer to the offset like any refusal.
  if (meaning === 'failed' && at === 'offset') return 'PEN_WINDOW_TOO_LARGE';
  const said = meaning === undefined ? undefined : codes[meaning];
  if (said !== undefined) return said;
  if (status === 504 && at === 'first') return 'PEN_WINDOW_TOO_LARGE';
  if (isPassing(status) || (status === 403 && retryAfterMs !== undefined)) return 'PEN_SOURCE_UNAVAILABLE';
  // Only a first page says something about credential and options: what comes after it was asked for with a place that the vendor gave us.
  if (at !== 'first' && status >= 400 && status !== 401)
    return at === 'cursor' ? 'PEN_PAGE_TOKEN_REFUSED' : 'PEN_WINDOW_TOO_LARGE';
  if ([400, 413, 414].includes(status)) return 'PEN_WINDOW_TOO_LARGE';
  return [401, 402, 403, 404, 422].includes(status) ? 'PEN_SOURCE_REFUSED' : 'PEN_SOURCE_BAD_REPLY';
}

/** Longer waits are not sat out inside of a poll. */
const longestWaitMs = 60_000;

/** True for a request that may be answered better in a moment. */
export function isWorthRetrying(error: Error): boolean {
  if (!(error instanceof PenstockError)) return false;
  if ((error.retryAfterMs ?? 0) > longestWaitMs) return false;
  return consequenceOf(error).request === 'again';
}
