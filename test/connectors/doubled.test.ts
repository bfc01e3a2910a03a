// Members of a reply that come twice: nothing is believed that loses records or a page.
import { describe, expect, it } from 'vitest';
import { doubledMembers } from '../../src/base/doubled-members.ts';
import { compileSettle } from '../../src/connectors/http-window/doubled.ts';
import { expectLinear } from '../cost.ts';
import { faultOf, openVendor, pageOf, vendorConnector, walk } from './vendor.ts';

const row = (id: number, more = ''): string => `{"id":${id},"time":"2026-11-21T09:30:00Z","action":"a"${more}}`;

const opened = (body: string, read = {}) => openVendor(vendorConnector(read), () => ({ body }));
const ids = async (body: string, read = {}): Promise<unknown> =>
  [...(await pageOf(opened(body, read))).records].map(({ value }) => (value as { id: unknown }).id);

describe('a list of records that comes twice', () => {
  it.each([
    ['both', `{"data":[${row(1)}],"data":[${row(2)},${row(3)}]}`, {}],
    ['with others between', `{"data":[${row(1)}],"n":{"data":1},"data":[${row(2)}],"x":"]","data":[ ${row(3)} ]}`, {}],
    ['escaped', `{"d\\u0061ta":[${row(1)}],"data":[${row(2)},${row(3)}]}`, {}],
    ['deeper', `{"a":{"data":[${row(1)}],"b":0,"data":[${row(2)},${row(3)}]}}`, { records: 'a.data' }],
    ['behind a guard', `)]}'\n{"data":[${row(1)}],"data":[${row(2)},${row(3)}]}`, {}],
    ['with a raw control character', `{"data":[${row(1, ',"n":"\u0001"')}],"data":[${row(2)},${row(3)}]}`, {}],
    ['with an empty one', `{"data":[${row(1)},${row(2)},${row(3)}],"data":[]}`, {}],
    ['with null', `{"data":[${row(1)},${row(2)},${row(3)}],"data":null}`, {}],
    ['the same', `{"data":[${row(1)},${row(2)},${row(3)}],"data":[${row(1)},${row(2)},${row(3)}]}`, {}],
  ])('is read as a whole: %s', async (_what, body, read) => {
    expect(await ids(body, read)).toEqual([1, 2, 3]);
  });

  it.each([
    ['an object around it', `{"a":{"data":[${row(1)}]},"a":{"data":[${row(2)}]}}`, { records: 'a.data' }, '"a" twice'],
    ['another kind', `{"data":[${row(1)}],"data":{"x":1}}`, {}, '"data" twice'],
    ['an entry of a map', `{"data":{"k":${row(1)},"k":${row(2)}}}`, { records_are: 'map' }, '"data.k" twice'],
  ])('fails the poll where its records cannot be joined: %s', async (_what, body, read, words) => {
    expect(await faultOf(opened(body, read))).toMatchObject({
      code: 'PEN_SOURCE_BAD_REPLY',
      message: `the reply has ${words}, with different values`,
    });
  });
});

const token = {
  'page.kind': 'token',
  'page.token': 'next',
  'request.query': { from: '{{ window.from }}', after: '{{ page.token }}' },
};
const nested = { ...token, 'page.token': 'page.next', 'page.more': 'page.more' };
const offset = {
  'page.kind': 'offset',
  'page.total': 'meta.total',
  'request.query': { from: '{{ window.from }}', skip: '{{ page.offset }}' },
};

describe('what says how the walk goes on', () => {
  it.each([
    ['next', `{"next":"a","data":[${row(1)}],"next":"b"}`, token],
    ['next', `{"data":[${row(1)}],"next":"a","next":"b"}`, { ...token, 'reply.charset': 'utf-8' }],
    ['page.next', `{"page":{"next":"a","next":"b"},"data":[${row(1)}]}`, nested],
    ['page.more', `{"page":{"next":"a","more":true,"more":false},"data":[${row(1)}]}`, nested],
    ['page', `{"page":{"next":"a"},"data":[${row(1)}],"page":{}}`, nested],
    ['links.next', `{"data":[${row(1)}],"links":{"next":"/a","next":"/b"}}`, { 'page.kind': 'link', 'page.link': 'links.next' }],
    ['meta.total', `{"meta":{"total":9,"total":1},"data":[${row(1)}]}`, offset],
    ['error', `{"error":"locked","data":[${row(1)}],"error":""}`, { failures: { error: {} } }],
  ])('fails the poll where %s comes twice and differs', async (name, body, read) => {
    expect(await faultOf(opened(body, read))).toMatchObject({
      code: 'PEN_SOURCE_BAD_REPLY',
      message: `the reply has "${name}" twice, with different values`,
    });
  });

  it('is believed where it comes twice and is the same, or null once', async () => {
    const bodies = [`{"next":"a","data":[${row(1)}],"next":"a"}`, `{"next":"b","data":[${row(2)}],"next":null}`, `{"data":[]}`];
    const vendor = openVendor(vendorConnector(token), (_request, count) => ({ body: bodies[count] ?? '{"data":[]}' }));

    expect(await walk(vendor)).toEqual([1, 2]);
    expect(vendor.asked.map(({ url }) => url.searchParams.get('after'))).toEqual([null, 'a', 'b']);
  });

  it('is not looked for within records', async () => {
    expect(await ids(`{"data":[${row(1, ',"next":1,"next":2,"data":[1],"data":[2]')}]}`, token)).toEqual([1]);
  });
});

it('a text that is no JSON is read as far as it goes', () => {
  for (const text of [
    '',
    '{',
    '{"a',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":{"a":',
    '{"\\',
    '{"a":"\\',
    ']',
    '{"a" 1,"a":2}',
    '{"a":1 "a":2',
  ])
    expect(() => doubledMembers(text, [['a', 'a'], ['b']])).not.toThrow();
});

const times = (length: number, of: (index: number) => string): string =>
  Array.from({ length: length / 5 }, (_, i) => of(i)).join();

it.each([
  ['one list', (length: number) => `{${times(length, (i) => `"data":[${i}]`)}}`, 'list'],
  ['an entry of a map', (length: number) => `{"data":{${times(length, (i) => `"k${i}":1,"k${i}":null`)}}}`, 'map'],
] as const)('comes many times in linear time: %s', (_what, text, form) => {
  const settle = compileSettle({ records: 'data', records_are: form, page: { kind: 'none' } });

  expectLinear((length) => settle(text(length)).length);
});
