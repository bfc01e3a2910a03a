import type { HttpRequest, HttpResponse } from '../../http/client.ts';
import { retryAfterMs } from '../../http/index.ts';
import { type Bodies, openBodies } from '../body.ts';
import {
  afterPause,
  describeAnswer,
  type Exchange,
  exchange,
  isPage,
  namesDestination,
  refusesContent,
  stranger,
  strangersVerdict,
  wordsOfEvents,
} from '../exchange.ts';
import type { Batch, SinkContext, Verdict, Verdicts } from '../sink.ts';
import { doubtOf, numberAt, ruleOf, verdictOfStatus } from './answer.ts';
import type { Authorizer, Sign } from './authorize.ts';
import type { HttpOptions } from './options.ts';
import type { EntryContext, Preset } from './preset.ts';

/** What every request of a sink is made from. */
export interface Sending {
  readonly options: HttpOptions;
  readonly context: SinkContext;
  readonly preset: Preset;
  readonly compression: NonNullable<HttpOptions['compression']>;
  readonly entry: EntryContext;
  readonly url: URL;
  readonly authorizer: Authorizer;
  readonly sign: Sign | undefined;
}

/** True of a status that speaks of what was sent. */
function isAboutContent(status: number, { statuses }: Preset): boolean {
  return status === 400 || status === 422 || ruleOf(status, statuses).means === 'event';
}

/** True of a success that no standard knows: 260 of Loki, say, for what it will not take. */
const isUnheardOf = (status: number): boolean => status > 208 && status < 300 && status !== 226;

const destinationFix =
  'create what the receiver names (index, alias, table, stream, bucket, topic), or correct the options of the sink, and let its credentials write there';

/** Largest answer that is read where a preset does not need more. */
const maxAnswerBytes = 65_536;

/** Makes the `send` of a sink. */
export function httpSend(sending: Sending): (batch: Batch, signal: AbortSignal) => Promise<Verdicts> {
  const { preset, compression, entry } = sending;
  const frame = preset.frame(entry);
  const bodies = openBodies(frame, compression);
  const { overwrite } = preset;
  const rewritten = overwrite && openBodies(frame, compression, overwrite.rewrite);
  let overwrites = overwrite !== undefined;

  return async (batch, signal) => {
    if (batch.replay && overwrites && rewritten !== undefined) {
      const sent = await attempt(sending, rewritten, batch, signal);
      overwrites = 'failed' in sent || overwrite?.refusedBy.test(sent.response.body.toString('utf8')) !== true;
      if (overwrites) return judge(sending, batch, sent);
      sending.context.log.info('the receiver does not allow overwriting: replayed events that it already has stay unchanged');
    }
    return judge(sending, batch, await attempt(sending, bodies, batch, signal));
  };
}

/** Sends a batch once; after a 401 once more with a new token, where there can be one. */
async function attempt(sending: Sending, bodies: Bodies, batch: Batch, signal: AbortSignal): Promise<Exchange> {
  const { authorizer, context } = sending;
  const { bytes } = await bodies.of(batch);
  for (let again = true; ; again = false) {
    const authorization = await authorizer.authorize(signal);
    if ('failed' in authorization) return authorization;
    const request = requestOf(sending, batch, bytes, authorization.headers, signal);
    const sent = await exchange(context.http, request);
    const isRefused = 'response' in sent && sent.response.status === 401;
    if (!isRefused || !again || !authorizer.renew(authorization.headers)) return sent;
  }
}

function requestOf(
  { options, compression, context, preset, url, sign }: Sending,
  { id }: Batch,
  bytes: Buffer,
  authorization: Readonly<Record<string, string>>,
  signal: AbortSignal,
): HttpRequest {
  const encoding: Record<string, string> = compression === 'none' ? {} : { 'content-encoding': compression };
  return {
    method: options.method,
    url,
    headers: {
      'content-type': preset.contentType,
      ...encoding,
      ...preset.headers,
      ...lowerCase(options.headers),
      'idempotency-key': id,
      ...sign?.(id, bytes, context.seams.clock.now()),
      ...authorization,
    },
    body: bytes,
    timeoutMs: context.timeoutMs ?? 30_000,
    maxBytes: preset.limits.answerBytes ?? maxAnswerBytes,
    signal,
  };
}

function judge({ preset, options, context }: Sending, { events, encoded, replay }: Batch, sent: Exchange): Verdicts {
  if ('failed' in sent) return { all: sent.failed };
  const { response } = sent;
  const size = events.length;
  const waitMs = retryAfterMs(response.headers, context.seams.clock);
  const isSuccess = response.status >= 200 && response.status < 300;
  const strange = strangersVerdict(response);
  if (strange !== undefined)
    return { all: firewalls(preset, response, afterPause(strange, waitMs ?? ruleOf(response.status, preset.statuses).waitMs)) };
  const said = wordsOfEvents(() => encoded.texts());
  const isElsewhere = (): boolean => namesDestination(response.body.toString('utf8'), said);
  if ((isUnheardOf(response.status) || isAboutContent(response.status, preset)) && isElsewhere())
    return { all: afterPause({ kind: 'hold', reason: describeAnswer(response), fix: destinationFix }, waitMs) };
  if (isSuccess && response.body.length > 0 && response.status !== (preset.successStatus ?? response.status))
    return { all: stranger(`${describeAnswer(response)}, where the receiver's own success is ${preset.successStatus}`) };
  if (isSuccess)
    return eachAfterPause(
      preset.success?.(response.body, size, replay, encoded) ?? countRefused(response, options.refused_count, size),
      waitMs,
    );
  const verdict = verdictOfStatus(response.status, describeAnswer(response), waitMs, preset.statuses);
  return forEvery(firewalls(preset, response, verdict), size);
}

/** A page that refuses a request may mean what is in it; only a request of the same kind without events can show that. */
function firewalls({ probe }: Preset, response: HttpResponse, verdict: Verdict): Verdict {
  const { status } = response;
  if (verdict.kind !== 'hold' || probe?.method !== 'POST' || !refusesContent(status) || !isPage(response)) return verdict;
  return { ...verdict, ifReached: `http_${status}` };
}

/** Events of a success that are sent again wait as long as its answer asks. */
function eachAfterPause(verdicts: Verdicts, waitMs: number | undefined): Verdicts {
  if (waitMs === undefined || waitMs === 0) return verdicts;
  if ('all' in verdicts) return { all: afterPause(verdicts.all, waitMs) };
  return { each: verdicts.each.map((verdict) => afterPause(verdict, waitMs)) };
}

/** A success that says how many events it refused, but not which. */
function countRefused(response: HttpResponse, path: string | undefined, size: number): Verdicts {
  const { body, status } = response;
  const refused = path === undefined ? 0 : (numberAt(body, path) ?? 0);
  if (refused <= 0) return { all: { kind: 'accept', warning: path === undefined ? doubtOf(response) : undefined } };
  const reason = `answered ${status} but refused ${refused} of ${size} events`;
  const refusal = { code: 'refused', reason };
  return forEvery(refused >= size ? { kind: 'event', ...refusal } : { kind: 'split', ...refusal, maybeStored: true }, size);
}

/** One verdict for all. `event` is said of each one: of the whole batch it would mean that the receiver did not say which. */
function forEvery(verdict: Verdict, size: number): Verdicts {
  return verdict.kind === 'event' ? { each: Array.from({ length: size }, () => verdict) } : { all: verdict };
}

function lowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
