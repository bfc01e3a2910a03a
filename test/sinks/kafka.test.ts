import net from 'node:net';
import {
  AuthenticationError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  ResponseError,
  TimeoutError,
  UserError,
} from '@platformatic/kafka';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import type { StoredRecord } from '../../src/journal/journal.ts';
import { frameGatherer, openClient } from '../../src/sinks/kafka/client.ts';
import { kafka } from '../../src/sinks/kafka/index.ts';
import { verdictOf, verdictsOf } from '../../src/sinks/kafka/verdicts.ts';
import type { Sink, SinkContext, Verdict, Verdicts } from '../../src/sinks/sink.ts';
import { record, records } from '../deliver/harness.ts';
import { hastyClock } from '../hasty-clock.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live } from './delivering.ts';
import { fakeKafka } from './kafka-client.ts';
import { type Answer, startWireBroker } from './kafka-wire.ts';
import { batchOf, contextFor, manualClock, never, openSink, outgoing } from './sink-bench.ts';

const brokers = ['tls://kafka1.example.com:9093', 'tls://kafka2.example.com'];
const base = { brokers, topic: 'audit' };
const events = [
  outgoing({ uid: 'e1', source: 'acme', body: '{"n":1}' }),
  outgoing({ uid: 'e2', source: 'globex', body: '{"n":2}' }),
];

/** What the client is given of two events. */
async function sentBy(options: Record<string, unknown>, context: Partial<SinkContext> = {}) {
  const { kind, opened } = fakeKafka();
  await using sink = await openSink(kind, { ...base, ...options }, context);
  const verdicts = await sink.send(batchOf(sink, events), never());
  return { verdicts, opened: opened[0], sent: opened[0]?.sent[0] };
}

describe('a broker that ends the connection', () => {
  const lost = new MultipleErrors('produce failed 3 times.', [new NetworkError('Connection closed')]);
  const failing = (bears: (bodies: readonly string[]) => boolean): ReturnType<typeof fakeKafka> =>
    fakeKafka({
      send: (messages) => (bears(messages.map(({ value }) => value)) ? Promise.resolve() : Promise.reject(lost)),
    });
  const run = async ({ kind, opened }: ReturnType<typeof fakeKafka>, stored: readonly StoredRecord[]) => {
    const journal = memoryJournal();
    journal.put(live, stored);
    const options = { ...base, key: 'uid', compression: 'none', max_message_bytes: '1MB', client_id: 'penstock' };
    await using delivering = deliver(journal, (context) => kind.open(options, context), { clock: hastyClock(20) });
    const isDrained = await delivering.drained();
    const copies = opened.flatMap(({ sent }) => sent.flatMap(({ messages }) => messages.map(({ key }) => key)));
    return { isDrained, journal, copiesOf: (uid: string) => copies.filter((key) => key === uid).length };
  };

  it('at a request above its limit gets smaller ones, until all of them are stored', async () => {
    const { isDrained, journal } = await run(
      failing((bodies) => bodies.join('').length < 20_000),
      records('e', 300, { text: 'x'.repeat(300) }),
    );

    expect({ isDrained, letters: journal.letters, stored: journal.settled.acknowledged }).toEqual({
      isDrained: true,
      letters: [],
      stored: 300,
    });
  });

  it.each([0, 20])('at one event stores the %i others, and makes a dead letter of that one in ten copies', async (others) => {
    const { isDrained, journal, copiesOf } = await run(
      failing((bodies) => !bodies.some((body) => body.includes('BOOM'))),
      [record('bad', { text: 'BOOM' }), ...records('e', others)],
    );

    expect({
      isDrained,
      letters: journal.letters.map((letter) => letter.record.uid),
      stored: journal.settled.acknowledged,
    }).toEqual({
      isDrained: true,
      letters: ['bad'],
      stored: others,
    });
    expect(copiesOf('bad')).toBeLessThanOrEqual(10);
  });
});

describe('a record', () => {
  it('is the body, with id, source and format in headers, the id as key, and the time of sending', async () => {
    const { seams } = manualClock();
    const { verdicts, sent } = await sentBy({}, { seams, format: 'ecs' });

    expect(verdicts).toEqual({ all: { kind: 'accept' } });
    expect(sent).toEqual({
      acks: -1,
      compression: 'zstd',
      messages: [
        { uid: 'e1', source: 'acme', value: '{"n":1}', partition: (101 + 49) % 3 },
        { uid: 'e2', source: 'globex', value: '{"n":2}', partition: (101 + 50) % 3 },
      ].map(({ uid, source, value, partition }) => ({
        topic: 'audit',
        partition,
        key: uid,
        value,
        headers: { penstock_id: uid, penstock_source: source, penstock_format: 'ecs' },
        timestamp: seams.clock.now(),
      })),
    });
  });

  it('goes to the topic of its source', async () => {
    const { sent } = await sentBy({ topic: 'audit.{{ source }}', key: 'source' });

    expect(sent?.messages.map(({ topic, key }) => [topic, key])).toEqual([
      ['audit.acme', 'acme'],
      ['audit.globex', 'globex'],
    ]);
  });
});

// Expectations of Kafka's own test of its hash, https://github.com/apache/kafka/blob/4.1.1/clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java
it.each([
  ['21', -973_932_308],
  ['foobar', -790_332_482],
  ['a-little-bit-long-string', -985_981_536],
  ['a-little-bit-longer-string', -1_486_304_829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
  ['abc', 479_470_107],
])("chooses the partition of Java's producer: key %s", async (key, murmur2) => {
  const client = await openClient(
    { clientId: 'test', bootstrapBrokers: ['127.0.0.1:9'] },
    { pin: undefined, isPlainAllowed: false },
  );

  expect(client.hash(Buffer.from(key))).toBe(murmur2 & 0x7fff_ffff);
  client.destroy();
});

describe('the client', () => {
  it('is an idempotent one that repeats little, creates no topic and gives up within the time of a batch', async () => {
    const { opened } = await sentBy({ client_id: 'collector' }, { timeoutMs: 12_000 });

    const { retryDelay, tls: _tls, ...settings } = opened?.settings ?? ({} as never);
    expect(settings).toEqual({
      clientId: 'collector',
      bootstrapBrokers: [
        { host: 'kafka1.example.com', port: 9093 },
        { host: 'kafka2.example.com', port: 9092 },
      ],
      idempotent: true,
      compression: 'zstd',
      autocreateTopics: false,
      connectTimeout: 3000,
      requestTimeout: 6000,
      timeout: 4000,
      retries: 2,
      metadataMaxAge: 60_000,
      tlsServerName: true,
    });
    const delay = retryDelay as (...args: unknown[]) => number;
    expect([1, 2].map((attempt) => delay({}, 'produce', attempt))).toEqual([250, 500]);
  });

  it.each([
    { auth: { plain: { username: 'u', password: 'p' } }, sasl: { mechanism: 'PLAIN', username: 'u', password: 'p' } },
    {
      auth: { scram_sha_256: { username: 'u', password: 'p' } },
      sasl: { mechanism: 'SCRAM-SHA-256', username: 'u', password: 'p' },
    },
    {
      auth: { scram_sha_512: { username: 'u', password: 'p' } },
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'u', password: 'p' },
    },
  ])('logs in as configured: $sasl.mechanism', async ({ auth, sasl }) => {
    const { opened } = await sentBy({ auth });

    expect(opened?.settings.sasl).toEqual(sasl);
  });

  it('verifies the brokers, by the names that it connects to', async () => {
    const named = await sentBy({});
    const numbered = await sentBy({ brokers: ['tls://192.0.2.1:9093'] });
    const overridden = await sentBy({ tls: { server_name: 'kafka.example.com', pin_sha256: 'ab'.repeat(32) } });
    const plain = await sentBy({ brokers: ['tcp://192.0.2.1:9093'] });

    expect(
      [named, numbered, overridden, plain].map(({ opened }) => [
        opened?.settings.tls,
        opened?.settings.tlsServerName,
        opened?.pin,
      ]),
    ).toEqual([
      [{ minVersion: 'TLSv1.2', rejectUnauthorized: true }, true, undefined],
      [{ minVersion: 'TLSv1.2', rejectUnauthorized: true }, false, undefined],
      // A pin stands for the certificate authority.
      [{ minVersion: 'TLSv1.2', rejectUnauthorized: false, servername: 'kafka.example.com' }, false, 'ab'.repeat(32)],
      [undefined, undefined, undefined],
    ]);
  });

  it('takes a token of the issuer, and what it may not have told before it leaves', async () => {
    const hidden: string[] = [];
    const request: SinkContext['http']['request'] = () =>
      Promise.resolve({ status: 200, headers: {}, body: Buffer.from('{"access_token":"token-1","expires_in":3600}') });
    const oauth2 = {
      token_url: 'https://issuer.example.com/t',
      client_id: 'id',
      client_secret: 's',
      extensions: { tenant: 'a' },
    };
    const { opened } = await sentBy(
      { auth: { oauth2 } },
      { http: { ...contextFor().http, request }, hide: (credential) => hidden.push(credential) },
    );

    const { token, ...sasl } = opened?.settings.sasl ?? ({} as never);
    expect(sasl).toEqual({ mechanism: 'OAUTHBEARER', oauthBearerExtensions: { tenant: 'a' } });
    expect(hidden).toEqual(['token-1']);
    expect(await (token as unknown as () => Promise<string>)()).toBe('token-1');
  });

  it.each([
    { status: 401, verdict: { kind: 'hold', reason: expect.stringContaining('answered 401') } },
    { status: 503, verdict: { kind: 'retry', reason: expect.stringContaining('answered 503') } },
  ])('does not reach the brokers without a token: the issuer answers $status', async ({ status, verdict }) => {
    const request: SinkContext['http']['request'] = () => Promise.resolve({ status, headers: {}, body: Buffer.from('{}') });
    const oauth2 = { token_url: 'https://issuer.example.com/t', client_id: 'id', client_secret: 's' };
    const { verdicts, sent } = await sentBy({ auth: { oauth2 } }, { http: { ...contextFor().http, request } });

    expect(verdicts).toMatchObject({ all: verdict });
    expect(sent).toBeUndefined();
  });
});

describe('a request that is cut off', () => {
  it('leaves its events in doubt once they were handed over, and another client takes over', async () => {
    const { promise: given, resolve: onGiven } = Promise.withResolvers<void>();
    const { kind, opened } = fakeKafka({
      async send() {
        if (opened.length > 1) return;
        onGiven();
        await new Promise(() => undefined);
      },
    });
    await using sink = await openSink(kind, base);
    const abort = new AbortController();
    const sending = sink.send(batchOf(sink, events), abort.signal);
    await given;
    abort.abort(new Error('no answer within 30000 ms'));

    expect(await sending).toEqual({
      all: { kind: 'uncertain', reason: 'no answer within 30000 ms' },
    });
    expect(await sink.send(batchOf(sink, events), never())).toEqual({ all: { kind: 'accept' } });
    expect(opened.map(({ destroyed, sent }) => [destroyed, sent.length])).toEqual([
      [true, 1],
      [false, 1],
    ]);
  });

  it('is only tried again when nothing had left yet', async () => {
    const { kind } = fakeKafka({ metadata: () => new Promise(() => undefined) });
    await using sink = await openSink(kind, base);

    expect(await sink.send(batchOf(sink, events), AbortSignal.abort(new Error('cut off')))).toEqual({
      all: { kind: 'retry', reason: 'cut off' },
    });
  });
});

it('opens another client after a broken request, and keeps it after a refused record', async () => {
  const failures = [new NetworkError('Connection closed'), produceError({ 0: 'MESSAGE_TOO_LARGE' })];
  const { kind, opened } = fakeKafka({
    partitions: 1,
    send: () => (failures.length === 0 ? Promise.resolve() : Promise.reject(failures.shift() ?? new Error('none'))),
  });
  await using sink = await openSink(kind, base);
  const send = async (): Promise<Verdicts> => (await sink.send(batchOf(sink, events), never())) as Verdicts;

  expect(await send()).toMatchObject({ all: { kind: 'uncertain' } });
  expect(await send()).toMatchObject({ all: { kind: 'split', code: 'too_large' } });
  expect(await send()).toEqual({ all: { kind: 'accept' } });
  expect(opened.map(({ destroyed, sent }) => [destroyed, sent.length])).toEqual([
    [true, 1],
    [false, 2],
  ]);
});

it('asks another broker first with each client, for one may hear and answer nothing', async () => {
  const { kind, opened } = fakeKafka({ metadata: () => Promise.reject(new NetworkError('Request timed out')) });
  const brokers = ['tcp://a:9092', 'tcp://b:9092', 'tcp://c:9092'];
  await using sink = await openSink(kind, { ...base, brokers, allow_plaintext: true });

  for (let times = 0; times < 4; times += 1) await sink.send(batchOf(sink, events), never());

  const asked = opened.map(({ settings }) => settings.bootstrapBrokers.map((broker) => (broker as { host: string }).host));
  expect(asked).toEqual([
    ['a', 'b', 'c'],
    ['b', 'c', 'a'],
    ['c', 'a', 'b'],
    ['a', 'b', 'c'],
  ]);
});

it.each([
  ['Connection closed', 'Connection closed'],
  ['Client is closed.', 'the connections were closed when another request failed'],
])('blames no request whose client another one ended, and takes for doubtful what it had sent: %s', async (words, reason) => {
  const failures: PromiseWithResolvers<void>[] = [];
  const bothSent = Promise.withResolvers<void>();
  const { kind, opened } = fakeKafka({
    send() {
      const failure = Promise.withResolvers<void>();
      if (failures.push(failure) === 2) bothSent.resolve();
      return failure.promise;
    },
  });
  await using sink = await openSink(kind, base);
  const sending = [events, events].map((each) => sink.send(batchOf(sink, each), never()));
  await bothSent.promise;
  failures[0]?.reject(new NetworkError('Connection closed'));
  const first = await Promise.race(sending);
  failures[1]?.reject(new NetworkError(words));

  const both = await Promise.all(sending);
  expect([first, both.find((one) => one !== first)]).toEqual([
    { all: { kind: 'uncertain', reason: expect.stringContaining('Connection closed') as string } },
    { all: { kind: 'uncertain', reason, blameless: true } },
  ]);
  expect(opened.map(({ destroyed }) => destroyed)).toEqual([true]);
});

/** What the client throws when partitions of `audit` answer with these codes; `words` are the broker's. */
function produceError(
  codes: Readonly<Record<number, string>>,
  words: string | null = null,
  recordErrors: object[] = [],
): ResponseError {
  const numberOf = (name: string): number => (name === '' ? 0 : Number(new ProtocolError(name)['apiCode']));
  const partitionResponses = Object.entries(codes).map(([index, name]) => ({
    index: Number(index),
    errorCode: numberOf(name),
    recordErrors,
  }));
  const failed = Object.entries(codes).flatMap(([, name], at) =>
    name === '' ? [] : [[`/responses/0/partition_responses/${at}`, [numberOf(name), words]] as const],
  );
  return new ResponseError(0, 11, Object.fromEntries(failed) as never, { responses: [{ name: 'audit', partitionResponses }] });
}

const places = [0, 0, 1].map((partition) => ({ topic: 'audit', partition }));
const kindsAt = (verdicts: readonly Verdict[]): string[] => verdicts.map(({ kind }) => kind);

describe('the answer of a partition', () => {
  it.each([
    ['MESSAGE_TOO_LARGE', 'split'],
    ['RECORD_LIST_TOO_LARGE', 'split'],
    ['INVALID_RECORD', 'split'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'hold'],
    ['INVALID_TOPIC_EXCEPTION', 'hold'],
    ['TOPIC_AUTHORIZATION_FAILED', 'hold'],
    ['CLUSTER_AUTHORIZATION_FAILED', 'hold'],
    ['INVALID_TIMESTAMP', 'hold'],
    ['UNSUPPORTED_COMPRESSION_TYPE', 'hold'],
    ['POLICY_VIOLATION', 'hold'],
    ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 'hold'],
    ['NOT_LEADER_OR_FOLLOWER', 'retry'],
    ['LEADER_NOT_AVAILABLE', 'retry'],
    ['FENCED_LEADER_EPOCH', 'retry'],
    ['NOT_ENOUGH_REPLICAS', 'retry'],
    ['THROTTLING_QUOTA_EXCEEDED', 'retry'],
    ['CORRUPT_MESSAGE', 'retry'],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'uncertain'],
    ['REQUEST_TIMED_OUT', 'uncertain'],
    ['UNKNOWN_SERVER_ERROR', 'uncertain'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'uncertain'],
    ['KAFKA_STORAGE_ERROR', 'uncertain'],
    ['DUPLICATE_SEQUENCE_NUMBER', 'uncertain'],
  ])('%s is a %s for its records and says nothing of another partition', (code, kind) => {
    const verdicts = verdictsOf([produceError({ 0: code, 1: '' }, 'words of the broker.')], places);

    expect(kindsAt(verdicts)).toEqual([kind, kind, 'accept']);
    expect(verdicts[0]).toMatchObject({ reason: `${code}: words of the broker` });
  });

  it('makes a dead letter of the record that the broker names, and sends the others again at once', () => {
    const error = produceError({ 0: 'INVALID_RECORD' }, 'One or more records have been rejected', [
      { batchIndex: 1, batchIndexErrorMessage: 'Compacted topic cannot accept message without key' },
    ]);

    expect(verdictsOf([error], places.slice(0, 2))).toEqual([
      { kind: 'retry', reason: 'INVALID_RECORD: One or more records have been rejected', retryAfterMs: 0 },
      { kind: 'event', code: 'invalid_record', reason: 'Compacted topic cannot accept message without key' },
    ]);
  });

  it('stays stored when a later attempt fails', () => {
    const attempts = new MultipleErrors('produce failed 2 times.', [
      produceError({ 0: '', 1: 'NOT_LEADER_OR_FOLLOWER' }),
      new NetworkError('Connection to 192.0.2.1:9092 failed.', {
        cause: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
      }),
    ]);

    expect(kindsAt(verdictsOf([attempts], places))).toEqual(['accept', 'accept', 'retry']);
  });

  it('is in doubt when an answer before it was lost', () => {
    const attempts = new MultipleErrors('produce failed 2 times.', [
      new NetworkError('Connection closed'),
      produceError({ 0: 'TOPIC_AUTHORIZATION_FAILED', 1: 'NOT_ENOUGH_REPLICAS' }),
    ]);

    expect(verdictsOf([attempts], places)).toMatchObject([
      { kind: 'hold', maybeStored: true },
      { kind: 'hold', maybeStored: true },
      { kind: 'uncertain', blameless: true },
    ]);
  });

  it('counts what went to another broker as stored', () => {
    const error = Object.assign(new MultipleErrors('Producing messages failed.', [new NetworkError('Connection closed')]), {
      produced: { offsets: [{ topic: 'audit', partition: 1, offset: 7n }] },
    });

    expect(kindsAt(verdictsOf([error], places))).toEqual(['uncertain', 'uncertain', 'accept']);
  });
});

const refused = new NetworkError('Connection to 192.0.2.1:9092 failed.', {
  cause: new AuthenticationError('SASL authentication failed.', {
    cause: new ResponseError(36, 2, { '/': [58, 'Authentication failed: Invalid username or password'] } as never, {}),
  }),
});
const brokenLogin = new NetworkError('Connection to 192.0.2.1:9092 failed.', {
  cause: new AuthenticationError('SASL authentication failed.', { cause: new NetworkError('Connection closed') }),
});
const certificate = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });

describe('a failure of the whole request', () => {
  it.each([
    { error: new NetworkError('Connection closed'), before: 'retry', after: 'uncertain' },
    { error: new TimeoutError('Request timed out'), before: 'retry', after: 'uncertain' },
    { error: new TimeoutError('Connection to 192.0.2.1:9092 timed out.'), before: 'retry', after: 'retry' },
    {
      error: new NetworkError('Connection to x failed.', { cause: new Error('connect ECONNREFUSED') }),
      before: 'retry',
      after: 'retry',
    },
    { error: new NetworkError('Connection to x failed.', { cause: certificate }), before: 'hold', after: 'hold' },
    { error: refused, before: 'hold', after: 'hold' },
    { error: brokenLogin, before: 'retry', after: 'uncertain' },
    { error: new UserError('Unknown topic audit.'), before: 'hold', after: 'hold' },
    { error: new UserError('Broker requires TLS.'), before: 'hold', after: 'hold' },
    { error: new PenstockError('PEN_HTTP_TLS', 'not the pinned one', { fix: 'set the pin' }), before: 'hold', after: 'hold' },
    { error: new TypeError('undefined is not a function'), before: 'retry', after: 'uncertain' },
  ])('$error.message: $before before the records left, $after once they did', ({ error, before, after }) => {
    expect([verdictOf([error], false).kind, verdictOf([error], true).kind]).toEqual([before, after]);
  });

  it("says the broker's own words, and each only once", () => {
    const attempts = new MultipleErrors('metadata failed 2 times.', [refused, refused]);

    expect(verdictOf([attempts, undefined], false)).toEqual({
      kind: 'hold',
      reason:
        'Connection to 192.0.2.1:9092 failed; SASL authentication failed; SASL_AUTHENTICATION_FAILED: Authentication failed: Invalid username or password',
      fix: 'check "auth" of the sink, and that the listener of the broker takes this mechanism',
    });
  });
});

describe('an address that cannot be reached', () => {
  const at = (address: string) =>
    fakeKafka({
      metadata: () =>
        Promise.reject(new NetworkError(`Connection to ${address} failed.`, { cause: new Error('connect ECONNREFUSED') })),
    }).kind;
  const brokers = ['tcp://kafka1.example.com', 'tcp://[2001:db8::1]:9093'];
  const options = { brokers, topic: 'audit', allow_plaintext: true };

  it.each([
    ['kafka1.example.com:9092', ''],
    ['2001:db8::1:9093', ''],
    ['kafka-7.internal:9092', ' (kafka-7.internal:9092 is what the brokers call one of theirs: see advertised.listeners)'],
    ['kafka1.example.com:9093', ' (kafka1.example.com:9093 is what the brokers call one of theirs: see advertised.listeners)'],
  ])('is told apart: %s', async (address, says) => {
    await using sink = await openSink(at(address), options);

    const verdicts = await sink.send(batchOf(sink, events), never());

    expect(verdicts).toEqual({ all: { kind: 'retry', reason: `Connection to ${address} failed; connect ECONNREFUSED${says}` } });
  });

  it.each([
    ['kafka1.example.com:9092', 'check host and port of "brokers", that the scheme is theirs, and that the brokers are well'],
    [
      'kafka-7.internal:9092',
      'let the brokers advertise addresses that can be reached from here, and see that all of them are up',
    ],
  ])('is what a probe says to correct: %s', async (address, fix) => {
    await using sink = await openSink(at(address), options);

    expect(await sink.probe(never())).toMatchObject({ ok: false, fix });
  });
});

// Codes of the protocol: 6 NOT_LEADER_OR_FOLLOWER, after which the client begins anew, 7 REQUEST_TIMED_OUT, 19 NOT_ENOUGH_REPLICAS,
// 29 TOPIC_AUTHORIZATION_FAILED, 45 OUT_OF_ORDER_SEQUENCE_NUMBER and 59 UNKNOWN_PRODUCER_ID, after which it sends all of it under another id.
describe('attempts within one request', () => {
  it.each<{ answers: readonly Answer[]; requests: number; verdict: object }>([
    { answers: ['close', 0], requests: 2, verdict: { kind: 'accept' } },
    { answers: [19], requests: 3, verdict: { kind: 'retry' } },
    { answers: [6, 19], requests: 4, verdict: { kind: 'retry' } },
    { answers: [7, 19], requests: 3, verdict: { kind: 'uncertain', blameless: true } },
    { answers: [7, 6, 19], requests: 5, verdict: { kind: 'uncertain', blameless: true } },
    { answers: ['close', 6, 19], requests: 5, verdict: { kind: 'uncertain', blameless: true } },
    { answers: ['close', 6, 29], requests: 3, verdict: { kind: 'hold', maybeStored: true } },
    { answers: [7, 45, 0], requests: 3, verdict: { kind: 'accept', isRepeated: true } },
    { answers: [59, 0], requests: 2, verdict: { kind: 'accept', isRepeated: true } },
    { answers: [45, 19], requests: 4, verdict: { kind: 'uncertain', blameless: true } },
  ])('that end with $answers give $verdict', async ({ answers, requests, verdict }) => {
    await using broker = await startWireBroker('audit', answers);
    await using sink: Sink = await openSink(kafka, { brokers: [broker.address], topic: 'audit' });

    const verdicts = await sink.send(batchOf(sink, events), never());

    expect({ verdicts, requests: broker.requests() }).toEqual({
      verdicts: { all: expect.objectContaining(verdict) },
      requests,
    });
  });
});

it('holds no repeated attempt of one request against the next', async () => {
  await using broker = await startWireBroker('audit', ['close', 0, 19]);
  await using sink: Sink = await openSink(kafka, { brokers: [broker.address], topic: 'audit' });

  const first = await sink.send(batchOf(sink, events), never());
  const second = await sink.send(batchOf(sink, events), never());

  expect([first, second]).toEqual([{ all: { kind: 'accept' } }, { all: expect.objectContaining({ kind: 'retry' }) }]);
});

describe('a peer that is no broker', () => {
  /** What the sink says of a server that answers every request so, and how often it connected. */
  async function answeredWith(
    reply: (request: Buffer) => Buffer,
    options: Record<string, unknown> = {},
  ): Promise<{ readonly verdicts: Verdicts; readonly connections: number }> {
    let connections = 0;
    const server = net.createServer((socket) => {
      connections += 1;
      socket.on('data', (request) => socket.write(reply(request))).on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    await using sink: Sink = await openSink(kafka, { brokers: [`tcp://127.0.0.1:${port}`], topic: 'audit', ...options });
    try {
      return { verdicts: (await sink.send(batchOf(sink, events), never())) as Verdicts, connections };
    } finally {
      server.close();
    }
  }

  it('is not read any further when it announces an answer that no broker gives', async () => {
    const { verdicts } = await answeredWith(() => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));

    expect(verdicts).toMatchObject({
      all: { kind: 'retry', reason: expect.stringContaining('announces 1213486160 bytes: what answers may be no Kafka broker') },
    });
  });

  it('ends the connection, not the process, with an answer that cannot be understood, and does not log in again', async () => {
    // No error and no APIs; no error and no mechanisms; then a challenge that is no SCRAM.
    const challenge = `000000000a${Buffer.from('malformed').toString('hex')}000000000000000000`;
    const replies = ['00000000000000000000', '000000000000', challenge];
    const scram = { username: 'u', password: 'long-password' };
    const frame = (request: Buffer, body: Buffer): Buffer => {
      const head = Buffer.concat([Buffer.alloc(4), request.subarray(8, 12)]);
      head.writeUInt32BE(4 + body.length);
      return Buffer.concat([head, body]);
    };
    let at = 0;
    const { verdicts, connections } = await answeredWith(
      (request) => {
        at += 1;
        return frame(request, Buffer.from(replies[Math.min(at, replies.length) - 1] ?? '', 'hex'));
      },
      { auth: { scram_sha_256: scram } },
    );

    expect(verdicts).toEqual({
      all: {
        kind: 'hold',
        reason: expect.stringContaining('Malformed SCRAM parameter: malformed'),
        fix: 'check "auth" of the sink, and that the listener of the broker takes this mechanism',
      },
    });
    expect(connections).toBe(1);
  });

  it.each([false, true])('hears nothing in plain text beyond this machine unless that is allowed: %s', async (allowed) => {
    const peer = { address: '192.0.2.7', port: 9092, family: 'IPv4' };
    const elsewhere = vi
      .spyOn(net.Socket.prototype as unknown as { _getpeername(): object }, '_getpeername')
      .mockReturnValue(peer);
    onTestFinished(() => elsewhere.mockRestore());
    let heard = 0;
    const { verdicts } = await answeredWith(
      () => {
        heard += 1;
        return Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n');
      },
      { auth: { plain: { username: 'u', password: 'long-password' } }, allow_plaintext: allowed },
    );

    expect([heard > 0, verdicts]).toEqual([
      allowed,
      {
        all: allowed
          ? expect.objectContaining({ kind: 'retry' })
          : {
              kind: 'hold',
              reason: expect.stringMatching(
                /tcp:\/\/ would send events and credentials unencrypted beyond this machine, to the broker at 192\.0\.2\.7 port 9092/,
              ),
              fix: 'write tls:// in "brokers", or add "allow_plaintext: true"',
            },
      },
    ]);
  });

  it.each([70_000, -1])('ends no process by a broker that it names at port %d', async (port) => {
    const settings = { clientId: 'test', bootstrapBrokers: [{ host: '127.0.0.1', port }], retries: 0 };
    const client = await openClient(settings, { pin: undefined, isPlainAllowed: false });

    await expect(client.metadata({ topics: ['audit'] })).rejects.toMatchObject({
      errors: [{ code: 'PLT_KFK_NETWORK', cause: { code: 'ERR_SOCKET_BAD_PORT' } }],
    });
    client.destroy();
  });

  it('is followed through answers that come in pieces', () => {
    const gather = frameGatherer();
    const answer = Buffer.concat([Buffer.from([0, 0, 0, 5]), Buffer.from('hello')]);

    const pieces = Array.from(Buffer.concat([answer, answer]), (byte) => gather(Buffer.from([byte])).whole);
    const { whole } = gather(Buffer.concat([answer, answer, Buffer.from([0x7f])]));
    const { fault } = gather(Buffer.from([0xff, 0xff, 0xff]));

    expect(pieces.filter(({ length }) => length > 0)).toEqual([answer, answer]);
    expect(whole).toEqual(Buffer.concat([answer, answer]));
    expect(fault?.message).toMatch(/^the answer announces 2147483647 bytes/);
  });
});

describe('options', () => {
  it.each([
    { options: { brokers: ['tls://a.example.com:0'] }, path: 'brokers.0' },
    { options: { brokers: ['tls://a.example.com:70000'] }, path: 'brokers.0' },
    { options: { brokers: ['tls://a.example.com', 'tcp://b.example.com'] }, path: 'brokers' },
    { options: { tls: { cert_file: 'a.pem' } }, path: 'tls' },
  ])('refuses what no cluster has: $options', ({ options, path }) => {
    expect(kafka.check?.({ ...base, ...options }).map(([at]) => at)).toEqual([path]);
  });

  it('names brokers and issuer as what is reached', () => {
    const auth = { oauth2: { token_url: 'https://issuer.example.com/t', client_id: 'id', client_secret: 's' } };

    expect(kafka.urls({ ...base, auth })).toEqual([...brokers, 'https://issuer.example.com/t']);
  });

  it('leaves room for what the protocol adds within max_message_bytes', async () => {
    const { kind } = fakeKafka();
    await using sink = await openSink(kind, { ...base, max_message_bytes: '10KB' });

    expect([sink.maxEventBytes, sink.maxBatchBytes, sink.maxInFlight]).toEqual([9939, 9939, 1]);
    const event = outgoing({ uid: 'é', body: '{}' });
    expect([sink.encode(event), sink.bytesAround?.(event)]).toEqual([
      '{}',
      32 + 2 + 'penstock_id'.length + 2 + 'penstock_source'.length + 4 + 'penstock_format'.length + 4,
    ]);
  });
});
