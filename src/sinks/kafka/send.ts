import { unlessAborted } from '../../base/abort.ts';
import { PenstockError } from '../../base/errors.ts';
import type { TokenSource } from '../../http/index.ts';
import type { Batch, SentEvent, SinkContext, Verdict, Verdicts } from '../sink.ts';
import type { KafkaClient } from './client.ts';
import { type KafkaOptions, topicOf } from './options.ts';
import { type TopicPartition, verdictOf, verdictsOf, withOrigin } from './verdicts.ts';

/** One record as the client takes it, without its partition. */
export interface KafkaRecord {
  readonly topic: string;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Map<Buffer, Buffer>;
}

/**
 * Produces the records of one request at a time. A request that is cut off, or that failed for another reason than its records, ends its
 * client. Another one with a producer id of its own takes its place: what may still be under way shares no sequence numbers with it.
 */
export class Sender {
  readonly #options: KafkaOptions;
  readonly #context: SinkContext;
  readonly #tokens: TokenSource | undefined;
  readonly #open: () => Promise<KafkaClient>;
  /** One for all requests, also for those that begin while it is opened. */
  #client: Promise<KafkaClient> | undefined;
  #topics: readonly string[] = [];

  constructor(options: KafkaOptions, context: SinkContext, tokens: TokenSource | undefined, open: () => Promise<KafkaClient>) {
    this.#options = options;
    this.#context = context;
    this.#tokens = tokens;
    this.#open = open;
  }

  /** Sends a batch of `deliver`. */
  readonly send = async ({ events, encoded }: Batch, signal: AbortSignal): Promise<Verdicts> => {
    const records = events.map((event, index) => this.#recordOf(event, encoded.bytesAt(index)));
    return asVerdicts(await this.produce(records, this.#options.compression, signal));
  };

  /** One verdict per record, in order. */
  async produce(
    records: readonly KafkaRecord[],
    compression: KafkaOptions['compression'],
    signal: AbortSignal,
  ): Promise<readonly Verdict[]> {
    const opening = this.#connect();
    const client = await opening;
    client.takeFault();
    const [doubts, renewals] = [client.doubts(), client.renewals()];
    const noted = (verdicts: readonly Verdict[]): readonly Verdict[] =>
      client.renewals() === renewals ? verdicts : verdicts.map((verdict) => (verdict.kind === 'accept' ? repeatedly : verdict));
    const failed = (verdicts: readonly Verdict[]): readonly Verdict[] =>
      mapped(noted(verdicts), (verdict) => withOrigin(verdict, this.#options.brokers));
    let partitions: readonly TopicPartition[] | undefined;
    const end = (): void => this.close();
    signal.addEventListener('abort', end, { once: true });
    try {
      partitions = await unlessAborted(this.#assign(client, records), signal);
      return noted(await unlessAborted(this.#sendTo(client, records, partitions, compression), signal));
    } catch (error) {
      if (signal.aborted) {
        this.close();
        return failed(repeated(afterAbort(signal, client.takeFault(), partitions !== undefined), records.length));
      }
      const isCutOff = this.#client !== opening;
      const errors = [error, client.takeFault()];
      const verdicts =
        partitions === undefined
          ? repeated(verdictOf(errors, false), records.length)
          : verdictsOf(errors, partitions, client.doubts() > doubts);
      // What is known of brokers and leaders may be what was wrong; a refused record says nothing about them.
      if (!isCutOff && verdicts.some(({ kind }) => !judged.has(kind))) this.close();
      return failed(isCutOff ? cutOff(verdicts, partitions !== undefined) : verdicts);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  /** True when a broker tells who leads the topics that were sent to last. */
  async reaches(signal: AbortSignal): Promise<boolean> {
    const client = await this.#connect();
    try {
      await this.#tokens?.token();
      await unlessAborted(client.metadata({ topics: [...this.#topics] }), signal);
      return true;
    } catch {
      this.close();
      return false;
    }
  }

  /** Ends all connections; the next request opens another client. */
  close(): void {
    const client = this.#client;
    this.#client = undefined;
    void client?.then(
      (opened) => opened.destroy(),
      () => undefined,
    );
  }

  #connect(): Promise<KafkaClient> {
    if (this.#client !== undefined) return this.#client;
    const opening = this.#open();
    this.#client = opening;
    // One that cannot be opened is not kept.
    void opening.catch(() => {
      if (this.#client === opening) this.#client = undefined;
    });
    return opening;
  }

  #recordOf(event: SentEvent, value: Buffer): KafkaRecord {
    const { uid, source } = event;
    return {
      topic: topicOf(this.#options, source),
      key: Buffer.from(this.#options.key === 'uid' ? uid : source),
      value,
      headers: headersOf(event, this.#context.format),
    };
  }

  /** Asks for everything that a request needs; nothing of a record leaves meanwhile. */
  async #assign(client: KafkaClient, records: readonly KafkaRecord[]): Promise<readonly TopicPartition[]> {
    // A token that cannot be had is told apart here from one that is refused.
    await this.#tokens?.token();
    this.#topics = [...new Set(records.map(({ topic }) => topic))];
    const { topics } = await client.metadata({ topics: [...this.#topics] });
    if (client.producerId === undefined) await client.initIdempotentProducer({});
    return records.map(({ topic, key }) => {
      const { partitionsCount = 0 } = topics.get(topic) ?? {};
      if (partitionsCount === 0) throw new PenstockError('PEN_SOURCE_UNAVAILABLE', `topic "${topic}" has no partitions`);
      return { topic, partition: partitionsCount === 1 ? 0 : client.hash(key) % partitionsCount };
    });
  }

  async #sendTo(
    client: KafkaClient,
    records: readonly KafkaRecord[],
    partitions: readonly TopicPartition[],
    compression: KafkaOptions['compression'],
  ): Promise<readonly Verdict[]> {
    // Stamped now, not with the event's time: a topic's retention would delete late and backfilled events at once.
    const timestamp = BigInt(this.#context.seams.clock.now());
    const messages = records.map(({ key, value, headers }, at) => ({
      ...(partitions[at] ?? { topic: '', partition: 0 }),
      key,
      value,
      timestamp,
      headers,
    }));
    const { offsets = [] } = await client.send({ messages, acks: -1, compression });
    const stored = new Set(offsets.map(({ topic, partition }) => `${topic}\n${partition}`));
    return partitions.map(({ topic, partition }) =>
      stored.has(`${topic}\n${partition}`)
        ? accepted
        : { kind: 'uncertain', reason: `no answer for partition ${partition} of "${topic}"` },
    );
  }
}

const accepted: Verdict = { kind: 'accept' };
const repeatedly: Verdict = { kind: 'accept', isRepeated: true };
/** Of records whose partition has answered. */
const judged: ReadonlySet<Verdict['kind']> = new Set(['accept', 'event', 'split']);

export const headerNames = ['penstock_id', 'penstock_source', 'penstock_format'] as const;
const [idName, sourceName, formatName] = headerNames.map((name) => Buffer.from(name)) as [Buffer, Buffer, Buffer];

/** The headers of a record: enough to route and count it without reading its value. */
export function headersOf(
  { uid, source }: Pick<SentEvent, 'uid' | 'source'>,
  format: SinkContext['format'] = 'ocsf',
): Map<Buffer, Buffer> {
  return new Map([
    [idName, Buffer.from(uid)],
    [sourceName, Buffer.from(source)],
    [formatName, Buffer.from(format)],
  ]);
}

/** Of a request whose client was ended by the trouble of another one: its own records are not to blame, and may be stored where they were sent. */
function cutOff(verdicts: readonly Verdict[], isSent: boolean): readonly Verdict[] {
  return mapped(verdicts, (verdict) => {
    if (verdict.kind !== 'uncertain' && !(isSent && verdict.kind === 'retry')) return verdict;
    // The client says nothing of one that was closed.
    const reason = verdict.reason || 'the connections were closed when another request failed';
    return { kind: 'uncertain', reason, blameless: true };
  });
}

/** Each verdict as it is changed; one that stands for several stays one. */
function mapped(verdicts: readonly Verdict[], change: (verdict: Verdict) => Verdict): readonly Verdict[] {
  const known = new Map<Verdict, Verdict>();
  return verdicts.map((verdict) => {
    const changed = known.get(verdict) ?? change(verdict);
    known.set(verdict, changed);
    return changed;
  });
}

function repeated(verdict: Verdict, size: number): readonly Verdict[] {
  return Array.from({ length: size }, () => verdict);
}

/** One verdict for all where it is the same: only then can a batch that is too large be halved. */
function asVerdicts(each: readonly Verdict[]): Verdicts {
  const [first] = each;
  const isSame = first !== undefined && first.kind !== 'event' && each.every((verdict) => verdict === first);
  return isSame ? { all: first } : { each };
}

/** Of a request that was cut off; `fault` may say why it took so long. */
function afterAbort(signal: AbortSignal, fault: unknown, isSent: boolean): Verdict {
  const verdict = verdictOf([signal.reason, fault], false);
  if (!isSent) return verdict;
  if (verdict.kind === 'hold') return { ...verdict, maybeStored: true };
  return { kind: 'uncertain', reason: verdict.reason };
}
