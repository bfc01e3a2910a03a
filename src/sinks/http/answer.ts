import { isObject } from '../../base/json.ts';
import type { HttpResponse } from '../../http/client.ts';
import { jsonOf } from '../../http/index.ts';
import { afterPause, describeAnswer } from '../exchange.ts';
import type { Verdict } from '../sink.ts';
import type { StatusRule } from './preset.ts';

/** An answer's JSON object; empty when it is not one. */
export function parseAnswer(body: Buffer): Readonly<Record<string, unknown>> {
  const parsed = jsonOf({ body, headers: {} });
  return isObject(parsed) ? parsed : {};
}

/** The number at a dotted path; undefined when none stands there. Numbers written as strings count. */
export function numberAt(body: Buffer, path: string): number | undefined {
  let value: unknown = parseAnswer(body);
  for (const name of path.split('.')) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** What a success says of failures, in the ways that are usual; which events it means nobody knows, so it is only told. */
export function doubtOf(response: HttpResponse): string | undefined {
  const { status, body } = response;
  const answer = parseAnswer(body);
  const isFailure = answer['success'] === false || answer['ok'] === false || /^(error|fail)/i.test(wordOf(answer['status']));
  const namesErrors = [answer['error'], answer['errors']].some(isFilled);
  if (status !== 206 && status !== 207 && !isFailure && !namesErrors) return undefined;
  return `it took a batch, and may have refused some of it: ${describeAnswer(response)}; where it says how many, set refused_count`;
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function isFilled(value: unknown): boolean {
  if (isObject(value)) return Object.keys(value).length > 0;
  return Array.isArray(value)
    ? value.length > 0
    : !['', 'null', 'false', '0', 'undefined', 'none'].includes(String(value).toLowerCase());
}

const credentialsFix = 'check "auth" of the sink, and that the receiver lets these credentials write';
const urlFix = 'check "url" and "method" of the sink';

/** What a status means to a receiver without rules of its own; the first that fits counts. */
const rules: readonly StatusRule[] = [
  { from: 200, to: 299, means: 'accept' },
  { from: 300, to: 399, means: 'hold', fix: 'redirects are never followed: set "url" to where the receiver really is' },
  { from: 400, to: 400, means: 'split' },
  { from: 401, to: 401, means: 'hold', fix: credentialsFix },
  { from: 403, to: 403, means: 'hold', fix: credentialsFix },
  { from: 404, to: 405, means: 'hold', fix: urlFix },
  { from: 407, to: 407, means: 'hold', fix: 'put user and password into "proxy" of the sink' },
  { from: 408, to: 408, means: 'uncertain' },
  {
    from: 410,
    to: 410,
    means: 'disabled',
    fix: 'the receiver says that this address is closed for good: set a new "url", or, if it was opened again, run `penstock sinks release`; nothing is tried before that',
  },
  { from: 413, to: 413, means: 'split' },
  { from: 415, to: 415, means: 'hold', fix: 'set compression: none, or check "body"' },
  { from: 422, to: 422, means: 'split' },
  { from: 425, to: 425, means: 'retry' },
  { from: 429, to: 429, means: 'retry' },
  { from: 400, to: 499, means: 'hold', fix: `${urlFix}, and what the receiver expects` },
  { from: 501, to: 501, means: 'hold', fix: urlFix },
  { from: 503, to: 503, means: 'retry' },
  { from: 505, to: 505, means: 'hold', fix: urlFix },
  { from: 500, to: 599, means: 'uncertain' },
];
const strange: StatusRule = { from: 0, to: 0, means: 'uncertain' };

export function ruleOf(status: number, special: readonly StatusRule[] = []): StatusRule {
  const fits = ({ from, to }: StatusRule): boolean => status >= from && status <= to;
  return special.find(fits) ?? rules.find(fits) ?? strange;
}

/** The verdict of a status, for all events; `said` describes the answer. */
export function verdictOfStatus(
  status: number,
  said: string,
  retryAfterMs: number | undefined,
  special: readonly StatusRule[] = [],
): Verdict {
  const rule = ruleOf(status, special);
  const waitMs = retryAfterMs ?? rule.waitMs;
  switch (rule.means) {
    case 'accept':
      return { kind: 'accept' };
    case 'retry':
      return afterPause({ kind: 'retry', reason: said, ofRequest: true }, waitMs);
    case 'uncertain':
      return afterPause({ kind: 'uncertain', reason: said }, waitMs);
    case 'split':
      return { kind: 'split', code: `http_${status}`, reason: said };
    case 'event':
      return { kind: 'event', code: `http_${status}`, reason: said, isFinal: true };
    case 'hold':
      return afterPause({ kind: 'hold', reason: said, fix: rule.fix ?? urlFix, ofRequest: true }, waitMs);
    default:
      return { kind: 'hold', reason: said, fix: rule.fix ?? urlFix, untilReleased: true };
  }
}
