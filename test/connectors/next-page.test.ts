import { describe, expect, it } from 'vitest';
import { linkState } from '../../src/connectors/http-window/links.ts';
import { faultOf, openVendor, pageOf, pathsAsked, type Vendor, vendorConnector, walk } from './vendor.ts';

const since = '{{ window.from }}';
const from = '2026-11-21T09:00:00.000Z';
const offset = { 'page.kind': 'offset', 'request.query': { from: since, skip: '{{ page.offset }}' } };
const number = { 'page.kind': 'page_number', 'request.query': { from: since, page: '{{ page.number }}' } };
const token = { 'page.kind': 'token', 'page.token': 'next', 'request.query': { from: since, after: '{{ page.token }}' } };
const data = [{ id: 1 }];

it('is stored without a parameter that holds a secret, alone or beside other text', () => {
  const url = new URL('https://api.example.com/logs?key=s3cr%2Ft-value');
  const target = '/logs?page=2&key=s3cr%2Ft-value&other=%20s3cr%2Ft-value%00';

  const state = linkState(target, { kind: 'link_header' } as never, { url, secrets: ['s3cr/t-value'] });

  expect(state).toEqual({ kind: 'link', path: '/logs?page=2' });
});

describe('a next page that is no text', () => {
  const link = { 'page.kind': 'link', 'page.link': 'next' };

  it.each([{ href: '/p2' }, { value: 't' }, true, [{ href: '/p2' }], [true]])(
    'is a bad reply, and never the end: %j',
    async (next) => {
      for (const setting of [token, link]) {
        const error = await faultOf(openVendor(vendorConnector(setting), () => ({ body: { data, next } })));

        expect(error).toMatchObject({
          code: 'PEN_SOURCE_BAD_REPLY',
          message: 'the reply has no text at next, where the next page should stand',
        });
        expect(error?.fix).toMatch(/^read\.page\.(token|link) of the connector must lead to the (token|link) itself/);
      }
    },
  );

  it.each([undefined, null, false, '', {}, []])('is the end where nothing stands there: %j', async (next) => {
    for (const setting of [token, link])
      expect((await pageOf(openVendor(vendorConnector(setting), () => ({ body: { data, next } })))).next).toBeNull();
  });
});

it('is a bad reply where the header of links holds an address alone, and never the end', async () => {
  const connector = vendorConnector({ 'page.kind': 'link_header' });
  const headers = { link: 'https://api.example.com/v1/logs?page=2; rel="next"' };

  const error = await faultOf(openVendor(connector, () => ({ body: { data }, headers })));

  expect(error).toMatchObject({ code: 'PEN_SOURCE_BAD_REPLY', fix: expect.stringContaining('page.kind: link') as string });
});

it.each([
  [0, 0],
  [0, '0'],
  ['-1', -1],
  ['none', 'none'],
])('is the end where the token is what the connector says: %j', async (end, next) => {
  const setting = { ...token, 'page.end': end };

  expect((await pageOf(openVendor(vendorConnector(setting), () => ({ body: { data, next } })))).next).toBeNull();
  expect((await pageOf(openVendor(vendorConnector(setting), () => ({ body: { data, next: 'c' } })))).next).not.toBeNull();
  expect((await pageOf(openVendor(vendorConnector(token), () => ({ body: { data, next } })))).next).not.toBeNull();
});

describe('a flag for more pages', () => {
  const settings = [offset, number, token].map((kind) => ({ ...kind, 'page.more': 'more' }));

  it.each([true, 1, 20, 'true', 'True', '1', 'yes', 'Y', ' on '])('says yes with %j', async (more) => {
    for (const setting of settings) {
      const vendor = openVendor(vendorConnector(setting), () => ({ body: { data, more, next: 't' } }));

      expect((await pageOf(vendor)).next).not.toBeNull();
    }
  });

  it.each([false, 0, 'false', 'FALSE', '0', 'no', 'N', 'off'])('says no with %j', async (more) => {
    for (const setting of settings) {
      const vendor = openVendor(vendorConnector(setting), () => ({ body: { data, more, next: 't' } }));

      expect((await pageOf(vendor)).next).toBeNull();
    }
  });

  it.each(['maybe', {}, [], [true], -1, 1.5, '-1', 'https'])('that is no answer is a bad reply: %j', async (more) => {
    for (const setting of settings) {
      const vendor = openVendor(vendorConnector(setting), () => ({ body: { data, more, next: 't' } }));

      expect((await faultOf(vendor))?.code).toBe('PEN_SOURCE_BAD_REPLY');
    }
  });

  it.each([undefined, null, ''])('that is missing (%j) never ends a walk that may go on', async (more) => {
    const ids = await Promise.all(
      settings.map((setting) =>
        walk(
          openVendor(vendorConnector(setting), (_request, count) => ({
            body: { data: count < 3 ? [{ id: count }] : [], more, ...(count < 3 ? { next: `t${count}` } : {}) },
          })),
        ),
      ),
    );

    expect(ids).toEqual([
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });
});

/** Three pages of one record each, of which the first two lead on to `target`, in the body or in a header. */
function linking(settings: Readonly<Record<string, unknown>>, target: (count: number) => string): Vendor {
  return openVendor(vendorConnector(settings), (_request, count) => {
    const next = count < 2 ? target(count) : undefined;
    const body = { data: [{ id: count }], links: { next } };
    if (next === undefined) return { body };
    return { body, headers: { link: `<${next}>; rel="next"`, 'x-next': next, 'x-links': `<${next}>; rel=next` } };
  });
}

const linkKinds = [
  { 'page.kind': 'link', 'page.link': 'links.next' },
  { 'page.kind': 'link', 'page.header': 'X-Next' },
  { 'page.kind': 'link_header' },
  { 'page.kind': 'link_header', 'page.header': 'X-Links' },
];

describe.each(linkKinds)('a link, found as %j says', (kind) => {
  it.each([
    ['https://api.example.com/v2/x?after=1', '/v2/x?after=1'],
    ['//api.example.com/v2/x?after=1', '/v2/x?after=1'],
    ['/v2/x?after=1', '/v2/x?after=1'],
    // As a base address that ends in a slash makes it.
    ['https://api.example.com//evil.example/x?after=1', '//evil.example/x?after=1'],
    ['more?after=1', '/v1/more?after=1'],
    ['../x?after=1', '/x?after=1'],
    ['?page[after]=X', '/v1/logs?page[after]=X'],
  ])('resolves against the request: %s', async (link, asked) => {
    const vendor = linking(kind, () => link);

    expect(await walk(vendor)).toEqual([0, 1, 2]);
    expect(pathsAsked(vendor)[1]).toBe(asked);
    expect(vendor.asked.map(({ url }) => url.origin)).toEqual(Array(3).fill('https://api.example.com'));
  });

  it('keeps parameters of the request that it does not name, where the connector says so', async () => {
    const vendor = linking({ ...kind, 'page.link_query': 'kept' }, (count) => `?page[after]=${count}`);

    await walk(vendor);

    expect(pathsAsked(vendor)).toEqual([
      `/v1/logs?from=${from}`,
      `/v1/logs?from=${from}&page[after]=0`,
      `/v1/logs?from=${from}&page[after]=1`,
    ]);
  });

  it.each(['https://internal:8443/v1/logs?p=2', 'http://api.example.com/v1/logs?p=2', '//10.0.0.7/v1/logs?p=2'])(
    'that leads elsewhere is refused, or taken at our own address where the connector says so: %s',
    async (link) => {
      const [refused, ignored] = [linking(kind, () => link), linking({ ...kind, 'page.link_host': 'ignored' }, () => link)];

      expect((await faultOf(refused))?.code).toBe('PEN_FOREIGN_ORIGIN');
      expect(await walk(ignored)).toEqual([0, 1, 2]);
      expect(ignored.asked.map(({ url }) => url.origin)).toEqual(Array(3).fill('https://api.example.com'));
    },
  );

  it.each(['', '&key=s3cret', '&key=s3cret&x=s3cret'])(
    'goes out with the secret parameters of the request, and is stored without: a link with "%s"',
    async (echoed) => {
      const query = { from: since, key: '{{ options.token }}', auth: 'Key {{ options.token }}' };
      const vendor = linking({ ...kind, 'request.query': query }, (count) => `/v1/logs?after=${count}${echoed}`);

      const { next } = await pageOf(vendor);
      await walk(vendor);

      expect(next).toEqual({ kind: 'link', path: '/v1/logs?after=0' });
      expect(pathsAsked(vendor).slice(2)).toEqual(['/v1/logs?after=1&key=s3cret&auth=Key s3cret']);
    },
  );

  it.each(['signature', 'sig', 'access_token', 'X-Amz-Signature', 'token', 'password'])(
    'keeps a parameter of the vendor, whatever its name: %s',
    async (name) => {
      const vendor = linking(kind, (count) => `/v1/logs?after=${count}&${name}=a%2Bb%20c`);

      expect((await pageOf(vendor)).next).toEqual({ kind: 'link', path: `/v1/logs?after=0&${name}=a%2Bb%20c` });
    },
  );

  it('is stored without a secret in its path, and asked with it', async () => {
    const read = {
      ...kind,
      'request.url': 'https://api.example.com/keys/{{ options.token }}/logs',
      'request.query': { from: since },
    };
    const token = 's3cret/of the vendor';
    const path = `/keys/${encodeURIComponent(token)}/logs`;
    const vendor = openVendor(
      vendorConnector(read),
      (_request, count) => {
        const next = count < 2 ? `${path}?after=${count}` : undefined;
        const body = { data: [{ id: count }], links: { next } };
        if (next === undefined) return { body };
        return { body, headers: { link: `<${next}>; rel="next"`, 'x-next': next, 'x-links': `<${next}>; rel=next` } };
      },
      { token },
    );

    const { next } = await pageOf(vendor);
    await walk(vendor);

    expect(JSON.stringify(next)).not.toContain('s3cret');
    expect(vendor.asked.map(({ url }) => url.pathname)).toEqual(Array(vendor.asked.length).fill(path));
  });

  it('to another host never takes a secret along', async () => {
    const query = { from: since, key: '{{ options.token }}' };
    const vendor = linking({ ...kind, 'request.query': query, 'page.link_host': 'ignored' }, () => 'https://evil.example/x');

    await walk(vendor);

    expect(vendor.asked.filter(({ url }) => url.origin !== 'https://api.example.com')).toEqual([]);
  });
});

const writings: readonly (readonly [string, (text: string) => string])[] = [
  ['as it is', String],
  ['in percents', encodeURIComponent],
  ['in base64', (text) => Buffer.from(text).toString('base64')],
  ['in base64 without padding', (text) => Buffer.from(text).toString('base64').replace(/=+$/, '')],
  ['in base64url', (text) => Buffer.from(text).toString('base64url')],
  ['in hex', (text) => Buffer.from(text).toString('hex')],
  ['in hex of capitals', (text) => Buffer.from(text).toString('hex').toUpperCase()],
  ['in small percents', (text) => encodeURIComponent(text).replaceAll(/%../g, (escaped) => escaped.toLowerCase())],
];

it.each(writings)('stores no secret that stands in a page token %s, and sends the token as it came', async (_, write) => {
  const secret = 's3cret/of the vendör>';
  const vendor = openVendor(
    vendorConnector(token),
    (_request, count) => ({ body: { data: [{ id: count }], ...(count < 2 ? { next: `${count}:${write(secret)}:end` } : {}) } }),
    { token: secret },
  );

  const { next } = await pageOf(vendor);
  await walk(vendor);

  expect(JSON.stringify(next)).not.toContain(write(secret));
  expect(vendor.asked.at(-1)?.url.searchParams.get('after')).toBe(`1:${write(secret)}:end`);
});

it.each(writings)(
  'stores no secret that stands in a parameter of a link %s, and asks for the link as it came',
  async (_, write) => {
    const secret = 's3cret/of the vendör>';
    const link = `/v1/logs?after=${encodeURIComponent(`1:${write(secret)}:end`)}&page=2`;
    const vendor = openVendor(
      vendorConnector({ 'page.kind': 'link', 'page.link': 'next' }),
      (_request, count) => ({ body: { data: [{ id: count }], ...(count < 2 ? { next: link } : {}) } }),
      { token: secret },
    );

    const { next } = await pageOf(vendor);
    await walk(vendor);

    const asked = new URL(vendor.asked.at(-1)?.url ?? '').searchParams;
    const isHidden = write(secret) === secret;
    expect(decodeURIComponent(JSON.stringify(next))).not.toContain(write(secret));
    // One that holds the secret itself is taken for ours, which goes along by itself.
    expect([asked.get('after'), asked.get('page')]).toEqual([isHidden ? null : `1:${write(secret)}:end`, '2']);
  },
);

it.each([
  '{secret 0}',
  'a{secret 0 encoded}b',
  '{secret 0 base64}',
  '{secret 0 hex-encoded}',
  '{secret-text 0}',
  '{secret-text-text 0}',
  '{secret{secret 0}',
  '{secret 9}',
])('sends no secret for a page token that is written like the place of one: %s', async (written) => {
  const vendor = openVendor(
    vendorConnector(token),
    (_request, count) => ({ body: { data: [{ id: count }], ...(count < 2 ? { next: `${count}${written}` } : {}) } }),
    { token: 's3cret/of the vendor' },
  );

  await walk(vendor);

  expect(vendor.asked.at(-1)?.url.searchParams.get('after')).toBe(`1${written}`);
});

it.each([
  '/v1/logs/{secret 0}?cursor=1',
  '/v1/logs/%7Bsecret%200%7D?cursor=1',
  '/v1/logs?cursor={secret 0 encoded}',
  'https://api.example.com/v1/{secret-text 0}/logs?cursor=%7Bsecret 0%7D',
])('sends no secret for a link that is written like the place of one: %s', async (link) => {
  const byLink = { 'page.kind': 'link', 'page.link': 'next' };
  const vendor = openVendor(
    vendorConnector(byLink),
    (_request, count) => ({ body: { data: [{ id: count }], ...(count < 1 ? { next: link } : {}) } }),
    { token: 's3cret/of the vendor' },
  );

  await walk(vendor);

  const asked = new URL(link, 'https://api.example.com');
  expect(decodeURIComponent(vendor.asked.at(-1)?.url.href ?? '')).toBe(
    decodeURIComponent(`${vendor.asked[0]?.url.origin}${asked.pathname}${asked.search}`),
  );
});

it.each(['X-Next-Token', 'link', 'x-amz-next'])('finds a token in the header %s', async (header) => {
  const vendor = openVendor(vendorConnector({ ...token, 'page.token': undefined, 'page.header': header }), (_request, count) => ({
    body: { data: [{ id: count }] },
    headers: count < 2 ? { [header.toLowerCase()]: ` t${count} ` } : {},
  }));

  expect(await walk(vendor)).toEqual([0, 1, 2]);
  expect(pathsAsked(vendor)).toEqual([
    `/v1/logs?from=${from}`,
    `/v1/logs?from=${from}&after=t0`,
    `/v1/logs?from=${from}&after=t1`,
  ]);
});

it.each([
  [['1532951895000', 'af0ba235'], '1532951895000,af0ba235'],
  [[1532951895000, 7], '1532951895000,7'],
  ['whole', 'whole'],
])('a token of several parts, %j, is joined by commas', async (token, sent) => {
  const settings = {
    'page.kind': 'token',
    'page.token': 'next',
    'request.query': { from: '{{ window.from }}', next: '{{ page.token }}' },
  };
  const vendor = openVendor(vendorConnector(settings), (_request, count) => ({
    body: count === 0 ? { data: [{ id: 1 }], next: token } : { data: [{ id: 2 }], next: [] },
  }));

  expect(await walk(vendor)).toEqual([1, 2]);
  expect(vendor.asked[1]?.url.searchParams.get('next')).toBe(sent);
});

it.each([
  ['a list', [1532951895000, 'af0ba235'], '[1532951895000,"af0ba235"]'],
  ['a number', 12, '12'],
  ['a number of many digits', { rawDigits: '12345678901234567890' }, '12345678901234567890'],
  ['an object', { pk: { S: 'a' } }, '{"pk":{"S":"a"}}'],
  ['a text of digits', '12', '"12"'],
])('sends back %s in a body as the vendor told it, where the connector says so', async (_name, told, sent) => {
  const settings = {
    'page.kind': 'token',
    'page.token': 'next',
    'page.token_is': 'json',
    'request.method': 'POST',
    'request.body': { from: '{{ window.from }}', after: '{{ page.token }}' },
  };
  const next = typeof told === 'object' && 'rawDigits' in told ? told.rawDigits : JSON.stringify(told);
  const vendor = openVendor(vendorConnector(settings), (_request, count) => ({
    body: count === 0 ? `{"data":[{"id":1}],"next":${next}}` : '{"data":[{"id":2}],"next":[]}',
  }));

  expect(await walk(vendor)).toEqual([1, 2]);
  expect(vendor.asked.map(({ body }) => body)).toEqual([`{"from":"${from}"}`, `{"from":"${from}","after":${sent}}`]);
});

it.each([
  ['["2026-11-21T09:30:00Z",7]', '["2026-11-21T09:30:00Z",7]'],
  ['plain', '"plain"'],
])('sends back the token %s of a header as JSON, where the connector says so', async (told, sent) => {
  const settings = {
    'page.kind': 'token',
    'page.header': 'x-search_after',
    'page.token_is': 'json',
    'request.method': 'POST',
    'request.body': { from: '{{ window.from }}', kinds: ['all', '{{ page.token }}'], search_after: '{{ page.token }}' },
  };
  const vendor = openVendor(vendorConnector(settings), (_request, count) => ({
    body: { data: [{ id: count }] },
    ...(count === 0 && { headers: { 'x-search_after': told } }),
  }));

  expect(await walk(vendor)).toEqual([0, 1]);
  expect(vendor.asked.map(({ body }) => body)).toEqual([
    `{"from":"${from}","kinds":["all"]}`,
    `{"from":"${from}","kinds":["all",${sent}],"search_after":${sent}}`,
  ]);
});
