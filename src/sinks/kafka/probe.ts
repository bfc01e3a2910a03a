import { sizeBytes } from '../../base/quantity.ts';
import type { ProbeReport, SinkContext, Verdict } from '../sink.ts';
import { type KafkaOptions, topicOf } from './options.ts';
import { headersOf, type KafkaRecord, type Sender } from './send.ts';

/** Record and batch around the value of a test event, at most. */
const aroundBytes = 300;
const smallBytes = 1000;

interface Finding {
  readonly line: string;
  /** What to do, where something is wrong. */
  readonly fix?: string;
  /** Nothing was asked of the topic. */
  readonly isUnreached?: boolean;
}

/** Proves brokers, log-in, and of every topic that it takes an event of the size of the largest, with one marked test event. */
export async function probeKafka(
  options: KafkaOptions,
  context: SinkContext,
  sender: Sender,
  signal: AbortSignal,
): Promise<ProbeReport> {
  const topics = [...new Set((context.sources ?? []).map((source) => topicOf(options, source)))];
  if (topics.length === 0) topics.push(topicOf(options, 'penstock-check'));
  const findings: string[] = [];
  let fix: string | undefined;
  for (const topic of topics) {
    const found = await probeTopic(topic, options, context, sender, signal);
    findings.push(found.line);
    fix ??= found.fix;
    if (found.isUnreached === true) break;
  }
  return fix === undefined ? { ok: true, findings } : { ok: false, findings, fix };
}

async function probeTopic(
  topic: string,
  options: KafkaOptions,
  context: SinkContext,
  sender: Sender,
  signal: AbortSignal,
): Promise<Finding> {
  const most = sizeBytes(options.max_message_bytes);
  const verdict = await produceTest(topic, most, context, sender, signal);
  if (verdict.kind !== 'split') return describe(topic, most, verdict);
  const small = await produceTest(topic, Math.min(most, smallBytes), context, sender, signal);
  if (small.kind !== 'accept') return describe(topic, smallBytes, small);
  return {
    line: `topic "${topic}" takes a small test event, but not one of ${most} bytes: ${verdict.reason}`,
    fix: `raise max.message.bytes of topic "${topic}", or lower max_message_bytes of the sink to it`,
  };
}

async function produceTest(
  topic: string,
  bytes: number,
  context: SinkContext,
  sender: Sender,
  signal: AbortSignal,
): Promise<Verdict> {
  const [verdict] = await sender.produce([testRecord(topic, bytes, context)], 'none', signal);
  return verdict ?? { kind: 'uncertain', reason: 'no answer' };
}

function testRecord(topic: string, bytes: number, { name, version, format, seams }: SinkContext): KafkaRecord {
  const message = 'Penstock test event, written by a check of the configuration';
  const event = { message, penstock_test: true, sink: name, version, filler: '' };
  const room = Math.max(0, bytes - aroundBytes - Buffer.byteLength(JSON.stringify(event)));
  const filler = seams.random.hex(Math.ceil(room / 2)).slice(0, room);
  return {
    topic,
    key: Buffer.from('penstock-check'),
    value: Buffer.from(JSON.stringify({ ...event, filler })),
    headers: headersOf({ uid: 'penstock-check', source: 'penstock-check' }, format),
  };
}

function describe(topic: string, bytes: number, verdict: Verdict): Finding {
  if (verdict.kind === 'accept') return { line: `topic "${topic}" took a test event of ${bytes} bytes (key penstock-check)` };
  const reason = 'reason' in verdict ? verdict.reason : verdict.kind;
  if (verdict.kind === 'hold') return { line: `topic "${topic}" refused: ${reason}`, fix: verdict.fix };
  const fix = reason.includes('advertised.listeners')
    ? 'let the brokers advertise addresses that can be reached from here, and see that all of them are up'
    : 'check host and port of "brokers", that the scheme is theirs, and that the brokers are well';
  return { line: `topic "${topic}" not reached: ${reason}`, fix, isUnreached: true };
}
