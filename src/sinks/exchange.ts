import { consequenceOf, PenstockError } from '../base/errors.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../http/client.ts';
import type { Verdict } from './sink.ts';

/** What came of a request: an answer, or the verdict that follows from having none. */
export type Exchange = { readonly response: HttpResponse } | { readonly failed: Verdict };

/**
 * Sends one request and turns a missing answer into a verdict: `retry` when nothing can have left this machine, `hold` when the peer's
 * certificate or our way through a proxy is refused, else `uncertain`. Of an endless answer the beginning is read. Rethrows what is no matter of
 * the network, such as the caller's abort.
 */
export async function exchange(http: HttpClient, request: HttpRequest): Promise<Exchange> {
  try {
    return { response: await http.request({ ...request, cut: true }) };
  } catch (error) {
    if (error instanceof PenstockError) return ofFault(error);
    throw error;
  }
}

function ofFault(error: PenstockError): Exchange {
  const { code, status, sent, message: reason } = error;
  // A server that will not read a large body closes while it still arrives, and its answer is cut off after the status.
  if (code === 'PEN_HTTP_RESET' && status === 413) return { response: { status, headers: {}, body: Buffer.alloc(0) } };
  if (consequenceOf(error).sink === 'hold')
    return { failed: { kind: 'hold', reason, fix: error.fix ?? 'check the tls settings of the sink' } };
  // A proxy that wants other credentials or forbids the way waits for a person; the receiver was not even asked.
  if (code === 'PEN_HTTP_UNREACHABLE' && status !== undefined && [401, 403, 407].includes(status))
    return { failed: afterPause({ kind: 'hold', reason, fix: error.fix ?? 'check "proxy" of the sink' }, error.retryAfterMs) };
  const hint = error.fix === undefined ? '' : ` (${error.fix})`;
  const kind = sent ? 'uncertain' : 'retry';
  // What a proxy answers to a CONNECT; a connection of ours that breaks has no status.
  const isProxys = code === 'PEN_HTTP_UNREACHABLE' && status !== undefined && error.fix !== undefined;
  const said = isProxys ? { reason, fix: error.fix } : { reason: `${reason}${hint}` };
  // 0 stays: closed by the peer just as the request left.
  return { failed: { kind, ...said, ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }) } };
}

/** The answer to a question, false where it was asked and got none; throws where it cannot have left this machine. */
export function answerOf(sent: Exchange): HttpResponse | false {
  if ('response' in sent) return sent.response;
  const { failed } = sent;
  if (failed.kind === 'uncertain') return false;
  throw new PenstockError('PEN_HTTP_UNREACHABLE', 'reason' in failed ? failed.reason : failed.kind, { sent: false });
}

/**
 * An answer for people: `answered 403 "Forbidden by policy"`, a page without its tags. Whole, and in its lines, which a secret may be spread over:
 * it is cut and put on one line where secrets are taken out.
 */
export function describeAnswer(response: HttpResponse): string {
  const whole = response.body.toString('utf8');
  const lines = isPage(response) ? textOfPage(whole) : whole;
  const text = lines
    .replace(/[^\S\p{Cc}]+/gu, ' ')
    .replace(/\p{Cc}[\p{Cc} ]*/gu, '\n')
    .trim();
  const said = text === '' ? `answered ${response.status} with an empty body` : `answered ${response.status} "${text}"`;
  return isRedirect(response) ? `${said}${whereTo(response)}` : said;
}

export const isRedirect = ({ status }: HttpResponse): boolean => status >= 300 && status < 400;

/** Where a redirect leads, without its path and query: in these may stand what opens the receiver. */
function whereTo({ headers: { location = '' } }: HttpResponse): string {
  if (location === '') return '';
  if (!/^(?:https?:)?\/\/./i.test(location)) return ', a redirect to another path of the same host';
  const url = location.startsWith('//') ? `https:${location}` : location;
  return URL.canParse(url) ? `, a redirect to ${new URL(url).origin}` : '';
}

function textOfPage(page: string): string {
  // What is not closed goes to the end, so that no beginning is looked at twice.
  return page.replace(/<(script|style)\b[^]*?(?:<\/\1\s*>|$)/gi, '\n').replace(/<[^<>]*>/g, '\n');
}

/** Where all events of a sink go, whatever a receiver calls it. */
const place =
  '(?:index(?:es)?|indices|alias(?:es)?|data ?streams?|(?:log ?|delivery )?streams?|tables?|relation|databases?|buckets?|topics?|queues?|data ?sets?|collections?|workspaces?|namespaces?|keyspaces?|log ?(?:types?|groups?)|repositor(?:y|ies)|tenants?|org(?:ani[sz]ation)?(?: ?id)?|customers?(?: ?id)?|forwarders?|pipelines?|(?:data collection )?rules?|ingestion)';
const fault =
  '(?:not (?:be )?found|not exist|does not|doesn.?t|no such|unknown|unrecogni[sz]ed|absent|missing|not (?:configured|defined|available|enabled|active|supported|provisioned)|isn.?t (?:configured|enabled|active)|not (?:authori[sz]ed|allowed|permitted)|denied|forbidden|prohibited|blocked|closed|disabled|inactive|deleted|read.?only|invalid|incorrect|quota)';
const before =
  '(?:no(?: such| write| matching| valid| default| target)?|unknown|unrecogni[sz]ed|missing|invalid|incorrect|inactive|non ?existent|(?:could not|couldn.?t|cannot|can.?t|unable to|failed to) (?:find|open|access|create|locate|write to)(?: the)?)';
// A dot inside of a name ends no sentence.
const between = '(?:[^.;{}]|\\.(?=\\S)){0,80}';
const destination = new RegExp(
  `\\b${before} ${place}\\b|\\b${place}\\b${between}\\b${fault}\\b|op type of create|more than (?:one ind(?:ex|ices)|\\d type)|maximum (?:\\w+ )?shards open`,
  'gi',
);
// What such words are about is one event.
const content =
  /\b(fields?|attributes?|labels?|propert(?:y|ies)|columns?|mapp(?:ing|er)|pars(?:e|ing)|document|values?|tim(?:e|estamp))\b/i;
const certain = /\bmore than \d type\b/;
const parts = '(?:events?|records?|rows?|items?|entr(?:y|ies)|lines?|objects?|payloads?|body|documents?)';
const lack =
  '(?:missing|lacks?|lacking|absent|has no|have no|without|required|requires|undefined|null|empty|blank|omitted|not (?:set|given|provided|present|specified|supplied|defined)|does(?:n.?t| not) (?:have|contain|include))';
/** `customer_id`, `tenantId`: what members of an event are called; a code such as `index_not_found` says what is wrong by itself. */
const member =
  '(?<!\\w)(?!\\w*(?:not|no|unknown|missing|invalid|exception|error|denied|closed|disabled)(?:_|[A-Z]|\\b))[a-z][a-z0-9]*(?:_[a-z0-9]+|[A-Z][a-z0-9]*)+';
/** The pattern with each letter in either case; all around it case counts. */
const inAnyCase = (pattern: string): string =>
  pattern.replace(/\[[a-z]+\]|[a-z]/g, (text) => `[${text.replace(/\W/g, '')}${text.replace(/\W/g, '').toUpperCase()}]`);
/** One that is no name of a place (`index audit_log`), and no key of an answer (`"traceId":null`). */
const lacked = `(?<!\\b${inAnyCase(place)}[\\s"'\`:=([]{1,4})${member}(?![a-zA-Z0-9_]|"\\s*:)`;
/** Between the part of a request and what it lacks stands neither a place nor what became of the part. */
const gap = `(?:(?!\\b${place}\\b|reject|refus|fail|discard|drop|written|stored)[^.;:{}]){0,30}`;
/** A member that an event lacks or has wrong, told by its name, by quotes around it, by where it stands in the event, or by the event that lacks it. */
const lacking = [
  new RegExp(`\\b${lack}\\b[\\s"'\`:=([]{1,4}(?:\\w+[\\s"'\`:]+){0,2}${lacked}`),
  new RegExp(`${lacked}[^.;{}]{0,40}?\\b${lack}\\b`),
  new RegExp(
    `(?:\\$|\\]|\\b${parts})\\.(?:\\w+\\.)*${place}\\b|(?<![\\w/])(?:/?(?:data|${parts}))?/\\d+/(?:\\w+/)*${place}\\b`,
    'i',
  ),
  new RegExp(`"\\w*${place}\\w*"\\s*:\\s*(?:\\[\\s*"[^"]*\\b(?:${lack}|${fault})|"(?:is |was )?${lack})\\b`, 'i'),
  new RegExp(
    `\\b${parts}(?:${gap}| ?#?\\d+: ?)\\b${lack}\\b|\\b(?:missing|no)\\b[^.;:{}]{0,40}\\b(?:in|from) (?:the |an? |this )?${parts}\\b`,
    'i',
  ),
  new RegExp(`\\d+\\s*,\\s*(?:"\\w+",\\s*)*"${place}"(?!\\s*:)`, 'i'),
  new RegExp(`(["'\`])${place}\\1 (?:is |was )?(?:${lack}|not allowed to be)\\b|\\bkey:? (["'\`])${place}\\2`, 'i'),
];
/** Members of an answer that say when and where it was given. */
const circumstances = /"@?(?:time(?:stamp)?|date|path|trace|instance)"\s*:\s*(?:"[^"]*"|[\d.]+)/gi;

const wordsIn = (text: string): string => text.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/[_-]+/g, ' ');

/** The words of a text alone, however it is written and quoted: `a \"b\"` in JSON and `a &quot;b&quot;` are `a b`. */
function bareWords(text: string): string {
  const plain = text
    // A run of backslashes is taken whole, whatever follows: tried from each of them it would cost the square of its length.
    .replace(/\\+(?:u([0-9a-f]{4}))?/gi, (found, digits?: string) =>
      digits === undefined ? found : String.fromCharCode(Number.parseInt(digits, 16)),
    )
    .replace(/\\+[nrtbf]?|&#?\w{1,8};/g, ' ');
  return wordsIn(plain)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

/** The texts of events as {@link namesDestination} takes them, read only when they are asked for, and once. */
export function wordsOfEvents(texts: () => readonly string[]): () => string {
  let words: string | undefined;
  return () => (words ??= texts().map(bareWords).join('\n'));
}

// So many words in a row, one of the place or of the fault among them, are no accident: "does not exist" alone may stand anywhere.
const [wordsAtPlace, wordsAtFault] = [3, 4];

/** True when words of an answer are an event's own: all of them, or those at either end with their neighbours. */
function isQuoted(answer: string, { 0: phrase, index }: RegExpExecArray, sent: () => string): boolean {
  const [before, inside, after] = [answer.slice(0, index), phrase, answer.slice(index + phrase.length)].map((part) =>
    bareWords(part).split(' ').filter(Boolean),
  ) as [string[], string[], string[]];
  const [all, first, last] = [[...before, ...inside, ...after], before.length, before.length + inside.length - 1];
  const stands = (from: number, to: number): boolean =>
    from >= 0 && to <= all.length && sent().includes(all.slice(from, to).join(' '));
  const standsAround = (at: number, words: number): boolean =>
    Array.from({ length: words }, (_, back) => at - back).some((from) => stands(from, from + words));
  return stands(first, last + 1) || standsAround(first, wordsAtPlace) || standsAround(last, wordsAtFault);
}

/**
 * True when a refusal speaks of the place where all events of a sink go: an index, a table, a stream, a bucket that is not there or not open
 * to us. `NoSuchBucket`, `index_not_found_exception` and `The stream Custom-A does not exist` all count; not what the events themselves say
 * (`sent` gives their words), for a receiver may quote one.
 */
export function namesDestination(refusal: string, sent: () => string = () => ''): boolean {
  const said = refusal.slice(0, 2000).replace(circumstances, '').slice(0, 1000);
  const words = wordsIn(said).replace(/\s+/g, ' ');
  const found = [...words.matchAll(destination)];
  if (found.length === 0 || (content.test(words) && !certain.test(words))) return false;
  if (lacking.some((form) => form.test(said))) return false;
  return found.some((match) => !isQuoted(words, match, sent));
}

const tagsOfPages =
  /^\s*<(?:!doctype html|html|head|title|meta|link|script|style|body|center|h[1-6]|div|p|form|table|noscript|iframe|font|pre|br)\b/i;

/** True for a page for people: a login form, a proxy's own error, a firewall's notice. */
export function isPage({ body, headers }: HttpResponse): boolean {
  const start = body
    .subarray(0, 4000)
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .replace(/^\s*<\?xml[^>]{0,200}>/i, '')
    .replace(/<!--.*?-->/gs, '');
  return tagsOfPages.test(start) || (/\bhtml\b/.test(headers['content-type'] ?? '') && /^\s*<[a-z!]/i.test(start));
}

/** What gateways say of themselves, in any language of theirs that is no page: Envoy, nginx, Traefik, Kong, API gateways of clouds. */
const gatewayWords =
  /upstream (?:connect error|request timeout|server)|no healthy upstream|bad gateway|gateway time-?out|no (?:available )?server (?:is )?available|no available server|endpoint request timed out|ring-balancer|\berror code: 5\d\d\b|^\W*(?:\{\s*"message"\s*:\s*")?service (?:temporarily )?unavailable\W*$/i;

/** Sent again after these; of them only 429 and 503 are sure that nothing was stored. */
const isPassing = (status: number): boolean =>
  [408, 425, 429].includes(status) || (status >= 500 && status !== 501 && status !== 505);

const gatewayFix =
  'a proxy, load balancer or gateway answers in place of the receiver: see whether it reaches it and whether the receiver is up, or check the address of the sink';

/**
 * The verdict on an answer that is none of the receiver's: a page, or what a gateway says of itself. Undefined where the receiver may have
 * spoken, and where the status alone is a hold or speaks of the size.
 */
export function strangersVerdict(response: HttpResponse): Verdict | undefined {
  const { status, body } = response;
  const page = isPage(response);
  if (page && (status < 300 || status === 400 || status === 422)) return pageHold(describeAnswer(response), status < 300);
  if (!isPassing(status)) return undefined;
  const isGateways =
    status === 502 || status === 504 || (status >= 500 && gatewayWords.test(body.subarray(0, 1000).toString('utf8')));
  if (!page && !isGateways) return undefined;
  const what = page ? 'an HTML page' : "a gateway's own error";
  const reason = `${what} came in place of the receiver's answer: ${describeAnswer(response)}`;
  if (status === 429 || status === 503) return { kind: 'retry', reason, fix: gatewayFix, ofRequest: true };
  return { kind: 'uncertain', reason, fix: gatewayFix };
}

/** A verdict after which the same bytes are sent again, with the pause that the answer asks for. */
export function afterPause(verdict: Verdict, waitMs: number | undefined): Verdict {
  if (waitMs === undefined) return verdict;
  if (verdict.kind === 'retry') return { retryAfterMs: waitMs, ...verdict };
  // An answer that asks for none at all would let the same bytes come at once.
  if ((verdict.kind === 'uncertain' || verdict.kind === 'hold') && waitMs > 0) return { retryAfterMs: waitMs, ...verdict };
  return verdict;
}

/** True of a status by which firewalls refuse what is in a request; others speak of the address, of credentials, or of how it is sent. */
export const refusesContent = (status: number): boolean => [400, 403, 406, 418, 422, 451, 501].includes(status);

const strangerFix =
  'something else answers in place of the receiver (a proxy, a login page, a firewall, another service): check the address of the sink, and let its requests through';

/** The verdict on a 2xx that the receiver's own API never gives: nobody knows what became of the batch, and when it goes on the sink holds. */
export function stranger(reason: string): Verdict {
  return { kind: 'uncertain', reason, blameless: true, fix: strangerFix };
}

/** The hold of a sink that got such a page; `isTaken`: its status said that the batch was taken. */
function pageHold(said: string, isTaken: boolean): Verdict {
  return {
    kind: 'hold',
    reason: `an HTML page came in place of the receiver's answer: ${said}`,
    fix: strangerFix,
    ...(isTaken ? { maybeStored: true } : {}),
  };
}

/** What a verdict says, for people. */
export function reasonOf(verdict: Verdict): string {
  return 'reason' in verdict ? verdict.reason : verdict.kind;
}
