// Files at storage hosts: which are asked, with what, and what happens when an address has ended.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { asPenstockError } from '../../src/base/errors.ts';
import type { HttpRequest } from '../../src/http/client.ts';
import { type Answer, faultOf, openVendor, pageOf, vendorConnector, walk } from './vendor.ts';

const auth = { bearer: '{{ options.token }}' };
const files = {
  storage: ['*.s3.*.amazonaws.com'],
  'request.url': 'https://api.example.com',
  'request.query': { key: '{{ options.token }}' },
  'request.headers': { 'x-second': '{{ options.token }}' },
  'page.kind': 'none',
  'groups.request.url': 'https://api.example.com/v1/files',
  'groups.request.query': { from: '{{ window.from }}' },
  'groups.records': 'files',
  'groups.id': 'id',
  'groups.link': 'href',
};
const bucket = 'https://logs.s3.eu-west-1.amazonaws.com';
const list = (round: number, ...names: string[]): Answer => ({
  body: { files: names.map((id) => ({ id, href: `${bucket}/${id}.json?X-Amz-Signature=round-${round}-${id}` })) },
});
const connector = vendorConnector(files, { auth });
const isList = ({ url }: HttpRequest): boolean => url.pathname === '/v1/files';
const file = ({ url }: HttpRequest): Answer => ({ body: { data: [{ id: url.pathname }] } });

describe('a file at a storage host', () => {
  it('is asked for with nothing but its address', async () => {
    const vendor = openVendor(connector, (request) => (isList(request) ? list(1, 'a', 'b') : file(request)));

    expect(await walk(vendor)).toEqual(['/a.json', '/b.json']);
    expect(vendor.asked.map(({ url, headers }) => [url.href, headers])).toEqual([
      [
        'https://api.example.com/v1/files?from=2026-11-21T09%3A00%3A00.000Z',
        { accept: 'application/json', authorization: 'Bearer s3cret', 'user-agent': 'penstock/0 (x)' },
      ],
      [`${bucket}/a.json?X-Amz-Signature=round-1-a`, { accept: '*/*', 'user-agent': 'penstock/0 (x)' }],
      [`${bucket}/b.json?X-Amz-Signature=round-1-b`, { accept: '*/*', 'user-agent': 'penstock/0 (x)' }],
    ]);
  });

  it('leaves no address in the place of the walk', async () => {
    const vendor = openVendor(connector, (request) => (isList(request) ? list(1, 'a', 'b') : file(request)));

    expect((await pageOf(vendor)).next).toEqual({ kind: 'token', token: '["b",null,0]' });
  });

  it.each([
    'https://evil.example/x',
    'https://logs.s3.eu-west-1.amazonaws.com.evil.example/x',
    'https://evil.example/logs.s3.eu-west-1.amazonaws.com',
    'https://evil.example#.s3.a.amazonaws.com',
    'http://logs.s3.eu-west-1.amazonaws.com/x',
    'https://user:pass@logs.s3.eu-west-1.amazonaws.com/x',
    'https://logs.s3.eu-west-1.amazonaws.com:8443/x',
    'https://s3.eu-west-1.amazonaws.com/x',
    'ftp://logs.s3.eu-west-1.amazonaws.com/x',
  ])('is not asked for at %s', async (href) => {
    const vendor = openVendor(connector, () => ({ body: { files: [{ id: 'a', href }] } }));

    expect([(await faultOf(vendor))?.code, vendor.asked.length]).toEqual(['PEN_FOREIGN_ORIGIN', 1]);
  });

  it.each([400, 401, 403, 404, 410])(
    'whose address has ended with %i comes by a fresh list, from where the walk stands',
    async (status) => {
      let round = 0;
      const vendor = openVendor(connector, (request) => {
        if (isList(request)) return list((round += 1), 'a', 'b', 'c');
        const isOld = request.url.pathname === '/b.json' && request.url.search.includes('round-1');
        return isOld
          ? { status, body: '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>' }
          : file(request);
      });

      expect(await walk(vendor)).toEqual(['/a.json', '/b.json', '/c.json']);
      expect(vendor.asked.map(({ url }) => url.pathname)).toEqual([
        '/v1/files',
        '/a.json',
        '/b.json',
        '/v1/files',
        '/b.json',
        '/c.json',
      ]);
    },
  );

  it('that is refused as soon as it was listed, twice, holds the source, and costs no token', async () => {
    const vendor = openVendor(connector, (request) => (isList(request) ? list(1, 'a') : { status: 403 }));
    const fault = await faultOf(vendor);

    expect([fault?.code, fault?.message]).toEqual(['PEN_SOURCE_REFUSED', `answered 403 to GET ${bucket}/a.json`]);
    expect(vendor.asked.length).toBe(4);
  });

  it('is whole, however many records it has, and leads to no page at the API', async () => {
    const data = Array.from({ length: 100 }, (_, id) => ({ id }));
    const linking = vendorConnector({ ...files, 'page.kind': 'link', 'page.link': 'next' }, { auth });
    const vendor = openVendor(linking, (request) =>
      isList(request)
        ? list(1, 'a')
        : { body: { data, next: 'https://api.example.com/v1/admin' }, headers: { date: 'Sat, 21 Nov 2026 07:00:00 GMT' } },
    );

    const { next, mayBeCut, serverTime } = await pageOf(vendor);

    expect([next, mayBeCut, serverTime, vendor.asked.length]).toEqual([null, undefined, undefined, 2]);
  });

  it('is told by what comes before the query, where the list has addresses alone', async () => {
    const bare = vendorConnector({ ...files, 'groups.id': '$', 'groups.link': '$', 'groups.into': 'file' }, { auth });
    const vendor = openVendor(bare, (request) =>
      isList(request) ? { body: { files: [`${bucket}/b?sig=1`, `${bucket}/a?sig=2`] } } : file(request),
    );

    const { records, next } = await pageOf(vendor);

    expect([...records].map(({ value }) => value)).toEqual([{ id: '/a', file: `${bucket}/a` }]);
    expect(next).toEqual({ kind: 'token', token: `["${bucket}/b",null,0]` });
  });

  it.each([
    ['of the API tell groups apart', 'https://api.example.com/download?id=', ['/download?id=1', '/download?id=2']],
    ['of a storage host do not, which is told', `${bucket}/download?id=`, 'PEN_SOURCE_BAD_REPLY'],
  ])('queries of addresses %s', async (_name, address, expected) => {
    const bare = vendorConnector({ ...files, 'request.query': {}, 'groups.id': '$', 'groups.link': '$' }, { auth });
    const vendor = openVendor(bare, (request) =>
      isList(request)
        ? { body: { files: [`${address}1`, `${address}2`] } }
        : { body: { data: [{ id: `${request.url.pathname}${request.url.search}` }] } },
    );

    expect(typeof expected === 'string' ? (await faultOf(vendor))?.code : await walk(vendor)).toEqual(expected);
  });

  it('is at no host whose name is longer than names are', async () => {
    const href = `https://${'s3.'.repeat(100_000)}amazonaws.com/f`;
    const vendor = openVendor(connector, () => ({ body: { files: [{ id: 'a', href }] } }));

    expect((await faultOf(vendor))?.code).toBe('PEN_SOURCE_BAD_REPLY');
  });

  it('may be the one of a job', async () => {
    const job = vendorConnector(
      {
        ...files,
        'groups.request.method': 'POST',
        'groups.request.query': {},
        'groups.request.body': { from: '{{ window.from }}', to: '{{ window.to }}' },
        'groups.records': '$',
        failures: { status: { running: 'pending', done: 'ok' } },
        pending: { url: 'https://api.example.com/v1/files/{{ reply.id }}' },
      },
      { auth },
    );
    const vendor = openVendor(job, (request, count) =>
      count < 2
        ? { body: { id: 'j1', status: 'running' } }
        : count === 2
          ? { body: { id: 'j1', status: 'done', href: `${bucket}/j1` } }
          : file(request),
    );

    expect(await walk(vendor)).toEqual(['/j1']);
    expect(vendor.asked.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
      'POST /v1/files',
      'GET /v1/files/j1',
      'GET /v1/files/j1',
      'GET /j1',
    ]);
  });
});

describe('a redirect', () => {
  const plain = vendorConnector({ storage: ['*.s3.*.amazonaws.com'] }, { auth });
  const to302 = (location: string, status = 302): Answer => ({ status, headers: { location } });

  it.each([301, 302, 303, 307, 308])('by %i to a storage host is followed without the credential', async (status) => {
    const vendor = openVendor(plain, ({ url }) =>
      url.hostname === 'api.example.com' ? to302(`${bucket}/x?sig=1`, status) : { body: { data: [{ id: 1 }] } },
    );

    expect(await walk(vendor)).toEqual([1]);
    expect(vendor.asked.map(({ headers }) => headers?.['authorization'])).toEqual(['Bearer s3cret', undefined]);
  });

  it('is made anew by each try', async () => {
    const vendor = openVendor(plain, ({ url }, count) =>
      url.hostname === 'api.example.com'
        ? to302(`${bucket}/x?sig=${count}`)
        : count < 3
          ? { status: 503 }
          : { body: { data: [{ id: 1 }] } },
    );

    expect(await walk(vendor)).toEqual([1]);
    expect(vendor.asked.map(({ url }) => url.search)).toEqual([expect.any(String), '?sig=0', expect.any(String), '?sig=2']);
  });

  it.each(['https://evil.example/x', '/v1/elsewhere', 'https://api.example.com/login', 'http://logs.s3.a.amazonaws.com/x'])(
    'to %s is not followed',
    async (location) => {
      const vendor = openVendor(plain, () => to302(location));

      expect([(await faultOf(vendor))?.code, new Set(vendor.asked.map(({ url }) => url.pathname))]).toEqual([
        'PEN_SOURCE_BAD_REPLY',
        new Set(['/v1/logs']),
      ]);
    },
  );

  it('from a storage host leads nowhere but to such hosts, and ends after three', async () => {
    const back = openVendor(plain, ({ url }) =>
      url.hostname === 'api.example.com' ? to302(`${bucket}/x`) : to302('https://api.example.com/v1/admin'),
    );
    const round = openVendor(plain, () => to302(`${bucket}/x`));

    const faults = [await faultOf(back), await faultOf(round)];

    expect(faults.map((fault) => fault?.code)).toEqual(['PEN_SOURCE_BAD_REPLY', 'PEN_SOURCE_BAD_REPLY']);
    expect([back.asked, round.asked].map((asked) => new Set(asked.map(({ url }) => url.pathname)))).toEqual([
      new Set(['/v1/logs', '/x']),
      new Set(['/v1/logs', '/x']),
    ]);
  });
});

describe('a detail at a storage host', () => {
  const detailed = vendorConnector({ storage: ['*.s3.*.amazonaws.com'], 'details.link': 'href' }, { auth });
  const ask = (answer: Answer): Promise<unknown> => {
    const vendor = openVendor(detailed, () => answer);
    const detail = vendor.reader.details?.ask({ id: 1, href: `${bucket}/1?sig=1` }, 'u', new AbortController().signal);
    return Promise.resolve(detail).then(
      (told) => [told, vendor.asked[0]?.headers],
      (error: unknown) => asPenstockError(error).code,
    );
  };

  it('comes without the credential', async () => {
    expect(await ask({ body: { who: 'dana' } })).toEqual([
      { record: { id: 1, href: `${bucket}/1?sig=1`, who: 'dana' }, bytes: 14 },
      { accept: '*/*', 'user-agent': 'penstock/0 (x)' },
    ]);
  });

  it('whose address has ended is asked for again with its page', async () => {
    expect(await ask({ status: 403 })).toBe('PEN_SOURCE_UNAVAILABLE');
  });
});

it('the hosts of the page are asked', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/connectors.md'), 'utf8');
  const block = /<!-- example: storage -->\n```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const options = { api_url: { type: 'string', format: 'uri', default: 'https://api.harbor.example' } };
  const shown = vendorConnector(parse(block) as Record<string, unknown>, {
    options,
    record: { hash: ['id'], time: 'time', action: 'action' },
  });
  const hosts = ['a.s3.eu-west-1.amazonaws.com', 'storage.googleapis.com', 'acme.blob.core.windows.net'];
  const vendor = openVendor(
    shown,
    ({ url }) =>
      isListed(url)
        ? { body: { files: hosts.map((host, n) => ({ name: `f${n}`, download_url: `https://${host}/f${n}` })) } }
        : { body: `{"id":"${url.host}"}\n` },
    { api_url: 'https://api.example.com' },
  );

  expect(await walk(vendor)).toEqual(hosts);
});
const isListed = (url: URL): boolean => url.pathname === '/v1/exports';

describe('a storage that says too little', () => {
  it.each(['*', '*.com', 's3.*', '*.s3.*', 'https://a.example', 'a.example/path', 'a b', '**.com', ''])(
    '"%s" is refused',
    (pattern) => {
      expect(() => vendorConnector({ ...files, storage: [pattern] }, { auth })).toThrow(/storage/);
    },
  );

  it('a host that a record names is refused', () => {
    expect(() => vendorConnector({ ...files, storage: ['{{ record.host }}'] }, { auth })).toThrow('which does not exist');
  });

  it.each(['{{ options.token }}', '*.{{ options.token }}', 'a.example:8443', '*.s3.amazonaws.com', 'storage-*.example.com'])(
    '"%s" is taken',
    (pattern) => {
      expect(() => vendorConnector({ ...files, storage: [pattern] }, { auth })).not.toThrow();
    },
  );
});
