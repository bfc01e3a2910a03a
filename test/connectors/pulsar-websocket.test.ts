import { EventEmitter } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../src/base/clock.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { StreamHandlers, StreamMessage, StreamProbe, StreamReader, StreamState } from '../../src/connectors/connector.ts';
import { readFrame } from '../../src/connectors/pulsar-websocket/frame.ts';
import { runSession } from '../../src/connectors/pulsar-websocket/session.ts';
import type { HttpClient } from '../../src/http/client.ts';
import { virtualClock } from '../virtual-clock.ts';
import { openSource, skippingClock } from './open-source.ts';

/** A broker's WebSocket service: `answers` are statuses to refuse the next upgrades with. */
class Broker implements AsyncDisposable {
  readonly requests: http.IncomingMessage[] = [];
  readonly acks: string[] = [];
  readonly answers: number[] = [];
  pings = 0;
  port = 0;
  onConnection: (socket: WebSocket, index: number) => void = () => undefined;
  #waiting: (() => void)[] = [];
  replies: Record<string, unknown> = {};
  statuses: Record<string, number> = {};
  page = '';
  readonly #server = http.createServer((request, response) => {
    const reply = this.replies[request.url ?? ''];
    response.writeHead(this.statuses[request.url ?? ''] ?? (reply === undefined ? 404 : 200)).end(JSON.stringify(reply ?? {}));
  });
  readonly #sockets = new WebSocketServer({ noServer: true });

  async start(): Promise<this> {
    this.#server.on('upgrade', (request, socket, head) => {
      this.requests.push(request);
      const status = this.answers.shift();
      if (status !== undefined) {
        socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: ${this.page.length}\r\n\r\n${this.page}`);
        this.#changed();
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#accept(client));
    });
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  #accept(client: WebSocket): void {
    client.on('error', () => undefined);
    client.on('message', (data: Buffer) => {
      this.acks.push((JSON.parse(data.toString()) as { messageId: string }).messageId);
      this.#changed();
    });
    client.on('ping', () => {
      this.pings += 1;
      this.#changed();
    });
    this.onConnection(client, this.requests.length);
    this.#changed();
  }

  #changed(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

const frame = (messageId: string, payload: unknown, more: object = {}): string =>
  JSON.stringify({
    messageId,
    payload: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)).toString('base64'),
    publishTime: '2026-11-20T10:15:31.042Z',
    redeliveryCount: 0,
    ...more,
  });

interface Run extends AsyncDisposable {
  readonly messages: StreamMessage[];
  readonly states: StreamState[];
  readonly waits: number[];
  probe(createSubscription: boolean): Promise<StreamProbe>;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const topic = 'persistent://acme/default/audit log';
const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of disposables.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function broker(): Promise<Broker> {
  const started = await new Broker().start();
  disposables.push(started);
  return started;
}

async function consume(
  port: number,
  options: Record<string, unknown> = {},
  handlers: Partial<StreamHandlers> = {},
  clock: Clock & { waits?: number[] } = skippingClock(),
  isRunning = true,
): Promise<Run> {
  const opened = await openSource(
    'astra-stream',
    {
      websocket_url: `ws://127.0.0.1:${port}/ws/v2`,
      topic: [topic],
      subscription: 'pen stock',
      token: 'jwt-secret',
      org_id: 'org',
      ...options,
    },
    { seams: { ...systemSeams(), clock } },
  );
  const messages: StreamMessage[] = [];
  const states: StreamState[] = [];
  const controller = new AbortController();
  const stream = opened.reader as StreamReader;
  if (!isRunning) controller.abort();
  const ended = stream.run(
    {
      onMessages: (batch) => {
        messages.push(...batch);
        return Promise.resolve();
      },
      onState: (state) => void states.push(state),
      ...handlers,
    },
    controller.signal,
  );
  ended.catch(() => undefined);
  const run = {
    messages,
    states,
    waits: clock.waits ?? [],
    probe: (createSubscription: boolean) =>
      stream.probe?.(new AbortController().signal, { createSubscription }) ?? Promise.reject(new Error('no probe')),
    ended,
    async stop() {
      controller.abort();
      await ended;
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await ended.catch(() => undefined);
      await opened[Symbol.asyncDispose]();
    },
  };
  disposables.push(run);
  return run;
}

describe('a subscription', () => {
  it('is durable, of type Failover, and proves itself by a header', async () => {
    const pulsar = await broker();
    await consume(pulsar.port);

    await pulsar.until(() => pulsar.requests.length === 1);

    const [request] = pulsar.requests;
    expect(request?.url).toBe(
      '/ws/v2/consumer/persistent/acme/default/audit%20log/pen%20stock?subscriptionType=Failover&receiverQueueSize=500',
    );
    expect(request?.headers.authorization).toBe('Bearer jwt-secret');
    expect(request?.headers['user-agent']).toBe('penstock/0.1.0 (0f3c)');
  });

  it('acknowledges a message only after it was committed', async () => {
    const pulsar = await broker();
    const commit = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    pulsar.onConnection = (socket) => socket.send(frame('id-1', { eventType: 'A' }));
    const run = await consume(
      pulsar.port,
      {},
      {
        onMessages: () => {
          begun.resolve();
          return commit.promise;
        },
      },
    );

    await begun.promise;
    const before = [...pulsar.acks];
    commit.resolve();
    await pulsar.until(() => pulsar.acks.length === 1);

    expect([before, pulsar.acks]).toEqual([[], ['id-1']]);
    expect(run.states.find(({ oldestUnacked }) => oldestUnacked !== undefined)?.oldestUnacked).toBe(
      Date.UTC(2026, 10, 20, 10, 15, 31, 42),
    );
  });

  it('acknowledges nothing that could not be committed, and ends with the reason', async () => {
    const pulsar = await broker();
    pulsar.onConnection = (socket) => socket.send(frame('id-1', {}));
    const reason = new Error('disk full');

    const run = await consume(pulsar.port, {}, { onMessages: () => Promise.reject(reason) });

    await expect(run.ended).rejects.toThrow('disk full');
    expect(pulsar.acks).toEqual([]);
  });

  it('connects again after the connection was cut, and reads what the broker sends again', async () => {
    const pulsar = await broker();
    pulsar.onConnection = (socket, index) => {
      socket.send(frame(`id-${index}`, { n: index }, { redeliveryCount: index - 1 }));
      if (index < 3) socket.once('message', () => socket.terminate());
    };

    const run = await consume(pulsar.port);
    await pulsar.until(() => pulsar.acks.length === 3);

    expect(run.messages.map(({ messageId, redelivered }) => [messageId, redelivered])).toEqual([
      ['id-1', false],
      ['id-2', true],
      ['id-3', true],
    ]);
    expect(run.states.map(({ connected }) => connected)).toContain(false);
    expect(run.waits.map((ms) => ms >= 1000 && ms <= 60_000)).toEqual([true, true]);
  });

  it('reads several topics, one hand-over at a time', async () => {
    const pulsar = await broker();
    pulsar.onConnection = (socket, index) => {
      for (let n = 0; n < 5; n += 1) socket.send(frame(`${index}-${n}`, {}));
    };
    let [running, most] = [0, 0];
    const handlers = {
      onMessages: async () => {
        running += 1;
        most = Math.max(most, running);
        for (let turns = 0; turns < 20; turns += 1) await turn();
        running -= 1;
      },
    };

    await consume(pulsar.port, { topic: ['persistent://a/b/one', 'persistent://a/b/two'] }, handlers);
    await pulsar.until(() => pulsar.acks.length === 10);

    expect(most).toBe(1);
    expect(new Set(pulsar.requests.map(({ url }) => url?.split('/')[7]))).toEqual(new Set(['one', 'two']));
  });

  it('takes a frame of 10 MiB', async () => {
    const pulsar = await broker();
    pulsar.onConnection = (socket) => socket.send(frame('big', { text: 'x'.repeat(7_800_000) }));

    const run = await consume(pulsar.port);
    await pulsar.until(() => pulsar.acks.length === 1);

    expect(run.messages[0]?.records).toHaveLength(1);
  });

  it('ends where the broker names ids of a megabyte and reads none that is acknowledged', async () => {
    const pulsar = await broker();
    pulsar.onConnection = (socket, index) => {
      socket.pause();
      for (let left = index === 1 ? 24 : 0; left > 0; left -= 1) socket.send(frame('x'.repeat(1_000_000), {}));
    };

    const run = await consume(pulsar.port);
    await pulsar.until(() => pulsar.requests.length === 2);

    expect(run.states.map(({ error }) => error)).toContain('the broker reads nothing of what it is sent');
  });

  it('is read no further while thousands of empty frames wait to be committed', async () => {
    let received = 0;
    const socket = Object.assign(new EventEmitter(), {
      OPEN: 1,
      readyState: 1,
      isPaused: false,
      pause: () => void (socket.isPaused = true),
      resume: () => void (socket.isPaused = false),
      terminate: () => undefined,
    });
    const stop = new AbortController();
    const onCommit = Promise.withResolvers<void>();
    const handlers = { commit: () => onCommit.promise, onBacklog: () => undefined };
    const ended = runSession(socket as unknown as WebSocket, topic, handlers, virtualClock(0), stop.signal);
    for (; received < 100_000 && !socket.isPaused; received += 1) socket.emit('message', Buffer.from('{}'));
    stop.abort();
    socket.readyState = 3;
    onCommit.resolve();
    await ended;

    expect(received).toBeLessThan(10_000);
  });

  it('hands over the beginning of a frame that is larger than allowed, as unreadable, and goes on', async () => {
    const pulsar = await broker();
    const big = frame('big', { text: 'x'.repeat(13_000_000) });
    pulsar.onConnection = (socket) => {
      socket.send(big);
      socket.send(frame('small', {}));
    };

    const run = await consume(pulsar.port);
    await pulsar.until(() => pulsar.acks.length === 2);

    expect(pulsar.acks).toEqual(['big', 'small']);
    expect(pulsar.requests).toHaveLength(1);
    expect(run.messages[0]?.records).toEqual([
      {
        value: big.slice(0, 65_536),
        unreadable: `the frame has ${big.length} bytes, more than the 16777216 allowed; this is its beginning`,
        id: 'big',
      },
    ]);
  });

  it('says so when a frame is larger than anything that is received, and goes on trying', async () => {
    const pulsar = await broker();
    pulsar.onConnection = (socket, index) => socket.send(index === 1 ? 'x'.repeat(70_000_000) : frame('small', {}));

    const run = await consume(pulsar.port);
    await pulsar.until(() => pulsar.acks.length === 1);

    expect(run.states.find(({ error }) => error !== undefined)?.error).toMatch(/max payload size/i);
  });

  it('ends when it is told to, with a goodbye', async () => {
    const pulsar = await broker();
    const goodbye = Promise.withResolvers<number>();
    pulsar.onConnection = (socket) => socket.on('close', (code) => goodbye.resolve(code));
    const run = await consume(pulsar.port);
    await expect.poll(() => run.states).toHaveLength(1);

    await run.stop();

    await expect(goodbye.promise).resolves.toBe(1000);
  });
});

it('that is told to end while it connects does not wait, and closes what comes too late', async () => {
  const opening = Promise.withResolvers<Socket>();
  const destroyed = Promise.withResolvers<boolean>();
  const http = { openSocket: () => opening.promise } as unknown as HttpClient;
  await using opened = await openSource(
    'astra-stream',
    { websocket_url: 'ws://x.example', topic: [topic], subscription: 's', token: 'jwt-secret', org_id: 'o' },
    { http: Object.assign(http, { [Symbol.asyncDispose]: () => Promise.resolve() }) },
  );
  const controller = new AbortController();
  const ended = (opened.reader as StreamReader).run(
    { onMessages: () => Promise.resolve(), onState: () => undefined },
    controller.signal,
  );

  controller.abort();
  await ended;
  opening.resolve({ destroy: () => destroyed.resolve(true) } as unknown as Socket);

  await expect(destroyed.promise).resolves.toBe(true);
});

describe('a quiet connection', () => {
  it('is pinged every 30 s and lives as long as it answers', async () => {
    const pulsar = await broker();
    const clock = virtualClock(0);
    const run = await consume(pulsar.port, {}, {}, clock);
    await expect.poll(() => run.states).toHaveLength(1);

    for (let n = 1; n <= 6; n += 1) {
      await clock.advance(30_000);
      await pulsar.until(() => pulsar.pings === n);
    }

    expect(run.states.map(({ connected }) => connected)).toEqual([true]);
  });

  it('on which no message came for five minutes is reopened at once, since a deleted topic would not say so', async () => {
    const pulsar = await broker();
    const clock = virtualClock(0);
    const run = await consume(pulsar.port, {}, {}, clock);
    await expect.poll(() => run.states).toHaveLength(1);

    for (let n = 1; n <= 10; n += 1) {
      await clock.advance(30_000);
      await pulsar.until(() => pulsar.pings === n);
    }
    pulsar.answers.push(404);
    await clock.advance(30_000);
    await pulsar.until(() => pulsar.requests.length === 2);
    await expect.poll(() => run.states.map(({ connected }) => connected)).toEqual([true, false]);

    expect(run.states[1]?.error).toMatch(/there is no such topic/);
  });

  it('from which nothing comes for 90 s is given up and reopened', async () => {
    const pulsar = await broker();
    const clock = virtualClock(0);
    // A paused socket reads no ping and answers none.
    pulsar.onConnection = (socket, index) => (index === 1 ? socket.pause() : undefined);
    const run = await consume(pulsar.port, {}, {}, clock);
    await expect.poll(() => run.states).toHaveLength(1);

    await clock.advance(130_000);
    await expect
      .poll(async () => {
        // Not so far that the time of a connection that is coming about would be over.
        await clock.advance(2_000);
        return pulsar.requests;
      })
      .toHaveLength(2);

    expect(run.states.find(({ connected }) => !connected)?.error).toBe('nothing was heard for 90 s');
  });
});

describe('a probe', () => {
  it('reads nothing and leaves no subscription', async () => {
    const pulsar = await broker();
    const run = await consume(pulsar.port, {}, {}, virtualClock(0), false);

    const { findings } = await run.probe(false);

    expect(pulsar.requests.map(({ url }) => url)).toEqual([
      '/ws/v2/reader/persistent/acme/default/audit%20log?readerName=pen+stock-check&messageId=latest',
    ]);
    expect(findings).toEqual([
      `topic ${topic} exists and the token may read it`,
      `warning: whether subscription "pen stock" of ${topic} exists is not known: the options name no admin API; check --create-subscription makes sure`,
    ]);
  });

  it('makes the subscription when it is asked to, without being sent a message', async () => {
    const pulsar = await broker();
    const run = await consume(pulsar.port, {}, {}, virtualClock(0), false);

    await run.probe(true);

    expect(pulsar.requests[0]?.url).toBe(
      '/ws/v2/consumer/persistent/acme/default/audit%20log/pen%20stock?subscriptionType=Failover&receiverQueueSize=500&pullMode=true',
    );
  });

  it('tells of policies that lose data', async () => {
    const pulsar = await broker();
    pulsar.replies = {
      '/admin/v2/persistent/acme/default/audit%20log/subscriptions': ['other'],
      '/admin/v2/namespaces/acme/default/retention': { retentionTimeInMinutes: 0, retentionSizeInMB: 0 },
      '/admin/v2/namespaces/acme/default/backlogQuotaMap': {
        destination_storage: { limitSize: 5_368_709_120, policy: 'producer_exception' },
      },
    };
    const run = await consume(pulsar.port, { admin_url: `http://127.0.0.1:${pulsar.port}` }, {}, virtualClock(0), false);

    const { findings } = await run.probe(false);

    expect(findings.slice(1)).toEqual([
      `warning: subscription "pen stock" of ${topic} does not exist, and nothing is kept for it; make it with check --create-subscription before the exporter is switched on`,
      'warning: retention is off: what is published while the subscription does not exist is lost',
      'warning: when 5.0 GiB of messages wait unread, nothing more can be published and the vendor may drop events: do not leave the subscription unread',
      'the admin API does not say the time to live, when subscriptions expire: it answered 404',
    ]);
  });

  it('tells of quotas, lives and expiries that delete what is unread', async () => {
    const pulsar = await broker();
    pulsar.replies = {
      '/admin/v2/persistent/acme/default/audit%20log/subscriptions': ['pen stock'],
      '/admin/v2/namespaces/acme/default/retention': { retentionTimeInMinutes: 2880, retentionSizeInMB: -1 },
      '/admin/v2/namespaces/acme/default/backlogQuotaMap': {
        message_age: { limitSize: -1, limitTime: 172_800, policy: 'consumer_backlog_eviction' },
        destination_storage: { limitSize: -1, limitTime: -1, policy: 'producer_request_hold' },
      },
      '/admin/v2/namespaces/acme/default/messageTTL': 604_800,
      '/admin/v2/namespaces/acme/default/subscriptionExpirationTime': 1440,
    };
    const run = await consume(pulsar.port, { admin_url: `http://127.0.0.1:${pulsar.port}` }, {}, virtualClock(0), false);

    const { findings } = await run.probe(false);

    expect(findings.slice(1)).toEqual([
      `subscription "pen stock" of ${topic} exists: what is published waits there until it is collected`,
      "warning: when 2d of messages wait unread, the oldest are deleted: set the quota's policy to producer_exception",
      'warning: messages unread for 7d are deleted: keep the time to live longer than any outage',
      'warning: a subscription that nobody reads for 1d is deleted with all that waits in it',
    ]);
  });

  it('explains the 500 that a broker gives to a reader of a missing topic', async () => {
    const pulsar = await broker();
    pulsar.answers.push(500);
    const run = await consume(pulsar.port, {}, {}, virtualClock(0), false);

    const { findings, fault } = await run.probe(false);

    expect(findings).toEqual([`answered 500 for topic ${topic}; brokers answer so when the topic does not exist`]);
    expect(fault?.fix).toMatch(/create the topic if it does not exist/);
  });

  it('names each topic that cannot be read and still tells of the others', async () => {
    const pulsar = await broker();
    pulsar.answers.push(404);
    const topics = ['persistent://a/b/one', 'persistent://a/b/two'];
    const run = await consume(pulsar.port, { topic: topics }, {}, virtualClock(0), false);

    const { findings, fault } = await run.probe(false);

    expect(findings).toContain('topic persistent://a/b/two exists and the token may read it');
    expect(findings).toContain('answered 404 for topic persistent://a/b/one: there is no such topic');
    expect(fault).toMatchObject({ status: 404, fix: expect.stringContaining('make it first') as string });
  });

  it('connects to nothing when the admin API says that the topic is missing, since a broker might make it', async () => {
    const pulsar = await broker();
    pulsar.statuses = { '/admin/v2/persistent/acme/default/audit%20log/subscriptions': 404 };
    pulsar.replies = { '/admin/v2/persistent/acme/default/audit%20log/subscriptions': { reason: 'Topic audit log not found' } };
    const run = await consume(pulsar.port, { admin_url: `http://127.0.0.1:${pulsar.port}` }, {}, virtualClock(0), false);

    const { findings } = await run.probe(true);

    expect(findings).toEqual([`topic ${topic} does not exist`]);
    expect(pulsar.requests).toEqual([]);
  });
});

describe('a refusal', () => {
  it.each([
    [401, /may have expired, or it goes where/],
    [403, /may not consume/],
  ])('with %s ends the stream as a hold', async (status, fix) => {
    const pulsar = await broker();
    pulsar.answers.push(status);

    const run = await consume(pulsar.port, { topic: ['persistent://a/b/one', 'persistent://a/b/two'] });

    await expect(run.ended).rejects.toMatchObject({
      code: 'PEN_SOURCE_REFUSED',
      status,
      fix: expect.stringMatching(fix) as string,
    });
  });

  it.each([
    [404, /there is no such topic/],
    [409, /another consumer holds the subscription/],
    [500, /answered 500/],
    [503, /answered 503/],
  ])('with %s is tried again', async (status, error) => {
    const pulsar = await broker();
    pulsar.answers.push(status, status);

    const run = await consume(pulsar.port);
    await pulsar.until(() => pulsar.requests.length === 3);

    expect(run.states[0]).toEqual({ topic, connected: false, error: expect.stringMatching(error) as string });
    expect(run.waits.filter((ms) => ms >= 1000)).toHaveLength(2);
  });

  it("is told in the broker's own words where it has some", async () => {
    const pulsar = await broker();
    pulsar.answers.push(409);
    // As Pulsar 3.0.7 sends it.
    pulsar.page =
      '<tr><td>Failed to create producer/consumer: {&quot;errorMsg&quot;:&quot;Subscription is of different type&quot;,&quot;reqId&quot;:414}</td>';

    const run = await consume(pulsar.port);
    await pulsar.until(() => pulsar.requests.length === 2);

    expect(run.states[0]?.error).toMatch(/^answered 409 for topic .*: "Subscription is of different type"; nothing needs/);
  });

  it.each([
    [2, /could not subscribe/],
    [8, /unknown error/],
  ])('inside of a session with close code %s is named and tried again', async (code, words) => {
    const pulsar = await broker();
    pulsar.onConnection = (socket, index) => {
      // Such codes are against RFC 6455, so the frame is written by hand: a close frame with two bytes.
      if (index === 1) (socket as unknown as { _socket: NodeJS.WritableStream })._socket.write(Buffer.from([0x88, 2, 0, code]));
    };

    const run = await consume(pulsar.port);
    await pulsar.until(() => pulsar.requests.length === 2);

    expect(run.states.find(({ connected }) => !connected)?.error).toMatch(words);
  });

  it('inside of a session with close code 5 is a hold', async () => {
    const pulsar = await broker();
    pulsar.onConnection = (socket) =>
      (socket as unknown as { _socket: NodeJS.WritableStream })._socket.write(Buffer.from([0x88, 2, 0, 5]));

    const run = await consume(pulsar.port);

    await expect(run.ended).rejects.toMatchObject({ code: 'PEN_SOURCE_REFUSED' });
  });
});

describe('a frame', () => {
  it.each([
    ['an object', frame('m', { a: 1 }), [{ value: { a: 1 }, id: 'm' }]],
    [
      'an array',
      frame('m', [{ a: 1 }, 5, { b: 2 }]),
      [
        { value: { a: 1 }, id: 'm' },
        { value: '5', unreadable: 'the record is not a JSON object', id: 'm#2' },
        { value: { b: 2 }, id: 'm#3' },
      ],
    ],
    ['text', frame('m', 'hello'), [{ value: 'hello', unreadable: 'the payload is not JSON', id: 'm' }]],
    ['a number', frame('m', '17'), [{ value: '17', unreadable: 'the record is not a JSON object', id: 'm' }]],
    [
      'broken base64',
      JSON.stringify({ messageId: 'm', payload: 'a$b' }),
      [{ value: 'a$b', unreadable: 'the payload is not base64', id: 'm' }],
    ],
    [
      'bytes',
      JSON.stringify({ messageId: 'm', payload: '/w==' }),
      [{ value: '/w==', unreadable: 'the payload is not text in UTF-8', id: 'm' }],
    ],
    ['no payload', JSON.stringify({ messageId: 'm' }), [{ value: 'null', unreadable: 'the message has no payload', id: 'm' }]],
  ])('with %s becomes records', (_name, text, records) => {
    expect(readFrame('t', text)?.records).toEqual(records);
  });

  it('with an item nested thousands deep comes with that item cut, so that the message is acknowledged and its neighbours are kept', () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const payload = Buffer.from(`[{"a":1},${deep},{"b":2}]`).toString('base64');

    const records = readFrame('t', JSON.stringify({ messageId: 'm', payload }))?.records;

    const cut = `${'['.repeat(500)}"[NESTED TOO DEEP]"${']'.repeat(500)}`;
    expect(records).toEqual([
      { value: { a: 1 }, id: 'm' },
      { value: cut, unreadable: 'the record is not a JSON object', id: 'm#2' },
      { value: { b: 2 }, id: 'm#3' },
    ]);
  });

  it('that is no message comes as its text, without an id', () => {
    expect(readFrame('t', 'nonsense')).toEqual({
      topic: 't',
      messageId: '',
      publishTime: undefined,
      redelivered: false,
      records: [{ value: 'nonsense', unreadable: 'the frame is not a message' }],
    });
  });

  it.each([
    ['2021-10-29T16:01:38.967-07:00', Date.UTC(2021, 9, 29, 23, 1, 38, 967)],
    ['2016-08-30 16:45:57.785', Date.UTC(2016, 7, 30, 16, 45, 57, 785)],
  ])('was published at %s', (publishTime, ms) => {
    expect(readFrame('t', frame('m', {}, { publishTime }))?.publishTime).toBe(ms);
  });
});
