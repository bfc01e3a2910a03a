// The kafka sink against a real broker; skipped where scripts/install-receivers.sh could not fetch one.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf } from '../../src/deliver/index.ts';
import { kafka } from '../../src/sinks/kafka/index.ts';
import type { Sink, SinkContext, Verdicts } from '../../src/sinks/sink.ts';
import { records } from '../deliver/harness.ts';
import { penstock } from '../e2e/penstock.ts';
import { makeCertificates } from '../http/certificates.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { deliver, live } from './delivering.ts';
import { type Broker, hasKafka, openProxy, password, startBroker, startCluster } from './kafka-broker.ts';
import { batchOf, contextFor, kindsOf, never, numbered, openSink, outgoing, until } from './sink-bench.ts';

const certificates = makeCertificates();
afterAll(() => certificates[Symbol.dispose]());
const skipped = hasKafka ? '' : ' (skipped: run scripts/install-receivers.sh, with Java 17)';

/** A JWT without a signature, as the broker's development handler takes it. */
function unsignedToken(subject: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + 3600 })}.`;
}

describe.skipIf(!hasKafka)(`a real broker${skipped}`, () => {
  let broker: Broker;

  beforeAll(async () => {
    broker = await startBroker(certificates);
    await broker.createTopic('audit-acme');
    await broker.createTopic('small', { 'max.message.bytes': '2000' }, 1);
    await broker.allow('penstock', 'audit-');
  });
  afterAll(() => broker[Symbol.asyncDispose]());

  const plain = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
    brokers: [`tcp://127.0.0.1:${broker.ports.plain}`],
    topic: 'audit-{{ source }}',
    ...over,
  });
  const sasl = (auth: unknown): Record<string, unknown> => plain({ brokers: [`tcp://127.0.0.1:${broker.ports.sasl}`], auth });
  const open = (options: Record<string, unknown>, over: Partial<SinkContext> = {}): Promise<Sink> =>
    openSink(kafka, options, { sources: ['acme'], ...over });
  /** What becomes of two events. */
  const answerOf = async (options: Record<string, unknown>, over: Partial<SinkContext> = {}): Promise<Verdicts> => {
    await using sink = await open(options, over);
    return (await sink.send(batchOf(sink, numbered(2)), never())) as Verdicts;
  };

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
    'stores every event with its key and headers: compression %s',
    async (compression) => {
      const topic = `records-${compression}`;
      await broker.createTopic(topic);
      const events = numbered(200);
      await using sink = await open(plain({ topic, compression }));
      const before = Date.now();

      expect(await sink.send(batchOf(sink, events), never())).toEqual({ all: { kind: 'accept' } });

      const read = await broker.read(topic);
      const byKey = read.toSorted((a, b) => a.key.localeCompare(b.key));
      expect(byKey.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(
        events.map(({ uid, body }) => ({
          key: uid,
          value: body,
          headers: { penstock_id: uid, penstock_source: 'acme', penstock_format: 'ocsf' },
        })),
      );
      expect(new Set(read.map(({ partition }) => partition)).size).toBe(3);
      expect(read.filter(({ timestamp }) => timestamp < before || timestamp > Date.now())).toEqual([]);
    },
  );

  it('keeps the events of a source in one partition, in order, with key: source', async () => {
    await broker.createTopic('ordered');
    await using sink = await open(plain({ topic: 'ordered', key: 'source' }));
    const events = numbered(60);

    for (const from of [0, 20, 40]) await sink.send(batchOf(sink, events.slice(from, from + 20)), never());

    const read = await broker.read('ordered');
    expect(new Set(read.map(({ partition }) => partition)).size).toBe(1);
    expect(read.map(({ headers }) => headers['penstock_id'])).toEqual(events.map(({ uid }) => uid));
  });

  it.each(['plain', 'scram_sha_256', 'scram_sha_512'])(
    'logs in by %s, and holds with the words of the broker when it may not',
    async (way) => {
      const fix = 'check "auth" of the sink, and that the listener of the broker takes this mechanism';

      expect(await answerOf(sasl({ [way]: { username: 'penstock', password } }))).toEqual({ all: { kind: 'accept' } });
      const refused = await answerOf(sasl({ [way]: { username: 'penstock', password: 'wrong-password' } }));

      expect(refused).toEqual({
        all: { kind: 'hold', fix, reason: expect.stringMatching(/SASL_AUTHENTICATION_FAILED: Authentication failed/) },
      });
      expect(JSON.stringify(refused)).not.toContain('wrong-password');
    },
  );

  it('logs in with a token of its issuer, which the scrubber knows before it leaves', async () => {
    const token = unsignedToken('penstock');
    const hidden: string[] = [];
    const http: SinkContext['http'] = {
      ...contextFor().http,
      request: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          body: Buffer.from(JSON.stringify({ access_token: token, expires_in: 3600 })),
        }),
    };
    const oauth2 = { token_url: 'https://issuer.example.com/token', client_id: 'id', client_secret: 'secret' };

    const accepted = await answerOf(sasl({ oauth2 }), { http, hide: (credential) => hidden.push(credential) });
    const extended = await answerOf(sasl({ oauth2: { ...oauth2, extensions: { tenant: 'acme' } } }), { http });

    expect([accepted, extended]).toEqual([{ all: { kind: 'accept' } }, { all: { kind: 'accept' } }]);
    expect(new Set(hidden)).toEqual(new Set([token]));
  });

  it('holds when the user may not write to the topic', async () => {
    const login = { plain: { username: 'stranger', password } };

    expect(await answerOf(sasl(login))).toEqual({
      all: {
        kind: 'hold',
        reason: expect.stringContaining('TOPIC_AUTHORIZATION_FAILED'),
        fix: 'allow the user of "auth" the operations Write and Describe on the topic',
      },
    });
  });

  it('speaks TLS with a client certificate, and holds when one of the two is not trusted', async () => {
    const tls = {
      ca_file: certificates.path('ca.pem'),
      cert_file: certificates.path('client.pem'),
      key_file: certificates.path('client.key'),
    };
    const brokers = [`tls://localhost:${broker.ports.tls}`];
    const { cert_file: _cert, key_file: _key, ...withoutIdentity } = tls;

    expect(await answerOf(plain({ brokers, tls }))).toEqual({ all: { kind: 'accept' } });
    expect(await answerOf(plain({ brokers }))).toMatchObject({
      all: { kind: 'hold', fix: expect.stringContaining('set tls.ca_file') },
    });
    expect(await answerOf(plain({ brokers, tls: withoutIdentity }))).toMatchObject({
      all: { kind: 'hold', fix: expect.stringContaining('set tls.cert_file and tls.key_file') },
    });
    expect(await answerOf(plain({ brokers, tls: { ...tls, server_name: 'other.example' } }))).toMatchObject({
      all: { kind: 'hold', fix: expect.stringContaining('tls.server_name') },
    });
    expect(await answerOf(plain({ brokers, tls: { ...tls, pin_sha256: '00'.repeat(32) } }))).toMatchObject({
      all: { kind: 'hold', fix: expect.stringContaining('tls.pin_sha256') },
    });
  });

  it('says which scheme is right where the listener speaks the other one', async () => {
    expect(await answerOf(plain({ brokers: [`tcp://127.0.0.1:${broker.ports.tls}`] }))).toMatchObject({
      all: { kind: 'hold', reason: expect.stringContaining('Broker requires TLS'), fix: 'write tls:// in "brokers"' },
    });
    expect(await answerOf(plain({ brokers: [`tls://127.0.0.1:${broker.ports.plain}`] }))).toMatchObject({
      all: { kind: 'retry', reason: expect.stringContaining('verify the broker supports TLS') },
    });
  });

  it('holds on a topic that does not exist, and creates none', async () => {
    expect(await answerOf(plain({ topic: 'nowhere' }))).toEqual({
      all: {
        kind: 'hold',
        reason: 'Unknown topic nowhere',
        fix: 'create the topic, which Penstock never does, or correct "topic" of the sink',
      },
    });
    expect(await answerOf(plain({ topic: 'nowhere' }))).toMatchObject({ all: { kind: 'hold' } });
  });

  it('halves what is too large for the topic, until only the event that is too large itself becomes a dead letter', async () => {
    const journal = memoryJournal();
    journal.put(live, [...records('a', 20), ...records('large', 1, { text: 'x'.repeat(3000) }), ...records('b', 20)]);
    await using delivering = deliver(journal, (context) =>
      kafka.open({ ...defaults, ...plain({ topic: 'small', compression: 'none' }) }, context),
    );

    expect(await delivering.drained()).toBe(true);

    expect(journal.letters.map(({ record, code }) => [record.uid, code])).toEqual([[records('large', 1)[0]?.uid, 'too_large']]);
    const keys = (await broker.read('small')).map(({ key }) => key);
    expect(keys.toSorted()).toEqual([...records('a', 20), ...records('b', 20)].map(({ uid }) => uid).toSorted());
  });

  it('proves topics, rights and size with a marked event', async () => {
    await broker.createTopic('check-acme');
    await broker.createTopic('check-small', { 'max.message.bytes': '5000' });
    await using sink = await open(plain({ topic: 'check-{{ source }}' }), { sources: ['acme', 'small'] });
    await using unknown = await open(plain({ topic: 'nowhere' }));
    await using stranger = await open(sasl({ plain: { username: 'stranger', password } }));

    expect(await sink.probe(never())).toEqual({
      ok: false,
      findings: [
        'topic "check-acme" took a test event of 1000000 bytes (key penstock-check)',
        expect.stringMatching(/^topic "check-small" takes a small test event, but not one of 1000000 bytes: MESSAGE_TOO_LARGE/),
      ],
      fix: 'raise max.message.bytes of topic "check-small", or lower max_message_bytes of the sink to it',
    });
    expect(await unknown.probe(never())).toMatchObject({
      ok: false,
      findings: ['topic "nowhere" refused: Unknown topic nowhere'],
    });
    expect(await stranger.probe(never())).toMatchObject({
      ok: false,
      findings: [expect.stringContaining('topic "audit-acme" refused: TOPIC_AUTHORIZATION_FAILED')],
    });
    const [read] = await broker.read('check-acme');
    expect(read?.key).toBe('penstock-check');
    expect(JSON.parse(read?.value ?? '')).toMatchObject({ penstock_test: true, sink: 'test' });
  });

  it('fits what it measures into the largest message that a topic takes', async () => {
    await broker.createTopic('tight', { 'max.message.bytes': '100000' }, 1);
    await using sink = await open(plain({ topic: 'tight', compression: 'none', max_message_bytes: '100000B' }));
    const events: ReturnType<typeof outgoing>[] = [];
    for (let bytes = 0; ; ) {
      const event = outgoing({ uid: `e${events.length}`, body: JSON.stringify({ n: events.length }) });
      bytes += bytesOf(sink, event);
      if (bytes > (sink.maxBatchBytes ?? 0)) break;
      events.push(event);
    }
    const [small] = events;
    const rest = sink.maxEventBytes - bytesOf(sink, { ...(small ?? outgoing()), body: '' });

    expect(events.length).toBeGreaterThan(700);
    expect(await sink.send(batchOf(sink, events), never())).toEqual({ all: { kind: 'accept' } });
    expect(await sink.send(batchOf(sink, [outgoing({ uid: 'e0', body: 'x'.repeat(rest) })]), never())).toEqual({
      all: { kind: 'accept' },
    });
  });

  it('stores all of it where the broker ends a connection at a request above its own limit', async () => {
    await using strict = await startBroker(certificates, 'socket.request.max.bytes=20000\n');
    await strict.createTopic('strict');
    const journal = memoryJournal();
    journal.put(live, records('r', 400, { text: 'x'.repeat(300) }));
    const settings = { batch: { events: 400, bytes: 1_000_000, waitMs: 0 }, timeoutMs: 6000 };
    const options = {
      ...defaults,
      ...plain({ topic: 'strict', compression: 'none', brokers: [`tcp://127.0.0.1:${strict.ports.plain}`] }),
    };
    await using delivering = deliver(journal, (context) => kafka.open(options, { ...context, timeoutMs: 6000 }), { settings });

    expect(await delivering.drained()).toBe(true);

    const keys = new Set((await strict.read('strict')).map(({ key }) => key));
    expect({ letters: journal.letters, stored: keys.size }).toEqual({ letters: [], stored: 400 });
  });

  it('loses nothing while the broker is killed and started again in mid-flow, and counts what it may have repeated', async () => {
    await broker.createTopic('killed');
    const journal = memoryJournal();
    const events = records('k', 6000);
    journal.put(live, events);
    const settings = { batch: { events: 20, bytes: 1_000_000, waitMs: 0 }, backoffMaxMs: 500, timeoutMs: 6000 };
    const options = { ...defaults, ...plain({ topic: 'killed' }) };
    await using delivering = deliver(journal, (context) => kafka.open(options, { ...context, timeoutMs: 6000 }), { settings });
    for (const share of [0.1, 0.4, 0.7]) {
      await until(() => delivering.loop.status().acknowledged >= events.length * share);
      await broker.kill();
      await broker.start();
    }

    await until(() => delivering.loop.status().acknowledged >= events.length);

    const keys = (await broker.read('killed')).map(({ key }) => key);
    const status = delivering.loop.status();
    expect([...new Set(keys)].toSorted()).toEqual(events.map(({ uid }) => uid).toSorted());
    expect(journal.letters).toEqual([]);
    expect(keys.length - events.length).toBeLessThanOrEqual(status.counters?.['possible_duplicates'] ?? 0);
    // One batch is under way at most.
    expect(keys.length - events.length).toBeLessThanOrEqual(3 * settings.batch.events);
  });

  it('stores once what it repeats within a request, and leaves in doubt what it gives up', async () => {
    await broker.createTopic('lost');
    await using proxy = await openProxy(broker.ports);
    await using sink = await open(plain({ topic: 'lost', brokers: [`tcp://127.0.0.1:${broker.ports.proxied}`] }));
    const send = async (from: number): Promise<Verdicts> =>
      (await sink.send(batchOf(sink, numbered(30, from)), never())) as Verdicts;

    expect(await send(0)).toEqual({ all: { kind: 'accept' } });
    proxy.loseAnswers(1);
    expect(await send(30)).toEqual({ all: { kind: 'accept' } });
    proxy.loseAnswers(2);
    expect(await send(60)).toEqual({ all: { kind: 'accept' } });
    const once = await broker.read('lost');
    proxy.loseAnswers(1000);
    expect(await send(90)).toEqual({ all: { kind: 'uncertain', reason: 'Connection closed' } });
    proxy.loseAnswers(0);
    expect(await send(90)).toEqual({ all: { kind: 'accept' } });

    const uids = (count: number): string[] => numbered(count).map(({ uid }) => uid);
    expect(once.map(({ key }) => key).toSorted()).toEqual(uids(90));
    const twice = (await broker.read('lost')).map(({ key }) => key);
    expect(twice.toSorted()).toEqual([...uids(120), ...uids(120).slice(90)].toSorted());
  });

  it('gives up on a broker that hears and answers nothing, within its time, and counts what that may repeat', async () => {
    await broker.createTopic('frozen');
    const journal = memoryJournal();
    const events = records('f', 400);
    journal.put(live, events.slice(0, 50));
    const settings = { batch: { events: 10, bytes: 1_000_000, waitMs: 0 }, backoffMaxMs: 200, timeoutMs: 6000 };
    const options = { ...defaults, ...plain({ topic: 'frozen' }) };
    await using delivering = deliver(journal, (context) => kafka.open(options, { ...context, timeoutMs: 6000 }), { settings });
    expect(await delivering.drained()).toBe(true);

    broker.freeze(true);
    journal.put(live, events.slice(50));
    await until(() => (delivering.loop.status().counters?.['possible_duplicates'] ?? 0) >= 10);
    broker.freeze(false);
    expect(await delivering.drained()).toBe(true);

    const keys = (await broker.read('frozen')).map(({ key }) => key);
    expect([...new Set(keys)].toSorted()).toEqual(events.map(({ uid }) => uid).toSorted());
    expect(keys.length - events.length).toBeLessThanOrEqual(delivering.loop.status().counters?.['possible_duplicates'] ?? 0);
    expect(journal.letters).toEqual([]);
  });

  it('is checked by the bundled program, whose client is a part of it', async () => {
    await broker.createTopic('bundled');
    const folder = await mkdtemp(join(tmpdir(), 'penstock-kafka-check-'));
    const sinks = { bus: { type: 'kafka', ...plain({ topic: 'bundled', compression: 'snappy' }) } };
    await writeFile(join(folder, 'penstock.yaml'), JSON.stringify({ data_dir: 'data', sources: {}, sinks }));

    const program = penstock(['check', '-c', 'penstock.yaml', '--json'], { cwd: folder });

    expect(await program.exited).toBe(0);
    expect(program.stdout()).toContain('took a test event of 1000000 bytes');
  });

  it('says what is wrong while the broker is away, and delivers when it is back', async () => {
    await broker.createTopic('away');
    await using sink = await open(plain({ topic: 'away' }));
    await broker.kill();

    const away = (await sink.send(batchOf(sink, numbered(2)), never())) as Verdicts;
    await broker.start();
    const back = await until(
      async () => (await sink.send(batchOf(sink, numbered(2)), never())) as Verdicts,
      (verdicts) => kindsOf(verdicts, 1)[0] === 'accept',
    );

    expect(away).toEqual({ all: { kind: 'retry', reason: expect.stringContaining('ECONNREFUSED') } });
    expect(back).toEqual({ all: { kind: 'accept' } });
  });
});

describe.skipIf(!hasKafka)(`three real brokers${skipped}`, () => {
  it('loses nothing while each of them is killed in mid-flow and leaders move, and counts what it may have repeated', async () => {
    await using cluster = await startCluster();
    await cluster.createTopic('moved');
    const journal = memoryJournal();
    const events = records('m', 9000);
    journal.put(live, events);
    const settings = { batch: { events: 20, bytes: 1_000_000, waitMs: 0 }, backoffMaxMs: 500, timeoutMs: 6000 };
    const options = { ...defaults, brokers: cluster.brokers, topic: 'moved' };
    await using delivering = deliver(journal, (context) => kafka.open(options, { ...context, timeoutMs: 6000 }), { settings });
    const taken = (): number => delivering.loop.status().acknowledged;
    for (const index of [0, 1, 2]) {
      const before = taken();
      await until(() => taken() >= Math.min(events.length, before + 500));
      await cluster.kill(index);
      // The others go on with two of three copies.
      const after = taken();
      await until(() => taken() >= Math.min(events.length, after + 200));
      await cluster.start(index);
    }

    await until(() => taken() >= events.length);

    const keys = (await cluster.read('moved', events.length)).map(({ key }) => key);
    const { state, counters } = delivering.loop.status();
    expect([...new Set(keys)].toSorted()).toEqual(events.map(({ uid }) => uid).toSorted());
    expect({ state, letters: journal.letters }).toEqual({ state: 'idle', letters: [] });
    expect(keys.length - events.length).toBeLessThanOrEqual(counters?.['possible_duplicates'] ?? 0);
  });

  it('goes on with the others while the one that is named first hears and answers nothing', async () => {
    await using cluster = await startCluster();
    await cluster.createTopic('first');
    const journal = memoryJournal();
    const events = records('z', 300);
    journal.put(live, events.slice(0, 100));
    const settings = { batch: { events: 20, bytes: 1_000_000, waitMs: 0 }, backoffMaxMs: 500, timeoutMs: 6000 };
    const options = { ...defaults, brokers: cluster.brokers, topic: 'first' };
    await using delivering = deliver(journal, (context) => kafka.open(options, { ...context, timeoutMs: 6000 }), { settings });
    expect(await delivering.drained()).toBe(true);

    cluster.freeze(0, true);
    journal.put(live, events.slice(100));
    await until(() => delivering.loop.status().acknowledged >= events.length, Boolean, 120_000);
    cluster.freeze(0, false);

    const keys = (await cluster.read('first', events.length)).map(({ key }) => key);
    expect([...new Set(keys)].toSorted()).toEqual(events.map(({ uid }) => uid).toSorted());
    expect(keys.length - events.length).toBeLessThanOrEqual(delivering.loop.status().counters?.['possible_duplicates'] ?? 0);
  });

  it('waits while fewer brokers are left than have to have a record, says so, and goes on when they are back', async () => {
    await using cluster = await startCluster();
    await cluster.createTopic('few');
    const journal = memoryJournal();
    const events = records('w', 300);
    journal.put(live, events.slice(0, 100));
    const settings = { batch: { events: 20, bytes: 1_000_000, waitMs: 0 }, backoffMaxMs: 500, timeoutMs: 6000 };
    const options = { ...defaults, brokers: cluster.brokers, topic: 'few' };
    await using delivering = deliver(journal, (context) => kafka.open(options, { ...context, timeoutMs: 6000 }), { settings });
    expect(await delivering.drained()).toBe(true);

    await cluster.kill(1);
    await cluster.kill(2);
    journal.put(live, events.slice(100));
    const isTold = (): boolean =>
      /ECONNREFUSED|REPLICAS|TIMED_OUT|timed out/.test(delivering.loop.status().last_error?.reason ?? '');
    await until(isTold);
    const { acknowledged, dead_letters } = delivering.loop.status();
    await Promise.all([cluster.start(1), cluster.start(2)]);
    await until(() => delivering.loop.status().acknowledged >= events.length);

    const keys = (await cluster.read('few', events.length)).map(({ key }) => key);
    expect({ acknowledged, dead_letters }).toEqual({ acknowledged: 100, dead_letters: 0 });
    expect([...new Set(keys)].toSorted()).toEqual(events.map(({ uid }) => uid).toSorted());
    expect(keys.length - events.length).toBeLessThanOrEqual(delivering.loop.status().counters?.['possible_duplicates'] ?? 0);
  });
});

const defaults = { key: 'uid', compression: 'zstd', max_message_bytes: '1MB', client_id: 'penstock' };
