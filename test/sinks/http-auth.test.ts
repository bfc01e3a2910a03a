import { createVerify, generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { deadline } from '../../src/base/clock.ts';
import { PenstockError } from '../../src/base/errors.ts';
import { http, openHttp } from '../../src/sinks/http/index.ts';
import { batchOf, kinds, numbered, openContext, settled } from './batches.ts';
import { httpOptions } from './http-options.ts';
import { openReceiver } from './http-receiver.ts';
import { manualClock } from './sink-bench.ts';

const { signal } = new AbortController();
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

it.each([
  ['bearer', { bearer: 'tok-1' }, 'authorization', 'Bearer tok-1'],
  [
    'basic',
    { basic: { username: 'ünal', password: 'p:w' } },
    'authorization',
    `Basic ${Buffer.from('ünal:p:w').toString('base64')}`,
  ],
  ['header', { header: { name: 'X-Api-Key', value: 'k-1' } }, 'x-api-key', 'k-1'],
] as const)('sends %s credentials', async (_, auth, name, value) => {
  await using receiver = await openReceiver(() => ({ status: 200 }));
  await using context = await openContext();
  await using sink = openHttp(
    httpOptions(receiver.url, { auth, headers: { 'X-Extra': 'yes', 'Content-Type': 'text/x-mine' } }),
    context,
  );

  await sink.send(batchOf(sink, numbered(1)), signal);

  expect(receiver.seen[0]?.headers).toMatchObject({ [name]: value, 'x-extra': 'yes', 'content-type': 'text/x-mine' });
});

it('exchanges a signed assertion of a Google service account for a token, once', async () => {
  await using receiver = await openReceiver(({ path }) =>
    path === '/token' ? { status: 200, body: { access_token: 'ya29.token', expires_in: 3599 } } : { status: 200, body: {} },
  );
  await using context = await openContext();
  const key = {
    client_email: 'penstock@p.iam.gserviceaccount.com',
    private_key: privateKey,
    private_key_id: 'k1',
    token_uri: `${receiver.url}/token`,
  };
  await using sink = openHttp(httpOptions(receiver.url, { auth: { google_service_account: JSON.stringify(key) } }), context);

  await sink.send(batchOf(sink, numbered(1)), signal);
  await sink.send(batchOf(sink, numbered(1)), signal);

  const form = new URLSearchParams(receiver.seen[0]?.text);
  const [header = '', claims = '', signature = ''] = form.get('assertion')?.split('.') ?? [];
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  const issued = (read(claims) as { iat: number }).iat;
  expect(receiver.seen.map(({ path, headers }) => [path, headers.authorization])).toEqual([
    ['/token', undefined],
    ['/', 'Bearer ya29.token'],
    ['/', 'Bearer ya29.token'],
  ]);
  expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
  expect([read(header), read(claims)]).toEqual([
    { alg: 'RS256', typ: 'JWT', kid: 'k1' },
    {
      iss: 'penstock@p.iam.gserviceaccount.com',
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      aud: `${receiver.url}/token`,
      iat: issued,
      exp: issued + 3600,
    },
  ]);
  expect(createVerify('RSA-SHA256').update(`${header}.${claims}`).verify(publicKey, Buffer.from(signature, 'base64url'))).toBe(
    true,
  );
});

it('signs the assertion of a service account by the clock of the issuer where ours is two days off', async () => {
  const days = 2 * 86_400_000;
  const headers = { date: new Date(Date.now() - days).toUTCString() };
  const issuedAt = (text: string): number => {
    const claims = new URLSearchParams(text).get('assertion')?.split('.')[1] ?? '';
    return (JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as { iat: number }).iat * 1000;
  };
  await using receiver = await openReceiver(({ path, text }) => {
    if (path !== '/token') return { status: 200, body: {} };
    return Math.abs(issuedAt(text) - Date.now() + days) > 60_000
      ? { status: 400, headers, body: { error: 'invalid_grant' } }
      : { status: 200, headers, body: { access_token: 'ya29.token', expires_in: 3599 } };
  });
  await using context = await openContext();
  const key = { client_email: 'p@p', private_key: privateKey, token_uri: `${receiver.url}/token` };
  await using sink = openHttp(httpOptions(receiver.url, { auth: { google_service_account: JSON.stringify(key) } }), context);

  const result = settled(await sink.send(batchOf(sink, numbered(1)), signal));

  expect(kinds(result)).toBe('accept');
  expect(receiver.seen.map(({ path }) => path)).toEqual(['/token', '/token', '/']);
});

it.each([
  ['refused credentials', 400, { error: 'invalid_client' }, 'hold'],
  ['an outage', 503, 'down', 'retry'],
  ['an answer without a token', 200, {}, 'hold'],
] as const)('says of a token endpoint with %s: %s is %j, and sends nothing', async (_, status, body, verdict) => {
  await using receiver = await openReceiver(() => ({ status, body }));
  await using context = await openContext();
  const oauth2 = { token_url: `${receiver.url}/token`, client_id: 'id', client_secret: 'very-secret' };
  await using sink = openHttp(httpOptions(receiver.url, { auth: { oauth2 } }), context);

  const result = settled(await sink.send(batchOf(sink, numbered(1)), signal));

  expect(kinds(result)).toBe(verdict);
  expect(receiver.seen.map(({ path }) => path)).toEqual(['/token']);
});

it('asks once more with a new token where one is refused, and then holds', async () => {
  let minted = 0;
  await using receiver = await openReceiver(({ path }) =>
    path === '/token' ? { status: 200, body: { access_token: `t${++minted}`, expires_in: 3600 } } : { status: 401 },
  );
  await using context = await openContext();
  const oauth2 = { token_url: `${receiver.url}/token`, client_id: 'id', client_secret: 'very-secret' };
  await using sink = openHttp(httpOptions(receiver.url, { auth: { oauth2 } }), context);
  using limit = deadline(context.seams.clock, 10_000);

  const result = settled(await sink.send(batchOf(sink, numbered(1)), limit.signal));

  expect(kinds(result)).toBe('hold');
  expect(receiver.seen.map(({ path, headers }) => [path, headers.authorization])).toEqual([
    ['/token', undefined],
    ['/', 'Bearer t1'],
    ['/token', undefined],
    ['/', 'Bearer t2'],
  ]);
});

it('does not wait for a token longer than for an answer, and calls nothing sent', async () => {
  // The time is over once the request for the token is there, however long that took.
  const { seams, advance } = manualClock();
  const timeoutMs = 30_000;
  await using receiver = await openReceiver(() => () => advance(timeoutMs));
  await using context = await openContext({ timeoutMs, seams });
  const oauth2 = { token_url: `${receiver.url}/token`, client_id: 'id', client_secret: 'very-secret' };
  const key = { client_email: 'p@p', private_key: privateKey, token_uri: `${receiver.url}/token` };
  const ways = [{ oauth2 }, { google_service_account: JSON.stringify(key) }];

  for (const auth of ways) {
    await using sink = openHttp(httpOptions(receiver.url, { auth }), context);

    expect(kinds(settled(await sink.send(batchOf(sink, numbered(1)), signal)))).toBe('retry');
  }
  expect(receiver.seen.map(({ path }) => path)).toEqual(['/token', '/token']);
});

it('says what is missing when the time of a batch is over before its token came', async () => {
  await using receiver = await openReceiver(() => () => undefined);
  await using context = await openContext();
  const oauth2 = { token_url: `${receiver.url}/token`, client_id: 'id', client_secret: 'very-secret' };
  await using sink = openHttp(httpOptions(receiver.url, { auth: { oauth2 } }), context);
  using limit = deadline(context.seams.clock, 50);

  expect(await sink.send(batchOf(sink, numbered(1)), limit.signal)).toEqual({
    all: { kind: 'retry', reason: 'no access token came in time: check "auth.oauth2" of the sink' },
  });
});

it('takes exactly one way to authenticate', () => {
  expect(() => httpOptions('https://r.example', { auth: { bearer: 'a', api_key: 'b' } })).toThrow('more than 1');
  expect(() => httpOptions('https://r.example', { auth: {} })).toThrow('fewer than 1');
});

it.each([
  [{ google_service_account: '{"client_email":"x"}' }, 'service account'],
  [{ google_service_account: 'no JSON' }, 'service account'],
  [{ google_service_account: JSON.stringify({ client_email: 'x', private_key: 'no PEM' }) }, 'service account'],
])('refuses a key file that is none, without repeating it', async (auth, says) => {
  await using context = await openContext();

  await expect(http.open(httpOptions('https://r.example', { auth }), context)).rejects.toThrow(says);
  await expect(http.open(httpOptions('https://r.example', { auth }), context)).rejects.toBeInstanceOf(PenstockError);
});

it.each(['whsec_short', 'whsec_no base64 at all, but long enough', `whsec_${Buffer.alloc(65).toString('base64')}`])(
  'refuses the signing secret %s without repeating it',
  async (secret) => {
    await using context = await openContext();
    const opening = http.open(httpOptions('https://r.example', { signature: { standard_webhooks: [secret] } }), context);

    await expect(opening).rejects.toThrow('standard_webhooks');
    await expect(opening).rejects.not.toThrow(secret.slice(6));
  },
);

it.each([
  [
    { url: 'https://u:p@r.example' },
    [['url', 'credentials do not belong into the URL', 'put them into "auth: {basic: {username, password}}"']],
  ],
  [{ preset: 'elasticsearch', url: 'https://es.example' }, [['index', 'preset: elasticsearch needs "index"', 'add index: ...']]],
  [
    { preset: 'google_secops', project: 'p' },
    [
      ['region', 'preset: google_secops needs "region"', 'add region: ...'],
      ['instance', 'preset: google_secops needs "instance"', 'add instance: ...'],
      ['log_type', 'preset: google_secops needs "log_type"', 'add log_type: ...'],
    ],
  ],
  [
    { url: 'https://r.example', headers: { 'Content-Length': '5', 'X-Fine': '1' } },
    [['headers.Content-Length', '"Content-Length" is set by the sink itself', 'remove it']],
  ],
  [{}, [['url', 'type: http needs "url"', 'add url: ...']]],
  [
    { url: 'https://r.example', auth: { api_key: 'k' } },
    [['auth.api_key', 'type: http names no header for a key', 'use "auth: {header: {name, value}}"']],
  ],
  [{ preset: 'google_secops', project: 'p', region: 'eu', instance: 'i', log_type: 't' }, []],
])('finds the faults of %j', (options, faults) => {
  expect(http.check?.({ body: 'ndjson', ...options })).toEqual(faults);
});
