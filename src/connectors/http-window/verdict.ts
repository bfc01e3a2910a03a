// What an answer means: by its status, by what the connector says of members of the body, and by what bodies say by custom.
import { isObject, isRawNumber } from '../../base/json.ts';
import { compilePath } from '../../event/index.ts';
import type { HttpResponse } from '../../http/client.ts';
import type { HttpWindowSpec, Meaning } from '../read-section.ts';
import { tellsOfRate } from './budget-news.ts';
import { customaryFailure } from './customary-failure.ts';
import { type ParsedBody, parseBody, vendorWords } from './reply.ts';

/** `meaning` is absent where the status alone decides. */
export interface Verdict {
  readonly isReply: boolean;
  readonly isEmpty: boolean;
  readonly parsed: ParsedBody;
  readonly meaning?: Meaning;
  /** The status to go by: that of the body where one stands there. */
  readonly status: number;
}

/** Judges an answer; never throws. */
export type Judge = (response: HttpResponse) => Verdict;

type Rule = (body: unknown) => Meaning | undefined;

const rateWords =
  /rate.?limit|too.?many.?requests|throttl|(?:quota|limit).{0,20}exceeded|exceeded.{0,30}(?:quota|limit)|request.{0,10}limit.{0,10}reached/i;
// A refusal for lack of a right is not for a moment; these statuses are used for both.
const rateStatuses = new Set([400, 402, 403, 409, 420, 498, 509, 529]);

/** Compiles `read.failures` and `read.statuses`. */
export function compileJudge(spec: HttpWindowSpec): Judge {
  const failures = Object.entries(spec.failures ?? {});
  const rules = failures.map(([path, values]) => compileRule(path, values));
  const said = new Set(failures.map(([path]) => path));
  const records = [spec.records].flat();
  const lists = records.map((path) => compilePath(path));
  const statuses: Readonly<Record<string, Meaning>> = spec.statuses ?? {};
  const ruled = (body: unknown, isReply: boolean): Meaning | undefined =>
    rules.map((rule) => rule(body)).find((meaning) => meaning !== undefined && (isReply || meaning !== 'ok'));
  return (response) => {
    const { status } = response;
    const isReply = status >= 200 && status < 300;
    const parsed = parseBody(response);
    const body = 'value' in parsed ? parsed.value : undefined;
    const meaning = ruled(body, isReply) ?? statuses[String(status)] ?? (isReply ? undefined : rateMeaning(response));
    if (meaning !== undefined && meaning !== 'ok')
      return { isReply: false, parsed, isEmpty: meaning === 'empty', meaning, status };
    if (!isReply || status === 204) return { isReply: false, parsed, isEmpty: status === 204, status };
    const holdsRecords = lists.some((list) => isFilled(list(body)));
    const failure = customaryFailure(body, { holdsRecords, said, records });
    return failure === undefined
      ? { isReply, parsed, isEmpty: false, status }
      : { isReply: false, parsed, isEmpty: false, meaning: failure.meaning, status: failure.status ?? status };
  };
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
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

function textOf(value: unknown): string | undefined {
  if (isRawNumber(value)) return value.rawJSON;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** True for what says that there is no failure: nothing, false, zero, an empty text, list or map. */
function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}
