import { sleep } from '../../base/clock.ts';
import { durationMs } from '../../base/quantity.ts';
import { uuid } from '../../base/random.ts';
import { retryAfterMs } from '../../http/index.ts';
import { exchange } from '../exchange.ts';
import type { ProbeReport, SinkContext, Verdict } from '../sink.ts';
import { type HecAnswer, readAnswer } from './answer.ts';
import { type Channel, freshChannel, headersOf, keepCookies } from './channel.ts';
import { classifyRefusal, isAccepted } from './codes.ts';
import { hecTime } from './encode.ts';
import type { SplunkHecOptions } from './options.ts';
import { askForAcks } from './poll.ts';
import type { HecRequests } from './request.ts';

interface Finding {
  readonly lines: readonly string[];
  readonly fix?: string;
}

/**
 * Proves every endpoint: reachable, token, index and, where the token has it, indexer acknowledgement, with one marked test event.
 *
 * The health path proves none of that: it answers 200 to a wrong token too.
 */
export async function probeHec(
  options: SplunkHecOptions,
  context: SinkContext,
  requests: HecRequests,
  signal: AbortSignal,
): Promise<ProbeReport> {
  const found: Finding[] = [];
  for (const endpoint of options.endpoints) {
    const { lines, fix } = await probeEndpoint(endpoint, options, context, requests, signal);
    const named = lines.map((line) => `${endpoint}: ${line}`);
    found.push(fix === undefined ? { lines: named } : { lines: named, fix });
  }
  const fix = found.find((finding) => finding.fix !== undefined)?.fix;
  const findings = found.flatMap(({ lines }) => lines);
  return fix === undefined ? { ok: true, findings } : { ok: false, findings, fix };
}

async function probeEndpoint(
  endpoint: string,
  options: SplunkHecOptions,
  context: SinkContext,
  requests: HecRequests,
  signal: AbortSignal,
): Promise<Finding> {
  const route = context.http.describeRoute(new URL(endpoint));
  const channel = freshChannel(endpoint, uuid(context.seams.random));
  const headers = options.acknowledge === 'off' ? {} : headersOf(channel);
  const body = testEvent(options, context);
  const sent = await exchange(context.http, requests('POST', endpoint, '/services/collector/event', { headers, body, signal }));
  if ('failed' in sent) return { lines: [`not reached (${route}): ${wordsOf(sent.failed)}`], fix: fixOf(sent.failed) };
  const answer = readAnswer(sent.response, retryAfterMs(sent.response.headers, context.seams.clock));
  keepCookies(channel, sent.response.headers['set-cookie']);
  const reached = `reached (${route})`;
  if (!isAccepted(answer)) return refusal(reached, answer, options);
  const index = options.index === undefined ? "the token's default index" : `index "${options.index}"`;
  const accepted = [reached, 'token accepted', `${index} accepted a test event (sourcetype penstock:check)`];
  const acknowledged = await proveAcknowledgement(answer, channel, options, context, requests, signal);
  return { ...acknowledged, lines: [...accepted, ...acknowledged.lines] };
}

function refusal(reached: string, answer: HecAnswer, { index }: SplunkHecOptions): Finding {
  if (answer.code === 7) {
    const name = index === undefined ? "the token's default index" : `index "${index}"`;
    return {
      lines: [reached, 'token accepted', `${name} refused: it does not exist or the token does not allow it`],
      fix: `create ${name} in Splunk, or add it to the allowed indexes of the token`,
    };
  }
  const refused = classifyRefusal(answer, 1, false);
  const verdict: Verdict = 'all' in refused ? refused.all : (refused.each[0] ?? { kind: 'uncertain', reason: answer.said });
  return { lines: [reached, wordsOf(verdict)], fix: fixOf(verdict) };
}

async function proveAcknowledgement(
  { ackId, said }: HecAnswer,
  channel: Channel,
  options: SplunkHecOptions,
  context: SinkContext,
  requests: HecRequests,
  signal: AbortSignal,
): Promise<Finding> {
  if (options.acknowledge === 'off') return { lines: ['indexer acknowledgement: off in the configuration'] };
  if (ackId === undefined && options.acknowledge === 'auto')
    return { lines: ['indexer acknowledgement: the token has none; queued by Splunk counts as delivered'] };
  if (ackId === undefined)
    return {
      lines: [`indexer acknowledgement: required, but the token has none (${said})`],
      fix: 'turn on "Enable indexer acknowledgement" for the token in Splunk, or set acknowledge: auto',
    };
  const { clock } = context.seams;
  const until = clock.monotonic() + Math.min(15_000, durationMs(options.ack_timeout));
  const ask = askForAcks(context.http, requests);
  channel.outstanding.set(ackId, { bytes: 0, deadline: until, settle: () => undefined });
  for (;;) {
    const reply = await ask(channel, signal);
    if (reply.kind === 'told' && reply.indexed.has(ackId))
      return { lines: ['indexer acknowledgement: the test event is indexed'] };
    if (reply.kind === 'refused')
      return { lines: [`indexer acknowledgement: ${wordsOf(reply.verdict)}`], fix: fixOf(reply.verdict) };
    if (clock.monotonic() >= until)
      return {
        lines: ['indexer acknowledgement: none for the test event so far'],
        fix: 'if a load balancer stands before several indexers, make it sticky by cookie or list the indexers as endpoints',
      };
    await sleep(clock, 500, signal);
  }
}

function testEvent({ index, source, host }: SplunkHecOptions, { seams, hostname, name, version }: SinkContext): string {
  const envelope = {
    host: host ?? hostname,
    source: source ?? 'penstock:check',
    sourcetype: 'penstock:check',
    ...(index === undefined ? {} : { index }),
    event: { message: 'Penstock test event, written by a check of the configuration', penstock_test: true, sink: name, version },
    fields: { penstock_id: 'penstock-check' },
  };
  return `{"time":${hecTime(seams.clock.now())},${JSON.stringify(envelope).slice(1)}`;
}

function wordsOf(verdict: Verdict): string {
  return 'reason' in verdict ? verdict.reason : verdict.kind;
}

function fixOf(verdict: Verdict): string {
  return verdict.kind === 'hold' ? verdict.fix : 'check host, port and scheme of the endpoint, and that Splunk is well';
}
