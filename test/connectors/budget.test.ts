import { describe, expect, it } from 'vitest';
import { type Answer, faultOf, openVendor, pageOf, vendorConnector } from './vendor.ts';

const now = Date.UTC(2026, 10, 21, 10);
const at = (ms: number): Date => new Date(now + ms);

async function newsOf(answer: Answer): Promise<unknown> {
  const vendor = openVendor(vendorConnector({}), (_request, count) => (count === 0 ? answer : { body: { data: [] } }));
  await pageOf(vendor).catch(() => undefined);
  return vendor.news[0];
}

const page = { body: { data: [] } };

describe('the reset of a budget, as vendors write it', () => {
  it.each([
    ['30', 30_000],
    ['30.5', 30_500],
    ['30s', 30_000],
    ['0m30s', 30_000],
    ['500ms', 500],
    ['30, 100;w=60', 30_000],
    ['0', 0],
    [String(at(30_000).getTime() / 1000), 30_000],
    [String(at(30_000).getTime()), 30_000],
    [`${at(30_000).getTime()}000`, 30_000],
    [`${at(30_000).getTime() / 1000}.25`, 30_250],
    [at(30_000).toISOString(), 30_000],
    ['2026-11-21T10:01Z', 60_000],
    ['2026-11-21 10:00:30 UTC', 30_000],
    [at(30_000).toUTCString(), 30_000],
    [at(-30_000).toISOString(), 0],
  ])('is read: %s', async (text, resetMs) => {
    for (const name of ['x-ratelimit-reset', 'x-rate-limit-reset', 'ratelimit-reset', 'x-ratelimit-reset-after'])
      expect(await newsOf({ ...page, headers: { [name]: text } })).toEqual({ resetMs });
  });

  it.each(['2026-11-28T10:00:00Z', '100000', '99999999999999', '90000000', '2h', 'Sat, 28 Nov 2026 10:00:00 GMT', '7200'])(
    'never means more than a minute while the vendor grants requests: %s',
    async (text) => {
      expect(await newsOf({ ...page, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': text } })).toMatchObject({
        remaining: 0,
        resetMs: 60_000,
      });
    },
  );

  it.each(['soon', '', '-5', 'null'])('says nothing when it cannot be read: %s', async (text) => {
    expect(await newsOf({ ...page, headers: { 'x-ratelimit-reset': text } })).toBeUndefined();
  });

  it.each([
    [{ ratelimit: 'limit=100, remaining=5, reset=30' }],
    [{ ratelimit: '"default";q=100;r=5;t=30' }],
    [{ 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '30' }],
  ])('is found in %j', async (headers) => {
    expect(await newsOf({ ...page, headers })).toEqual({ limit: 100, remaining: 5, resetMs: 30_000 });
  });

  it('is a time of the clock of the vendor', async () => {
    const headers = { date: at(-3_600_000).toUTCString(), 'x-ratelimit-reset': at(-3_590_000).toISOString() };

    expect(await newsOf({ ...page, headers })).toEqual({ resetMs: 10_000 });
  });
});

describe('a refusal for the rate', () => {
  const odd = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '2026-11-28T10:00:00Z' };

  it.each([429, 403, 503, 500, 502, 408])('obeys Retry-After alone, whatever else it says: %i', async (status) => {
    expect(await newsOf({ status, headers: { ...odd, 'retry-after': '3' } })).toEqual({ pauseMs: 3_000 });
  });

  it.each([
    ['7200', 3_600_000],
    ['1.5', 1_500],
    ['-5', 60_000],
  ])('obeys Retry-After for an hour at most, and not where it says nothing: %s', async (text, pauseMs) => {
    expect(await newsOf({ status: 429, headers: { ...odd, 'retry-after': text } })).toMatchObject({ pauseMs });
  });

  it('pauses until a reset within the hour, when nothing remains', async () => {
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': at(1_200_000).toISOString() };

    expect(await newsOf({ status: 429, headers })).toMatchObject({ pauseMs: 1_200_000 });
  });

  it('pauses a minute for a reset that is absurd', async () => {
    expect(await newsOf({ status: 429, headers: odd })).toMatchObject({ pauseMs: 60_000 });
  });

  it.each([
    [403, { 'retry-after': '4' }, ''],
    [403, { 'x-ratelimit-remaining': '0' }, ''],
    [403, {}, { message: 'You have exceeded a secondary rate limit.' }],
    [403, {}, { error: { errors: [{ reason: 'rateLimitExceeded' }], message: 'Rate Limit Exceeded' } }],
    [403, {}, { error: { message: 'Quota exceeded for this project' } }],
    [400, {}, { __type: 'ThrottlingException', message: 'Rate exceeded: throttled' }],
    [400, { 'retry-after': '2' }, ''],
    [409, {}, { message: 'Too many requests' }],
    [420, { 'retry-after': '2' }, ''],
    [509, {}, 'Bandwidth Limit Exceeded'],
    [429, {}, ''],
  ])('passes by itself: %i with %j %j', async (status, headers, body) => {
    const vendor = openVendor(vendorConnector({}), (_request, count) =>
      count === 0 ? { status, headers, body } : { body: { data: [] } },
    );

    expect(await faultOf(vendor)).toBeUndefined();
    expect(vendor.asked).toHaveLength(2);
  });

  it.each([
    [403, {}, { message: 'Resource not accessible by integration' }],
    [403, { 'x-ratelimit-remaining': '4999' }, { message: 'Forbidden' }],
    [403, { 'x-ratelimit-remaining': '' }, ''],
    [401, { 'retry-after': '40' }, ''],
    [404, { 'x-ratelimit-remaining': '0' }, ''],
  ])('is told from one for a missing right: %i with %j %j', async (status, headers, body) => {
    const vendor = openVendor(vendorConnector({}), () => ({ status, headers, body }));

    expect((await faultOf(vendor))?.code).toBe('PEN_SOURCE_REFUSED');
  });
});
