// How a connector gets its tokens, against an issuer that says what it was asked.
import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import type { PenstockError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import type { WindowReader } from '../../src/connectors/connector.ts';
import type { TokenChange, TokenStore } from '../../src/connectors/index.ts';
import type { HttpRequest } from '../../src/http/client.ts';
import type { Values } from '../options/cases.ts';
import { skippingClock } from './open-source.ts';
import { from, to, vendorConnector } from './vendor.ts';

const tokenUrl = 'https://login.example.com/token';
const never = new AbortController().signal;

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const account = JSON.stringify({
  type: 'service_account',
  client_email: 'reader@project.iam.example.com',
  private_key: pem,
  private_key_id: 'k1',
  token_uri: tokenUrl,
});

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A place in memory, where the writes can be counted. */
function memoryStore(): TokenStore & { readonly kept: ReadonlyMap<string, string>; readonly writes: number } {
  const store = {
    kept: new Map<string, string>(),
    writes: 0,
    async update<T>(credential: string, change: (kept: string | undefined) => Promise<TokenChange<T>>) {
      const { keep, result } = await change(store.kept.get(credential));
      if (keep === undefined) return result;
      store.writes += 1;
      store.kept.set(credential, keep);
      return result;
    },
  };
  return store;
}

/** A reader of a vendor that takes the token that the issuer gave last. */
function opened(
  auth: unknown,
  issue: (form: Record<string, string>, count: number) => Reply | Promise<Reply>,
  tokens?: TokenStore,
  reading: Values = {},
  api: (proof: string) => Reply = () => ({ body: { data: [] } }),
) {
  const connector = vendorConnector(reading, { auth });
  const forms: Record<string, string>[] = [];
  const proofs: (string | undefined)[] = [];
  const clock = skippingClock();
  const random = seededRandom(1);
  const open = (): WindowReader =>
    connector.open(
      {},
      {
        http: {
          async request({ url, body, headers }: HttpRequest) {
            const answer = ({ status = 200, headers: told = {}, body: value }: Reply) => ({
              status,
              headers: told,
              body: Buffer.from(JSON.stringify(value)),
            });
            if (url.href.startsWith(tokenUrl)) {
              forms.push(Object.fromEntries(new URLSearchParams(String(body))));
              return answer(await issue(forms.at(-1) ?? {}, forms.length));
            }
            proofs.push(headers?.['authorization']);
            return answer(api(headers?.['authorization'] ?? ''));
          },
          describeRoute: () => 'direct',
          [Symbol.asyncDispose]: () => Promise.resolve(),
        },
        seams: { ...systemSeams(), clock, random },
        log: silentLog(),
        userAgent: 'x',
        limit: () => Promise.resolve(),
        budget: () => undefined,
        ...(tokens === undefined ? {} : { tokens }),
      },
    ) as WindowReader;
  const reader = open();
  const read = (who = reader, signal = never) => who.page({ from, to, state: null }, signal);
  return { open, read, forms, proofs, clock };
}

/** Moves a clock on by what `lateMs` says. */
function lateBy(clock: Clock, lateMs: () => number): void {
  const monotonic = clock.monotonic.bind(clock);
  Object.assign(clock, { monotonic: () => monotonic() + lateMs() });
}

const faultOf = (work: Promise<unknown>): Promise<PenstockError> =>
  work.then(
    () => Promise.reject(new Error('no fault')),
    (e: PenstockError) => e,
  );

describe('a refresh token', () => {
  const auth = { oauth2_refresh_token: { token_url: tokenUrl, client_id: 'id', client_secret: 'cs', refresh_token: 'r0' } };

  it('is exchanged, and the one that follows is kept before anything is asked with the access token', async () => {
    const store = memoryStore();
    const { read, forms, proofs } = opened(
      auth,
      (_form, n) => ({ body: { access_token: `a${n}`, refresh_token: `r${n}` } }),
      store,
    );

    await read();

    expect(forms).toEqual([{ grant_type: 'refresh_token', refresh_token: 'r0', client_id: 'id', client_secret: 'cs' }]);
    expect([[...store.kept.values()], proofs]).toEqual([['r1'], ['Bearer a1']]);
  });

  it('is spent by a client that proves itself by its key, and the next one is kept', async () => {
    const byKey = {
      token_url: tokenUrl,
      client_id: 'id',
      private_key: pem,
      key_id: 'k1',
      refresh_token: 'r0',
      form: { resource: 'logs' },
    };
    const store = memoryStore();
    const vendor = opened(
      { oauth2_refresh_token: byKey },
      (_form, n) => ({ body: { access_token: `a${n}`, refresh_token: `r${n}` } }),
      store,
    );

    await vendor.read();
    await vendor.read(vendor.open());

    const assertions = [];
    for (const { client_assertion: assertion = '' } of vendor.forms) {
      const { payload } = await jwtVerify(assertion, publicKey, { currentDate: new Date(vendor.clock.now()) });
      assertions.push([decodeProtectedHeader(assertion).kid, payload.iss, payload.sub, payload.aud]);
    }
    expect(vendor.forms.map(({ client_assertion: _a, ...form }) => form)).toEqual(
      ['r0', 'r1'].map((refresh_token) => ({
        grant_type: 'refresh_token',
        refresh_token,
        resource: 'logs',
        client_id: 'id',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      })),
    );
    expect(assertions).toEqual([0, 1].map(() => ['k1', 'id', 'id', tokenUrl]));
    expect([...store.kept.values()]).toEqual(['r2']);
  });

  it('is not spent by a client whose key cannot sign', async () => {
    const byKey = { token_url: tokenUrl, client_id: 'id', private_key: pem, algorithm: 'ES256', refresh_token: 'r0' };
    const store = memoryStore();
    const vendor = opened({ oauth2_refresh_token: byKey }, () => ({ body: { access_token: 'a' } }), store);

    expect((await faultOf(vendor.read())).message).toBe('the private key cannot sign by ES256');
    expect([vendor.forms, store.writes]).toEqual([[], 0]);
  });

  it('binds a source to the machine that keeps it, as no other grant does', () => {
    const others = { oauth2_client_credentials: { token_url: tokenUrl, client_id: 'id', client_secret: 'cs' } };

    expect([auth, others, undefined].map((grant) => vendorConnector({}, { auth: grant }).keepsTokens)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('is not used twice, by another process neither', async () => {
    const store = memoryStore();
    const spent = new Set<string>();
    const issue = ({ refresh_token: token = '' }: Record<string, string>, n: number): Reply => {
      if (spent.has(token)) return { status: 400, body: { error: 'invalid_grant' } };
      spent.add(token);
      return { body: { access_token: `a${n}`, refresh_token: `r${n}`, expires_in: 60 } };
    };
    const vendor = opened(auth, issue, store);

    await vendor.read();
    await vendor.read(vendor.open());
    await vendor.read(vendor.open());

    expect(vendor.forms.map(({ refresh_token }) => refresh_token)).toEqual(['r0', 'r1', 'r2']);
  });

  it('stays where the issuer does not replace it, and then nothing is written', async () => {
    const store = memoryStore();
    const vendor = opened(auth, () => ({ body: { access_token: 'a' } }), store);

    await vendor.read();
    await vendor.read(vendor.open());

    expect([vendor.forms.map(({ refresh_token }) => refresh_token), store.writes]).toEqual([['r0', 'r0'], 0]);
  });

  it('that a person sets anew takes the place of the one that is kept', async () => {
    const store = memoryStore();
    const issue = (_form: unknown, n: number): Reply => ({ body: { access_token: `a${n}`, refresh_token: `n${n}` } });
    await opened(auth, issue, store).read();
    const renewed = { oauth2_refresh_token: { ...auth.oauth2_refresh_token, refresh_token: 'again' } };
    const vendor = opened(renewed, issue, store);

    await vendor.read();

    expect(vendor.forms[0]?.['refresh_token']).toBe('again');
  });

  it('is shared by all sources that name it with its issuer and client, and by no other', async () => {
    const store = memoryStore();
    const issue = (_form: unknown, n: number): Reply => ({ body: { access_token: `a${n}`, refresh_token: `r${n}` } });
    const first = auth.oauth2_refresh_token;
    const spentBy = async (change: object): Promise<string | undefined> => {
      const vendor = opened({ oauth2_refresh_token: { ...first, ...change } }, issue, store);
      await vendor.read();
      return vendor.forms[0]?.['refresh_token'];
    };

    expect(await spentBy({})).toBe('r0');
    expect(await spentBy({ scope: 'sign-ins' })).toBe('r1');
    expect(await spentBy({ client_id: 'other' })).toBe('r0');
    expect(await spentBy({ token_url: `${tokenUrl}/other` })).toBe('r0');
  });

  it.each([
    ['names no access token', { status: 200, body: { refresh_token: 'r1' } }, 'PEN_SOURCE_BAD_REPLY'],
    [
      'has another status of success',
      { status: 202, body: { access_token: 'a', refresh_token: 'r1' } },
      'PEN_SOURCE_UNAVAILABLE',
    ],
  ])('is kept also where its answer %s', async (_what, reply, code) => {
    const store = memoryStore();

    const fault = await faultOf(opened(auth, () => reply, store).read());

    expect([fault.code, [...store.kept.values()]]).toEqual([code, ['r1']]);
  });

  it('of an answer that refuses is not kept', async () => {
    const store = memoryStore();

    await faultOf(opened(auth, () => ({ status: 400, body: { refresh_token: 'r1' } }), store).read());

    expect(store.writes).toBe(0);
  });

  it.each(['http_window', 'http_cursor'])('that is under way is waited for by a reader of %s that is closed', async (kind) => {
    const store = memoryStore();
    const answer = Promise.withResolvers<Reply>();
    const vendor = opened(
      auth,
      () => answer.promise,
      store,
      kind === 'http_window' ? {} : { kind, 'page.kind': 'link', 'page.link': 'next', 'cursor.overlap': '5m' },
    );
    const reader = vendor.open();
    const stopping = new AbortController();
    const reading = vendor.read(reader, stopping.signal);
    stopping.abort(new Error('stopped'));
    await expect(reading).rejects.toThrow('stopped');

    const seen: string[] = [];
    const closing = Promise.resolve(reader[Symbol.asyncDispose]()).then(() => seen.push('closed', ...store.kept.values()));
    await new Promise((done) => setImmediate(done));
    seen.push('answered');
    answer.resolve({ body: { access_token: 'a', refresh_token: 'r1' } });
    await closing;

    expect(seen).toEqual(['answered', 'closed', 'r1']);
  });

  it('that the issuer refuses holds the source, says what to do, and shows no secret', async () => {
    const store = memoryStore();
    const words = { error: 'invalid_grant', error_description: 'r0 was revoked' };

    const fault = await faultOf(opened(auth, () => ({ status: 400, body: words }), store).read());

    expect([fault.code, fault.message]).toEqual([
      'PEN_SOURCE_REFUSED',
      'https://login.example.com answered 400 "invalid_grant" to the request for an access token',
    ]);
    expect(fault.fix).toMatch(/^authorize the application once more and set the new refresh token/);
    expect(store.writes).toBe(0);
  });

  it('is not spent where the new one could not be kept', async () => {
    const { read, forms } = opened(auth, () => ({ body: { access_token: 'a' } }));

    const fault = await faultOf(read());

    expect([fault.code, forms]).toEqual(['PEN_OPERATION_FAILED', []]);
  });

  it('that was replaced but not kept is no reason to use the access token', async () => {
    const failing: TokenStore = {
      async update(_credential, change) {
        await change(undefined);
        throw new Error('the disk is full');
      },
    };
    const { read, proofs } = opened(auth, () => ({ body: { access_token: 'a', refresh_token: 'r1' } }), failing);

    await expect(read()).rejects.toThrow('the disk is full');
    expect(proofs).toEqual([]);
  });
});

describe('a service account', () => {
  const auth = { oauth2_jwt_bearer: { key: account, scope: 'audit.read', subject: 'admin@example.com' } };

  it('signs a JWT that names issuer, subject, scope and audience', async () => {
    const vendor = opened(auth, () => ({ body: { access_token: 'a', expires_in: 3599 } }));

    await vendor.read();

    const { assertion = '', grant_type } = vendor.forms[0] ?? {};
    const currentDate = new Date(vendor.clock.now());
    const { payload } = await jwtVerify(assertion, publicKey, { currentDate });
    const now = Math.floor(vendor.clock.now() / 1000);
    expect(grant_type).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k1' });
    expect(payload).toEqual({
      iss: 'reader@project.iam.example.com',
      sub: 'admin@example.com',
      aud: tokenUrl,
      scope: 'audit.read',
      jti: expect.any(String) as string,
      iat: now,
      exp: now + 3600,
    });
    expect(vendor.proofs).toEqual(['Bearer a']);
  });

  it('says more of itself where the vendor wants it, for as short as the vendor allows', async () => {
    const more = { claims: { box_sub_type: 'enterprise' }, lifetime: '45s', form: { client_id: 'id', client_secret: 'cs' } };
    const vendor = opened({ oauth2_jwt_bearer: { ...auth.oauth2_jwt_bearer, ...more } }, () => ({ body: { access_token: 'a' } }));

    await vendor.read();

    const { assertion = '', grant_type: _grant, ...form } = vendor.forms[0] ?? {};
    const { payload } = await jwtVerify(assertion, publicKey, { currentDate: new Date(vendor.clock.now()) });
    expect([payload['box_sub_type'], Number(payload.exp) - Number(payload.iat), form]).toEqual([
      'enterprise',
      45,
      { client_id: 'id', client_secret: 'cs' },
    ]);
  });

  it('may be a key in PEM, as it is and with its line feeds written out', async () => {
    for (const key of [pem, pem.replaceAll('\n', '\\n'), privateKey.export({ type: 'pkcs1', format: 'pem' }) as string]) {
      const spec = { key, token_url: tokenUrl, issuer: 'me', audience: 'them', key_id: 'k9', algorithm: 'PS256' };
      const vendor = opened({ oauth2_jwt_bearer: spec }, () => ({ body: { access_token: 'a' } }));

      await vendor.read();

      const assertion = vendor.forms[0]?.['assertion'] ?? '';
      expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'PS256', typ: 'JWT', kid: 'k9' });
    }
  });

  it.each([
    ['no key at all', 'nonsense-secret', 'the private key is not one in PEM'],
    ['JSON without a key', '{"client_email":"nonsense-secret"}', 'the key of the service account is not JSON with a private_key'],
    ['JSON that is cut off', account.slice(0, 300), 'the key of the service account is not JSON with a private_key'],
    ['a key without an address', JSON.stringify({ private_key: pem }), 'the key of the service account names no token endpoint'],
    [
      'an address without TLS',
      JSON.stringify({ private_key: pem, token_uri: 'http://a.example/t' }),
      'the key of the service account names no token endpoint',
    ],
  ])('says what is wrong with %s, and nothing of it', (_what, key, message) => {
    const open = (): unknown =>
      opened({ oauth2_jwt_bearer: { key, ...(key.startsWith('{') ? {} : { token_url: tokenUrl }) } }, () => ({ body: {} }));

    const fault = (() => {
      try {
        return open();
      } catch (error) {
        return error;
      }
    })() as PenstockError;

    expect([fault.code, fault.message]).toEqual(['PEN_CONFIG_INVALID', message]);
    expect(`${fault.message} ${fault.fix ?? ''} ${fault.cause instanceof Error ? fault.cause.message : ''}`).not.toMatch(
      /nonsense|BEGIN PRIVATE|MII/,
    );
  });
});

it('a client proves itself by its key, with a JWT that is new each time', async () => {
  const auth = {
    oauth2_client_credentials: { token_url: tokenUrl, client_id: 'id', private_key: pem, key_id: 'k1', scope: 's' },
  };
  const vendor = opened(auth, () => ({ body: { access_token: 'a' } }));

  await vendor.read();
  await vendor.read(vendor.open());

  const ids = [];
  for (const { client_assertion: assertion = '', client_assertion_type, client_id, client_secret, scope } of vendor.forms) {
    const { payload } = await jwtVerify(assertion, publicKey, { currentDate: new Date(vendor.clock.now()) });
    ids.push(payload.jti);
    expect([client_assertion_type, client_id, client_secret, scope, payload.iss, payload.sub, payload.aud]).toEqual([
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      'id',
      undefined,
      's',
      'id',
      'id',
      tokenUrl,
    ]);
  }
  expect(new Set(ids).size).toBe(2);
});

it('a JWT that a connector signs is the token itself, signed anew before it ends', async () => {
  const jwt = {
    key: pem,
    issuer: 'ACME.PENSTOCK.SHA256:fp=',
    subject: 'ACME.PENSTOCK',
    lifetime: '59m',
    claims: { role: 'AUDITOR' },
  };
  const vendor = opened({ jwt }, () => ({ body: {} }));
  let lateMs = 0;
  lateBy(vendor.clock, () => lateMs);

  for (lateMs of [0, 57 * 60_000, 58 * 60_000 + 1]) await vendor.read();

  const [first = '', second, third] = vendor.proofs.map((proof) => proof?.replace('Bearer ', ''));
  const { payload } = await jwtVerify(first, publicKey, { currentDate: new Date(vendor.clock.now()) });
  expect({ ...payload, jti: undefined, iat: undefined, exp: Number(payload.exp) - Number(payload.iat) }).toEqual({
    iss: 'ACME.PENSTOCK.SHA256:fp=',
    sub: 'ACME.PENSTOCK',
    role: 'AUDITOR',
    exp: 59 * 60,
  });
  expect([vendor.forms, second === first, third === first]).toEqual([[], true, false]);
});

describe('an answer of the issuer', () => {
  const spec = { token_url: tokenUrl, client_id: 'id', client_secret: 'cs' };
  const now = skippingClock().now();

  it.each([
    ['seconds', 600],
    ['seconds as text', '600'],
    ['a time in seconds', Math.floor(now / 1000) + 600],
    ['a time in milliseconds', now + 600_000],
    ['a date', new Date(now + 600_000).toISOString()],
  ])('may say when its token ends in %s', async (_how, until) => {
    const auth = { oauth2_client_credentials: { ...spec, token: 'data.token', expires: 'data.until' } };
    const vendor = opened(auth, (_form, n) => ({ body: { data: { token: `a${n}`, until } } }));
    await vendor.read();
    let lateMs = 0;
    lateBy(vendor.clock, () => lateMs);

    lateMs = 530_000;
    await vendor.read();
    lateMs = 545_000;
    await vendor.read();

    expect(vendor.proofs).toEqual(['Bearer a1', 'Bearer a1', 'Bearer a2']);
  });

  it.each([null, -1, 0, 'soon', {}, 1e300])('that says %j gives its token five minutes', async (until) => {
    const vendor = opened({ oauth2_client_credentials: spec }, (_form, n) => ({
      body: { access_token: `a${n}`, expires_in: until },
    }));
    await vendor.read();
    let lateMs = 0;
    lateBy(vendor.clock, () => lateMs);

    lateMs = 235_000;
    await vendor.read();
    lateMs = 245_000;
    await vendor.read();

    expect(vendor.proofs).toEqual(['Bearer a1', 'Bearer a1', 'Bearer a2']);
  });

  it('that refuses with status 200 holds the source', async () => {
    const fault = await faultOf(
      opened({ oauth2_client_credentials: spec }, () => ({ body: { error: 'invalid_client' } })).read(),
    );

    expect([fault.code, fault.message]).toEqual([
      'PEN_SOURCE_REFUSED',
      'https://login.example.com answered 200 "invalid_client" without an access_token',
    ]);
  });
});

describe('what is signed for a time', () => {
  const days = 2 * 86_400_000;
  const keyed = { token_url: tokenUrl, client_id: 'id', private_key: pem };
  const grants = {
    'a service account': { oauth2_jwt_bearer: { key: account } },
    'a client by its key': { oauth2_client_credentials: keyed },
    'a refresh token of such a client': { oauth2_refresh_token: { ...keyed, refresh_token: 'R0' } },
    'a JWT that is the token': { jwt: { key: pem, issuer: 'x' } },
  };
  const cases = Object.entries(grants).flatMap(([who, auth]) => [-days, 4_000, days].map((offMs) => ({ who, auth, offMs })));

  it.each(cases)('is signed by the time of who takes it, where our clock is $offMs ms off: $who', async ({ auth, offMs }) => {
    const theirs = (): number => vendor.clock.now() - offMs;
    const takes = (token: string): Reply => {
      const { iat } = decodeJwt(token);
      const age = theirs() - Number(iat) * 1000;
      const isFresh = age >= 0 && age < 60_000;
      const headers = { date: new Date(theirs()).toUTCString() };
      if (isFresh) return { headers, body: { access_token: 'a', expires_in: 3600, data: [] } };
      return { status: 'jwt' in auth ? 401 : 400, headers, body: { error: 'invalid_grant' } };
    };
    const issue = ({ assertion, client_assertion }: Record<string, string>): Reply => takes(assertion ?? client_assertion ?? '');
    const api = (proof: string): Reply => ('jwt' in auth ? takes(proof.slice('Bearer '.length)) : { body: { data: [] } });
    const vendor = opened(auth, issue, memoryStore(), {}, api);

    expect(await vendor.read()).toMatchObject({ records: [] });
    expect(vendor.forms.length + vendor.proofs.length).toBe('jwt' in auth ? 2 : 3);
  });

  it('is asked for once where the time is right and the credential wrong', async () => {
    const headers = (): Record<string, string> => ({ date: new Date(vendor.clock.now()).toUTCString() });
    const issue = (): Reply => ({ status: 400, headers: headers(), body: { error: 'invalid_grant' } });
    const vendor = opened(grants['a service account'], issue);

    expect((await faultOf(vendor.read())).code).toBe('PEN_SOURCE_REFUSED');
    expect(vendor.forms.length).toBe(1);
  });
});

describe("a login of the vendor's own", () => {
  const login = { url: tokenUrl, body: { user: 'u', more: { code: 7 } }, token: 'data.key' };

  it('is made once, and again when its token is refused', async () => {
    const valid = ['k1'];
    const api = (proof: string): Reply =>
      valid.includes(proof.replace('Bearer ', '')) ? { body: { data: [] } } : { status: 401, body: {} };
    const vendor = opened({ login }, (_, count) => ({ body: { data: { key: `k${count}` } } }), undefined, {}, api);

    await vendor.read();
    await vendor.read();
    valid[0] = 'k2';
    await vendor.read();

    expect(vendor.proofs).toEqual(['Bearer k1', 'Bearer k1', 'Bearer k1', 'Bearer k2']);
  });

  it('is made anew when the life that the connector says has passed', async () => {
    const vendor = opened({ login: { ...login, lifetime: '30m' } }, (_, count) => ({ body: { data: { key: `k${count}` } } }));
    let ms = 0;
    lateBy(vendor.clock, () => ms);

    await vendor.read();
    ms = 28 * 60_000;
    await vendor.read();
    ms = 30 * 60_000;
    await vendor.read();

    expect(vendor.proofs).toEqual(['Bearer k1', 'Bearer k1', 'Bearer k2']);
  });

  it.each([200, 204])('finds its token in a header of an answer %i', async (status) => {
    const spec = { url: tokenUrl, basic: { username: 'u', password: 'p' }, token_header: 'X-Auth-Token' };
    const vendor = opened({ login: spec }, () => ({ status, headers: { 'x-auth-token': 'k1' }, body: {} }));

    await vendor.read();

    expect(vendor.proofs).toEqual(['Bearer k1']);
  });

  it('that is refused holds the source and says what to look at', async () => {
    const vendor = opened({ login }, () => ({ status: 401, body: { message: 'wrong' } }));

    const fault = await faultOf(vendor.read());

    expect([fault.code, fault.status, fault.fix]).toEqual([
      'PEN_SOURCE_REFUSED',
      401,
      'check what the source sends to log in; collection resumes by itself once that is right',
    ]);
  });
});

it.each([
  ['oauth2_client_credentials', { token_url: tokenUrl, client_id: 'c', client_secret: 's' }],
  ['oauth2_refresh_token', { token_url: tokenUrl, client_id: 'c', refresh_token: 'r' }],
  ['oauth2_jwt_bearer', { key: account }],
])('the token of %s goes into the header that the connector names', async (kind, grant) => {
  const header = { name: 'Authorization', value: 'Zoho-oauthtoken {{ token }}' };
  const vendor = opened({ [kind]: { ...grant, header } }, () => ({ body: { access_token: 'a' } }), memoryStore());

  await vendor.read();

  expect(vendor.proofs).toEqual(['Zoho-oauthtoken a']);
});
