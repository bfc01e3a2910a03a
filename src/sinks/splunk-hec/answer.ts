import { isObject } from '../../base/json.ts';
import type { HttpResponse } from '../../http/client.ts';
import { jsonOf } from '../../http/index.ts';
import { afterPause, describeAnswer, refusesContent, stranger, strangersVerdict } from '../exchange.ts';
import type { Verdict, Verdicts } from '../sink.ts';

/** An answer as HEC gives it, or as something in front of HEC does. */
export interface HecAnswer {
  readonly status: number;
  /** Only when the body is JSON with one of HEC's own numbers; 404 and 405 carry an HTTP status there. */
  readonly code: number | undefined;
  /** `invalid-event-number` as sent; counts from 0. */
  readonly eventNumber: number | undefined;
  readonly ackId: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** What something in front of HEC means that answered in its place. */
  readonly strange: Verdict | undefined;
  /** For people: `answered 403 "Invalid token" (code 4)`. */
  readonly said: string;
}

/** HEC's own codes end at 27; room is left for newer ones, but not as far as HTTP statuses. */
const highestCode = 99;

/** Reads an answer; never throws, whatever stands in it. */
export function readAnswer(response: HttpResponse, retryAfterMs: number | undefined): HecAnswer {
  const fields = fieldsOf(response.body);
  const code = naturalNumber(fields['code']);
  const isHec = code !== undefined && code <= highestCode;
  const text = typeof fields['text'] === 'string' ? fields['text'] : '';
  return {
    status: response.status,
    code: isHec ? code : undefined,
    eventNumber: isHec ? wholeNumber(fields['invalid-event-number']) : undefined,
    ackId: isHec ? naturalNumber(numberIn(fields['ackId'])) : undefined,
    retryAfterMs,
    strange: isHec ? undefined : strangersVerdict(response),
    said: isHec ? `answered ${response.status} "${text}" (code ${code})` : describeAnswer(response),
  };
}

/** The ids that a poll's answer calls indexed; undefined when it is no such answer. */
export function readAcks(body: Buffer): ReadonlySet<number> | undefined {
  const acks = fieldsOf(body)['acks'];
  if (!isObject(acks)) return undefined;
  return new Set(Object.keys(acks).flatMap((id) => (acks[id] === true || acks[id] === 'true' ? [Number(id)] : [])));
}

function fieldsOf(body: Buffer): Record<string, unknown> {
  const value = jsonOf({ body, headers: {} });
  return isObject(value) ? value : {};
}

/** Receivers that only speak like Splunk write ids as texts; unread, they would count as acknowledged before they are. */
const numberIn = (value: unknown): unknown => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value);

function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

function naturalNumber(value: unknown): number | undefined {
  const number = wholeNumber(value);
  return number === undefined || number < 0 ? undefined : number;
}

/**
 * What a code means for the data. `accepted` and `slower` are decided by the caller, who knows of acknowledgements; `bad_event` names
 * the event by its number, which counts from 0.
 */
type Meaning =
  | { readonly kind: 'accepted' | 'slower' | 'retry' | 'split' | 'healthy' }
  | { readonly kind: 'bad_event' }
  | { readonly kind: 'hold'; readonly fix: string };

const retry: Meaning = { kind: 'retry' };
const badEvent: Meaning = { kind: 'bad_event' };
const hold = (fix: string): Meaning => ({ kind: 'hold', fix });

const tokenFix = 'copy the token from Settings > Data inputs > HTTP Event Collector into the sink\'s "token"';
const indexFix =
  'create the index in Splunk, or set "index" of the sink to one that is there, and allow it for the token (Settings > Data inputs > HTTP Event Collector)';
const enableFix =
  'enable the token (and HEC itself under Global Settings) in Splunk: Settings > Data inputs > HTTP Event Collector';

/**
 * HEC's codes. Code 7 names an event, but what it refuses is the index, which is the same for all events of a sink.
 * Source: https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/troubleshoot-http-event-collector
 */
const codes: Readonly<Record<number, Meaning>> = {
  0: { kind: 'accepted' },
  1: hold(enableFix),
  2: hold(tokenFix),
  3: hold(`${tokenFix}; if it is right, a proxy on the way strips the Authorization header`),
  4: hold(`${tokenFix}; if it is right, the endpoint belongs to another Splunk stack`),
  5: { kind: 'split' },
  6: badEvent,
  7: hold(indexFix),
  8: retry,
  9: retry,
  10: hold('the token demands indexer acknowledgement: set acknowledge: auto on the sink, or turn it off on the token'),
  11: hold('a proxy on the way changes the X-Splunk-Request-Channel header: let it pass, or set acknowledge: off'),
  12: badEvent,
  13: badEvent,
  14: hold('turn on "Enable indexer acknowledgement" for the token in Splunk, or set acknowledge: off on the sink'),
  15: badEvent,
  16: hold('remove the token from the endpoint URL: it belongs into the sink\'s "token"'),
  17: { kind: 'healthy' },
  18: retry,
  19: retry,
  20: retry,
  21: hold(tokenFix),
  22: hold(enableFix),
  23: retry,
  24: { kind: 'slower' },
  25: { kind: 'slower' },
  26: retry,
  27: retry,
};

const notHecFix =
  'make sure that the endpoint is the HTTP Event Collector (port 8088 unless changed, no path) and that the proxy or web application firewall before it lets requests through';

/** True for a 2xx in which HEC itself says that it took the batch. */
export function isAccepted(answer: HecAnswer): boolean {
  const meaning = answer.code === undefined ? undefined : codes[answer.code];
  return isSuccess(answer.status) && (meaning?.kind === 'accepted' || meaning?.kind === 'slower');
}

/** True when an answer names one event that comes after others, which HEC stored unless an acknowledgement was expected. */
export function hasStoredSome({ code, eventNumber }: HecAnswer): boolean {
  const meaning = code === undefined ? undefined : codes[code];
  return meaning?.kind === 'bad_event' && eventNumber !== undefined && eventNumber > 0;
}

/** True when an accepted answer asks for fewer requests at once (codes 24 and 25). */
export function asksSlower(answer: HecAnswer): boolean {
  return answer.code !== undefined && codes[answer.code]?.kind === 'slower';
}

/**
 * Says what became of a batch whose answer does not accept it.
 *
 * HEC's code decides wherever there is one, also with a 200. HEC reads a body as a stream: events before the bad one are stored, unless
 * an acknowledgement was expected (`acknowledged`), which then never comes.
 */
export function classifyRefusal(answer: HecAnswer, size: number, acknowledged: boolean): Verdicts {
  const meaning = answer.code === undefined ? undefined : codes[answer.code];
  if (meaning === undefined)
    return { all: firewalls(answer, afterPause(answer.strange ?? classifyStatus(answer), answer.retryAfterMs)) };
  // HEC reads a body as a stream, and code 7 counts from 1.
  if (meaning.kind === 'hold') {
    const maybeStored = !acknowledged && (answer.eventNumber ?? 0) > 1;
    return { all: afterPause(holdVerdict(answer.said, meaning.fix, maybeStored), answer.retryAfterMs) };
  }
  if (meaning.kind === 'retry') return { all: retryVerdict(answer) };
  if (meaning.kind === 'split') return { all: splitVerdict(answer) };
  if (meaning.kind === 'bad_event') return locate(answer, size, acknowledged);
  return { all: uncertainVerdict(answer) };
}

function locate(answer: HecAnswer, size: number, acknowledged: boolean): Verdicts {
  const bad = answer.eventNumber ?? -1;
  if (bad < 0 || bad >= size) return { all: { ...splitVerdict(answer), maybeStored: true } };
  const before: Verdict = acknowledged
    ? { kind: 'uncertain', reason: `stored before the bad event, but not acknowledged: ${answer.said}`, retryAfterMs: 0 }
    : { kind: 'accept' };
  const refused: Verdict = { kind: 'event', code: `hec_${answer.code}`, reason: answer.said };
  const after: Verdict = { kind: 'retry', reason: 'not read: an event before it in the batch was refused', retryAfterMs: 0 };
  return { each: Array.from({ length: size }, (_, at) => (at < bad ? before : at === bad ? refused : after)) };
}

/** A refusal that a firewall may mean for what is in the batch. */
function firewalls({ status, code }: HecAnswer, verdict: Verdict): Verdict {
  // A code that is newer than this table is HEC's own.
  return verdict.kind === 'hold' && code === undefined && refusesContent(status)
    ? { ...verdict, ifReached: `http_${status}` }
    : verdict;
}

/** An answer without a code of HEC's: a proxy's, a balancer's, a firewall's, or splunkd's own 404. */
function classifyStatus(answer: HecAnswer): Verdict {
  const { status, said } = answer;
  if (status === 413) return splitVerdict(answer);
  if (status === 429 || status === 503) return retryVerdict(answer);
  if (isSuccess(status)) return stranger(`${said}, which is not an answer of Splunk HEC`);
  if (status >= 500 || status === 408 || status === 425) return uncertainVerdict(answer);
  if (status === 415) return holdVerdict(said, 'set compression: none on the sink');
  if (status >= 300 && status < 400) return holdVerdict(`${said}; redirects are never followed`, notHecFix);
  return holdVerdict(`${said}, which is not an answer of Splunk HEC`, notHecFix);
}

const holdVerdict = (reason: string, fix: string, maybeStored = false): Verdict => ({
  kind: 'hold',
  reason,
  fix,
  ofRequest: true,
  ...(maybeStored && { maybeStored }),
});

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function splitVerdict(answer: HecAnswer): Verdict & { readonly kind: 'split' } {
  return { kind: 'split', code: answer.code === undefined ? `http_${answer.status}` : `hec_${answer.code}`, reason: answer.said };
}

function uncertainVerdict({ said, retryAfterMs }: HecAnswer): Verdict {
  return afterPause({ kind: 'uncertain', reason: said }, retryAfterMs);
}

function retryVerdict({ said, retryAfterMs }: HecAnswer): Verdict {
  return afterPause({ kind: 'retry', reason: said, ofRequest: true }, retryAfterMs);
}
