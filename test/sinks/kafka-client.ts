// A Kafka client without brokers: remembers what it was opened with and what it was given, and answers as told.
import type { BrokerTrust, ClientSettings, KafkaClient } from '../../src/sinks/kafka/client.ts';
import { kafka, openKafka } from '../../src/sinks/kafka/index.ts';
import type { KafkaOptions } from '../../src/sinks/kafka/options.ts';
import type { SinkType } from '../../src/sinks/sink.ts';

interface SentMessage {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: number;
}

export interface Opened {
  readonly settings: ClientSettings;
  readonly pin: string | undefined;
  readonly isPlainAllowed: boolean;
  readonly sent: { readonly messages: readonly SentMessage[]; readonly compression: unknown; readonly acks: unknown }[];
  destroyed: boolean;
}

interface Answers {
  /** Rejects or hangs; else every partition takes what it is sent. */
  readonly send?: (messages: readonly SentMessage[]) => Promise<void>;
  readonly metadata?: (topics: readonly string[]) => Promise<void>;
  /** Of every topic. */
  readonly partitions?: number;
}

type SendOptions = Parameters<KafkaClient['send']>[0];

function plainMessages({ messages }: SendOptions): SentMessage[] {
  return messages.map(({ topic, partition = -1, key, value, headers, timestamp }) => ({
    topic,
    partition,
    key: String(key),
    value: String(value),
    headers: Object.fromEntries([...(headers as Map<Buffer, Buffer>)].map(([name, text]) => [String(name), String(text)])),
    timestamp: Number(timestamp),
  }));
}

function fakeClient(opened: Opened, { send, metadata, partitions = 3 }: Answers): KafkaClient {
  let producerId: bigint | undefined;
  const client = {
    get producerId() {
      return producerId;
    },
    async metadata({ topics = [] }: { topics?: string[] }) {
      await metadata?.(topics);
      return { topics: new Map(topics.map((topic) => [topic, { partitionsCount: partitions }])) };
    },
    initIdempotentProducer() {
      producerId = 0n;
      return Promise.resolve({ producerId, producerEpoch: 0 });
    },
    async send(options: SendOptions) {
      const messages = plainMessages(options);
      opened.sent.push({ messages, compression: options.compression, acks: options.acks });
      await send?.(messages);
      return { offsets: messages.map(({ topic, partition }) => ({ topic, partition, offset: 0n })) };
    },
    takeFault: () => undefined,
    doubts: () => 0,
    renewals: () => 0,
    hash: (key: Buffer) => key.reduce((sum, byte) => sum + byte, 0),
    destroy() {
      opened.destroyed = true;
    },
  };
  return client as unknown as KafkaClient;
}

/** The kind of sink over such clients, and all that were opened. */
export function fakeKafka(answers: Answers = {}): { readonly kind: SinkType; readonly opened: Opened[] } {
  const opened: Opened[] = [];
  const open = (settings: ClientSettings, { pin, isPlainAllowed }: BrokerTrust): Promise<KafkaClient> => {
    const one: Opened = { settings, pin, isPlainAllowed, sent: [], destroyed: false };
    opened.push(one);
    return Promise.resolve(fakeClient(one, answers));
  };
  const kind: SinkType = {
    ...kafka,
    open: (options, context) => openKafka(options as unknown as KafkaOptions, context, open),
  };
  return { kind, opened };
}
