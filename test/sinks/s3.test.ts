import { describe, expect, it } from 'vitest';
import { openS3, s3 } from '../../src/sinks/s3/index.ts';
import type { Place, Sink } from '../../src/sinks/sink.ts';
import { batchOf, numbered, openContext, outgoing, settled } from './batches.ts';
import type { Reply, Seen } from './http-receiver.ts';
import { type FakeStore, openStore, s3Options, storeError } from './s3-store.ts';
import { manualClock } from './sink-bench.ts';

const { signal } = new AbortController();
const hour = 3_600_000;
const noon = Date.UTC(2026, 10, 29, 12);
const place = (position: number, change: Partial<Place> = {}): Place => ({ lane: 'live', position, received: noon, ...change });
const at = (uid: string, time: number, position: number, source = 'okta') => ({
  ...outgoing(uid, { time, source }),
  place: place(position),
});

/** Requests for the objects of a batch, without the small one that shows whether the store takes others. */
const asked = ({ seen }: FakeStore): readonly Seen[] => seen.filter(({ path }) => !path.includes('_penstock-control-'));

async function send(sink: Sink, events = numbered(2)) {
  return settled(await sink.send(batchOf(sink, events), signal));
}

describe('the objects of a batch', () => {
  it('are divided by source, day and hour of the events, each named after its first event', async () => {
    await using store = await openStore();
    await using context = await openContext();
    await using sink = openS3(s3Options({ endpoint: store.url, prefix: 'audit/penstock' }), context);
    const events = [
      at('a', noon, 1),
      at('b', noon + hour, 2),
      at('c', noon + 5, 3),
      at('d', noon, 4, 'astra'),
      at('e', Number.NaN, 5),
      { ...at('f', noon, 6), place: place(6, { lane: 'replay-7' }) },
    ];

    expect(await send(sink, events)).toEqual({ all: { kind: 'accept' } });
    const stored = [...store.objects.keys()].map((key) => [key.replace(/-[0-9a-f]{12}\./, '-HASH.'), store.uids(key)]);
    expect(Object.fromEntries(stored)).toEqual({
      'audit/penstock/source=okta/day=2026-11-29/hour=12/live-000000000001-HASH.ndjson.gz': ['a', 'c'],
      'audit/penstock/source=okta/day=2026-11-29/hour=13/live-000000000002-HASH.ndjson.gz': ['b'],
      'audit/penstock/source=astra/day=2026-11-29/hour=12/live-000000000004-HASH.ndjson.gz': ['d'],
      'audit/penstock/source=okta/day=1970-01-01/hour=00/live-000000000005-HASH.ndjson.gz': ['e'],
      'audit/penstock/source=okta/day=2026-11-29/hour=12/replay-7-000000000006-HASH.ndjson.gz': ['f'],
    });
  });

  it.each([
    [{ partition: 'day', compression: 'zstd' }, /^source=okta\/day=2026-11-29\/live-\d{12}-[0-9a-f]{12}\.ndjson\.zst$/],
    [{ compression: 'none' }, /^source=okta\/day=2026-11-29\/hour=12\/live-\d{12}-[0-9a-f]{12}\.ndjson$/],
    [
      { layout: 'security_lake', region: 'eu-west-1', account_id: '123456789012', prefix: 'ext/okta' },
      /^ext\/okta\/region=eu-west-1\/accountId=123456789012\/eventDay=20261129\/live-\d{12}-[0-9a-f]{12}\.ndjson\.gz$/,
    ],
  ])('have the names and the compression of %j', async (options, name) => {
    await using store = await openStore();
    await using context = await openContext();
    await using sink = openS3(s3Options({ endpoint: store.url, ...options }), context);

    await send(sink, [at('a', noon, 1), at('b', noon, 2)]);

    const [key = ''] = store.objects.keys();
    expect([store.objects.size, store.uids(key)]).toEqual([1, ['a', 'b']]);
    expect(key).toMatch(name);
  });

  it('have the same name wherever they end, and never the name of another sink, journal, lane or record', async () => {
    await using store = await openStore();
    await using context = await openContext();
    const options = s3Options({ endpoint: store.url });
    await using sink = openS3(options, context);
    await using other = openS3(options, { ...context, name: 'other' });
    const first = at('a', noon, 1);

    for (const events of [[first], [first, at('b', noon, 2)]]) await send(sink, events);
    expect([...store.objects.keys()].map((key) => store.uids(key))).toEqual([['a', 'b']]);
    await send(other, [first]);
    for (const change of [{ lane: 'replay-1' }, { received: noon + 1 }, { position: 2 }])
      await send(sink, [{ ...first, place: { ...first.place, ...change } }]);
    await send(sink, [at('z', noon, 1)]);

    expect(store.objects.size).toBe(6);
  });

  it('are written by a retry with the same name and bytes, but for those that are stored', async () => {
    let refused = 0;
    await using store = await openStore(({ path }) => {
      if (!path.includes('hour%3D13') || refused > 0) return undefined;
      refused += 1;
      return storeError(503, 'SlowDown', '', { 'retry-after': '7' });
    });
    await using context = await openContext();
    await using sink = openS3(s3Options({ endpoint: store.url }), context);
    const batch = batchOf(sink, [at('a', noon, 1), at('b', noon + hour, 2)]);

    expect(await sink.send(batch, signal)).toEqual({
      all: { kind: 'retry', reason: 'answered 503 SlowDown: Words & more', retryAfterMs: 7000 },
    });
    expect(await sink.send({ ...batch, attempt: 1 }, signal)).toEqual({ all: { kind: 'accept' } });

    // Objects are sent side by side.
    const [first, second] = store.seen.filter(({ path }) => path.includes('hour%3D13'));
    expect(asked(store)).toHaveLength(3);
    expect([second?.path, second?.bytes]).toEqual([first?.path, first?.bytes]);
  });
});

it('waits for a person when one object of a batch needs one, whatever becomes of the others', async () => {
  await using store = await openStore(({ path }) =>
    path.includes('hour%3D12') ? storeError(503, 'SlowDown') : storeError(403, 'AccessDenied'),
  );
  await using context = await openContext();
  for (const hours of [
    [0, 1],
    [1, 0],
  ]) {
    await using sink = openS3(s3Options({ endpoint: store.url }), context);
    const events = hours.map((after, index) => at(`e${after}`, noon + after * hour, index + 1));

    expect(await send(sink, events)).toMatchObject({ all: { kind: 'hold', reason: 'answered 403 AccessDenied: Words & more' } });
  }
});

describe('a request', () => {
  it.each([
    ['crc32', 'x-amz-checksum-crc32', /^[A-Za-z0-9+/]{6}==$/],
    ['sha256', 'x-amz-checksum-sha256', /^[A-Za-z0-9+/]{43}=$/],
    ['md5', 'content-md5', /^[A-Za-z0-9+/]{22}==$/],
  ])('is signed and carries a checksum: %s', async (checksum, name, value) => {
    await using store = await openStore();
    await using context = await openContext();
    const headers = { 'x-amz-server-side-encryption': 'AES256' };
    await using sink = openS3(s3Options({ endpoint: store.url, checksum, headers, session_token: 'session-1' }), context);

    await send(sink);

    const sent = store.seen[0]?.headers ?? {};
    expect(sent[name]).toMatch(value);
    expect(sent).toMatchObject({
      'content-type': 'application/gzip',
      'x-amz-server-side-encryption': 'AES256',
      'x-amz-security-token': 'session-1',
    });
    expect(sent.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIATEST\/\d{8}\/us-east-1\/s3\/aws4_request, SignedHeaders=/,
    );
    expect(sent.authorization).toContain(name);
  });

  it.each([
    [{ region: 'eu-west-1' }, 'https://lake.s3.eu-west-1.amazonaws.com'],
    [{ region: 'cn-north-1', path_style: true }, 'https://s3.cn-north-1.amazonaws.com.cn'],
    [{ endpoint: 'https://minio.example.com:9000' }, 'https://minio.example.com:9000'],
    [{ endpoint: 'https://minio.example.com:9000', path_style: false }, 'https://lake.minio.example.com:9000'],
    [{ region: 'eu-west-1', bucket: 'my.lake' }, 'https://s3.eu-west-1.amazonaws.com'],
    [{ region: 'us-east-1', bucket: 'MyLake' }, 'https://s3.us-east-1.amazonaws.com'],
    [{ region: 'us-east-1', bucket: 'my_lake' }, 'https://s3.us-east-1.amazonaws.com'],
  ])('with %j goes to %s', async (options, origin) => {
    await using context = await openContext();
    await using sink = openS3(s3Options(options), context);

    expect(sink.endpoints).toEqual([origin]);
  });

  it("is signed by the store's clock, once that refused ours", async () => {
    const theirs = Date.UTC(2031, 0, 2, 3, 4, 5);
    const isLate = ({ headers }: Seen): boolean => headers['x-amz-date'] !== '20310102T030405Z';
    await using store = await openStore((request) =>
      isLate(request) ? storeError(403, 'RequestTimeTooSkewed', '', { date: new Date(theirs).toUTCString() }) : undefined,
    );
    await using context = await openContext({ seams: manualClock().seams });
    await using sink = openS3(s3Options({ endpoint: store.url }), context);

    expect(await send(sink)).toEqual({ all: { kind: 'accept' } });
    expect(await send(sink)).toEqual({ all: { kind: 'accept' } });

    expect(store.seen).toHaveLength(3);
  });
});

const page = '<!doctype html><title>Log in</title><script>var a = "<p>";</script><p>Please log in</p>';
const longPage = `<html><body>${'<p>'.repeat(100_000)}`;

it.each<[string, Reply, object]>([
  ['a missing bucket', storeError(404, 'NoSuchBucket'), { kind: 'hold', reason: 'answered 404 NoSuchBucket: Words & more' }],
  ['a refused key', storeError(403, 'AccessDenied'), { kind: 'hold', reason: 'answered 403 AccessDenied: Words & more' }],
  ['an unknown key', storeError(403, 'InvalidAccessKeyId'), { kind: 'hold' }],
  ['an expired token', storeError(400, 'ExpiredToken'), { kind: 'hold' }],
  ['a header that it does not take', storeError(400, 'InvalidArgument'), { kind: 'hold' }],
  ['a checksum that it does not know', storeError(501, 'NotImplemented'), { kind: 'hold' }],
  [
    'another region',
    storeError(301, 'PermanentRedirect', '<Endpoint>evil.example.com</Endpoint>', {
      'x-amz-bucket-region': 'eu-central-1',
      location: 'http://127.0.0.1:1/',
    }),
    { kind: 'hold', fix: 'set "region: eu-central-1"' },
  ],
  [
    'a signature for another region',
    storeError(400, 'AuthorizationHeaderMalformed', '<Region>us-west-2</Region>'),
    { kind: 'hold', fix: 'set "region: us-west-2"' },
  ],
  [
    'a redirect that names a host',
    storeError(307, 'TemporaryRedirect', '<Endpoint>lake.s3-eu-west-1.amazonaws.com</Endpoint>'),
    { kind: 'hold', reason: 'answered 307 TemporaryRedirect: Words & more (it names lake.s3-eu-west-1.amazonaws.com)' },
  ],
  ...[
    [400, 'ThrottlingException'],
    [400, 'KMS.ThrottlingException'],
    [403, 'RequestLimitExceeded'],
    [400, 'RequestThrottled'],
    [400, 'TooManyRequestsException'],
    [400, 'BandwidthLimitExceeded'],
    [403, 'QpsLimitExceeded'],
    [200, 'SlowDown'],
  ].map(([status, code]): [string, Reply, object] => [
    `${code} with a ${status}`,
    storeError(Number(status), String(code)),
    { kind: 'retry', reason: `answered ${status} ${code}: Words & more` },
  ]),
  ['a fault of its own inside of a success', storeError(200, 'InternalError'), { kind: 'uncertain' }],
  [
    'a refused key inside of a success',
    storeError(200, 'AccessDenied'),
    { kind: 'hold', fix: expect.stringContaining('credentials') },
  ],
  ['a redirect without words', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }, { kind: 'hold' }],
  [
    'a log-in page',
    { status: 200, body: page },
    {
      kind: 'hold',
      maybeStored: true,
      reason: 'an HTML page came in place of the receiver\'s answer: answered 200 "Log in\nPlease log in"',
    },
  ],
  ['a page with a tag', { status: 200, body: page, headers: { etag: '"5f1"' } }, { kind: 'hold', maybeStored: true }],
  [
    'an endless page with a tag',
    { status: 200, body: longPage, headers: { etag: '"5f1"' } },
    { kind: 'hold', maybeStored: true },
  ],
  ['words with a tag', { status: 200, body: '{"ok":true}', headers: { etag: '"5f1"' } }, { kind: 'hold', maybeStored: true }],
  ['nothing but a weak tag', { status: 200, headers: { etag: 'W/"5f1"' } }, { kind: 'hold', maybeStored: true }],
  ['nothing with an empty tag', { status: 200, headers: { etag: '' } }, { kind: 'hold', maybeStored: true }],
  ['a success without a tag', { status: 200, body: 'ok' }, { kind: 'hold', maybeStored: true }],
  ['too many requests', storeError(503, 'SlowDown'), { kind: 'retry' }],
  ['a conflict', storeError(409, 'OperationAborted'), { kind: 'retry' }],
  ['a body that was damaged on the way', storeError(400, 'BadDigest'), { kind: 'retry' }],
  ['a full disk', { status: 507 }, { kind: 'retry' }],
  ['an object that is too large', storeError(400, 'EntityTooLarge'), { kind: 'split' }],
  ['a proxy that takes no large body', { status: 413 }, { kind: 'split' }],
  ['a body that took too long', storeError(400, 'RequestTimeout'), { kind: 'uncertain' }],
  ['a fault of its own', storeError(500, 'InternalError'), { kind: 'uncertain' }],
  [
    'a gateway without a store',
    { status: 502, body: 'bad gateway' },
    { kind: 'uncertain', fix: expect.stringContaining('gateway') },
  ],
  ["a balancer's page", { status: 503, body: page }, { kind: 'retry', fix: expect.stringContaining('balancer') }],
  [
    'a refusal that names a time',
    storeError(403, 'AccessDenied', '', { 'retry-after': '9' }),
    { kind: 'hold', retryAfterMs: 9000 },
  ],
])('says what it makes of %s', async (_, reply, verdict) => {
  await using store = await openStore(() => reply);
  await using context = await openContext();
  await using sink = openS3(s3Options({ endpoint: store.url }), context);

  expect(await send(sink)).toMatchObject({ all: verdict });
  expect([asked(store).length, store.objects.size]).toEqual([1, 0]);
});

it.each<[string, Reply, object]>([
  ['a 400', storeError(400, 'InvalidRequest'), { kind: 'event', code: 's3_400', cause: 'InvalidRequest' }],
  ["a firewall's 403", { status: 403, body: page }, { kind: 'event', code: 's3_403' }],
  ["a firewall's 422", { status: 422, body: page }, { kind: 'event', code: 's3_422' }],
  ['a 501', storeError(501, 'NotImplemented'), { kind: 'event', code: 's3_501' }],
  ['a page behind a 200', { status: 200, body: page }, { kind: 'uncertain', othersTaken: true }],
  ['a refused key', storeError(403, 'AccessDenied'), { kind: 'hold' }],
  ['a missing bucket', storeError(404, 'NoSuchBucket'), { kind: 'hold' }],
])(
  'knows that %s is meant for one object when the store takes another, unless it can only be meant for all',
  async (_, reply, verdict) => {
    await using store = await openStore(({ path }) => (path.includes('_penstock-control-') ? undefined : reply));
    await using context = await openContext();
    await using sink = openS3(s3Options({ endpoint: store.url }), context);

    expect(await send(sink)).toMatchObject({ all: verdict });
  },
);

it.each([
  [storeError(400, 'InvalidRequest', '', { 'retry-after': '9' }), { kind: 'retry' }],
  [
    { status: 200, body: page, headers: { 'retry-after': '9' } },
    { kind: 'uncertain', blameless: true },
  ],
])('blames neither the object nor the configuration where the store is away right after its refusal', async (reply, verdict) => {
  await using store = await openStore(({ path }) => (path.includes('_penstock-control-') ? { status: 503 } : reply));
  await using context = await openContext();
  await using sink = openS3(s3Options({ endpoint: store.url }), context);

  expect(await send(sink)).toMatchObject({ all: { ...verdict, retryAfterMs: 9000 } });
});

it('sends a batch no second time while not even an object without events is taken', async () => {
  await using store = await openStore(() => storeError(500, 'InternalError', '', { 'retry-after': '7' }));
  await using context = await openContext();
  await using sink = openS3(s3Options({ endpoint: store.url }), context);

  const verdicts = settled(await sink.send(batchOf(sink, numbered(2), { attempt: 1 }), signal));

  expect(verdicts).toEqual({ all: { kind: 'retry', reason: 'answered 500 InternalError: Words & more', retryAfterMs: 7000 } });
  expect([store.seen.length, asked(store).length]).toEqual([1, 0]);
});

describe('a large object', () => {
  const big = numbered(7).map((event) => ({ ...event, body: JSON.stringify({ uid: event.uid, text: 'x'.repeat(1_000_000) }) }));
  const isPart = ({ path }: Seen, number: number): boolean => path.includes(`partNumber=${number}`);
  const options = { compression: 'none', multipart_above: '5MiB' } as const;

  it.each(['crc32', 'sha256', 'md5'] as const)('is uploaded in parts, each with its checksum: %s', async (checksum) => {
    await using store = await openStore();
    await using context = await openContext();
    await using sink = openS3(s3Options({ endpoint: store.url, ...options, checksum }), context);

    expect(await send(sink, big)).toEqual({ all: { kind: 'accept' } });

    const [key = ''] = store.objects.keys();
    expect(store.uids(key)).toEqual(big.map(({ uid }) => uid));
    expect(store.seen.map(({ method, path }) => [method, path.replace(/.*\?/, '').replace(/%20x{500}/, '')])).toEqual([
      ['POST', 'uploads='],
      ['PUT', 'partNumber=1&uploadId=upload%200'],
      ['PUT', 'partNumber=2&uploadId=upload%200'],
      ['POST', 'uploadId=upload%200'],
    ]);
    const name = checksum === 'md5' ? 'content-md5' : `x-amz-checksum-${checksum}`;
    expect(store.seen[1]?.headers[name]).not.toBe(store.seen[2]?.headers[name]);
    expect(store.seen[3]?.text.includes(`<Checksum${checksum.toUpperCase()}>`)).toBe(checksum !== 'md5');
  });

  it.each<[string, (request: Seen) => Reply | undefined, object]>([
    ['a part is refused', (request) => (isPart(request, 2) ? storeError(403, 'AccessDenied') : undefined), { kind: 'hold' }],
    [
      'a page with a tag answers a part',
      (request) => (isPart(request, 2) ? { status: 200, body: page, headers: { etag: '"5f1"' } } : undefined),
      { kind: 'uncertain', othersTaken: true },
    ],
    ['a part is lost', (request) => (isPart(request, 2) ? storeError(500, 'InternalError') : undefined), { kind: 'retry' }],
    [
      'its end is a failure inside a 200',
      ({ method, path }) => (method === 'POST' && path.includes('uploadId') ? storeError(200, 'InternalError') : undefined),
      { kind: 'uncertain', reason: 'answered 200 InternalError: Words & more' },
    ],
    [
      'its end is put off inside a 200',
      ({ method, path }) => (method === 'POST' && path.includes('uploadId') ? storeError(200, 'SlowDown') : undefined),
      { kind: 'retry', reason: 'answered 200 SlowDown: Words & more' },
    ],
    [
      'its end is an empty 200',
      ({ method, path }) => (method === 'POST' && path.includes('uploadId') ? { status: 200 } : undefined),
      { kind: 'uncertain' },
    ],
  ])('is not stored, and its parts are taken back, when %s', async (_, answer, verdict) => {
    await using store = await openStore(answer);
    await using context = await openContext();
    await using sink = openS3(s3Options({ endpoint: store.url, ...options }), context);

    expect(await send(sink, big)).toMatchObject({ all: verdict });
    const objects = [...store.objects.keys()].filter((key) => !key.includes('_penstock-control-'));
    expect([objects.length, store.uploads.size]).toEqual([0, 0]);
  });
});

it('takes the parts of a large object back when its batch is given up meanwhile', async () => {
  const givenUp = new AbortController();
  await using store = await openStore(({ path }) => {
    if (path.includes('partNumber=2')) givenUp.abort(new Error('the time of the batch is over'));
    return undefined;
  });
  await using context = await openContext();
  await using sink = openS3(s3Options({ endpoint: store.url, compression: 'none', multipart_above: '5MiB' }), context);
  const big = numbered(7).map((event) => ({ ...event, body: JSON.stringify({ uid: event.uid, text: 'x'.repeat(1_000_000) }) }));

  await expect(sink.send(batchOf(sink, big), givenUp.signal)).rejects.toThrow('the time of the batch is over');

  expect(store.seen.map(({ method }) => method)).toEqual(['POST', 'PUT', 'PUT', 'DELETE']);
  expect([store.objects.size, store.uploads.size]).toEqual([0, 0]);
});

describe('a probe', () => {
  it('writes an object as large as events get, reads its size and deletes it', async () => {
    await using store = await openStore();
    await using context = await openContext();
    await using sink = openS3(s3Options({ endpoint: store.url, prefix: 'audit', compression: 'none' }), context);

    expect(await sink.probe(signal)).toEqual({
      ok: true,
      findings: ['an object of 1.0 MiB was written to bucket "lake"', 'the store has all of it', 'it was deleted'],
    });
    expect(store.objects.size).toBe(0);
    expect(store.seen[0]?.path).toMatch(/^\/lake\/audit\/_penstock-check-[0-9a-f]{8}$/);
  });

  it('says which right is missing, and fails only without the one to write', async () => {
    await using store = await openStore(({ method }) => (method === 'PUT' ? undefined : storeError(403, 'AccessDenied')));
    await using context = await openContext();
    await using sink = openS3(s3Options({ endpoint: store.url }), context);
    await using closed = await openStore(() => storeError(403, 'AccessDenied'));
    await using refused = openS3(s3Options({ endpoint: closed.url }), context);

    const { ok, findings } = await sink.probe(signal);

    expect([ok, findings[1], findings[2]]).toEqual([
      true,
      'it could not be read again, which delivery does not need (s3:GetObject): answered 403 AccessDenied: Words & more',
      expect.stringMatching(/^it could not be deleted.*\(s3:DeleteObject\): answered 403 AccessDenied.*by hand$/),
    ]);
    expect(await refused.probe(signal)).toEqual({
      ok: false,
      findings: [expect.stringMatching(/^s3:PutObject on lake\/_penstock-check-.*: answered 403 AccessDenied: Words & more$/)],
      fix: expect.stringContaining('check the credentials'),
    });
  });
});

it.each([
  [{}, 'region'],
  [{ region: 'eu-west-1', layout: 'security_lake' }, 'layout'],
  [{ region: 'eu-west-1', secret_access_key: undefined }, 'access_key_id'],
  [{ region: 'eu-west-1', session_token: 't', access_key_id: undefined, secret_access_key: undefined }, 'session_token'],
  [{ region: 'eu-west-1', multipart_above: '1MB' }, 'multipart_above'],
  [{ region: 'eu-west-1', bucket: 'My_lake', path_style: false }, 'path_style'],
  [{ region: 'eu-west-1', batch: { events: 1, bytes: '1MB', wait: '1h' } }, 'stalled_after'],
])('refuses %j', (options, path) => {
  const faults = s3.check?.({ ...s3Options(), ...options }) ?? [];

  expect(faults.map(([where]) => where)).toEqual([path]);
});
