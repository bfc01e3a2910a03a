import { expect, it } from 'vitest';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { HttpOptions } from '../../src/sinks/http/options.ts';
import { batchOf, openContext, outgoing, settled } from './batches.ts';
import { openReceiver } from './http-receiver.ts';

const { signal } = new AbortController();
const options = (url: string, over: Partial<HttpOptions> = {}): HttpOptions => ({
  url,
  method: 'POST',
  body: 'ndjson',
  compression: 'none',
  ...over,
});

it.each([
  { body: 'ndjson', type: 'application/x-ndjson', sent: (a: string, b: string) => `${a}\n${b}\n` },
  { body: 'json_array', type: 'application/json', sent: (a: string, b: string) => `[${a},${b}]` },
] as const)('sends $body', async ({ body, type, sent }) => {
  await using receiver = await openReceiver(() => ({ status: 204 }));
  await using context = await openContext();
  await using sink = openHttp(
    options(`${receiver.url}/v1/audit`, { body, compression: 'gzip', auth: { bearer: 'tok-123456' } }),
    context,
  );
  const [a, b] = [outgoing('e0'), outgoing('e1')];

  const result = await sink.send(batchOf(sink, [a, b], { id: 'batch-7' }), signal);

  expect(result).toEqual({ all: { kind: 'accept' } });
  expect(receiver.seen[0]).toMatchObject({
    method: 'POST',
    path: '/v1/audit',
    text: sent(a.body, b.body),
    headers: {
      'content-type': type,
      authorization: 'Bearer tok-123456',
      'idempotency-key': 'batch-7',
      'content-encoding': 'gzip',
    },
  });
});

it.each([
  { status: 207, body: [{ status: 201 }, { status: 400 }] },
  { status: 206, body: '' },
  { status: 200, body: { success: false } },
  { status: 200, body: { ok: false, message: 'no room' } },
  { status: 202, body: { status: 'error', message: 'no room' } },
  { status: 200, body: { errors: [{ index: 3 }] } },
  { status: 200, body: { error: { code: 7 } } },
])('acknowledges a success that speaks of failures, and tells it: $status $body', async (reply) => {
  await using receiver = await openReceiver(() => reply);
  await using context = await openContext();
  await using sink = openHttp(options(receiver.url), context);

  expect(settled(await sink.send(batchOf(sink, [outgoing('e0'), outgoing('e1')]), signal))).toEqual({
    all: { kind: 'accept', warning: expect.stringContaining(`may have refused some of it: answered ${reply.status}`) },
  });
});

it.each([
  { status: 200, body: { success: true, errors: [], error: null } },
  { status: 200, body: { status: 'ok', error: '', errors: 0 } },
  { status: 200, body: { errors: false, error: 'none' } },
  { status: 200, body: 'errors: 0' },
])('takes a success without failures for one: $body', async (reply) => {
  await using receiver = await openReceiver(() => reply);
  await using context = await openContext();
  await using sink = openHttp(options(receiver.url), context);

  expect(settled(await sink.send(batchOf(sink, [outgoing('e0')]), signal))).toEqual({ all: { kind: 'accept' } });
});

const created = { create: { _index: 'a', status: 201 } };
const mapping = { type: 'mapper_parsing_exception', reason: 'failed to parse' };

it.each([
  ['a failed item', { create: { status: 400, error: mapping } }, { kind: 'event', code: 'mapper_parsing_exception' }],
  ['a failed item with its status as a text', { create: { status: '400', error: mapping } }, { kind: 'event' }],
  ['a rejected item', { create: { status: 429, error: { type: 'es_rejected_execution_exception' } } }, { kind: 'retry' }],
  ['an error beside a success', { create: { status: 201, error: mapping } }, { kind: 'uncertain' }],
  ['an error that is a text', { create: { status: 400, error: 'no date' } }, { kind: 'event', reason: '400 http_400: no date' }],
  ['an error without a status', { create: { error: mapping } }, { kind: 'uncertain' }],
  ['a copy', { create: { status: 409, error: { type: 'version_conflict_engine_exception' } } }, { kind: 'accept' }],
])('bulk: believes %s although the whole answer says that there are no errors', async (_, item, verdict) => {
  await using receiver = await openReceiver(() => ({ status: 200, body: { errors: false, items: [created, item] } }));
  await using context = await openContext();
  await using sink = openHttp(options(receiver.url, { preset: 'elasticsearch', index: 'a' }), context);

  expect(settled(await sink.send(batchOf(sink, [outgoing('e0'), outgoing('e1')]), signal))).toMatchObject({
    each: [{ kind: 'accept' }, verdict],
  });
});

it.each([
  [{ create: {} }, { create: { status: 201, error: null } }],
  [{ index: { status: '201' } }, { create: { status: 200, error: {} } }],
])('bulk: takes items without a failure for a success: %j', async (...items) => {
  await using receiver = await openReceiver(() => ({ status: 200, body: { errors: false, items } }));
  await using context = await openContext();
  await using sink = openHttp(options(receiver.url, { preset: 'opensearch', index: 'a' }), context);

  expect(settled(await sink.send(batchOf(sink, [outgoing('e0'), outgoing('e1')]), signal))).toEqual({ all: { kind: 'accept' } });
});

it.each([[['e1', 'e0']], [['x', 'e0']]])('bulk: blames no event for an answer in another order: %j', async (ids) => {
  const statuses = [{ status: 201 }, { status: 400, error: mapping }];
  const items = ids.map((id, index) => ({ create: { _id: id, ...statuses[index] } }));
  await using receiver = await openReceiver(() => ({ status: 200, body: { errors: true, items } }));
  await using context = await openContext();
  await using sink = openHttp(options(receiver.url, { preset: 'elasticsearch', index: 'a' }), context);

  expect(settled(await sink.send(batchOf(sink, [outgoing('e0'), outgoing('e1')]), signal))).toEqual({
    all: expect.objectContaining({
      kind: 'uncertain',
      reason: 'the answer does not have the documents in the order in which they were sent',
    }),
  });
});

it('bulk: judges items that an ingest pipeline gave ids of its own', async () => {
  const items = [{ create: { _id: 'p0', status: 201 } }, { create: { _id: 'p1', status: 400, error: mapping } }];
  await using receiver = await openReceiver(() => ({ status: 200, body: { errors: true, items } }));
  await using context = await openContext();
  await using sink = openHttp(options(receiver.url, { preset: 'elasticsearch', index: 'a' }), context);

  expect(settled(await sink.send(batchOf(sink, [outgoing('e0'), outgoing('e1')]), signal))).toMatchObject({
    each: [{ kind: 'accept' }, { kind: 'event' }],
  });
});

it('sentinel: takes a 200 without a word for a success', async () => {
  await using receiver = await openReceiver(() => ({ status: 200 }));
  await using context = await openContext();
  await using sink = openHttp(options(receiver.url, { preset: 'sentinel', dcr: 'dcr-1', stream: 'Custom-A' }), context);

  expect(settled(await sink.send(batchOf(sink, [outgoing('e0')]), signal))).toEqual({ all: { kind: 'accept' } });
});

it.each([200, 202])(
  'sentinel: takes no %i with a text for a success, for only something else in its place answers so',
  async (status) => {
    await using receiver = await openReceiver(() => ({ status, body: { status: 'ok' } }));
    await using context = await openContext();
    await using sink = openHttp(options(receiver.url, { preset: 'sentinel', dcr: 'dcr-1', stream: 'Custom-A' }), context);

    expect(settled(await sink.send(batchOf(sink, [outgoing('e0')]), signal))).toEqual({
      all: expect.objectContaining({
        kind: 'uncertain',
        reason: `answered ${status} "{"status":"ok"}", where the receiver's own success is 204`,
        fix: expect.stringContaining('something else answers in place of the receiver'),
      }),
    });
  },
);
