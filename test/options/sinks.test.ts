// Every option of a kind of sink changes what a receiver gets, or what the sink says of it.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { compileSchema } from '../../src/base/schema.ts';
import { Encoded } from '../../src/sinks/encoded.ts';
import { http } from '../../src/sinks/http/index.ts';
import { kafka } from '../../src/sinks/kafka/index.ts';
import { s3 } from '../../src/sinks/s3/index.ts';
import type { Sink, SinkType } from '../../src/sinks/sink.ts';
import { splunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { stdout } from '../../src/sinks/stdout/index.ts';
import { syslog } from '../../src/sinks/syslog/index.ts';
import { fakeKafka } from '../sinks/kafka-client.ts';
import { contextFor, manualClock, never, outgoing } from '../sinks/sink-bench.ts';
import { type Case, type Elsewhere, faultOfElsewhere, nested, recordingClient, type Values } from './cases.ts';
import { options } from './schemas.ts';

const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const account = JSON.stringify({ client_email: 'a@b', private_key: key, token_uri: 'https://token.example.com/t' });
const oauth2 = {
  'auth.oauth2.token_url': 'https://token.example.com/t',
  'auth.oauth2.client_id': 'id',
  'auth.oauth2.client_secret': 'secret',
};
const secops = { preset: 'google_secops', project: 'p', region: 'eu', instance: 'i', log_type: 'L', 'auth.bearer': 'tok-1' };
const sentinel = { preset: 'sentinel', dcr: 'dcr-1', stream: 'Custom-A', 'auth.bearer': 'tok-1' };
const elastic = { preset: 'elasticsearch', index: 'logs' };
const basic = { 'auth.basic.username': 'u', 'auth.basic.password': 'p' };
const header = { 'auth.header.name': 'x-a', 'auth.header.value': 'v' };
const bucketKey = { access_key_id: 'AKIATEST', secret_access_key: 'secret-1' };
const filling = 'fills objects with five thousand events, 8 MB or five minutes, unless told otherwise';

interface Kind {
  readonly kind: SinkType;
  readonly base: Values;
  readonly cases: Readonly<Record<string, Case>>;
  readonly elsewhere: Readonly<Record<string, Elsewhere>>;
}

/** The kind whose answer is all that its client was opened with and given. */
function shownKafka(): SinkType {
  return {
    ...kafka,
    async open(options, context) {
      const { kind, opened } = fakeKafka();
      const sink = await kind.open(options, { ...context, seams: manualClock().seams });
      return {
        ...sink,
        async send(batch, signal) {
          await sink.send(batch, signal);
          return { all: { kind: 'retry', reason: JSON.stringify(opened) } };
        },
      };
    },
  };
}

const kinds: readonly Kind[] = [
  {
    kind: http,
    base: { url: 'https://in.example.com/a' },
    cases: {
      url: ['https://in.example.com/b'],
      method: ['PUT'],
      body: ['json_array'],
      compression: ['gzip'],
      'auth.bearer': ['tok-2'],
      'auth.basic.username': ['u2', basic],
      'auth.basic.password': ['p2', basic],
      'auth.header.name': ['x-b', header],
      'auth.header.value': ['v2', header],
      'auth.api_key': ['key-2', elastic],
      'auth.oauth2.token_url': ['https://token.example.com/t2', oauth2],
      'auth.oauth2.client_id': ['id2', oauth2],
      'auth.oauth2.client_secret': ['secret2', oauth2],
      'auth.oauth2.scope': ['logs', oauth2],
      'auth.oauth2.audience': ['siem', oauth2],
      'auth.oauth2.auth_style': ['basic', oauth2],
      'auth.google_service_account': [account],
      'signature.standard_webhooks': [[`whsec_${Buffer.alloc(32, 7).toString('base64')}`]],
      headers: [{ 'x-tenant': 'acme' }],
      refused_count: ['refused'],
      preset: ['otlp'],
      index: ['audit', elastic],
      dcr: ['dcr-2', sentinel],
      stream: ['Custom-B', sentinel],
      project: ['p2', secops],
      region: ['us', secops],
      instance: ['i2', secops],
      log_type: ['L2', secops],
      forwarder: ['f2', secops],
    },
    elsewhere: {},
  },
  {
    kind: splunkHec,
    base: { endpoints: ['https://hec.example.com:8088'], token: 'token-1', acknowledge: 'off' },
    cases: {
      endpoints: [['https://other.example.com:8088']],
      token: ['token-2'],
      index: ['audit'],
      source: ['penstock'],
      sourcetype: ['audit'],
      host: ['collector-2'],
      acknowledge: ['require'],
      compression: ['none'],
      max_event_bytes: ['1KB'],
    },
    elsewhere: {
      ack_poll: ['conformance/hec-delivery.test.ts', 'The offset moves over the contiguous acknowledged batches only'],
      ack_timeout: [
        'conformance/hec-acknowledgement.test.ts',
        'A poll answer that is lost after true leads to uncertain after the timeout',
      ],
    },
  },
  {
    kind: syslog,
    base: { address: 'tcp://127.0.0.1:514', max_message: '480B', oversize: 'truncate' },
    cases: {
      address: ['tcp://127.0.0.1:515'],
      rfc: [3164],
      facility: [4],
      hostname: ['collector-2'],
      app_name: ['audit'],
      enterprise_number: [1],
      bom: [true],
      max_message: ['500B'],
      oversize: ['refuse'],
    },
    elsewhere: {
      framing: ['sinks/syslog-stream.test.ts', 'sends each event of a batch as one octet-counted message'],
      rate: ['sinks/syslog-udp.test.ts', 'sends no more datagrams a second than rate allows'],
      resend_window: ['sinks/syslog-stream.test.ts', 'calls a message sent when the resend window has moved past it'],
      tls: ['sinks/syslog-tls.test.ts', 'takes the name to expect from tls.server_name'],
    },
  },
  {
    kind: s3,
    base: { bucket: 'lake', region: 'eu-west-1', ...bucketKey },
    cases: {
      bucket: ['other'],
      endpoint: ['https://minio.example.com:9000'],
      region: ['us-west-2'],
      path_style: [true],
      prefix: ['audit/penstock'],
      layout: ['security_lake', { account_id: '123456789012' }],
      partition: ['day'],
      account_id: ['210987654321', { layout: 'security_lake' }],
      compression: ['zstd'],
      access_key_id: ['AKIAOTHER'],
      secret_access_key: ['secret-2'],
      session_token: ['session-1'],
      checksum: ['sha256'],
      headers: [{ 'x-amz-acl': 'bucket-owner-full-control' }],
      multipart_above: ['10B'],
    },
    elsewhere: {
      'batch.events': ['sinks/s3-delivery.test.ts', filling],
      'batch.bytes': ['sinks/s3-delivery.test.ts', filling],
      'batch.wait': ['sinks/s3-delivery.test.ts', filling],
      timeout: ['sinks/s3-delivery.test.ts', filling],
      stalled_after: ['sinks/s3-delivery.test.ts', filling],
    },
  },
  {
    kind: shownKafka(),
    base: { brokers: ['tls://kafka1.example.com:9093'], topic: 'audit' },
    cases: {
      brokers: [['tls://kafka2.example.com:9093']],
      topic: ['audit-{{ source }}'],
      key: ['source'],
      compression: ['gzip'],
      max_message_bytes: ['100KB'],
      client_id: ['collector-2'],
      'auth.plain.username': ['u2', { 'auth.plain.username': 'u', 'auth.plain.password': 'p' }],
      'auth.plain.password': ['p2', { 'auth.plain.username': 'u', 'auth.plain.password': 'p' }],
      'auth.scram_sha_256.username': ['u2', { 'auth.scram_sha_256.username': 'u', 'auth.scram_sha_256.password': 'p' }],
      'auth.scram_sha_256.password': ['p2', { 'auth.scram_sha_256.username': 'u', 'auth.scram_sha_256.password': 'p' }],
      'auth.scram_sha_512.username': ['u2', { 'auth.scram_sha_512.username': 'u', 'auth.scram_sha_512.password': 'p' }],
      'auth.scram_sha_512.password': ['p2', { 'auth.scram_sha_512.username': 'u', 'auth.scram_sha_512.password': 'p' }],
      'auth.oauth2.token_url': ['https://token.example.com/t2', oauth2],
      'auth.oauth2.client_id': ['id2', oauth2],
      'auth.oauth2.client_secret': ['secret2', oauth2],
      'auth.oauth2.scope': ['logs', oauth2],
      'auth.oauth2.audience': ['siem', oauth2],
      'auth.oauth2.auth_style': ['basic', oauth2],
      'auth.oauth2.extensions': [{ tenant: 'acme' }, oauth2],
    },
    elsewhere: {
      allow_plaintext: ['sinks/kafka.test.ts', 'hears nothing in plain text beyond this machine unless that is allowed: %s'],
      tls: ['sinks/kafka.test.ts', 'verifies the brokers, by the names that it connects to'],
    },
  },
  { kind: stdout, base: {}, cases: { lines: ['readable'] }, elsewhere: {} },
  {
    kind: { ...stdout, name: 'file' },
    base: {},
    cases: {},
    elsewhere: {
      path: ['sinks/file.test.ts', 'appends one line per event, readable by the owner only, in a folder that it makes'],
      'rotate.size': ['sinks/file.test.ts', 'begins a new file before the size is passed, never inside a line, and loses none'],
      'rotate.every': ['sinks/file.test.ts', 'begins a new file when the UTC day changes, named after the moment'],
      compress_rotated: ['sinks/file.test.ts', 'never writes over a rotated file of the same moment, compressed or not'],
      keep_files: ['sinks/file.test.ts', 'finishes what a crash left of compressing, and keeps the newest files only'],
    },
  },
];

const events = [outgoing({ uid: 'e1' }), outgoing({ uid: 'e2', body: JSON.stringify({ text: 'long '.repeat(200) }) })];

/** What comes of two events: encoded, sent, answered. */
async function observed(kind: SinkType, flat: Values): Promise<string> {
  const own: unknown = nested(flat);
  if (!compileSchema(kind.options)(own)) throw new Error('the options do not fit the schema');
  const client = recordingClient(() => ({
    body: { access_token: 'at-1', expires_in: 3600, text: 'Success', code: 0, refused: 1 },
  }));
  const sink: Sink = await kind.open(own as Record<string, unknown>, contextFor({ http: client, seams: manualClock().seams }));
  const texts = events.map((event) => sink.encode(event));
  const sent = events.map((event) => ({ ...event, time: event.event.time }));
  const batch = {
    id: 'batch-1',
    events: sent,
    encoded: Encoded.of(texts),
    endpoint: sink.endpoints[0] ?? '',
    attempt: 0,
    replay: false,
  };
  // Neither standard output nor a socket is written to: what they would get is `encoded`.
  const answer = kind === syslog || kind === stdout ? undefined : await sink.send(batch, never());
  const { endpoints, maxInFlight, maxEventBytes, maxBatchBytes, maxBatchEvents } = sink;
  return JSON.stringify([texts, answer, client.seen, endpoints, maxInFlight, maxEventBytes, maxBatchBytes, maxBatchEvents]);
}

describe.each(kinds)('an option of $kind.name', ({ kind, base, cases, elsewhere }) => {
  it('has an entry here', () => {
    expect([...Object.keys(cases), ...Object.keys(elsewhere)].sort((a, b) => a.localeCompare(b))).toEqual(
      [...(options[`sink ${kind.name}`] ?? [])].sort((a, b) => a.localeCompare(b)),
    );
  });

  it('is shown by a test that sets it', () => {
    expect(Object.entries(elsewhere).flatMap(([option, test]) => faultOfElsewhere(option, test) ?? [])).toEqual([]);
  });

  it.each(Object.entries(cases))('does something: %s', async (option, [value, beside = {}]) => {
    const before = await observed(kind, { ...base, ...beside });
    const again = await observed(kind, { ...base, ...beside });
    const after = await observed(kind, { ...base, ...beside, [option]: value });

    // What differs by itself would show nothing.
    expect(again).toBe(before);
    expect(after).not.toBe(before);
  });
});
