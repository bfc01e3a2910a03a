import { type Static, Type } from 'typebox';
import { sizePattern } from '../../base/quantity.ts';
import { TlsOptions } from '../common-options.ts';
import { OAuth2Options } from '../http/options.ts';

const closed = { additionalProperties: false } as const;

const login = (description: string) =>
  Type.Object(
    {
      username: Type.String({ minLength: 1, description: 'User name.' }),
      password: Type.String({ minLength: 1, secret: true, description: 'Password.' }),
    },
    { ...closed, description },
  );

/** `auth:`, exactly one way. */
const Auth = Type.Object(
  {
    plain: Type.Optional(login('SASL PLAIN: the broker sees the password.')),
    scram_sha_256: Type.Optional(login('SASL SCRAM-SHA-256.')),
    scram_sha_512: Type.Optional(login('SASL SCRAM-SHA-512.')),
    oauth2: Type.Optional(
      Type.Object(
        {
          ...OAuth2Options.properties,
          scope: Type.Optional(Type.String({ minLength: 1, description: 'Scope.' })),
          extensions: Type.Optional(
            Type.Record(Type.String({ pattern: '^[A-Za-z]+$' }), Type.String(), {
              description: 'SASL extensions that the broker asks for, `logicalCluster` for example.',
            }),
          ),
        },
        { ...closed, description: 'SASL OAUTHBEARER with a token minted by client credentials.' },
      ),
    ),
  },
  { ...closed, minProperties: 1, maxProperties: 1, description: 'How the sink logs in: one of these. Unset: not at all.' },
);

/** Options of `type: kafka`. */
export const KafkaOptions = Type.Object(
  {
    brokers: Type.Array(Type.String({ pattern: '^(tcp|tls)://[^/?#@]+$' }), {
      minItems: 1,
      uniqueItems: true,
      description:
        'Brokers to ask for all others: tls:// or tcp:// with host and port (9092 by default). The scheme holds for every broker of the cluster.',
    }),
    topic: Type.String({
      minLength: 1,
      maxLength: 249,
      pattern: '^([A-Za-z0-9._-]|\\{\\{ ?source ?\\}\\})+$',
      description: 'Topic of every record; `{{ source }}` stands for the name of the source. Penstock creates none.',
    }),
    key: Type.Enum(['uid', 'source'], {
      default: 'uid',
      description:
        "Key of a record: uid (the event's metadata.uid, for compacted topics and even partitions) or source (one partition per source).",
    }),
    compression: Type.Enum(['none', 'gzip', 'snappy', 'lz4', 'zstd'], {
      default: 'zstd',
      description: 'Compression of record batches.',
    }),
    max_message_bytes: Type.String({
      pattern: sizePattern,
      default: '1MB',
      description:
        'Maximum size of a batch, and so of an event, before compression; max.message.bytes of the topic must be as large. A larger event is dead-lettered unsent.',
    }),
    client_id: Type.String({
      pattern: '^[A-Za-z0-9._-]+$',
      default: 'penstock',
      description: 'Client id, by which brokers log and limit.',
    }),
    auth: Type.Optional(Auth),
    allow_plaintext: Type.Boolean({
      default: false,
      description: 'Permit unencrypted connections beyond this machine, also to the brokers that others name.',
    }),
    tls: Type.Optional(TlsOptions),
  },
  { additionalProperties: false },
);
export type KafkaOptions = Static<typeof KafkaOptions>;

/** Where a broker listens. */
export interface BrokerAddress {
  readonly scheme: 'tcp' | 'tls';
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Reads an address that the schema's pattern has let through; undefined when host or port is not one. */
export function parseBroker(address: string): BrokerAddress | undefined {
  const match = /^(tcp|tls):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^/?#@:[\]]+))(?::(\d{1,5}))?$/.exec(address);
  if (match === null) return undefined;
  const port = match[4] === undefined ? 9092 : Number(match[4]);
  if (port < 1 || port > 65_535) return undefined;
  return { scheme: match[1] === 'tls' ? 'tls' : 'tcp', host: match[2] ?? match[3] ?? '', port };
}

/** The topic of a source's records. */
export function topicOf({ topic }: Pick<KafkaOptions, 'topic'>, source: string): string {
  return topic.replaceAll(/\{\{ ?source ?\}\}/g, source);
}
