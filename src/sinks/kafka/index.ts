import { sizeBytes } from '../../base/quantity.ts';
import { loadTls, oauth2ClientCredentials, type TokenSource } from '../../http/index.ts';
import type { OutgoingEvent, Sink, SinkContext, SinkType } from '../sink.ts';
import { type BrokerTrust, type ClientSettings, type KafkaClient, openClient } from './client.ts';
import { KafkaOptions, parseBroker } from './options.ts';
import { probeKafka } from './probe.ts';
import { headerNames, Sender } from './send.ts';
import { settingsOf } from './settings.ts';

/** `type: kafka`: an idempotent producer. */
export const kafka: SinkType = {
  name: 'kafka',
  options: KafkaOptions,
  defaultFormat: 'ocsf',
  acknowledges: 'every replica in sync has it (`acks=all`)',
  // The options were validated against the schema above when the configuration was read.
  open: (options, context) => openKafka(options as unknown as KafkaOptions, context, openClient),
  check: (options) => faultsOf(options as unknown as KafkaOptions),
  urls: (options) => {
    const { brokers, auth } = options as unknown as KafkaOptions;
    return [...brokers, ...(auth?.oauth2 === undefined ? [] : [auth.oauth2.token_url])];
  },
};

/** What stands in front of the records of a partition. */
const batchHeaderBytes = 61;
/** Lengths, counts and deltas of a record with three headers, at most. */
const framingBytes = 32;

/** Opens a sink; no I/O with a broker happens before the first batch. Throws PEN_CONFIG_INVALID for certificates that cannot be read. */
export async function openKafka(
  options: KafkaOptions,
  context: SinkContext,
  open: (settings: ClientSettings, trust: BrokerTrust) => Promise<KafkaClient>,
): Promise<Sink> {
  const isTls = options.brokers.some((broker) => parseBroker(broker)?.scheme === 'tls');
  const trust = isTls ? await loadTls(options.tls ?? {}, context.seams.files) : undefined;
  const tokens = openTokens(options, context);
  let turn = 0;
  const settings = (): ClientSettings => settingsOf(options, trust, tokens, context.timeoutMs ?? 30_000, turn++);
  const sender = new Sender(options, context, tokens, () =>
    open(settings(), { pin: trust?.pin, isPlainAllowed: options.allow_plaintext }),
  );
  const room = sizeBytes(options.max_message_bytes) - batchHeaderBytes;
  return {
    endpoints: [options.brokers.join(',')],
    // The sequence numbers of two requests at once could be taken for each other's after a failure.
    maxInFlight: 1,
    maxEventBytes: room,
    maxBatchBytes: room,
    // The client writes the record itself: the body is never copied.
    encode: ({ body }) => body,
    bytesAround: (event) => bytesAround(event, options.key, context.format),
    send: sender.send,
    reaches: (_endpoint, signal) => sender.reaches(signal),
    probe: (signal) => probeKafka(options, context, sender, signal),
    [Symbol.asyncDispose]: () => Promise.resolve(sender.close()),
  };
}

/** Bytes of the record beside the event, or some more. */
function bytesAround({ uid, source }: OutgoingEvent, key: KafkaOptions['key'], format: SinkContext['format'] = 'ocsf'): number {
  const ofUid = Buffer.byteLength(uid);
  const ofSource = Buffer.byteLength(source);
  return framingBytes + headerNames.join('').length + format.length + ofUid + ofSource + (key === 'uid' ? ofUid : ofSource);
}

function openTokens({ auth }: KafkaOptions, context: SinkContext): TokenSource | undefined {
  if (auth?.oauth2 === undefined) return undefined;
  const { extensions: _extensions, ...settings } = auth.oauth2;
  const tokens = oauth2ClientCredentials(settings, context.http, context.seams);
  return {
    ...tokens,
    async token(signal) {
      const token = await tokens.token(signal);
      context.hide?.(token);
      return token;
    },
  };
}

function faultsOf({ brokers, tls = {} }: KafkaOptions): (readonly [string, string, string])[] {
  const addresses = brokers.map((broker) => parseBroker(broker));
  const faults: (readonly [string, string, string])[] = brokers.flatMap((broker, at) =>
    addresses[at] === undefined
      ? [[`brokers.${at}`, `"${broker}" is not a broker's address`, 'write tls://kafka1.example.com:9093'] as const]
      : [],
  );
  if (new Set(addresses.map((address) => address?.scheme)).size > 1 && faults.length === 0)
    faults.push(['brokers', 'the brokers of one cluster are reached in one way', 'write tls:// or tcp:// before all of them']);
  if ((tls.cert_file === undefined) !== (tls.key_file === undefined))
    faults.push(['tls', 'cert_file and key_file belong together', 'set both or none']);
  return faults;
}
