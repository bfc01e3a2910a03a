import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import { openS3 } from '../../src/sinks/s3/index.ts';
import type { Sink, SinkContext, Verdicts } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { records } from '../deliver/harness.ts';
import { openProxy } from '../http/servers.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { batchOf, kinds, numbered, openContext, outgoing, settled } from './batches.ts';
import { deliver, live } from './delivering.ts';
import { envelopes, hecOptions, ok } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver, type Reply, type Seen } from './http-receiver.ts';
import { listen } from './receiver.ts';
import { s3Options } from './s3-store.ts';
import { manualClock } from './sink-bench.ts';

const { signal } = new AbortController();
const sinks: readonly (readonly [string, (url: string, context: SinkContext) => Sink])[] = [
  ['splunk_hec', (url, context) => openSplunkHec(hecOptions(url), context)],
  ['http', (url, context) => openHttp(httpOptions(url), context)],
  ['s3', (url, context) => openS3(s3Options({ endpoint: url, compression: 'none' }), context)],
];

/** A success for all of them: a store gives a tag, and says nothing else. */
const taken = ({ method }: Seen, headers: Readonly<Record<string, string>> = {}): Reply =>
  method === 'PUT' ? { status: 200, headers: { etag: '"1"', ...headers } } : { ...ok, headers };
type Bad = (response: ServerResponse, pass: (ms: number) => void) => void;
const timeoutMs = 30_000;
// The time of a request is over once it is there, however long that took: it was sent then.
const never: Bad = (_response, pass) => pass(timeoutMs);
const dribble: Bad = (response, pass) => {
  response.writeHead(200, { 'content-length': '1000' });
  const timer = setInterval(() => response.write('x', () => pass(timeoutMs / 4)), 5);
  response.on('close', () => clearInterval(timer));
};
const resetMidBody = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-length': '1000' });
  response.write('{"text":"Succ', () => response.destroy());
};
const noHttp = (response: ServerResponse): void => {
  response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n');
};

it.each(
  sinks.flatMap(([name, open]) =>
    (
      [
        ['accepts and never answers', never],
        ['answers a byte at a time', dribble],
        ['resets in the middle of its answer', resetMidBody],
        ['closes without an answer', (response) => void response.destroy()],
        ['does not speak HTTP', noHttp],
      ] satisfies [string, Bad][]
    ).map(([what, reply]) => ({ name, open, what, reply })),
  ),
)('$name: a receiver that $what is uncertain', async ({ open, reply }) => {
  const { seams, advance } = manualClock();
  await using receiver = await openReceiver(() => (response) => reply(response, advance));
  await using context = await openContext({ timeoutMs, seams });
  await using sink = open(receiver.url, context);

  expect(kinds(settled(await sink.send(batchOf(sink, numbered(2)), signal)))).toBe('uncertain');
});

it.each(sinks)('%s: nobody listening is a retry, for nothing was sent', async (_, open) => {
  const gone = await openReceiver(() => ok);
  await gone[Symbol.asyncDispose]();
  await using context = await openContext();
  await using sink = open(gone.url, context);

  expect(kinds(settled(await sink.send(batchOf(sink, numbered(2)), signal)))).toBe('retry');
});

it.each(sinks)('%s: a proxy that refuses us holds, for nobody was asked', async (_, open) => {
  await using proxy = await openProxy('me:right');
  await using context = await openContext({}, { proxy: `http://me:wrong@127.0.0.1:${proxy.port}` });
  await using sink = open('https://127.0.0.1:1', context);

  const verdicts = settled(await sink.send(batchOf(sink, numbered(2)), signal));

  expect(verdicts).toMatchObject({
    all: { kind: 'hold', fix: 'put user and password into proxy: http://user:password@host:port' },
  });
  expect(JSON.stringify(verdicts)).not.toContain('wrong');
});

it.each(sinks)('%s: an abort rejects with its reason', async (_, open) => {
  await using receiver = await openReceiver(() => () => undefined);
  await using context = await openContext();
  await using sink = open(receiver.url, context);
  const controller = new AbortController();

  const sending = sink.send(batchOf(sink, numbered(1)), controller.signal);
  controller.abort(new Error('shutdown'));

  await expect(sending).rejects.toThrow('shutdown');
});

it.each(sinks)('%s: a connection that the receiver closed while idle costs no more than uncertainty', async (_, open) => {
  await using receiver = await openReceiver((seen, count) => taken(seen, count === 1 ? { connection: 'close' } : {}));
  await using context = await openContext();
  await using sink = open(receiver.url, context);
  const results: Verdicts[] = [];

  for (let round = 0; round < 3; round += 1) results.push(settled(await sink.send(batchOf(sink, numbered(1)), signal)));

  expect(results.map(kinds).filter((kind) => kind !== 'accept' && kind !== 'uncertain')).toEqual([]);
  expect(results.at(-1)).toEqual({ all: { kind: 'accept' } });
});

it.each(['destroy', 'resetAndDestroy'] as const)(
  'an idle connection that the receiver ends (%s) as a batch starts costs one repetition and no pause',
  async (end) => {
    const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n{"text":"Success","code":0}';
    const journal = memoryJournal();
    journal.put(live, records('e', 3));
    let requests = 0;
    // Answers once on each connection, and ends it with the first octet of what comes next.
    await using receiver = await listen((socket) => {
      let isUsed = false;
      socket.on('data', (chunk: Buffer) => {
        if (isUsed) socket[end]();
        else if (chunk.toString('latin1').endsWith('}\n')) {
          isUsed = true;
          requests += 1;
          socket.write(answer);
        }
      });
    });
    const open = (context: SinkContext): Sink =>
      openSplunkHec(hecOptions(`http://127.0.0.1:${receiver.port}`, { compression: 'none' }), context);
    const settings = { batch: { events: 1, bytes: 1_000_000, waitMs: 0 }, inFlight: 1, backoffMaxMs: 60_000 };
    // A clock that stands still: whoever paused would never go on.
    const { clock } = manualClock().seams;
    await using delivering = deliver(journal, open, { settings, clock });

    expect(await delivering.drained()).toBe(true);

    expect({ requests, failures: delivering.loop.status().endpoints[0]?.failures }).toEqual({ requests: 3, failures: 0 });
    expect(journal.settled.acknowledged).toBe(3);
    // The pool may open a second connection by itself.
    expect([1, 2]).toContain(journal.settled.possible_duplicates);
  },
);

it.each(sinks)(
  '%s: a receiver that breaks every connection under a large body gets smaller ones, and everything',
  async (_, open) => {
    const journal = memoryJournal();
    journal.put(live, records('e', 64, { text: 'x'.repeat(4000) }));
    const stored: string[] = [];
    await using receiver = await openReceiver((seen) => {
      const { bytes, text } = seen;
      if (bytes.length > 40_000) return (response) => void response.destroy();
      stored.push(...(text.match(/"uid":"e\d+"/g) ?? []));
      return taken(seen);
    });
    const uncompressed = (context: SinkContext): Sink =>
      _ === 'splunk_hec'
        ? openSplunkHec(hecOptions(receiver.url, { compression: 'none' }), context)
        : open(receiver.url, context);
    await using delivering = deliver(journal, uncompressed);

    expect(await delivering.drained()).toBe(true);

    expect(new Set(stored).size).toBe(64);
    expect(stored.length).toBe(64);
    expect(journal.letters).toEqual([]);
  },
);

it('http: an endless body after a 200 is still a 200, after a 403 still a 403', async () => {
  const endless =
    (status: number): Reply =>
    (response) => {
      response.writeHead(status);
      const write = (): void => {
        while (!response.destroyed) if (!response.write(Buffer.alloc(65_536, 120))) return void response.once('drain', write);
      };
      write();
    };
  await using receiver = await openReceiver((_, count) => endless(count === 1 ? 200 : 403));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url), context);

  const results = [await sink.send(batchOf(sink, numbered(1)), signal), await sink.send(batchOf(sink, numbered(1)), signal)];

  expect(results.map((result) => kinds(settled(result)))).toEqual(['accept', 'hold']);
});

it('splunk_hec: control characters, line separators, lone surrogates and deep nesting arrive as they are', async () => {
  const hostile = [
    '\u0000\u0007\u001b[31m',
    'a\u2028b\u2029c\u0085d',
    '\ud800 lone \udfff',
    '"}{"event":"forged"}',
    '\u{1F600}'.repeat(3),
  ];
  const deep = '{"a":'.repeat(200) + '1' + '}'.repeat(200);
  await using receiver = await openReceiver(() => ok);
  await using context = await openContext();
  await using sink = openSplunkHec(hecOptions(receiver.url), context);
  const events = [
    ...hostile.map((text, at) => outgoing(`e${at}`, { body: JSON.stringify({ text }) })),
    outgoing('deep', { body: deep }),
  ];

  await sink.send(batchOf(sink, events), signal);

  const received = envelopes(receiver.seen[0]?.text ?? '').map(({ event }) => event);
  expect(received).toEqual([...hostile.map((text) => ({ text })), JSON.parse(deep)]);
});

it('splunk_hec: text with a lone surrogate becomes well-formed', async () => {
  await using receiver = await openReceiver(() => ok);
  await using context = await openContext({ format: 'cef' });
  await using sink = openSplunkHec(hecOptions(receiver.url), context);

  await sink.send(batchOf(sink, [outgoing('e0', { body: 'CEF:0|a\ud800b' })]), signal);

  expect(envelopes(receiver.seen[0]?.text ?? '')[0]?.['event']).toBe('CEF:0|a\ufffdb');
});

it.each([
  ['HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 'wants to go on in another protocol (101)'],
  ['HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok', 'is not valid HTTP'],
  ['HTTP/1.1 000 Denied\r\ncontent-length: 2\r\n\r\nok', 'is not valid HTTP: it has no status that there is'],
])('http: says what is wrong with the answer %j, and does not ask for it once more at once', async (answer, words) => {
  await using receiver = await openReceiver(() => (response) => void response.socket?.write(answer));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url), context);

  const verdicts = settled(await sink.send(batchOf(sink, numbered(2)), signal));

  expect(verdicts).toEqual({ all: { kind: 'uncertain', reason: expect.stringContaining(words) } });
});
