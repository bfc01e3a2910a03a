import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { createSecrets } from '../../src/base/secrets.ts';
import { Body } from '../../src/http/body.ts';
import type { HttpClient, HttpClientSettings } from '../../src/http/client.ts';
import { openHttpClient, ReplyMemory } from '../../src/http/index.ts';
import { Share } from '../../src/http/reply-memory.ts';
import { expectLinear } from '../cost.ts';
import { type Handler, serve } from './servers.ts';

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of disposables.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function server(handler: Handler): Promise<URL> {
  const listening = await serve(handler);
  disposables.push(listening);
  return new URL(`http://127.0.0.1:${listening.port}/`);
}

async function client(settings: Partial<HttpClientSettings>): Promise<HttpClient> {
  const opened = await openHttpClient({ userAgent: 'penstock/test', ...settings }, systemSeams(), {});
  disposables.push(opened);
  return opened;
}

const get = (url: URL, timeoutMs = 30_000) => ({ method: 'GET', url, timeoutMs, maxBytes: 10_000_000 }) as const;
const ignore = (): void => undefined;

describe('a body', () => {
  it('in chunks of one byte costs what its bytes cost', () => {
    const one = Buffer.from('x');
    expectLinear((length) => {
      const body = new Body(2_000_000, new Share(new ReplyMemory(), ignore));
      for (let at = 0; at < length; at += 1) void body.append(one);
      return body.bytes();
    });
  });

  it('is what came, and its share is never more than twice of that', async () => {
    const share = new Share(new ReplyMemory(), ignore);
    const body = new Body(3_000_000, share);
    const chunks = Array.from({ length: 40 }, (_, at) => Buffer.alloc(50_000, at));

    for (const chunk of chunks) await body.append(chunk);

    expect(body.bytes().equals(Buffer.concat(chunks))).toBe(true);
    expect(share.bytes).toBeLessThanOrEqual(4_000_000);
  });
});

describe('a body whose length was told', () => {
  it('is made room for at once, and is what came', async () => {
    const share = new Share(new ReplyMemory(), ignore);
    const body = new Body(3_000_000, share);
    const chunks = Array.from({ length: 16 }, (_, at) => Buffer.alloc(50_000, at));
    body.expected = 800_000;

    await body.append(Buffer.alloc(0));
    for (const chunk of chunks) await body.append(chunk);

    expect(body.bytes().equals(Buffer.concat(chunks))).toBe(true);
    expect(share.bytes).toBe(800_000);
  });

  it.each([Number.MAX_VALUE, Number.NaN, -1, 1])('of %d is believed as far as what has come allows', async (told) => {
    const share = new Share(new ReplyMemory(), ignore);
    const body = new Body(3_000_000, share);
    body.expected = told;

    await body.append(Buffer.alloc(150_000, 1));
    await body.append(Buffer.alloc(150_000, 2));

    expect(body.bytes().equals(Buffer.concat([Buffer.alloc(150_000, 1), Buffer.alloc(150_000, 2)]))).toBe(true);
    expect(share.bytes).toBe(told > 1 ? 2_400_000 : 300_000);
  });
});

describe('the memory of all replies', () => {
  it('lets a reply go on once another has ended', async () => {
    const memory = new ReplyMemory(1_000_000);
    const [first, second] = [new Share(memory, ignore), new Share(memory, ignore)];

    expect(first.grow(600_000)).toBeUndefined();
    const waiting = second.grow(500_000);
    first.end();

    await waiting;
    expect(second.bytes).toBe(500_000);
  });

  it('lets small replies go on however full it is, and one that is larger than all of it alone', () => {
    const memory = new ReplyMemory(1_000_000);
    const [large, small] = [new Share(memory, ignore), new Share(memory, ignore)];

    expect(large.grow(5_000_000)).toBeUndefined();
    expect(small.grow(200_000)).toBeUndefined();
  });

  it('gives up what has taken the most for the longest, not the one that is quick', async () => {
    const memory = new ReplyMemory(1_000_000, 0);
    const given: string[] = [];
    const [slow, quick] = ['slow', 'quick'].map((name) => new Share(memory, () => void given.push(name)));

    void slow?.grow(900_000);
    await quick?.grow(800_000);

    expect(given).toEqual(['slow']);
    expect(quick?.bytes).toBe(800_000);
  });

  it('keeps slow replies of some vendors from stopping the others', async () => {
    const replies = new ReplyMemory(1_500_000, 50);
    const held: ServerResponse[] = [];
    const endless = await server((_request, response) => {
      held.push(response);
      response.write(Buffer.alloc(700_000));
    });
    const healthy = await server((_request, response) => void response.end(Buffer.alloc(400_000, 'a')));
    const http = await client({ memory: replies });

    const hostile = [1, 2, 3].map(async () => await http.request(get(endless)).then(() => 'answered', String));
    const answer = await http.request(get(healthy));

    expect(answer.body.length).toBe(400_000);
    expect(await Promise.race(hostile)).toMatch(/given up at \d+ bytes: all replies together may take 1500000/);
    for (const response of held) response.destroy();
    await Promise.all(hostile);
  });
});

describe('a compressed reply that waits for its share', () => {
  const zipped = gzipSync(Buffer.alloc(3_000_000, 'a'));
  const waiting = async (patienceMs: number) => {
    const memory = new ReplyMemory(1_500_000, patienceMs);
    // Read to its end, so that nobody takes it away: a reply that waits is the one to be given up.
    const held = new Share(memory, ignore);
    void held.grow(1_200_000);
    held.working = 1;
    const asked = Promise.withResolvers<void>();
    const url = await server((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(zipped, asked.resolve);
    });
    return { http: await client({ memory }), url, asked: asked.promise };
  };

  it('ends when it is given up', async () => {
    const { http, url } = await waiting(0);

    await expect(http.request(get(url))).rejects.toThrow(/given up at \d+ bytes/);
  });

  it('ends with its time', async () => {
    const { http, url } = await waiting(60_000);

    await expect(http.request(get(url, 300))).rejects.toThrow('within 300 ms');
  });

  it('ends with its source', async () => {
    const { http, url, asked } = await waiting(60_000);
    const stop = new AbortController();

    const answer = http.request({ ...get(url), signal: stop.signal });
    await asked;
    stop.abort(new Error('stopped'));

    await expect(answer).rejects.toThrow('stopped');
  });
});

describe('work on replies', () => {
  const never = new AbortController().signal;
  const mb = 1_000_000;
  /** Shares of so many MB that wait for their turn, in this order; and those that have had it, in theirs. */
  const waiting = (...sizes: readonly number[]) => {
    const memory = new ReplyMemory();
    const turns: number[] = [];
    const shares = sizes.map((size) => {
      const share = new Share(memory, ignore);
      void share.turn(size * mb, never)?.then(() => turns.push(size));
      return share;
    });
    return { memory, turns, shares };
  };
  const settled = () => new Promise((done) => setImmediate(done));

  it('goes on with as many at a time as have a few MiB together, the smallest first, each until it is done with', async () => {
    const { shares, turns } = waiting(9, 16, 3, 5, 8);
    const after: number[][] = [];
    for (const share of [undefined, shares[0], shares[2], shares[3], shares[4]]) {
      share?.end();
      await settled();
      after.push([...turns]);
    }

    expect(after).toEqual([
      [9, 3],
      [9, 3, 5, 8],
      [9, 3, 5, 8],
      [9, 3, 5, 8],
      [9, 3, 5, 8, 16],
    ]);
  });

  it('lets a small reply go on at once, and one of middle size beside large ones', async () => {
    const { memory, turns } = waiting(16, 16, 1, 2);
    await settled();

    expect(turns).toEqual([16, 1, 2]);
    expect(new Share(memory, ignore).turn(200_000, never)).toBeUndefined();
  });

  it('lets no large reply wait for ever while smaller ones go on coming', async () => {
    const { memory, shares, turns } = waiting(10, 16);
    let last = shares[0];
    for (let size = 11; !turns.includes(16) && size < 40; size += 0.5) {
      const next = new Share(memory, ignore);
      void next.turn(10 * mb, never)?.then(() => turns.push(10));
      last?.end();
      last = next;
      await settled();
    }

    expect(turns).toEqual([10, 10, 10, 10, 10, 16]);
  });

  it('is not waited for by a reply that is given up for another, and gives none up itself', async () => {
    const memory = new ReplyMemory(20 * mb, 0);
    const given = new AbortController();
    const [first, second, third] = [ignore, (error: Error) => given.abort(error), ignore].map(
      (giveUp) => new Share(memory, giveUp),
    );
    void first?.grow(10 * mb);
    await first?.turn(10 * mb, never);
    void second?.grow(10 * mb);
    const turn = second?.turn(10 * mb, given.signal);

    await Promise.race([third?.grow(2 * mb), turn]).catch(ignore);

    await expect(turn).rejects.toThrow('given up at 10000000 bytes');
    expect(first?.bytes).toBe(10 * mb);
  });

  it('is over when whoever asked says so, not before', async () => {
    const memory = new ReplyMemory();
    const url = await server((_request, response) => void response.end(Buffer.alloc(9_000_000, 'a')));
    const http = await client({ memory });
    const ask = { ...get(url), maxBytes: 10_000_000 };
    using held = new DisposableStack();
    await http.request({ ...ask, held });

    const second = http.request({ ...ask, timeoutMs: 1500 }).then(() => 'answered', String);

    expect(await second).toContain('no whole answer');
    const third = http.request({ ...ask });
    held.dispose();
    expect((await third).body.length).toBe(9_000_000);
  });
});

describe('a client', () => {
  it.each([
    ['a bearer token', { authorization: 'Bearer minted-token-0001' }, ['minted-token-0001']],
    [
      'Basic',
      { authorization: `Basic ${Buffer.from('user:pa55word!').toString('base64')}` },
      ['pa55word!', Buffer.from('user:pa55word!').toString('base64')],
    ],
    ['a key as the name of Basic', { authorization: `Basic ${Buffer.from('key-0001:').toString('base64')}` }, ['key-0001']],
    ['a header of its own', { 'DD-API-KEY': 'dd-key-0001' }, ['dd-key-0001']],
    ['a scheme of its own', { authorization: 'Splunk hec-token-0001' }, ['hec-token-0001']],
    [
      'a signature of AWS',
      {
        authorization: `AWS4-HMAC-SHA256 Credential=AK/20261129/eu-1/s3/aws4_request, SignedHeaders=host, Signature=${'0a1b2c3d'.repeat(8)}`,
      },
      ['0a1b2c3d'.repeat(8)],
    ],
    ['a signature of a webhook', { 'webhook-signature': 'v1,c2lnbmVkLTAwMDEtc2ln=' }, ['c2lnbmVkLTAwMDEtc2ln']],
    ['a cookie', { cookie: 'sid=session-0001' }, ['sid=session-0001']],
  ])('knows %s before the request leaves', async (_name, headers, expected) => {
    const secrets = createSecrets();
    let seen = '';
    const url = await server((_request, response) => {
      seen = secrets.scrub(expected.join(' '));
      response.end();
    });

    await (await client({ secrets })).request({ ...get(url), headers });

    expect(seen).toBe(expected.map(() => '[REDACTED]').join(' '));
  });

  it('knows a signature, whatever the header is called that carries it', async () => {
    const secrets = createSecrets();
    const url = await server((_request, response) => void response.end());

    await (await client({ secrets })).request({
      ...get(url),
      headers: { 'x-own': 'signed-0001-own' },
      proofs: ['signed-0001-own'],
    });

    expect(secrets.scrub('signed-0001-own')).toBe('[REDACTED]');
  });

  it('knows keys in URLs and forms, and the credentials of a proxy', async () => {
    const secrets = createSecrets();
    const url = await server((_request, response) => void response.end());
    const http = await client({ secrets, proxy: `http://user:proxy%2Fpass@${url.host}` });

    await http.request({
      method: 'POST',
      url: new URL('http://vendor.example/in?api_key=query-key-0001&sig=signed-url-0001&since=2026'),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        client_secret: 'form/secret-0001',
        assertion: 'signed-jwt-0001',
        code: 'granted-code-0001',
        refresh_token: 'refreshed-0001',
        scope: 'audit-read',
      }).toString(),
      timeoutMs: 5000,
      maxBytes: 1000,
    });

    expect(secrets.scrub('signed-url-0001 granted-code-0001 refreshed-0001')).toBe('[REDACTED] [REDACTED] [REDACTED]');
    expect(secrets.scrub('query-key-0001 form/secret-0001 signed-jwt-0001 proxy/pass proxy%2fpass audit-read 2026')).toBe(
      '[REDACTED] [REDACTED] [REDACTED] [REDACTED] [REDACTED] audit-read 2026',
    );
  });

  it('takes no place in a list, kind of credential or ordinary text for a secret', async () => {
    const secrets = createSecrets();
    const url = await server((_request, response) => void response.end());
    const pairs = {
      pageToken: 'place-0001',
      $skiptoken: 'place-0002',
      next_page_token: 'place-0003',
      token_type: 'jwt-bearer',
      token: '2026-11-30T10:00:00Z',
      session: '1796034048042',
      include_tokens: 'true',
      from_token: 'place-0004',
    };

    await (await client({ secrets })).request({
      ...get(new URL(`?${new URLSearchParams(pairs).toString()}`, url)),
      headers: { 'x-snowflake-authorization-token-type': 'PROGRAMMATIC_ACCESS_TOKEN' },
      place: 'place-0004',
    });

    const text = [...Object.values(pairs), 'PROGRAMMATIC_ACCESS_TOKEN'].join(' ');
    expect(secrets.scrubValues(text)).toBe(text);
  });
});
