import { type Static, Type } from 'typebox';
import { durationPattern, sizePattern } from '../../base/quantity.ts';
import { secret, text } from '../common-options.ts';

/** Objects hold more events than requests of other sinks, and wait longer for them. */
const Batch = Type.Object(
  {
    events: Type.Integer({ minimum: 1, maximum: 100_000, default: 5000, description: 'Maximum number of events per object.' }),
    bytes: Type.String({ pattern: sizePattern, default: '8MB', description: 'Maximum size of an object before compression.' }),
    wait: Type.String({
      pattern: durationPattern,
      default: '5m',
      description: 'How long an event waits for others before its object is written.',
    }),
  },
  { additionalProperties: false, default: {}, description: 'What is written at once: one object per partition.' },
);

// Those that belong to an object as a whole: keys of the customer (SSE-C) would have to go with each part, too.
const headerPattern =
  '^x-amz-(acl|tagging|storage-class|object-lock-(mode|retain-until-date|legal-hold)|server-side-encryption(-aws-kms-key-id|-bucket-key-enabled|-context)?)$';
const keyPart = '[A-Za-z0-9_=-][A-Za-z0-9._=-]*';

/** What is `s3`'s own of a sink's options. */
export const S3Options = Type.Object(
  {
    bucket: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$', description: 'Name of the bucket.' }),
    endpoint: Type.Optional(
      Type.String({
        format: 'uri',
        pattern: '^https?://[^/?#@]+/?$',
        description: 'Scheme, host and port of the store. Unset: Amazon S3 in `region`.',
      }),
    ),
    region: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9-]+$',
        description: 'Region of the bucket. With an endpoint and unset: us-east-1, which other stores expect.',
      }),
    ),
    path_style: Type.Optional(
      Type.Boolean({
        description:
          'The bucket stands in the path, not in the host name. Unset: true with an endpoint, or for a name that no host has (dots, capitals, underscores).',
      }),
    ),
    prefix: Type.Optional(
      Type.String({
        maxLength: 400,
        pattern: `^${keyPart}(/${keyPart})*$`,
        description: 'What every object name begins with, without a slash at the end.',
      }),
    ),
    layout: Type.Enum(['hive', 'security_lake'], {
      default: 'hive',
      description:
        'hive: source=/day=/hour=; security_lake: region=/accountId=/eventDay=, the partitions of Amazon Security Lake.',
    }),
    partition: Type.Enum(['hour', 'day'], {
      default: 'hour',
      description: "hive: how finely objects are divided by the event's own time, in UTC.",
    }),
    account_id: Type.Optional(text('security_lake: what stands after accountId=.')),
    compression: Type.Enum(['gzip', 'zstd', 'none'], { default: 'gzip', description: 'Compression of the objects.' }),
    access_key_id: Type.Optional(
      text('Access key; needs secret_access_key. Unset: environment, shared files, web identity, container or instance.'),
    ),
    secret_access_key: Type.Optional(secret('Secret of the access key. Write ${env:NAME} or ${file:PATH}.')),
    session_token: Type.Optional(secret('Session token of temporary keys.')),
    checksum: Type.Enum(['crc32', 'sha256', 'md5'], {
      default: 'crc32',
      description: 'What the store checks an object by. md5 is Content-MD5, for stores that know nothing newer.',
    }),
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: headerPattern }), Type.String(), {
        description: 'Headers of every new object: encryption, storage class, access, tags, lock.',
      }),
    ),
    multipart_above: Type.String({
      pattern: sizePattern,
      default: '32MB',
      description: 'A larger object, as stored, is uploaded in parts of this size; 5MiB at least.',
    }),
    batch: Batch,
    timeout: Type.String({
      pattern: durationPattern,
      default: '2m',
      description: 'Total time for the objects of a batch. What is stored by then is not written again.',
    }),
    stalled_after: Type.String({
      pattern: durationPattern,
      default: '1h',
      description: 'Without progress for this long, with events that wait, status says so and why. Longer than batch.wait.',
    }),
  },
  { additionalProperties: false },
);
export type S3Options = Static<typeof S3Options>;
