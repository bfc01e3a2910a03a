import { describe, expect, it } from 'vitest';
import { openVendor, pageOf, pathsAsked, vendorConnector, walk } from './vendor.ts';

const since = '{{ window.from }}';
const token = { 'page.kind': 'token', 'page.token': 'next' };
const from = '2026-11-21T09:00:00.000Z';

describe('the first page and later ones', () => {
  const answer = (_request: unknown, count: number): { readonly body: unknown } => ({
    body: { data: [{ id: count }], ...(count < 2 ? { next: `t${count}` } : {}) },
  });

  it('may differ in the query', async () => {
    const query = { from: since, limit: 5, after: '{{ page.token }}' };
    const settings = { 'request.query': query, 'request.first.query': { order: 'asc' }, 'request.later.query': { from: null } };
    const vendor = openVendor(vendorConnector({ ...token, ...settings }), answer);

    expect(await walk(vendor)).toEqual([0, 1, 2]);
    expect(pathsAsked(vendor)).toEqual([
      `/v1/logs?from=${from}&limit=5&order=asc`,
      '/v1/logs?limit=5&after=t0',
      '/v1/logs?limit=5&after=t1',
    ]);
  });

  it('may differ in the body', async () => {
    const settings = {
      'request.method': 'POST',
      'request.query': {},
      'request.body': { deep: { none: null } },
      'request.first.body': { limit: '{{ page.limit }}', start_time: since },
      'request.later.body': { cursor: '{{ page.token }}', deep: null },
    };
    const vendor = openVendor(vendorConnector({ ...token, ...settings }), answer);

    expect(await walk(vendor)).toEqual([0, 1, 2]);
    expect(vendor.asked.map(({ body }) => JSON.parse(String(body)) as unknown)).toEqual([
      { deep: { none: null }, limit: 100, start_time: from },
      { cursor: 't0' },
      { cursor: 't1' },
    ]);
  });
});

it('tells the client of the place that it asks for, which is no secret however the parameter is called', async () => {
  const settings = { ...token, 'request.query': { from: since, access_token: '{{ page.token }}' } };
  const vendor = openVendor(vendorConnector(settings), (_request, count) => ({
    body: { data: [{ id: count }], ...(count < 1 ? { next: 'the-place' } : {}) },
  }));

  expect(await walk(vendor)).toEqual([0, 1]);
  expect(vendor.asked.map(({ place }) => place)).toEqual([undefined, 'the-place']);
});

it('sends a body as a form, without what is null or has no value', async () => {
  const body = { since, tags: ['a b', null, 'c&d'], none: null, after: '{{ page.token }}' };
  const settings = { 'request.method': 'POST', 'request.query': {}, 'request.body_format': 'form', 'request.body': body };
  const vendor = openVendor(vendorConnector({ ...token, ...settings }), (_request, count) => ({
    body: { data: [{ id: count }], ...(count < 1 ? { next: 'ü=1' } : {}) },
  }));

  expect(await walk(vendor)).toEqual([0, 1]);
  const start = `since=${encodeURIComponent(from)}&tags=a%20b&tags=c%26d`;
  expect(vendor.asked.map(({ body: sent }) => String(sent))).toEqual([start, `${start}&after=%C3%BC%3D1`]);
});

describe('the bounds of a window', () => {
  it.each([
    ['date', '2026-11-21', '2026-11-22'],
    ['yyyy-MM-dd HH:mm', '2026-11-21 09:00', '2026-11-21 10:01'],
    ['yyyy-MM-dd HH:mm:ss', '2026-11-21 09:00:00', '2026-11-21 10:00:01'],
    ["yyyyMMdd'T'HHmmss.SSS", '20261121T090000.007', '20261121T100000.007'],
    ["MM/dd yyyy-MM-dd 'at' HH", '11/21 2026-11-21 at 09', '11/21 2026-11-21 at 11'],
    ['epoch_s', '1795251600', '1795255200'],
    ['epoch_ms', '1795251600007', '1795255200007'],
    ['epoch_us', '1795251600007000', '1795255200007000'],
    ['epoch_ns', '1795251600007000000', '1795255200007000000'],
  ])('are written as %s, and the end never before the end', async (format, begin, end) => {
    const query = { from: since, to: '{{ window.to }}' };
    const body = { n: '{{ window.from }}' };
    const settings = { 'window.format': format, 'request.query': query, 'request.method': 'POST', 'request.body': body };
    const vendor = openVendor(vendorConnector(settings), () => ({ body: { data: [] } }));

    const at = { from: Date.UTC(2026, 10, 21, 9, 0, 0, 7), to: Date.UTC(2026, 10, 21, 10, 0, 0, 7), state: null };
    await vendor.reader.page(at, new AbortController().signal);

    expect(pathsAsked(vendor)).toEqual([`/v1/logs?from=${begin}&to=${end}`]);
    expect(vendor.asked[0]?.body).toBe(format.startsWith('epoch') ? `{"n":${begin}}` : `{"n":"${begin}"}`);
  });
});

describe('bounds in a zone', () => {
  const boundsAt = async (format: string, from: string, to: string): Promise<unknown> => {
    const query = { from: '{{ window.from }}', to: '{{ window.to }}' };
    const connector = vendorConnector({ 'window.format': format, 'window.zone': 'Europe/Berlin', 'request.query': query });
    const vendor = openVendor(connector, () => ({ body: { data: [] } }));
    await vendor.reader.page({ from: Date.parse(from), to: Date.parse(to), state: null }, new AbortController().signal);
    return Object.fromEntries(vendor.asked[0]?.url.searchParams ?? []);
  };

  it.each([
    ['in winter', '2026-11-21T09:00:30Z', '2026-11-21T10:00:00Z', '2026-11-21 10:00', '2026-11-21 11:00'],
    ['in summer', '2026-07-01T09:00:00Z', '2026-07-01T10:00:01Z', '2026-07-01 11:00', '2026-07-01 12:01'],
    // 02:00 to 03:00 comes twice that night: the window is an hour longer than asked for, on both sides.
    ['when clocks are put back', '2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-25 01:30', '2026-10-25 03:30'],
  ])('are those of its clocks %s', async (_when, from, to, first, last) => {
    expect(await boundsAt('yyyy-MM-dd HH:mm', from, to)).toEqual({ from: first, to: last });
  });

  it('are its days', async () => {
    expect(await boundsAt('date', '2026-11-20T23:30:00Z', '2026-11-21T09:00:00Z')).toEqual({
      from: '2026-11-21',
      to: '2026-11-22',
    });
  });

  it('must be a zone', () => {
    expect(() => vendorConnector({ 'window.zone': 'Mars/Base' })).toThrow(/"Mars\/Base" is no zone/);
  });
});

describe('what a reply takes of memory', () => {
  const held = ({ asked }: ReturnType<typeof openVendor>): readonly (boolean | undefined)[] =>
    asked.map((request) => request.held?.disposed === false);

  it('counts until the next request, or until the reader is told that the page is stored', async () => {
    const connector = vendorConnector({ ...token, 'request.query': { from: since, after: '{{ page.token }}' } });
    const vendor = openVendor(connector, (_request, count) => ({ body: { data: [{ id: count }], next: `t${count}` } }));
    const seen: unknown[] = [];
    const { next } = await pageOf(vendor);
    seen.push(held(vendor));
    await pageOf(vendor, next);
    seen.push(held(vendor));
    vendor.reader.rest?.();
    seen.push(held(vendor));

    expect(seen).toEqual([[true], [false, true], [false, false]]);
  });

  it('does not count while a request waits for its next try, or a search for its end', async () => {
    const pending = { statuses: { 202: 'pending' }, pending: { every: '2s' } };
    const seen: unknown[] = [];
    const vendor = openVendor(vendorConnector(pending), (_request, count) => {
      seen.push(held(vendor));
      if (count === 0) return { status: 503 };
      return count === 1 ? { status: 202 } : { body: { data: [] } };
    });
    await pageOf(vendor);

    expect(seen).toEqual([[true], [false, true], [false, false, true]]);
    expect(held(vendor)).toEqual([false, false, true]);
  });

  it('does not count of a list of groups, while these are read', async () => {
    const groups = { 'groups.request.url': 'https://api.example.com/v1/orgs', 'groups.records': 'orgs', 'groups.id': 'id' };
    const request = { 'request.url': 'https://api.example.com/v1/orgs/{{ group.id }}', 'request.query': { from: since } };
    const vendor = openVendor(vendorConnector({ ...request, ...groups, 'page.whole': true }), (_request, count) => ({
      body: count === 0 ? { orgs: [{ id: 'a' }] } : { data: [] },
    }));
    await pageOf(vendor);

    expect(held(vendor)).toEqual([false, true]);
  });
});
