import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { systemSeams } from '../../src/base/seams.ts';
import {
  type OAuth2Settings,
  oauth2ClientCredentials,
  openHttpClient,
  retryAfterMs,
  type TokenSource,
} from '../../src/http/index.ts';
import { serve } from './servers.ts';

interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of disposables.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

interface Issuer {
  readonly source: TokenSource;
  readonly requests: { authorization: string | undefined; form: Record<string, string> }[];
  readonly clock: { now: number };
}

/** A token endpoint that gives `token-1`, `token-2` ... unless it is told otherwise. */
async function issuer(settings: Partial<OAuth2Settings> = {}, replies: Reply[] = []): Promise<Issuer> {
  const requests: Issuer['requests'] = [];
  const server = await serve((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      requests.push({ authorization: request.headers.authorization, form: Object.fromEntries(new URLSearchParams(text)) });
      const reply = replies.shift() ?? {
        status: 200,
        body: { access_token: `token-${requests.length}`, token_type: 'Bearer', expires_in: 900 },
      };
      response
        .writeHead(reply.status, reply.headers ?? {})
        .end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
    });
  });
  const clock = { now: 0 };
  const system = systemSeams();
  const moved: Clock = { ...system.clock, now: () => clock.now, monotonic: () => clock.now };
  const http = await openHttpClient({ userAgent: 'x' }, system, {});
  disposables.push(server, http);
  const all = { token_url: `http://127.0.0.1:${server.port}/token`, client_id: 'id', client_secret: 'se&cret', ...settings };
  return { source: oauth2ClientCredentials(all, http, { ...system, clock: moved }), requests, clock };
}

describe('a token', () => {
  it('is asked for by form fields', async () => {
    const { source, requests } = await issuer({ scope: 'a b', audience: 'api' });

    const token = await source.token();

    expect(token).toBe('token-1');
    expect(requests).toEqual([
      {
        authorization: undefined,
        form: { grant_type: 'client_credentials', client_id: 'id', client_secret: 'se&cret', scope: 'a b', audience: 'api' },
      },
    ]);
  });

  it.each([
    ['a byte order mark before the answer', { status: 200, body: '\ufeff{"access_token":"token-x"}' }],
    ['a line end behind the token', { status: 200, body: { access_token: 'token-x\n' } }],
    ['a success that a proxy changed', { status: 203, body: { access_token: 'token-x' } }],
  ])('is found in spite of %s', async (_what, reply) => {
    const { source } = await issuer({}, [reply]);

    expect(await source.token()).toBe('token-x');
  });

  it('is asked for with Basic, both parts form-encoded', async () => {
    const { source, requests } = await issuer({ auth_style: 'basic' });

    await source.token();

    expect(requests[0]).toEqual({
      authorization: `Basic ${Buffer.from('id:se%26cret').toString('base64')}`,
      form: { grant_type: 'client_credentials' },
    });
  });

  it('is kept until 60 s before its end', async () => {
    const { source, requests, clock } = await issuer();

    const tokens = [await source.token()];
    clock.now = 839_000;
    tokens.push(await source.token());
    clock.now = 840_000;
    tokens.push(await source.token());

    expect([tokens, requests.length]).toEqual([['token-1', 'token-1', 'token-2'], 2]);
  });

  it('is minted by one request for all who wait', async () => {
    const { source, requests } = await issuer();

    const tokens = await Promise.all([source.token(), source.token(), source.token()]);

    expect([tokens, requests.length]).toEqual([['token-1', 'token-1', 'token-1'], 1]);
  });

  it('goes on being minted when one of those who wait gives up', async () => {
    const { source } = await issuer();
    const reason = new Error('stop');

    const [given, token] = await Promise.allSettled([source.token(AbortSignal.abort(reason)), source.token()]);

    expect(given).toEqual({ status: 'rejected', reason });
    expect(token).toEqual({ status: 'fulfilled', value: 'token-1' });
  });

  it('is minted again after it was refused, but not when another is already there', async () => {
    const { source, requests } = await issuer();

    const first = await source.token();
    source.invalidate(first);
    const second = await source.token();
    source.invalidate(first);
    const third = await source.token();

    expect([first, second, third, requests.length]).toEqual(['token-1', 'token-2', 'token-2', 2]);
  });

  it('without a lifetime is kept for some minutes, and one of a few seconds for half of them', async () => {
    const { source, clock } = await issuer({}, [
      { status: 200, body: { access_token: 'a' } },
      { status: 200, body: { access_token: 'b', expires_in: '10' } },
    ]);

    const tokens = [await source.token()];
    clock.now = 239_000;
    tokens.push(await source.token());
    clock.now = 241_000;
    tokens.push(await source.token());
    clock.now = 245_000;
    tokens.push(await source.token());
    clock.now = 246_001;
    tokens.push(await source.token());

    expect(tokens).toEqual(['a', 'a', 'b', 'b', 'token-3']);
  });
});

describe('a token endpoint', () => {
  it.each([
    [400, { error: 'invalid_client', error_description: 'secret se&cret is wrong' }, 'PEN_SOURCE_REFUSED'],
    [400, { error: 'the secret se&cret is wrong' }, 'PEN_SOURCE_REFUSED'],
    [401, 'nope', 'PEN_SOURCE_REFUSED'],
    [403, {}, 'PEN_SOURCE_REFUSED'],
    [404, {}, 'PEN_SOURCE_REFUSED'],
    [408, {}, 'PEN_SOURCE_UNAVAILABLE'],
    [425, {}, 'PEN_SOURCE_UNAVAILABLE'],
    [429, {}, 'PEN_SOURCE_UNAVAILABLE'],
    [500, '<html>', 'PEN_SOURCE_UNAVAILABLE'],
    [200, '<html>login</html>', 'PEN_SOURCE_BAD_REPLY'],
    [200, { access_token: '' }, 'PEN_SOURCE_BAD_REPLY'],
  ])('that answers %s %j gives %3$s', async (status, body, code) => {
    const { source } = await issuer({}, [{ status, body }]);

    const error = (await source.token().catch((caught: unknown) => caught)) as Error;

    expect(error).toMatchObject({ code, status });
    expect(error.message).not.toContain('se&cret');
  });

  it('that refused once is asked again by the next who needs a token', async () => {
    const { source } = await issuer({}, [{ status: 401, body: {} }]);

    await source.token().catch(() => undefined);
    const token = await source.token();

    expect(token).toBe('token-2');
  });
});

describe('Retry-After', () => {
  const clock: Clock = { ...systemSeams().clock, now: () => Date.UTC(2026, 10, 21, 10) };

  it.each([
    ['7', 7000],
    ['0', 0],
    ['100000', 600_000],
    ['Sat, 21 Nov 2026 10:00:20 GMT', 20_000],
    ['Sat, 21 Nov 2026 09:00:00 GMT', 0],
    ['-5', undefined],
    ['1.5', 1_500],
    ['soon', undefined],
    ['', undefined],
  ])('"%s" asks for %s ms', (text, ms) => {
    expect(retryAfterMs({ 'retry-after': text }, clock)).toBe(ms);
  });

  it('may be missing', () => {
    expect(retryAfterMs({}, clock)).toBeUndefined();
  });
});
