import nock from 'nock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PenstockError } from '../../src/base/errors.ts';
import type { Page, PageRequest, WindowReader } from '../../src/connectors/connector.ts';
import { type Opened, openSource, userAgent } from './open-source.ts';

const origin = 'https://app.mode.com';
const options = { workspace: 'acme', token: 'tok-1', secret: 'very-secret', base_url: origin };
const window: PageRequest = { from: Date.UTC(2026, 10, 20, 10, 0, 0, 123), to: Date.UTC(2026, 10, 20, 11), state: null };
const signal = new AbortController().signal;

beforeEach(() => nock.disableNetConnect());
afterEach(() => {
  nock.abortPendingRequests();
  nock.cleanAll();
});

async function page(opened: Opened, request: PageRequest = window): Promise<Page> {
  return (opened.reader as WindowReader).page(request, signal);
}

const fault = async (pending: Promise<unknown>): Promise<PenstockError> => {
  const outcome = await pending.catch((error: unknown) => error);
  return outcome as PenstockError;
};

describe('the request', () => {
  it('asks for whole seconds with Basic, JSON and our User-Agent', async () => {
    await using opened = await openSource('analyst-studio', options);
    const scope = nock(origin, {
      reqheaders: {
        accept: 'application/json',
        'user-agent': userAgent,
        authorization: `Basic ${Buffer.from('tok-1:very-secret').toString('base64')}`,
      },
    })
      .get('/api/acme/audit_logs?start_timestamp=2026-11-20T10%3A00%3A00Z&end_timestamp=2026-11-20T11%3A00%3A00Z')
      .reply(200, { audit_logs: [] }, { Date: 'Sat, 21 Nov 2026 10:00:00 GMT' });

    const answer = await page(opened);

    expect(answer).toEqual({ records: [], next: null, serverTime: Date.UTC(2026, 10, 21, 10) });
    expect((opened.reader as WindowReader).requestCount).toBe(1);
    scope.done();
  });

  it('sends the token of the walk percent-encoded', async () => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get('/api/acme/audit_logs')
      .query({ start_timestamp: /.*/, end_timestamp: /.*/, next_token: 'a+b/c=&d' })
      .reply(200, { audit_logs: [] });

    const answer = await page(opened, { ...window, state: { kind: 'token', token: 'a+b/c=&d' } });

    expect(answer.next).toBeNull();
  });

  it('cannot be led to another host or path by an option', async () => {
    await using opened = await openSource('analyst-studio', { ...options, workspace: 'a/../../x?y=1#z' });
    nock(origin).get('/api/a%2F..%2F..%2Fx%3Fy%3D1%23z/audit_logs').query(true).reply(200, { audit_logs: [] });

    const answer = await page(opened);

    expect(answer.records).toEqual([]);
  });
});

describe('the reply', () => {
  const record = { id: '1', action: 'group_created' };

  it.each([
    ['plain', { audit_logs: [record], next_token: 'n' }],
    ['HAL', { _embedded: { audit_logs: [record] }, pagination: { next_token: 'n' } }],
  ])('is read in its %s form', async (_name, body) => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(200, body);

    const answer = await page(opened);

    expect(answer.records).toEqual([{ value: record }]);
    expect(answer.next).toEqual({ kind: 'token', token: 'n' });
  });

  it.each([
    ['null', null],
    ['empty', ''],
    ['absent', undefined],
  ])('ends the walk when the token is %s', async (_name, next_token) => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(200, { audit_logs: [record], next_token });

    const answer = await page(opened);

    expect(answer.next).toBeNull();
  });

  it('continues after an empty page that carries a token', async () => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(200, { audit_logs: [], next_token: 'n' });

    const answer = await page(opened);

    expect(answer).toMatchObject({ records: [], next: { kind: 'token', token: 'n' } });
  });

  it('keeps the digits of long numbers and replaces bytes that are no UTF-8', async () => {
    await using opened = await openSource('analyst-studio', options);
    const body = Buffer.concat([
      Buffer.from('{"audit_logs":[{"id":12345678901234567890,"name":"'),
      Buffer.from([0xff]),
      Buffer.from('"}]}'),
    ]);
    nock(origin)
      .get(/audit_logs/)
      .reply(200, body, { 'content-type': 'application/json' });

    const answer = await page(opened);

    expect(JSON.stringify(answer.records)).toBe('[{"value":{"id":12345678901234567890,"name":"\ufffd"}}]');
  });

  it('delivers what is no object as unreadable', async () => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(200, { audit_logs: [null, 'text', [1], record] });

    const answer = await page(opened);

    const unreadable = 'the record is not a JSON object';
    expect(answer.records).toEqual([
      { value: 'null', unreadable },
      { value: 'text', unreadable },
      { value: '[1]', unreadable },
      { value: record },
    ]);
  });

  it.each([
    ['an HTML page with status 200', 200, '<!DOCTYPE html><title>Sign in</title>', /HTML page/, /login page/],
    [
      'an unknown shape',
      200,
      '{"events":[]}',
      /no list of records at audit_logs or _embedded.audit_logs; it has events/,
      /read.records/,
    ],
    ['a body cut off', 200, '{"audit_logs":[', /not JSON/, /cut off/],
    ['an empty body', 200, '', /empty body/, /URL/],
    ['the wrong media type', 406, '', /answered 406/, undefined],
  ])('fails the poll for %s', async (_name, status, body, message, fix) => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(status, body);

    const error = await fault(page(opened));

    expect(error.code).toBe('PEN_SOURCE_BAD_REPLY');
    expect(error.message).toMatch(message);
    if (fix !== undefined) expect(error.fix).toMatch(fix);
  });
});

describe('a refusal', () => {
  it.each([
    [401, 'Unauthorized', 'PEN_SOURCE_REFUSED', /may have expired \(90 days/],
    [403, { id: 'forbidden', message: 'no access' }, 'PEN_SOURCE_REFUSED', /workspace token made by an administrator/],
    [404, { id: 'not_found', message: 'gone' }, 'PEN_SOURCE_REFUSED', /check workspace/],
    [422, { message: { start_timestamp: ['is invalid'] } }, 'PEN_SOURCE_REFUSED', /does not take our parameters/],
    [400, { error: 'too long' }, 'PEN_WINDOW_TOO_LARGE', undefined],
    [413, '', 'PEN_WINDOW_TOO_LARGE', undefined],
    [504, '<html>gateway</html>', 'PEN_WINDOW_TOO_LARGE', undefined],
    [302, '', 'PEN_SOURCE_BAD_REPLY', /redirects are not followed/],
  ])('with status %s is classified', async (status, body, code, fix) => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(status, body, { location: 'https://login.example/?secret=1' });

    const error = await fault(page(opened));

    expect([error.code, error.status]).toEqual([code, status]);
    if (fix !== undefined) expect(error.fix).toMatch(fix);
    expect(error.message).not.toContain('?');
  });

  it('of a page token restarts the walk', async () => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(400, {});

    const error = await fault(page(opened, { ...window, state: { kind: 'token', token: 'stale' } }));

    expect(error.code).toBe('PEN_PAGE_TOKEN_REFUSED');
  });

  it.each([
    [{ message: { field: ['is wrong', 'is late'] } }, 'field is wrong; is late'],
    [{ detail: [{ loc: ['query', 0, 'limit'], msg: 'too big' }] }, 'query.0.limit: too big'],
    [{ detail: 'Not here' }, 'Not here'],
    [{ error: { message: 'denied', code: 5 } }, 'denied'],
    [{ errors: [{ ID: 1, message: 'one' }, { message: 'two' }] }, 'one; two'],
    [{ error: 'invalid_request', error_description: 'bad scope' }, 'bad scope'],
    [{ message: 'token very-secret is wrong' }, 'token [REDACTED] is wrong'],
    [{ message: 'x'.repeat(5000) }, 'a text of 5000 characters'],
    [{ message: 'ten chars '.repeat(500) }, `${'ten chars '.repeat(30).trim()}...`],
    [{ message: 'two\r\nlines\u0000\u202e' }, 'two lines'],
  ])("quotes the vendor's words %j", async (body, words) => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(403, body);

    const error = await fault(page(opened));

    expect(error.message).toBe(`answered 403 "${words}" to GET https://app.mode.com/api/acme/audit_logs`);
  });
});

describe('a passing fault', () => {
  it('is tried again after the time that the vendor asks for', async () => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(429, '', { 'retry-after': '7', 'x-ratelimit-remaining': '0', 'x-ratelimit-limit': '40' });
    nock(origin)
      .get(/audit_logs/)
      .reply(200, { audit_logs: [] }, { 'x-ratelimit-remaining': '39' });

    const answer = await page(opened);

    expect(answer.records).toEqual([]);
    expect(opened.waits).toEqual([7000]);
    expect(opened.news.map(([, state]) => state)).toEqual([{ pauseMs: 7000 }, { remaining: 39 }]);
    expect(opened.limits).toHaveLength(2);
    expect(opened.limits[0]).toMatch(/^https:\/\/app\.mode\.com [0-9a-f]{12}$/);
  });

  it('obeys a date in Retry-After', async () => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(503, '', { 'retry-after': 'Sat, 21 Nov 2026 10:00:20 GMT' });
    nock(origin)
      .get(/audit_logs/)
      .reply(200, { audit_logs: [] });

    await page(opened);

    expect(opened.waits).toEqual([20_000]);
  });

  it('gives up after five tries', async () => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .times(5)
      .reply(502, '<html>bad gateway</html>', { 'content-type': 'text/html' });

    const error = await fault(page(opened));

    expect([error.code, error.status]).toEqual(['PEN_SOURCE_UNAVAILABLE', 502]);
    expect(opened.limits).toHaveLength(5);
    expect(opened.waits).toHaveLength(4);
  });

  it('hands a long wait to the loop instead of sitting it out', async () => {
    await using opened = await openSource('analyst-studio', options);
    nock(origin)
      .get(/audit_logs/)
      .reply(429, '', { 'retry-after': '300' });

    const error = await fault(page(opened));

    expect([error.code, error.retryAfterMs]).toEqual(['PEN_SOURCE_UNAVAILABLE', 300_000]);
    expect(opened.waits).toEqual([]);
  });
});
