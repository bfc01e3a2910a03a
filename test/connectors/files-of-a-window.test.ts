// A log that comes as files: a list of those of a window, each read at an address of its own.
import { expect, it } from 'vitest';
import { faultOf, openVendor, pageOf, vendorConnector, walk } from './vendor.ts';

const files = {
  'request.url': 'https://api.example.com',
  'request.query': {},
  'page.kind': 'none',
  'page.whole': true,
  'groups.request.url': 'https://api.example.com/v1/files',
  'groups.request.query': { from: '{{ window.from }}', to: '{{ window.to }}' },
  'groups.records': 'files',
  'groups.id': 'id',
  'groups.link': 'href',
};
const list = (...hrefs: string[]) => ({ body: { files: hrefs.map((href, n) => ({ id: `f${n}`, href })) } });

it('no file in a window is no fault', async () => {
  const page = await pageOf(openVendor(vendorConnector(files), () => list()));

  expect([page.records.length, page.next]).toEqual([0, null]);
});

it('files are read at their own addresses, with the query that stands there', async () => {
  const vendor = openVendor(vendorConnector(files), ({ url }, n) =>
    n === 0 ? list('/v1/blobs/a?sig=x%2By', 'https://api.example.com/v1/blobs/b') : { body: { data: [{ id: url.pathname }] } },
  );

  expect(await walk(vendor)).toEqual(['/v1/blobs/a', '/v1/blobs/b']);
  expect(vendor.asked.map(({ url }) => url.pathname + url.search).slice(1)).toEqual(['/v1/blobs/a?sig=x%2By', '/v1/blobs/b']);
});

it.each(['https://evil.example/x', 'http://api.example.com/x', '//evil.example/x'])(
  'a file at %s is never asked for',
  async (href) => {
    const vendor = openVendor(vendorConnector(files), () => list(href));

    expect([(await faultOf(vendor))?.code, vendor.asked.length]).toEqual(['PEN_FOREIGN_ORIGIN', 1]);
  },
);

it('a file without an address fails the poll', async () => {
  const vendor = openVendor(vendorConnector(files), () => ({ body: { files: [{ id: 'f1' }] } }));

  expect((await faultOf(vendor))?.code).toBe('PEN_SOURCE_BAD_REPLY');
});

it.each([100, 1_000])('a file of %d records is whole where the connector says so', async (count) => {
  const data = Array.from({ length: count }, (_, id) => ({ id }));
  const cut = { ...files, 'page.whole': false };
  const vendorOf = (words: object) =>
    openVendor(vendorConnector({ ...words }), (_r, n) => (n === 0 ? list('/a') : { body: { data } }));

  expect([(await pageOf(vendorOf(files))).mayBeCut, (await pageOf(vendorOf(cut))).mayBeCut]).toEqual([undefined, true]);
});

it('windows of files take records of any age', () => {
  expect([vendorConnector(files), vendorConnector({})].map(({ defaults }) => defaults.strayMs)).toEqual([
    Number.POSITIVE_INFINITY,
    0,
  ]);
});

it.each([
  ['a map', { data: { Event1: { id: 1 }, Event2: { id: 2 } } }, [1, 2]],
  ['a list', { data: [{ id: 1 }] }, [1]],
  ['an empty list, as PHP writes an empty map', { data: [] }, []],
  ['an empty map', { data: {} }, []],
])('records that are the values of an object are read from %s', async (_what, body, ids) => {
  expect(await walk(openVendor(vendorConnector({ records_are: 'map' }), () => ({ body })))).toEqual(ids);
});

it('a map of records is not one where the connector does not say so', async () => {
  const vendor = openVendor(vendorConnector({}), () => ({ body: { data: { Event1: { id: 1 } } } }));

  expect((await faultOf(vendor))?.code).toBe('PEN_SOURCE_BAD_REPLY');
});

const organizations = {
  'request.url': 'https://api.example.com/v1/orgs/{{ group.id }}',
  'request.query': { from: '{{ window.from }}', after: '{{ page.token }}' },
  'page.kind': 'token',
  'page.token': 'next',
  'groups.request.url': 'https://api.example.com/v1/orgs',
  'groups.records': 'files',
  'groups.id': 'id',
};

it.each([
  { what: 'of 20 organizations on one page', settings: organizations, count: 20, mayBeCut: 'list' },
  { what: 'of 21', settings: organizations, count: 21, mayBeCut: undefined },
  {
    what: 'of 20 that is whole',
    settings: { ...organizations, 'groups.page.whole': true, 'groups.page.kind': 'none' },
    count: 20,
    mayBeCut: undefined,
  },
  {
    what: 'of 50 by a token that is nowhere',
    settings: {
      ...organizations,
      'groups.page': { kind: 'token', token: 'curser' },
      'groups.request.query': { after: '{{ page.token }}' },
    },
    count: 50,
    mayBeCut: 'list',
  },
  { what: 'of 20 files that came up in the window', settings: files, count: 20, mayBeCut: true },
])('a list $what may be cut: $mayBeCut', async ({ settings, count, mayBeCut }) => {
  const hrefs = Array.from({ length: count }, (_none, n) => `/v1/orgs/f${n}`);
  const vendor = openVendor(vendorConnector(settings), (_request, n) => (n === 0 ? list(...hrefs) : { body: { data: [] } }));

  let page = await pageOf(vendor);
  while (page.next !== null) page = await pageOf(vendor, page.next);

  expect([page.mayBeCut, page.lacking]).toEqual([mayBeCut, mayBeCut === undefined ? undefined : 1]);
});
