import nock from 'nock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PenstockError } from '../../src/base/errors.ts';
import type { PageRequest, WindowReader } from '../../src/connectors/connector.ts';
import { openSource, plainPage } from './open-source.ts';

const origin = 'https://anaconda.com';
const options = {
  org_id: 'org-1',
  client_id: 'collector',
  client_secret: 'client-secret-1',
  api_url: origin,
  token_url: `${origin}/api/iam/token`,
};
const window: PageRequest = { from: Date.UTC(2026, 10, 20, 10, 0, 0, 7), to: Date.UTC(2026, 10, 20, 11), state: null };
const signal = new AbortController().signal;
const records = (count: number): { id: string }[] => Array.from({ length: count }, (_, index) => ({ id: String(index) }));

beforeEach(() => nock.disableNetConnect());
afterEach(() => {
  nock.abortPendingRequests();
  nock.cleanAll();
});

const mint = (token = 'access-1'): nock.Scope =>
  nock(origin)
    .post('/api/iam/token', 'grant_type=client_credentials&client_id=collector&client_secret=client-secret-1')
    .reply(200, { access_token: token, token_type: 'Bearer', expires_in: 900 });
const faultOf = async (pending: Promise<unknown>): Promise<PenstockError> =>
  (await pending.catch((error: unknown) => error)) as PenstockError;

describe('the request', () => {
  it('carries the token, both headers, inclusive bounds and a total order', async () => {
    await using opened = await openSource('anaconda', options);
    mint();
    nock(origin, { reqheaders: { authorization: 'Bearer access-1', 'x-org-name': 'org-1', 'x-api-version': 'v1' } })
      .get(
        '/api/audit-logs?from_date=2026-11-20T10%3A00%3A00.007000Z&to_date=2026-11-20T11%3A00%3A00.000000Z&sort=occurred_at%2Cid&limit=1000&offset=0',
      )
      .reply(200, { items: records(2), total_count: 2 });

    const answer = await (opened.reader as WindowReader).page(window, signal);

    expect(plainPage(answer)).toEqual({ records: records(2).map((value) => ({ value })), next: null, total: 2 });
  });

  it('asks for as few records as a probe wants', async () => {
    await using opened = await openSource('anaconda', options);
    mint();
    nock(origin)
      .get('/api/audit-logs')
      .query((query) => query['limit'] === '1' && query['offset'] === '5')
      .reply(200, { items: records(1), total_count: 9 });

    const answer = await (opened.reader as WindowReader).page(
      { ...window, limit: 1, state: { kind: 'offset', offset: 5 } },
      signal,
    );

    expect(answer.next).toMatchObject({ kind: 'offset', offset: 6 });
  });

  it('sweeps without a time range, newest first', async () => {
    await using opened = await openSource('anaconda', options);
    mint();
    nock(origin)
      .get('/api/audit-logs?sort=-created_at&limit=1000&offset=0')
      .reply(200, { items: records(1), total_count: 1 });

    const answer = await (opened.reader as WindowReader).sweepPage?.({ state: null }, signal);

    expect(answer?.records).toHaveLength(1);
  });
});

describe('paging by offset', () => {
  it.each([
    ['a full page of more', 2, 5, { kind: 'offset', offset: 2 }],
    ['a short page that does not reach the total', 1, 5, { kind: 'offset', offset: 1 }],
    ['the last page', 5, 5, null],
    ['an empty page before the total', 0, 5, null],
  ])('after %s goes to the right place', async (_name, count, total, next) => {
    await using opened = await openSource('anaconda', options);
    mint();
    nock(origin)
      .get(/audit-logs/)
      .reply(200, { items: records(count), total_count: total });

    const answer = await (opened.reader as WindowReader).page(window, signal);

    expect(answer).toMatchObject({ next, total });
  });
});

describe('the access token', () => {
  it('serves many pages', async () => {
    await using opened = await openSource('anaconda', options);
    const token = mint();
    nock(origin)
      .get(/audit-logs/)
      .times(3)
      .reply(200, { items: [], total_count: 0 });

    for (let n = 0; n < 3; n += 1) await (opened.reader as WindowReader).page(window, signal);

    expect(token.isDone()).toBe(true);
    expect((opened.reader as WindowReader).requestCount).toBe(3);
  });

  it('is minted again once on a 401, and the same page asked for', async () => {
    await using opened = await openSource('anaconda', options);
    mint('old');
    mint('new');
    nock(origin, { reqheaders: { authorization: 'Bearer old' } })
      .get(/offset=2000/)
      .reply(401, { detail: 'expired' });
    nock(origin, { reqheaders: { authorization: 'Bearer new' } })
      .get(/offset=2000/)
      .reply(200, { items: records(1), total_count: 2001 });

    const answer = await (opened.reader as WindowReader).page({ ...window, state: { kind: 'offset', offset: 2000 } }, signal);

    expect(answer.next).toBeNull();
  });

  it('that is refused twice holds the source', async () => {
    await using opened = await openSource('anaconda', options);
    mint();
    mint();
    nock(origin)
      .get(/audit-logs/)
      .times(2)
      .reply(401, { detail: 'no' });

    const error = await faultOf((opened.reader as WindowReader).page(window, signal));

    expect([error.code, error.message]).toEqual([
      'PEN_SOURCE_REFUSED',
      'answered 401 "no" to GET https://anaconda.com/api/audit-logs',
    ]);
  });

  it('that cannot be minted for wrong credentials holds the source at once', async () => {
    await using opened = await openSource('anaconda', options);
    nock(origin).post('/api/iam/token').reply(401, { error: 'invalid_client' });

    const error = await faultOf((opened.reader as WindowReader).page(window, signal));

    expect(error).toMatchObject({ code: 'PEN_SOURCE_REFUSED', status: 401 });
    expect(opened.waits).toEqual([]);
  });

  it('is minted by another try when its endpoint fails for a moment', async () => {
    await using opened = await openSource('anaconda', options);
    nock(origin).post('/api/iam/token').reply(503);
    mint();
    nock(origin)
      .get(/audit-logs/)
      .reply(200, { items: [], total_count: 0 });

    const answer = await (opened.reader as WindowReader).page(window, signal);

    expect(answer.records).toEqual([]);
  });

  it('never stands in an error', async () => {
    await using opened = await openSource('anaconda', options);
    mint('access-token-of-today');
    nock(origin)
      .get(/audit-logs/)
      .reply(403, { detail: 'Bearer access-token-of-today by client-secret-1 is not allowed' });

    const error = await faultOf((opened.reader as WindowReader).page(window, signal));

    expect(error.message).toBe(
      'answered 403 "Bearer [REDACTED] by [REDACTED] is not allowed" to GET https://anaconda.com/api/audit-logs',
    );
  });
});

it('holds for parameters that the vendor does not take, with its words', async () => {
  await using opened = await openSource('anaconda', options);
  mint();
  nock(origin)
    .get(/audit-logs/)
    .reply(422, {
      detail: [
        { loc: ['query', 'limit'], msg: 'too large', type: 'x' },
        { loc: ['query', 0], msg: 'odd' },
      ],
    });

  const error = await faultOf((opened.reader as WindowReader).page(window, signal));

  expect([error.code, error.message]).toEqual([
    'PEN_SOURCE_REFUSED',
    'answered 422 "query.limit: too large; query.0: odd" to GET https://anaconda.com/api/audit-logs',
  ]);
});

it('is identified by where it reads and for whom, without secrets', async () => {
  await using opened = await openSource('anaconda', options);

  const identity = opened.connector.identity(options);

  expect([identity, opened.connector.tenant(options)]).toEqual([{ origin: 'https://anaconda.com', org_id: 'org-1' }, 'org-1']);
});
