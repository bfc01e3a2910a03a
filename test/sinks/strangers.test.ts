// What stands between us and a receiver, and answers in its place.
import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { Sink, SinkContext } from '../../src/sinks/sink.ts';
import { openSplunkHec } from '../../src/sinks/splunk-hec/index.ts';
import { records } from '../deliver/harness.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import { batchOf, numbered, openContext, settled } from './batches.ts';
import { deliver, live, until } from './delivering.ts';
import { hecOptions, ok } from './hec.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver, type Reply } from './http-receiver.ts';

const { signal } = new AbortController();
const html = { 'content-type': 'text/html; charset=utf-8' };

const receivers: readonly (readonly [string, (url: string, context: SinkContext) => Sink])[] = [
  ['splunk_hec', (url, context) => openSplunkHec(hecOptions(url), context)],
  ['http', (url, context) => openHttp(httpOptions(url), context)],
  ['elasticsearch', (url, context) => openHttp(httpOptions(url, { preset: 'elasticsearch', index: 'audit' }), context)],
  ['otlp', (url, context) => openHttp(httpOptions(url, { preset: 'otlp' }), context)],
];

/** Pages and words of products, some in other languages. */
const strangers: readonly (readonly [string, Reply])[] = [
  ['HAProxy', { status: 503, body: '<html><body><h1>503 Service Unavailable</h1>\nNo server is available.\n</body></html>\n' }],
  [
    'nginx',
    { status: 502, body: '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502</h1></center>' },
  ],
  ['an ALB', { status: 504, headers: html, body: '<html>\r\n<head><title>504 Gateway Time-out</title></head></html>' }],
  ['Envoy', { status: 503, body: 'upstream connect error or disconnect/reset before headers. reset reason: connection failure' }],
  ['Envoy without hosts', { status: 503, body: 'no healthy upstream' }],
  ['Traefik', { status: 503, body: 'no available server' }],
  ['API Gateway', { status: 503, body: '{"message":"Service Unavailable"}' }],
  ['API Gateway that waits', { status: 504, body: '{"message": "Endpoint request timed out"}' }],
  ['Kong', { status: 502, body: '{"message":"An invalid response was received from the upstream server"}' }],
  ['Caddy', { status: 502 }],
  [
    'Cloudflare',
    { status: 521, headers: html, body: '<!DOCTYPE html>\n<!--[if lt IE 7]> <html> <![endif]--><title>521: Web server is down' },
  ],
  ['Cloudflare in words', { status: 522, body: 'error code: 522' }],
  [
    'a German IIS',
    { status: 500, headers: html, body: '\ufeff<?xml version="1.0"?><!-- x --><html><title>Dienst nicht verfügbar</title>' },
  ],
  ['a Japanese gateway', { status: 503, headers: html, body: '<div>サービスは一時的に利用できません</div>' }],
];

it.each(receivers.flatMap(([sink, open]) => strangers.map(([name, reply]) => ({ sink, open, name, reply }))))(
  '$sink: an answer of $name is told, blames no event, and is kept for a pause that it asks for',
  async ({ open, reply }) => {
    const paused = typeof reply === 'function' ? reply : { ...reply, headers: { ...reply.headers, 'retry-after': '7' } };
    await using receiver = await openReceiver(() => paused);
    await using context = await openContext();
    await using sink = open(receiver.url, context);

    const { all, ...others } = settled(await sink.send(batchOf(sink, numbered(3)), signal)) as { readonly all: { kind: string } };
    const { ofRequest, ...said } = all as { readonly kind: string; readonly ofRequest?: boolean };
    expect({ ...said, ...others }).toEqual({
      kind: expect.stringMatching(/^(retry|uncertain)$/),
      reason: expect.stringMatching(/^(an HTML page|a gateway's own error) came in place of the receiver's answer: answered 5/),
      retryAfterMs: 7000,
      fix: expect.stringContaining('answers in place of the receiver'),
    });
    // What asks to come later may be meant for what is in the request.
    expect(ofRequest).toBe(said.kind === 'retry' ? true : undefined);
  },
);

it.each(receivers)('%s: a log-in page behind a 200 or a 400 holds, however long it is', async (_, open) => {
  for (const [status, body] of [
    [200, `<!doctype html><html>${'<p>'.repeat(100_000)}`],
    [200, '<script>location = "/login"</script>'],
    [400, '<form action="/login">'],
  ] as const) {
    await using receiver = await openReceiver(() => ({ status, body }));
    await using context = await openContext();
    await using sink = open(receiver.url, context);

    expect(settled(await sink.send(batchOf(sink, numbered(3)), signal))).toMatchObject({ all: { kind: 'hold' } });
  }
});

it('a page that comes compressed and longer than what is read of an answer is still a page', async () => {
  const { brotliCompressSync, constants, gzipSync } = await import('node:zlib');
  const body = Buffer.from(`<html><body>${Array.from({ length: 60_000 }, (_, at) => `<p>${at * 7919}`).join('')}`);
  for (const [name, pack] of [
    ['gzip', gzipSync],
    ['br', (text: Buffer) => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })],
  ] as const) {
    await using receiver = await openReceiver(() => (response) => {
      response.writeHead(200, { ...html, 'content-encoding': name });
      response.end(pack(body));
    });
    await using context = await openContext();
    await using sink = openHttp(httpOptions(receiver.url), context);

    expect(settled(await sink.send(batchOf(sink, numbered(1)), signal))).toMatchObject({
      all: { kind: 'hold', maybeStored: true },
    });
  }
});

it.each(receivers.slice(0, 2))(
  '%s: three events behind a gateway without its receiver are held with the reason, and delivered when it is back',
  async (_, open) => {
    const journal = memoryJournal();
    journal.put(live, records('e', 3));
    let isAway = true;
    await using receiver = await openReceiver(() => (isAway ? { status: 503, body: '<html><h1>503 Service Unavailable' } : ok));
    await using delivering = deliver(journal, (context) => open(receiver.url, context));

    await until(() => delivering.loop.status().state === 'hold');
    const { hold } = delivering.loop.status();
    isAway = false;

    expect(hold?.reason).toMatch(/an HTML page came in place of the receiver's answer: answered 503 "503 Service Unavailable"/);
    expect(await delivering.drained()).toBe(true);
    expect(journal.settled).toMatchObject({ acknowledged: 3, dead_lettered: 0, possible_duplicates: 0 });
  },
);
