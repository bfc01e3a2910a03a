import { sleep } from '../../base/clock.ts';
import { durationMs } from '../../base/quantity.ts';
import { uuid } from '../../base/random.ts';
import { retryAfterMs } from '../../http/index.ts';
import { answerOf, reasonOf } from '../exchange.ts';
import type { ProbeReport, SinkContext, Verdict } from '../sink.ts';
import { classifyRefusal, type HecAnswer, isAccepted, readAnswer } from './answer.ts';
import { type Channel, freshChannel, headersOf, keepCookies } from './channel.ts';
import { hecTime } from './encode.ts';
import type { SplunkHecOptions } from './options.ts';
import { askForAcks, eventPath, type HecPost } from './request.ts';

interface Probing {
  readonly options: SplunkHecOptions;
  readonly context: SinkContext;
  readonly post: HecPost;
  /** The test event is as large as the largest that the sink has met. */
  readonly largestBytes: number | undefined;
}

interface Finding {
  readonly lines: readonly string[];
  readonly fix?: string;
}

/** How long an acknowledgement of the test event is waited for, and the pause between questions. */
const longestWaitMs = 15_000;
const pauseMs = 500;

/**
 * Proves every endpoint: reachable, token, index and, where the token has it, indexer acknowledgement, with one marked test event.
 *
 * The health path proves none of that: it answers 200 to a wrong token too.
 */
export async function probeHec(probing: Probing, signal: AbortSignal): Promise<ProbeReport> {
  const findings: string[] = [];
  let fix: string | undefined;
  for (const endpoint of probing.options.endpoints) {
    const found = await probeEndpoint(endpoint, probing, signal);
    findings.push(...found.lines.map((line) => `${endpoint}: ${line}`));
    fix ??= found.fix;
  }
  return fix === undefined ? { ok: true, findings } : { ok: false, findings, fix };
}

async function probeEndpoint(endpoint: string, probing: Probing, signal: AbortSignal): Promise<Finding> {
  const { options, context, post } = probing;
  const channel = freshChannel(endpoint, uuid(context.seams.random));
  const headers = options.acknowledge === 'off' ? {} : headersOf(channel);
  const sent = await post(endpoint, eventPath, { headers, body: testEvent(probing), signal });
  if ('failed' in sent) return { lines: [`not reached: ${reasonOf(sent.failed)}`], fix: fixOf(sent.failed) };
  const answer = readAnswer(sent.response, retryAfterMs(sent.response.headers, context.seams.clock));
  keepCookies(channel, sent.response.headers['set-cookie']);
  const reached = 'reached';
  if (!isAccepted(answer)) return describeRefusal(reached, answer, options);
  const size = probing.largestBytes === undefined ? '' : ` of ${testEvent(probing).length} bytes`;
  const token = (await checksTokens(endpoint, probing, signal))
    ? 'token accepted'
    : 'a wrong token is taken as well: none is checked';
  const accepted = [reached, token, `${nameOf(options)} accepted a test event${size} (sourcetype penstock:check)`];
  const acknowledged = await proveAcknowledgement(answer, channel, probing, signal);
  return { ...acknowledged, lines: [...accepted, ...acknowledged.lines] };
}

/** True when HEC itself refuses a request without an event: that it has none, or what else it misses; not that it is busy. */
export async function reachesHec(endpoint: string, post: HecPost, signal: AbortSignal): Promise<boolean> {
  const sent = answerOf(await post(endpoint, eventPath, { headers: {}, body: '', signal }));
  return sent !== false && sent.status < 500 && sent.status !== 429 && readAnswer(sent, undefined).code !== undefined;
}

/** Asks with a wrong token and without an event; HEC looks at the token first. */
async function checksTokens(endpoint: string, { post }: Probing, signal: AbortSignal): Promise<boolean> {
  const headers = { authorization: 'Splunk 00000000-0000-4000-8000-000000000000' };
  const sent = await post(endpoint, eventPath, { headers, body: '', signal });
  if ('failed' in sent) return true;
  const answer = readAnswer(sent.response, undefined);
  return !(isAccepted(answer) || answer.code === noDataCode);
}

function describeRefusal(reached: string, answer: HecAnswer, options: SplunkHecOptions): Finding {
  if (answer.code === 7) {
    const name = nameOf(options);
    return {
      lines: [reached, 'token accepted', `${name} refused: it does not exist or the token does not allow it`],
      fix: `create ${name} in Splunk, or add it to the allowed indexes of the token`,
    };
  }
  const refused = classifyRefusal(answer, 1, false);
  const verdict: Verdict = 'all' in refused ? refused.all : (refused.each[0] ?? { kind: 'uncertain', reason: answer.said });
  return { lines: [reached, reasonOf(verdict)], fix: fixOf(verdict) };
}

/** Of HEC, for a request without an event. */
const noDataCode = 5;
const subject = 'indexer acknowledgement';

function proveAcknowledgement(
  { ackId, said }: HecAnswer,
  channel: Channel,
  probing: Probing,
  signal: AbortSignal,
): Finding | Promise<Finding> {
  const { acknowledge } = probing.options;
  if (acknowledge === 'off') return { lines: [`${subject}: off in the configuration`] };
  if (ackId !== undefined) return awaitAcknowledgement(ackId, channel, probing, signal);
  if (acknowledge === 'auto') return { lines: [`${subject}: the token has none; queued by Splunk counts as delivered`] };
  return {
    lines: [`${subject}: required, but the token has none (${said})`],
    fix: 'turn on "Enable indexer acknowledgement" for the token in Splunk, or set acknowledge: auto',
  };
}

async function awaitAcknowledgement(
  ackId: number,
  channel: Channel,
  { options, context, post }: Probing,
  signal: AbortSignal,
): Promise<Finding> {
  const { clock } = context.seams;
  const until = clock.monotonic() + Math.min(longestWaitMs, durationMs(options.ack_timeout));
  const ask = askForAcks(post, clock);
  const own = { bytes: 0, unansweredBefore: 0, isTold: false, settle: () => undefined };
  channel.outstanding.set(ackId, { ...own, deadline: until });
  for (;;) {
    const reply = await ask(channel, signal);
    if (reply.kind === 'told' && reply.indexed.has(ackId)) return { lines: [`${subject}: the test event is indexed`] };
    if (reply.kind === 'refused') return { lines: [`${subject}: ${reasonOf(reply.verdict)}`], fix: fixOf(reply.verdict) };
    if (clock.monotonic() >= until)
      return {
        lines: [`${subject}: none for the test event so far`],
        fix: 'if a load balancer is in front of several indexers, make it sticky by cookie or list the indexers as endpoints',
      };
    await sleep(clock, pauseMs, signal);
  }
}

function testEvent({
  options: { index, source, host },
  context: { seams, hostname, name, version },
  largestBytes = 0,
}: Probing): string {
  const envelope = {
    host: host ?? hostname,
    source: source ?? 'penstock:check',
    sourcetype: 'penstock:check',
    index,
    event: { message: 'Penstock test event, written by a check of the configuration', penstock_test: true, sink: name, version },
    fields: { penstock_id: 'penstock-check' },
  };
  const small = `{"time":${hecTime(seams.clock.now())},${JSON.stringify(envelope).slice(1)}`;
  const missing = largestBytes - small.length - ',"padding":""'.length;
  return missing <= 0 ? small : small.replace('"penstock_test":true', `$&,"padding":"${'x'.repeat(missing)}"`);
}

function nameOf({ index }: SplunkHecOptions): string {
  return index === undefined ? "the token's default index" : `index "${index}"`;
}

function fixOf(verdict: Verdict): string {
  if (verdict.kind === 'hold') return verdict.fix;
  if (verdict.kind === 'split' || verdict.kind === 'event')
    return 'let Splunk, and what is before it, take events as large as yours (maxEventSize, max_content_length, the body limit of a proxy)';
  return 'check host, port and scheme of the endpoint, and that Splunk is well';
}
