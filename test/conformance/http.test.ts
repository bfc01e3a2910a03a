// What the HTTP sink promises a receiver, one test per statement.
import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { decide } from '../../src/deliver/decide.ts';
import type { Format } from '../../src/event/event.ts';
import { standardWebhooks } from '../../src/sinks/http/authorize.ts';
import { openHttp } from '../../src/sinks/http/index.ts';
import type { HttpOptions } from '../../src/sinks/http/options.ts';
import type { Verdicts } from '../../src/sinks/sink.ts';
import { batchOf, kinds, numbered, openContext, outgoing, settled } from '../sinks/batches.ts';
import { httpOptions } from '../sinks/http-options.ts';
import { openReceiver, type Reply } from '../sinks/http-receiver.ts';
import { fewOrMany } from '../thorough.ts';

const { signal } = new AbortController();
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** The verdicts for a batch of `size` events that is answered with `reply`. */
async function answered(over: Partial<HttpOptions>, reply: Reply, size = 3): Promise<Verdicts> {
  await using receiver = await openReceiver(() => reply);
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, over), context);
  return settled(await sink.send(batchOf(sink, numbered(size)), signal));
}

it('The golden vector of Standard Webhooks is reproduced', () => {
  const headers = standardWebhooks([secret])(
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    Buffer.from('{"test": 2432232314}'),
    1_614_265_330_000,
  );

  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

it('A retry keeps id and bytes and is signed again', async () => {
  await using receiver = await openReceiver((_, count) => ({ status: count === 1 ? 503 : 200 }));
  await using context = await openContext();
  let now = 1_795_254_300_000;
  const clock = { ...context.seams.clock, now: () => now };
  const options = httpOptions(receiver.url, { signature: { standard_webhooks: [secret] }, compression: 'gzip' });
  await using sink = openHttp(options, { ...context, seams: { ...context.seams, clock } });
  const batch = batchOf(sink, numbered(2), { id: 'msg_1' });

  await sink.send(batch, signal);
  now += 60_000;
  await sink.send(batch, signal);

  const [first, second] = receiver.seen;
  const key = Buffer.from(secret.slice(6), 'base64');
  const signed = (timestamp: string): string =>
    `v1,${createHmac('sha256', key)
      .update(`msg_1.${timestamp}.`)
      .update(first?.bytes ?? '')
      .digest('base64')}`;
  expect(first?.bytes.equals(second?.bytes ?? Buffer.alloc(0))).toBe(true);
  expect(first?.headers).toMatchObject({
    'webhook-id': 'msg_1',
    'webhook-timestamp': '1795254300',
    'webhook-signature': signed('1795254300'),
  });
  expect(second?.headers).toMatchObject({
    'webhook-id': 'msg_1',
    'webhook-timestamp': '1795254360',
    'webhook-signature': signed('1795254360'),
  });
});

it('Two secrets make two signatures with a space between them', () => {
  const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const sign = (secrets: string[]): string => standardWebhooks(secrets)('id', Buffer.from('x'), 0)['webhook-signature'] ?? '';

  expect(sign([secret, other])).toBe(`${sign([secret])} ${sign([other])}`);
});

it('NDJSON ends with a line feed and has one event a line', async () => {
  await using receiver = await openReceiver(() => ({ status: 200 }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url), context);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 4 }), async (values) => {
      const events = values.map((value, at) => outgoing(`e${at}`, { body: JSON.stringify({ value }) }));

      await sink.send(batchOf(sink, events), signal);

      const text = receiver.seen.at(-1)?.text ?? '';
      expect(text.endsWith('\n')).toBe(true);
      expect(text.slice(0, -1).split('\n')).toEqual(events.map(({ body }) => body));
    }),
    { numRuns: fewOrMany(10, 200) },
  );
});

it('Fifty batches at once ask for one token; a 401 asks for one more, then holds', async () => {
  let minted = 0;
  let accepted = 'Bearer token-1';
  await using receiver = await openReceiver(({ path, headers }) => {
    if (path !== '/token') return { status: headers.authorization === accepted ? 200 : 401 };
    minted += 1;
    return { status: 200, body: { access_token: `token-${minted}`, expires_in: 3600 } };
  });
  await using context = await openContext();
  const oauth2 = { token_url: `${receiver.url}/token`, client_id: 'id', client_secret: 'very-secret' };
  await using sink = openHttp(httpOptions(receiver.url, { auth: { oauth2 } }), context);
  const send = (): Promise<Verdicts> => sink.send(batchOf(sink, numbered(1)), signal).then(settled);

  const fifty = await Promise.all(Array.from({ length: 50 }, send));
  const mintedFirst = minted;
  accepted = 'Bearer token-2';
  const renewed = await send();
  accepted = 'nobody';
  const refused = await send();

  expect(fifty.map(kinds)).toEqual(Array.from({ length: 50 }, () => 'accept'));
  expect(mintedFirst).toBe(1);
  expect([kinds(renewed), kinds(refused)]).toEqual(['accept', 'hold']);
  expect(minted).toBe(3);
});

it('The Idempotency-Key is the id of the batch and stays with its bytes', async () => {
  await using receiver = await openReceiver(() => ({ status: 503 }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url), context);
  const [whole, half] = [batchOf(sink, numbered(4)), batchOf(sink, numbered(2))];

  for (const batch of [whole, whole, half]) await sink.send(batch, signal);

  const seen = receiver.seen.map(({ headers, text }) => [headers['idempotency-key'], text.length]);
  expect(seen[0]).toEqual(seen[1]);
  expect(seen[2]?.[0]).not.toBe(seen[0]?.[0]);
});

const bulk = { preset: 'elasticsearch', index: 'audit' } as const;
const items = (action: string, ...statuses: number[]): Reply => ({
  status: 200,
  body: {
    errors: statuses.some((status) => status >= 300),
    items: statuses.map((status) => ({
      [action]: { status, ...(status < 300 ? {} : { error: { type: `type_${status}`, reason: `reason ${status}` } }) },
    })),
  },
});

it('A bulk answer is read item by item', async () => {
  const verdicts = await answered(bulk, items('create', 201, 429, 400, 409), 4);

  expect(verdicts).toEqual({
    each: [
      { kind: 'accept' },
      { kind: 'retry', reason: '429 type_429: reason 429' },
      { kind: 'event', code: 'type_400', reason: '400 type_400: reason 400', cause: 'reason 0 type_400' },
      { kind: 'accept' },
    ],
  });
  expect(decide(verdicts, 4)).toMatchObject({ acknowledged: [0, 3], again: [[1]], refused: [{ index: 2 }] });
});

it('A refused item tells its innermost cause first, and what the event holds is no part of what counts as one cause', async () => {
  const refused = (value: string, number: number): unknown => ({
    create: {
      status: 400,
      error: {
        type: 'document_parsing_exception',
        reason: `[1:${number}] failed to parse field [risk] of type [long] in document with id '${value}'. Preview of field's value: '${value}'`,
        caused_by: { type: 'outer', caused_by: { type: 'illegal_argument_exception', reason: `For input string: "${value}"` } },
      },
    },
  });
  const reply = { status: 200, body: { errors: true, items: [refused('high', 17), refused("it's 12", 4)] } };

  expect(await answered(bulk, reply, 2)).toEqual({
    each: [
      ['high', 17],
      ["it's 12", 4],
    ].map(([value, number]) => ({
      kind: 'event',
      code: 'document_parsing_exception',
      cause: '[0:0] failed to parse field [risk] of type [long] illegal_argument_exception',
      reason: `400 document_parsing_exception: illegal_argument_exception: For input string: "${value}"; [1:${number}] failed to parse field [risk] of type [long] in document with id '${value}'. Preview of field's value: '${value}'`,
    })),
  });
});

/** A bulk answer in which every item was refused so. */
function itemsOf(type: string, reason: string): Reply {
  const one = { create: { status: 400, error: { type, reason } } };
  return { status: 200, body: { errors: true, items: [one, one, one] } };
}

it.each([
  ['all items written', items('create', 201, 201, 201), 'accept'],
  ['an item whose index is missing', items('create', 404, 201, 503), ['hold', 'accept', 'retry']],
  ['too few items', items('create', 201, 201), 'uncertain'],
  ['no JSON', { status: 200, body: 'ok' }, 'uncertain'],
  ['a page', { status: 200, body: '<html>' }, 'hold'],
  ['an index that is closed', itemsOf('index_closed_exception', 'closed'), ['hold', 'hold', 'hold']],
  [
    'an alias without an index to write to',
    itemsOf('illegal_argument_exception', 'no write index is defined for alias [audit]'),
    ['hold', 'hold', 'hold'],
  ],
  [
    'a field that cannot be mapped',
    itemsOf('mapper_parsing_exception', 'failed to parse field [index] of type [long]'),
    ['event', 'event', 'event'],
  ],
  ['nothing', { status: 200 }, 'uncertain'],
])('A bulk answer with %s', async (_, reply, verdict) => {
  expect(kinds(await answered(bulk, reply))).toEqual(verdict);
});

it.each([
  ['a bucket', 400, '<Error><Code>NoSuchBucket</Code></Error>', 'hold'],
  ['a stream', 400, '{"error":{"code":"InvalidStream","message":"The stream Custom-A was not configured in the rule"}}', 'hold'],
  ['a topic', 422, 'unknown topic "audit"', 'hold'],
  ['a table', 400, '{"message":"Table audit_log does not exist"}', 'hold'],
  ['a page of a proxy', 400, '<!DOCTYPE html><title>Bad request</title>', 'hold'],
  ['a login page behind a 200', 200, '<html><form action="/login">', 'hold'],
  ['a limit of a proxy', 413, '<html>Request Entity Too Large</html>', 'split'],
  ['an event', 400, '{"error":"field \\"index\\" is missing"}', 'split'],
])('An answer about %s', async (_, status, body, verdict) => {
  expect(kinds(await answered({}, { status, body }))).toEqual(verdict);
});

it.each([429, 500, 502, 503, 504, 408, 520])('The pause that a %i asks for is kept', async (status) => {
  const verdicts = await answered({}, { status, headers: { 'retry-after': '3' } });

  expect(verdicts).toMatchObject({ all: { retryAfterMs: 3000 } });
});

it('Documents are created under the id of the event, so that a resend is a conflict; a replay overwrites', async () => {
  await using receiver = await openReceiver(() => items('create', 201));
  await using context = await openContext();
  await using sink = openHttp(
    httpOptions(`${receiver.url}/`, { ...bulk, index: 'audit/../x', auth: { api_key: 'a2V5' } }),
    context,
  );

  await sink.send(batchOf(sink, numbered(1)), signal);
  await sink.send(batchOf(sink, numbered(1), { replay: true }), signal);

  const [first, replay] = receiver.seen.map(({ text }) => text.split('\n'));
  expect(receiver.seen[0]).toMatchObject({
    path: '/audit%2F..%2Fx/_bulk',
    headers: { authorization: 'ApiKey a2V5', 'content-type': 'application/x-ndjson' },
  });
  expect(first).toEqual([
    '{"create":{"_id":"e0"}}',
    JSON.stringify({ '@timestamp': '2026-11-21T09:45:00.123Z', ...outgoing('e0').event }),
    '',
  ]);
  expect(replay?.[0]).toBe('{"index":{"_id":"e0"}}');
  expect(replay?.slice(1)).toEqual(first?.slice(1));
});

it('A replay that somebody else writes at the same time goes again, for what is stored may be the older event', async () => {
  await using receiver = await openReceiver(() => items('index', 409, 201));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(`${receiver.url}/`, { ...bulk, index: 'audit' }), context);

  const verdicts = settled(await sink.send(batchOf(sink, numbered(2), { replay: true }), signal));

  expect(kinds(verdicts)).toEqual(['retry', 'accept']);
});

it('A data stream, which takes no overwriting, gets a replay as creations', async () => {
  const refusal = {
    type: 'illegal_argument_exception',
    reason: 'only write ops with an op_type of create are allowed in data streams',
  };
  await using receiver = await openReceiver(({ text }) =>
    text.startsWith('{"index"')
      ? { status: 200, body: { errors: true, items: [{ index: { status: 400, error: refusal } }] } }
      : items('create', 409),
  );
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, bulk), context);

  const results = [
    await sink.send(batchOf(sink, numbered(1), { replay: true }), signal),
    await sink.send(batchOf(sink, numbered(1), { replay: true }), signal),
  ];

  expect(results.map((result) => kinds(settled(result)))).toEqual([['accept'], ['accept']]);
  expect(receiver.seen.map(({ text }) => text.slice(0, 9))).toEqual(['{"index":', '{"create"', '{"create"']);
});

it('Datadog gets at most 1,000 entries and 5 MB; the limit of one log is told to the loop', async () => {
  await using receiver = await openReceiver(() => ({ status: 202 }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, { preset: 'datadog', auth: { api_key: 'dd-key-1' } }), context);

  const result = await sink.send(batchOf(sink, numbered(2)), signal);

  expect(result).toEqual({ all: { kind: 'accept' } });
  expect({ ...sink }).toMatchObject({ maxBatchEvents: 1000, maxEventBytes: 1_000_000 });
  expect((sink.maxBatchBytes ?? 0) + '[]'.length).toBeLessThanOrEqual(5_000_000);
  expect(receiver.seen[0]).toMatchObject({
    path: '/api/v2/logs',
    headers: { 'dd-api-key': 'dd-key-1', 'content-type': 'application/json' },
  });
  expect(JSON.parse(receiver.seen[0]?.text ?? '')).toEqual(
    ['e0', 'e1'].map((uid) => ({
      ddsource: 'penstock',
      service: 'anaconda',
      hostname: 'collector-1',
      ddtags: 'penstock_source:anaconda-acme,penstock_table:anaconda',
      message: outgoing(uid).body,
    })),
  );
});

it('Sentinel: 204 accepts, a call has at most 1 MB, 429 waits as told', async () => {
  await using receiver = await openReceiver(({ path }, count) => {
    if (path === '/token') return { status: 200, body: { access_token: 'entra', expires_in: 3600 } };
    return count === 2 ? { status: 204 } : { status: 429, headers: { 'retry-after': '17' } };
  });
  await using context = await openContext();
  const oauth2 = { token_url: `${receiver.url}/token`, client_id: 'app', client_secret: 'very-secret' };
  const options = httpOptions(receiver.url, { preset: 'sentinel', dcr: 'dcr-1', stream: 'Custom-Audit', auth: { oauth2 } });
  await using sink = openHttp(options, context);

  const results = [await sink.send(batchOf(sink, numbered(1)), signal), await sink.send(batchOf(sink, numbered(1)), signal)];

  expect(results).toMatchObject([{ all: { kind: 'accept' } }, { all: { kind: 'retry', retryAfterMs: 17_000 } }]);
  expect((sink.maxBatchBytes ?? 0) + '[]'.length).toBeLessThanOrEqual(1_000_000);
  expect(new URLSearchParams(receiver.seen[0]?.text).get('scope')).toBe('https://monitor.azure.com/.default');
  expect(receiver.seen[1]).toMatchObject({
    path: '/dataCollectionRules/dcr-1/streams/Custom-Audit?api-version=2023-01-01',
    headers: { authorization: 'Bearer entra', 'content-encoding': 'gzip' },
  });
  expect(JSON.parse(receiver.seen[1]?.text ?? '')).toEqual([
    { TimeGenerated: '2026-11-21T09:45:00.123Z', ...outgoing('e0').event },
  ]);
});

it('Loki, by OTLP: times are strings in nanoseconds, and a 400 ends at the single event', async () => {
  await using receiver = await openReceiver(() => ({ status: 400, body: 'entry too far behind, total ignored: 1 out of 1' }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(`${receiver.url}/otlp`, { preset: 'otlp' }), context);

  const two = settled(await sink.send(batchOf(sink, numbered(2)), signal));
  const one = settled(await sink.send(batchOf(sink, numbered(1)), signal));

  expect(receiver.seen[0]?.path).toBe('/otlp/v1/logs');
  expect(receiver.seen[0]?.text).toContain('"timeUnixNano":"1795254300123000000"');
  expect(decide(two, 2)).toMatchObject({ again: [[0], [1]], refused: [] });
  expect(decide(one, 1)).toMatchObject({ again: [], refused: [{ index: 0, code: 'http_400' }] });
});

it.each([
  [0, 'accept', []],
  [1, 'split', [0, 1, 2]],
  [3, ['event', 'event', 'event'], []],
])('Axiom: 200 with %i of 3 failed; copies of those that it took are counted', async (failed, verdict, uncertain) => {
  const reply = { status: 200, body: { ingested: 3 - failed, failed, failures: [] } };

  const verdicts = await answered({ refused_count: 'failed' }, reply);

  expect(kinds(verdicts)).toEqual(verdict);
  expect(decide(verdicts, 3).uncertain).toEqual(uncertain);
});

it('Google SecOps: 429 pauses for 5 minutes', async () => {
  const secops = { preset: 'google_secops', project: 'p', region: 'eu', instance: 'i', log_type: 'OCSF' } as const;
  await using receiver = await openReceiver((_, count) => ({
    status: count === 1 ? 429 : 200,
    body: count === 1 ? undefined : {},
  }));
  await using context = await openContext();
  await using sink = openHttp(httpOptions(receiver.url, { ...secops, auth: { bearer: 'google-token' } }), context);

  const results = [await sink.send(batchOf(sink, numbered(1)), signal), await sink.send(batchOf(sink, numbered(1)), signal)];

  expect(results).toMatchObject([{ all: { kind: 'retry', retryAfterMs: 300_000 } }, { all: { kind: 'accept' } }]);
  expect(receiver.seen[0]?.path).toBe('/v1alpha/projects/p/locations/eu/instances/i/logTypes/OCSF/logs:import');
  expect(JSON.parse(receiver.seen[0]?.text ?? '')).toEqual({
    inlineSource: {
      logs: [
        {
          data: Buffer.from(outgoing('e0').body).toString('base64'),
          logEntryTime: '2026-11-21T09:45:00.123Z',
          labels: { penstock_id: { value: 'e0' }, penstock_source: { value: 'anaconda-acme' } },
        },
      ],
    },
  });
});

it.each([
  [500, ['event', 'event', 'event']],
  [408, ['event', 'event', 'event']],
  [429, 'retry'],
  [503, 'retry'],
  [502, 'uncertain'],
  [504, 'uncertain'],
  [401, 'hold'],
])('OTLP: %i is %s', async (status, verdict) => {
  expect(kinds(await answered({ preset: 'otlp' }, { status }))).toEqual(verdict);
});

it.each([
  [{ partialSuccess: { rejectedLogRecords: '1', errorMessage: 'too old' } }, { kind: 'accept', refused: 1, warning: 'too old' }],
  [
    { partial_success: { rejected_log_records: 2, error_message: 'too new' } },
    { kind: 'accept', refused: 2, warning: 'too new' },
  ],
  [{ partialSuccess: { rejectedLogRecords: '0', errorMessage: 'use v2' } }, { kind: 'accept', warning: 'use v2' }],
  [{ partial_success: { error_message: 'use v2' } }, { kind: 'accept', warning: 'use v2' }],
  [{ partialSuccess: { rejectedLogRecords: 'none', errorMessage: '' } }, { kind: 'accept' }],
  [{ partialSuccess: null }, { kind: 'accept' }],
  [{}, { kind: 'accept' }],
])('OTLP: %j is not sent again, and counted and warned of', async (body, verdict) => {
  expect(await answered({ preset: 'otlp' }, { status: 200, body })).toEqual({ all: verdict });
});

it('OTLP: when every record is rejected each one is refused', async () => {
  const reply = { status: 200, body: { partialSuccess: { rejectedLogRecords: 3 } } };

  expect(kinds(await answered({ preset: 'otlp' }, reply))).toEqual(['event', 'event', 'event']);
});

it('410 holds until an operator acts', async () => {
  const verdicts = await answered({}, { status: 410 });

  expect(verdicts).toMatchObject({ all: { kind: 'hold', untilReleased: true, fix: expect.stringContaining('sinks release') } });
});

it.each([
  [200, 'accept'],
  [299, 'accept'],
  [301, 'hold'],
  [307, 'hold'],
  [400, 'split'],
  [401, 'hold'],
  [403, 'hold'],
  [404, 'hold'],
  [405, 'hold'],
  [407, 'hold'],
  [408, 'uncertain'],
  [409, 'hold'],
  [413, 'split'],
  [415, 'hold'],
  [422, 'split'],
  [425, 'retry'],
  [429, 'retry'],
  [451, 'hold'],
  [500, 'uncertain'],
  [501, 'hold'],
  [502, 'uncertain'],
  [503, 'retry'],
  [504, 'uncertain'],
  [505, 'hold'],
  [529, 'uncertain'],
])('Status %i is %s', async (status, verdict) => {
  expect(kinds(await answered({}, { status, body: 'said the receiver' }))).toBe(verdict);
});

it.each([
  ['https://user:pass@other.example.com:8443/in/s3cret?token=s3cret#s3cret', ', a redirect to https://other.example.com:8443'],
  ['/login/s3cret?back=s3cret', ', a redirect to another path of the same host'],
  ['//other.example.com/s3cret', ', a redirect to https://other.example.com'],
  ['https://[s3cret/', ''],
  ['', ''],
])('A redirect to %j holds and names the host that it leads to, without what may open the receiver', async (location, says) => {
  const verdicts = await answered({}, { status: 308, headers: { location } });

  const fix = 'redirects are never followed: set "url" to where the receiver really is';
  expect(verdicts).toEqual({ all: { kind: 'hold', ofRequest: true, reason: `answered 308 with an empty body${says}`, fix } });
});

it.each(['cef', 'leef'] satisfies Format[])('Text in format %s goes out as lines, or as strings of an array', async (format) => {
  await using receiver = await openReceiver(() => ({ status: 200 }));
  await using context = await openContext({ format });
  await using lines = openHttp(httpOptions(receiver.url), context);
  await using array = openHttp(httpOptions(receiver.url, { body: 'json_array', compression: 'zstd' }), context);
  const event = outgoing('e0', { body: 'CEF:0|a|b|"c"' });

  await lines.send(batchOf(lines, [event]), signal);
  await array.send(batchOf(array, [event, event]), signal);

  expect(receiver.seen.map(({ text, headers }) => [text, headers['content-type'], headers['content-encoding']])).toEqual([
    ['CEF:0|a|b|"c"\n', 'text/plain; charset=utf-8', undefined],
    ['["CEF:0|a|b|\\"c\\"","CEF:0|a|b|\\"c\\""]', 'application/json', 'zstd'],
  ]);
});
