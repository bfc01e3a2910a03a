import { type Static, Type } from 'typebox';
import { durationPattern, sizePattern } from '../../base/quantity.ts';

/** What is `splunk_hec`'s own of a sink's options. */
export const SplunkHecOptions = Type.Object(
  {
    endpoints: Type.Array(Type.String({ format: 'uri', pattern: '^https?://' }), {
      minItems: 1,
      uniqueItems: true,
      description: 'Base URLs of HTTP Event Collectors: scheme, host and port, without a path. Batches go to them in turn.',
    }),
    token: Type.String({ minLength: 1, secret: true, description: 'HEC token. Write ${env:SPLUNK_HEC_TOKEN}.' }),
    index: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Index of every event; the token must allow it. Unset: the token's default index.",
      }),
    ),
    source: Type.Optional(Type.String({ minLength: 1, description: '`source` of every event. Unset: penstock:SOURCE_NAME.' })),
    sourcetype: Type.Optional(
      Type.String({ minLength: 1, description: '`sourcetype` of every event. Unset: penstock:CONNECTOR_TABLE.' }),
    ),
    host: Type.Optional(
      Type.String({ minLength: 1, description: '`host` of every event. Unset: the host name of this machine.' }),
    ),
    acknowledge: Type.Enum(['auto', 'require', 'off'], {
      default: 'auto',
      description:
        'Indexer acknowledgement. auto: waited for when the token has it enabled; require: the sink holds when it has not; off: queued by Splunk counts as delivered.',
    }),
    ack_poll: Type.String({
      pattern: durationPattern,
      default: '10s',
      description: 'Time between requests for acknowledgements.',
    }),
    ack_timeout: Type.String({
      pattern: durationPattern,
      default: '5m',
      description: 'How long to wait for an acknowledgement; then the batch is sent again and counts as a possible duplicate.',
    }),
    compression: Type.Enum(['gzip', 'none'], { default: 'gzip', description: 'Content-Encoding of requests.' }),
    max_event_bytes: Type.String({
      pattern: sizePattern,
      default: '5MB',
      description:
        "Maximum size of one event with its envelope; a larger one is dead-lettered unsent. Splunk's maxEventSize, 5 MB unless changed there.",
    }),
  },
  { additionalProperties: false },
);
export type SplunkHecOptions = Static<typeof SplunkHecOptions>;
