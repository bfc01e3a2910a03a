import type { HttpRequest, HttpResponse } from '../../http/client.ts';
import {
  answerOf,
  describeAnswer,
  type Exchange,
  exchange,
  isPage,
  namesDestination,
  reasonOf,
  strangersVerdict,
} from '../exchange.ts';
import type { ProbeReport, Verdict } from '../sink.ts';
import { fill } from './preset.ts';
import type { Sending } from './send.ts';

/**
 * Proves what can be proved without delivering an event: the way there, the token where one is minted, and, where the receiver has a request
 * that stores nothing, credentials and the place of the events.
 */
export async function probeHttp(sending: Sending, signal: AbortSignal, largestBytes = 0): Promise<ProbeReport> {
  const { authorizer, preset, options } = sending;
  const authorization = await authorizer.authorize(signal);
  if ('failed' in authorization) return failed([reasonOf(authorization.failed)], authorization.failed);
  const granted = options.auth?.oauth2 !== undefined || options.auth?.google_service_account !== undefined;
  const notes = preset.notes ?? [];
  const findings = granted ? ['access token granted'] : [];
  const sent = await ask(sending, authorization.headers, signal);
  const { origin } = targetOf(sending);
  if ('failed' in sent) return failed([...findings, `${origin} not reached: ${reasonOf(sent.failed)}`], sent.failed);
  const reached = [...findings, `${origin} reached`];
  const refusal = refusalOf(sending, sent.response);
  if (refusal !== undefined) return { ok: false, findings: [...reached, refusal.said, ...notes], fix: refusal.fix };
  const size = await sizeFindings(sending, authorization.headers, largestBytes, signal);
  if (size?.fix !== undefined) return { ok: false, findings: [...reached, size.said, ...notes], fix: size.fix };
  const proven = [...(await proofs(sending, sent.response, signal)), ...(size === undefined ? [] : [size.said])];
  return { ok: true, findings: [...reached, ...proven, ...notes] };
}

/**
 * Whether a request as large as the largest event gets through, with white space in place of one: JSON ends no sooner for it, and nothing is
 * delivered. Undefined where that cannot be asked.
 */
async function sizeFindings(
  sending: Sending,
  authorization: Readonly<Record<string, string>>,
  bytes: number,
  signal: AbortSignal,
): Promise<{ readonly said: string; readonly fix?: string } | undefined> {
  const { preset, options, url } = sending;
  const { body = '', sizePath } = preset.probe ?? {};
  if (bytes === 0 || (body === '' && sizePath === undefined)) return undefined;
  const target =
    sizePath === undefined ? targetOf(sending) : new URL(`${baseOf(options.url ?? url.origin)}${fill(sizePath, options)}`);
  const space = `${' '.repeat(Math.max(0, bytes - body.length - 1))}\n`;
  const sent = await request(sending, { method: 'POST', url: target, body: `${body}${space}` }, authorization, signal);
  const what = `a request of ${bytes} bytes, as large as the largest event,`;
  // White space shrinks to nothing: what is sent compressed may get through all the same.
  const advice = { fix: `let the receiver, and what is before it, take requests of ${bytes} bytes and more` };
  const fault = sending.compression === 'none' ? advice : {};
  if ('failed' in sent) return { said: `${what} does not get through: ${reasonOf(sent.failed)}`, ...fault };
  if (sent.response.status === 413) return { said: `${what} is refused: ${describeAnswer(sent.response)}`, ...fault };
  return { said: `${what} gets through` };
}

/** True when the receiver itself answers to a request that delivers nothing, whatever it says but that it is busy. */
export async function reachesHttp(sending: Sending, signal: AbortSignal): Promise<boolean> {
  const authorization = await sending.authorizer.authorize(signal);
  const answer = answerOf('failed' in authorization ? authorization : await ask(sending, authorization.headers, signal));
  return (
    answer !== false && answer.status < 500 && answer.status !== 429 && strangersVerdict(answer) === undefined && !isPage(answer)
  );
}

function targetOf({ preset: { probe }, options, url }: Sending): URL {
  return probe === undefined ? url : new URL(`${baseOf(options.url ?? url.origin)}${fill(probe.path, options)}`);
}

function ask(sending: Sending, authorization: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Exchange> {
  const { method = 'GET', body } = sending.preset.probe ?? {};
  return request(sending, { method, url: targetOf(sending), ...(body === undefined ? {} : { body }) }, authorization, signal);
}

function request(
  { context, preset, options }: Sending,
  what: Pick<HttpRequest, 'method' | 'url' | 'body'>,
  authorization: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Exchange> {
  const contentType: Record<string, string> = what.body === undefined ? {} : { 'content-type': preset.contentType };
  const headers = { ...options.headers, ...contentType, ...authorization };
  const { timeoutMs = 30_000 } = context;
  return exchange(context.http, { ...what, headers, timeoutMs, maxBytes: 1_048_576, signal });
}

/** What is wrong for sure. */
function refusalOf(
  { preset: { probe }, options }: Sending,
  response: HttpResponse,
): { readonly said: string; readonly fix: string } | undefined {
  const said = describeAnswer(response);
  const { status } = response;
  // Credentials that only write may not look.
  if (status === 403 && probe?.mayBeMissing === true) return undefined;
  if (status === 401 || status === 403) return { said: `credentials refused: ${said}`, fix: 'check "auth" of the sink' };
  if (probe === undefined) return undefined;
  const strange = strangersVerdict(response);
  if (strange !== undefined && 'fix' in strange && strange.fix !== undefined) return { said: strange.reason, fix: strange.fix };
  const isMissing = status === 404 || (status >= 400 && status < 500 && namesDestination(response.body.toString('utf8')));
  if (!isMissing || probe.mayBeMissing === true) return undefined;
  const place = probe.proves === undefined ? 'what the path names' : named(probe.proves, options);
  return { said: `${place} is not there: ${said}`, fix: 'correct the options of the sink, or create what they name' };
}

async function proofs(sending: Sending, { status }: HttpResponse, signal: AbortSignal): Promise<string[]> {
  const { preset, options } = sending;
  const { probe } = preset;
  const place = probe?.proves === undefined ? undefined : named(probe.proves, options);
  const isSuccess = status >= 200 && status < 300;
  const isKnown = isSuccess || (status === 404 && probe?.mayBeMissing === true);
  if (probe === undefined || !isKnown)
    return [`a ${probe?.method ?? 'GET'} is answered with ${status}; only the first batch proves more`];
  const found =
    place === undefined ? [] : [isSuccess ? `${place} is there` : `${place} does not exist yet: the first batch has to make it`];
  return [...(await credentials(sending, status, signal)), ...found];
}

const namesCredential = /auth|key|token|secret|cookie|password|credential|signature/i;

/** Credentials beside `auth`: in a header, in the address, in a signature. A request without them is another request. */
function hasOthers({ options: { headers = {}, signature }, url }: Sending): boolean {
  const names = [...Object.keys(headers), ...url.searchParams.keys()];
  return signature !== undefined || names.some((name) => namesCredential.test(name));
}

/** Whether the receiver looks at credentials at all: asks once more without. */
async function credentials(sending: Sending, status: number, signal: AbortSignal): Promise<readonly string[]> {
  if (hasOthers(sending)) return [];
  if (sending.options.auth === undefined) return ['no credentials are configured, and none were asked for'];
  const without = await ask(sending, {}, signal);
  const isSame = 'response' in without && without.response.status === status;
  return [isSame ? 'the same answer comes without credentials: none are checked' : 'credentials accepted'];
}

/** Words with `{option}` filled in, for people. */
function named(words: string, options: Sending['options']): string {
  return words.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = options[name as keyof Sending['options']];
    return typeof value === 'string' ? value : '';
  });
}

/** A base URL without the slash at its end. */
export function baseOf(url: string): string {
  return url.replace(/\/+$/, '');
}

function failed(findings: readonly string[], verdict: Verdict): ProbeReport {
  const fix = verdict.kind === 'hold' ? verdict.fix : 'check host and port of "url", and that the receiver is well';
  return { ok: false, findings, fix };
}
