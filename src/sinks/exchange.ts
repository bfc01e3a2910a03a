import { consequenceOf, PenstockError } from '../base/errors.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../http/client.ts';
import type { Verdict } from './sink.ts';

/** What came of a request: an answer, or the verdict that follows from having none. */
export type Exchange = { readonly response: HttpResponse } | { readonly failed: Verdict };

/**
 * Sends one request and turns a missing answer into a verdict: `retry` when nothing can have left this machine, `hold` when the peer's
 * certificate or our way through a proxy is refused, else `uncertain`. With `statusSuffices` an endless body costs no more than its status. Rethrows what is no matter of the network, such as the caller's abort.
 */
export async function exchange(http: HttpClient, request: HttpRequest, statusSuffices = false): Promise<Exchange> {
  try {
    return { response: await http.request(request) };
  } catch (error) {
    if (error instanceof PenstockError) return ofFault(error, statusSuffices);
    throw error;
  }
}

function ofFault(error: PenstockError, statusSuffices: boolean): Exchange {
  const { code, status, sent, message: reason } = error;
  // A refusal with an endless page is still a refusal; only a success may have to be read whole to be believed.
  if (code === 'PEN_HTTP_TOO_LARGE' && status !== undefined && (statusSuffices || status >= 300))
    return { response: { status, headers: {}, body: Buffer.alloc(0) } };
  // A server that will not read a large body closes while it still arrives, and its answer is cut off after the status.
  if (code === 'PEN_HTTP_RESET' && status === 413) return { response: { status, headers: {}, body: Buffer.alloc(0) } };
  if (consequenceOf(error).sink === 'hold')
    return { failed: { kind: 'hold', reason, fix: error.fix ?? 'check the tls settings of the sink' } };
  // A proxy that wants other credentials or forbids the way waits for a person; the receiver was not even asked.
  if (code === 'PEN_HTTP_UNREACHABLE' && status !== undefined && [401, 403, 407].includes(status))
    return { failed: { kind: 'hold', reason, fix: error.fix ?? 'check "proxy" of the sink' } };
  const hint = error.fix === undefined ? '' : ` (${error.fix})`;
  return {
    failed: { kind: sent ? 'uncertain' : 'retry', reason: `${reason}${hint}`, retryAfterMs: error.retryAfterMs },
  };
}

/** An answer for people: `answered 403 "Forbidden by policy"`. Whole: it is cut where secrets are taken out, after that. */
export function describeAnswer(response: HttpResponse): string {
  const text = response.body
    .toString('utf8')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return text === '' ? `answered ${response.status} with an empty body` : `answered ${response.status} "${text}"`;
}

const place =
  '(?:index(?:es)?|indices|alias|data ?streams?|table|stream|bucket|topic|dataset|collection|workspace|namespace|log ?type)';
const fault =
  '(?:not found|not exist|does not|doesn.?t|no such|unknown|missing|not configured|not defined|not authori[sz]ed|not allowed|denied|closed|disabled|read.?only|invalid|incorrect)';
const destination = new RegExp(
  `\\b(?:no such|unknown|missing|invalid|incorrect|no write|nonexistent) ${place}\\b|\\b${place}\\b[^.;{}]{0,80}\\b${fault}\\b|op type of create`,
  'i',
);
// What such words are about is one event.
const content = /\b(fields?|propert(?:y|ies)|columns?|mapp(?:ing|er)|pars(?:e|ing)|document|values?|tim(?:e|estamp))\b/i;

/**
 * True when a refusal speaks of the place where all events of a sink go: an index, a table, a stream, a bucket that is not there or not open
 * to us. `NoSuchBucket`, `index_not_found_exception` and `The stream Custom-A does not exist` all count.
 */
export function namesDestination(refusal: string): boolean {
  const words = refusal
    .slice(0, 1000)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ');
  return destination.test(words) && !content.test(words);
}

/** True for a page for people: a login form, a proxy's own error, a firewall's notice. */
export function isPage({ body }: HttpResponse): boolean {
  const start = body
    .subarray(0, 4000)
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .replace(/^\s*<\?xml[^>]{0,200}>/i, '')
    .replace(/<!--.*?-->/gs, '');
  return /^\s*<(?:!doctype html|html|head|title|body|center|h1)\b/i.test(start);
}

const strangerFix =
  'something else answers in place of the receiver (a proxy, a login page, a firewall, another service): check the address of the sink, and let its requests through';

/** The verdict on a 2xx that the receiver's own API never gives: nobody knows what became of the batch, and when it goes on the sink holds. */
export function stranger(reason: string): Verdict {
  return { kind: 'uncertain', reason, blameless: true, fix: strangerFix };
}

/** The hold of a sink that got such a page; `isTaken`: its status said that the batch was taken. */
export function pageHold(said: string, isTaken: boolean): Verdict {
  return {
    kind: 'hold',
    reason: `an HTML page came in place of the receiver's answer: ${said}`,
    fix: strangerFix,
    ...(isTaken ? { maybeStored: true } : {}),
  };
}
