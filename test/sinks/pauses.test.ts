// Wherever the same bytes go again, they go after the pause that the answer asked for, by hold and by retry alike.
import http from 'node:http';
import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { HttpOptions } from '../../src/sinks/http/options.ts';
import { openS3 } from '../../src/sinks/s3/index.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { records, setUp } from '../deliver/harness.ts';
import { listen } from '../http/servers.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { virtualClock } from '../virtual-clock.ts';
import { batchOf, numbered, openContext, settled } from './batches.ts';
import { live } from './delivering.ts';
import { hecOptions } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver } from './http-receiver.ts';
import { s3Options, storeError } from './s3-store.ts';

const { signal } = new AbortController();
const never = new AbortController().signal;
const asked = { 'retry-after': '77' };
const preset = (options: Partial<HttpOptions>) => (url: string, context: SinkContext) => {
  const { auth } = options;
  const oauth2 = auth?.oauth2 === undefined ? undefined : { ...auth.oauth2, token_url: `${url}/token` };
  return openHttp(httpOptions(url, { ...options, ...(oauth2 === undefined ? {} : { auth: { oauth2 } }) }), context);
};

const kinds: readonly (readonly [string, (url: string, context: SinkContext) => Sink])[] = [
  ['http', preset({})],
  ['elasticsearch', preset({ preset: 'elasticsearch', index: 'a' })],
  ['opensearch', preset({ preset: 'opensearch', index: 'a' })],
  ['sentinel', preset({ preset: 'sentinel', dcr: 'd', stream: 's' })],
  ['datadog', preset({ preset: 'datadog' })],
  ['google_secops', preset({ preset: 'google_secops', project: 'p', region: 'r', instance: 'i', log_type: 'l' })],
  ['splunk_hec', (url, context) => openSplunkHec(hecOptions(url), context)],
  ['s3', (url, context) => openS3(s3Options({ endpoint: url }), context)],
];
const statuses = [301, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504, 520, 529];

it.each(kinds.flatMap(([name, open]) => statuses.map((status) => ({ name, open, status }))))(
  '$name keeps the pause of a $status',
  async ({ open, status }) => {
    await using receiver = await openReceiver(() => ({ status, headers: asked, body: { message: 'later' } }));
    await using context = await openContext();
    await using sink = open(receiver.url, context);

    expect(settled(await sink.send(batchOf(sink, numbered(2)), signal))).toMatchObject({ all: { retryAfterMs: 77_000 } });
  },
);

it.each([
  ['s3', () => storeError(503, 'SlowDown', '', asked)],
  ['s3', () => storeError(500, 'InternalError', '', asked)],
  ['s3', () => storeError(403, 'AccessDenied', '', asked)],
  ['splunk_hec', () => ({ status: 503, headers: asked, body: { text: 'Server is busy', code: 9 } })],
  ['splunk_hec', () => ({ status: 403, headers: asked, body: { text: 'Invalid token', code: 4 } })],
  ['splunk_hec', () => ({ status: 400, headers: asked, body: { text: 'Incorrect index', code: 7, 'invalid-event-number': 1 } })],
] as const)('%s keeps the pause of its own refusals: %s', async (name, reply) => {
  const [, open] = kinds.find(([one]) => one === name) ?? [];
  await using receiver = await openReceiver(reply);
  await using context = await openContext();
  await using sink = open?.(receiver.url, context) ?? openHttp(httpOptions(receiver.url), context);

  expect(settled(await sink.send(batchOf(sink, numbered(2)), signal))).toMatchObject({ all: { retryAfterMs: 77_000 } });
});

it('opensearch keeps the pause of an answer for the items in it that are to go again', async () => {
  const error = { type: 'rejected_execution_exception', reason: 'queue full' };
  const items = [{ create: { status: 201 } }, { create: { status: 429, error } }];
  await using receiver = await openReceiver(() => ({ status: 200, headers: asked, body: { errors: true, items } }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, { preset: 'opensearch', index: 'a' }), context);

  expect(settled(await sink.send(batchOf(sink, numbered(2)), signal))).toEqual({
    each: [{ kind: 'accept' }, { kind: 'retry', reason: '429 rejected_execution_exception: queue full', retryAfterMs: 77_000 }],
  });
});

// Whoever gives out tokens is part of the way: nothing of a batch has left when it refuses.
const tokenUsers: readonly (readonly [string, (url: string, context: SinkContext) => Sink])[] = [
  ['oauth2', preset({ auth: { oauth2: { token_url: '', client_id: 'i', client_secret: 's' } } })],
  [
    'sentinel',
    preset({
      preset: 'sentinel',
      dcr: 'd',
      stream: 's',
      auth: { oauth2: { token_url: '', client_id: 'i', client_secret: 's' } },
    }),
  ],
];

it.each(tokenUsers.flatMap(([name, open]) => statuses.map((status) => ({ name, open, status }))))(
  '$name keeps the pause of a token endpoint that answers $status',
  async ({ open, status }) => {
    await using receiver = await openReceiver(() => ({ status, headers: asked, body: { error: 'later' } }));
    await using context = await openContext();
    await using sink = open(receiver.url, context);

    expect(settled(await sink.send(batchOf(sink, numbered(2)), signal))).toMatchObject({ all: { retryAfterMs: 77_000 } });
    expect(receiver.seen.map(({ path }) => path)).toEqual(['/token']);
  },
);

it.each(kinds.flatMap(([name, open]) => [401, 403, 407, 429, 500, 502, 503, 504].map((status) => ({ name, open, status }))))(
  '$name keeps the pause of a proxy that answers $status to CONNECT',
  async ({ open, status }) => {
    const proxy = http.createServer();
    proxy.on('connect', (_, socket) => socket.end(`HTTP/1.1 ${status} Later\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n`));
    await using listening = await listen(proxy);
    await using context = await openContext({}, { proxy: `http://127.0.0.1:${listening.port}` });
    await using sink = open('https://127.0.0.1:1', context);

    expect(settled(await sink.send(batchOf(sink, numbered(2)), signal))).toMatchObject({ all: { retryAfterMs: 77_000 } });
  },
);

it.each([
  ['retry', { kind: 'retry', reason: 'busy', retryAfterMs: 500_000 }],
  ['uncertain', { kind: 'uncertain', reason: 'lost', retryAfterMs: 500_000 }],
  ['hold', { kind: 'hold', reason: 'forbidden', fix: 'allow it', retryAfterMs: 500_000 }],
  ['a hold that asks for hours', { kind: 'hold', reason: 'forbidden', fix: 'allow it', retryAfterMs: 86_400_000 }],
  ['a gateway that goes on', { kind: 'retry', reason: 'no backend', fix: 'look', retryAfterMs: 500_000 }],
] as const)('nothing is sent before the pause is over: %s', async (name, verdict) => {
  const clock = virtualClock(1_000_000);
  const journal = memoryJournal();
  journal.put(live, records('e', 3));
  const { loop, sent } = setUp({
    journal,
    clock,
    answer: () => (sent.length < 5 ? { all: verdict } : { all: { kind: 'accept' } }),
  });
  loop.start();

  expect(await clock.until(loop.drained(never), 86_400_000)).toBe(true);
  await clock.until(loop.stop(0));

  const least = name.includes('hours') ? 600_000 : 500_000;
  const rests = sent.slice(1, 5).map(({ at }, index) => at - (sent[index]?.at ?? 0));
  expect(rests.filter((ms) => ms < least)).toEqual([]);
  expect(Math.max(...rests)).toBeLessThanOrEqual(910_000);
});
