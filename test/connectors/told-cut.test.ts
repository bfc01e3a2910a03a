// An answer that says that it is not whole never counts as all of a window.
import { expect, it } from 'vitest';
import type { Values } from '../options/cases.ts';
import { openVendor, pageOf, vendorConnector } from './vendor.ts';

const records = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];
const whole = { 'page.whole': true };

async function toldBy(body: Record<string, unknown>, read: Values = whole, answer: object = {}): Promise<string | undefined> {
  const { next, toldCut } = await pageOf(openVendor(vendorConnector(read), () => ({ body, ...answer })));

  expect(next).toBeNull();
  return toldCut;
}

it.each([
  [{ truncated: true }, 'truncated'],
  [{ isTruncated: 'True' }, 'isTruncated'],
  [{ incomplete_results: true }, 'incomplete_results'],
  [{ meta: { partial: 1 } }, 'meta.partial'],
  [{ timed_out: true }, 'timed_out'],
  [{ 'limit-reached': 'yes' }, 'limit-reached'],
  [{ resultsTruncated: true }, 'resultsTruncated'],
  [{ paging: { more: true } }, 'paging.more'],
])('believes %j', async (members, path) => {
  expect(await toldBy({ data: records, ...members })).toBe(`its member ${path} says so`);
});

it('looks beside the records, however deep they stand', async () => {
  const read = { ...whole, records: 'data.log.items' };

  expect(await toldBy({ data: { log: { items: records, pageInfo: {}, hasNextPage: true } } }, read)).toMatch(
    /data\.log\.hasNextPage/,
  );
});

it.each([{ truncated: false }, { partial: 'none' }, { hasMore: 0 }, { timed_out: null }, { next: '/logs?after=c' }])(
  'takes a reply for whole that says %j where it is said to hold everything',
  async (members) => {
    expect(await toldBy({ data: records, ...members })).toBeUndefined();
  },
);

it.each([{ next_page_token: 'x' }, { paging: { next: '/logs?after=c' } }, { '@odata.nextLink': '/logs?after=c' }])(
  'takes %j for a further page where nothing says how pages follow',
  async (members) => {
    expect(await toldBy({ data: records, ...members }, {})).toMatch(/^its member .* says so$/);
  },
);

const byToken = {
  'page.kind': 'token',
  'page.token': ['next_token', 'paging.next'],
  'request.query': { from: '{{ window.from }}', page: '{{ page.token }}' },
};
const byFlag = { ...byToken, 'page.more': 'has' };
const byLink = { 'page.kind': 'link', 'page.link': 'links.next' };

it.each([
  [byToken, { nextToken: 'x' }, 'nextToken'],
  [byToken, { paging: { Next: 'x' } }, 'paging.Next'],
  [byFlag, { Next_Token: 'x' }, 'Next_Token'],
  [byLink, { Links: { next: '/logs?after=c' } }, 'Links.next'],
])('takes the place of the next page in another spelling for a further page: %j', async (read, members, path) => {
  expect(await toldBy({ data: records, ...members }, read)).toBe(`its member ${path} says so`);
});

it.each([
  [byToken, { nextToken: 'x', next_token: null }],
  [byToken, { nextToken: '' }],
  [byFlag, { nextToken: 'x', has: false }],
  [{ ...byToken, failures: { nextToken: { '*': 'ok' } } }, { nextToken: 'x' }],
])('takes no place of a next page for one where the vendor, or the connector, says otherwise: %j', async (read, members) => {
  expect(await toldBy({ data: records, ...members }, read)).toBeUndefined();
});

it('believes what the connector says of a member', async () => {
  expect(await toldBy({ data: records, partial: true }, { ...whole, failures: { partial: { '*': 'ok' } } })).toBeUndefined();
});

it('leaves the members of records alone', async () => {
  const read = { ...whole, records: '$', records_are: 'map' };

  expect(await toldBy({ a: { id: 'a', partial: true } }, read)).toBeUndefined();
});

it.each([
  [206, undefined, 'its status is 206'],
  [207, undefined, 'its status is 207'],
  [206, 'items 0-2/3', undefined],
  [206, 'items 0-2/95', 'its status is 206'],
  [206, 'items 0-2/*', 'its status is 206'],
  [206, 'items 3-5/6', 'its status is 206'],
])('takes %i with the range %s for: %s', async (status, range, told) => {
  const headers = range === undefined ? {} : { 'content-range': range };

  expect(await toldBy({ data: records }, whole, { status, headers })).toBe(told);
});

it('takes 206 for a success where the connector says so', async () => {
  expect(await toldBy({ data: records }, { ...whole, statuses: { 206: 'ok' } }, { status: 206 })).toBeUndefined();
});

it.each([
  [
    'a token that is missing',
    { 'page.kind': 'token', 'page.token': 'next', 'request.query': { from: '{{ window.from }}', t: '{{ page.token }}' } },
    records,
  ],
  ['an empty page', { 'page.kind': 'offset', 'request.query': { from: '{{ window.from }}', o: '{{ page.offset }}' } }, []],
])('does not end a window at %s when page.more says yes', async (_what, read, data) => {
  expect(await toldBy({ data, more: true }, { ...read, 'page.more': 'more' })).toBe('it says that there is more, and not where');
});
