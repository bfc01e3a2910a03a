import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Answer, faultOf, openVendor, pageOf, vendorConnector } from './vendor.ts';

const records = [{ id: 1 }];
const pagings = [
  { 'page.kind': 'none' },
  { 'page.kind': 'offset', 'request.query': { from: '{{ window.from }}', skip: '{{ page.offset }}' } },
  { 'page.kind': 'page_number', 'request.query': { from: '{{ window.from }}', page: '{{ page.number }}' } },
  { 'page.kind': 'token', 'page.token': 'next', 'request.query': { from: '{{ window.from }}', after: '{{ page.token }}' } },
  { 'page.kind': 'link', 'page.link': 'links.next' },
  { 'page.kind': 'link_header' },
];

async function codeOf(answer: Answer, settings: Readonly<Record<string, unknown>> = {}): Promise<string | undefined> {
  const error = await faultOf(openVendor(vendorConnector(settings), () => answer));
  return error?.code;
}

describe('a body that says that it failed', () => {
  it.each([
    [{ errors: [{ message: 'internal' }], data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ errors: [{ message: 'internal', extensions: { code: 'Slow' } }], data: [] }, 'PEN_SOURCE_UNAVAILABLE'],
    [{ errors: [], data: [] }, undefined],
  ])('counts as one also where an entry speaks of another part of it: %j', async (body, code) => {
    expect(await codeOf({ body }, { failures: { 'errors[0].extensions.code': { Slow: 'rate_limit' } } })).toBe(code);
  });

  it('says in the message what the connector makes of a success', async () => {
    const vendor = openVendor(vendorConnector({ failures: { state: { timeout: 'window_too_large' } } }), () => ({
      body: { state: 'timeout', data: records },
    }));

    expect(await faultOf(vendor)).toMatchObject({
      code: 'PEN_WINDOW_TOO_LARGE',
      message: 'answered 200 (window_too_large) to GET https://api.example.com/v1/logs',
    });
  });

  it.each([
    [{ meta: { status: 429 }, data: [], fail: [{ code: 'X' }] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ ok: false, error: 'token_revoked' }, 'PEN_SOURCE_BAD_REPLY'],
    [{ success: false, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ Success: 'false', data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ ok: 0, data: null }, 'PEN_SOURCE_BAD_REPLY'],
    [{ errors: [{ message: 'bad' }], data: null }, 'PEN_SOURCE_BAD_REPLY'],
    [{ errors: { a: ['wrong'] }, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ Error: { Message: 'bad' }, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ Response: { Error: { Code: 'bad' } }, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ meta: { errors: ['bad'] }, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ status: 'error', data: null }, 'PEN_SOURCE_BAD_REPLY'],
    [{ errorCode: 17, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ code: 401, data: [] }, 'PEN_SOURCE_REFUSED'],
    [{ statusCode: '503', data: [] }, 'PEN_SOURCE_UNAVAILABLE'],
    [{ meta: { status: 429 }, data: [] }, 'PEN_SOURCE_UNAVAILABLE'],
    [{ meta: { rc: 'error', msg: 'api.err.LoginRequired' }, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ responseStatus: 'FAILURE', data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ message: 'Internal server error', data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ Message: 'Rate exceeded' }, 'PEN_SOURCE_BAD_REPLY'],
    [{ message: 'Something went wrong' }, 'PEN_SOURCE_BAD_REPLY'],
    [{ message: 'No permission for this log', data: null }, 'PEN_SOURCE_BAD_REPLY'],
    [{ __type: 'ThrottlingException', data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ code: 'InternalError', data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ faultstring: 'session ended', data: [] }, 'PEN_SOURCE_BAD_REPLY'],
  ])('is no empty page with any kind of paging: %j', async (body, code) => {
    for (const paging of pagings) {
      const came = await codeOf({ body }, { ...paging, records_missing: 'empty' });

      expect(came).toBe(code);
    }
  });

  it.each([
    { error: 'half of the shards failed', data: records },
    { errors: [{ message: 'timeout' }], data: records },
    { ok: false, data: records },
  ])('is no page with the records that came: %j', async (body) => {
    expect(await codeOf({ body })).toBe('PEN_SOURCE_BAD_REPLY');
  });

  it.each([
    { error: null, errors: [], fail: [], ok: true, success: 'true', data: [] },
    { error: false, errors: {}, success: 1, data: [] },
    { error: { code: 0, message: '' }, status: 'success', code: 200, data: [] },
    { errors: [null], error: 'None', status: 'ok', data: [] },
    { errorCode: '0', status: 0, data: [] },
    { meta: { errors: [], status: 200 }, data: [] },
    { status: 'failed', code: 404, data: records },
    { message: 'Login failed for some', data: records },
    { message: 'No events found', type: 'list', data: [] },
    { message: 'OK', reason: null, details: {}, data: [] },
    { message: '3 pages were searched', data: [] },
  ])('is told from one that says that it did not: %j', async (body) => {
    expect(await codeOf({ body })).toBeUndefined();
  });

  it.each([{ message: 'No events found' }, { msg: 'Success' }, { code: 'ok' }])(
    'is told from one without a list that says that nothing was found: %j',
    async (body) => {
      expect(await codeOf({ body }, { records_missing: 'empty' })).toBeUndefined();
      expect(
        await codeOf({ body: { message: 'wait' } }, { records_missing: 'empty', failures: { message: { wait: 'ok' } } }),
      ).toBeUndefined();
    },
  );

  it.each([
    { code: 'RATE_LIMIT' },
    { code: 1002 },
    { returnCode: -1 },
    { rc: 1 },
    { status: 'Session timed out' },
    { errno: 13 },
    { err: 'x' },
    { 'odata.error': { code: 'x' } },
    { isError: true },
    { hasErrors: 1 },
    { errorFlag: 'Y' },
    { warnings: ['half of the shards'] },
    { maintenance: true },
    { login_required: true },
    { authenticated: false },
    { isValid: 'false' },
    { ack: 'NACK' },
    { state: 'FAILED' },
  ])('is no empty page where there is not even a list: %j', async (body) => {
    const read = { records_missing: 'empty', 'page.total': 'total' };

    expect(await codeOf({ body: { total: 0, ...body } }, read)).toBe('PEN_SOURCE_BAD_REPLY');
  });

  it.each([
    { code: 0 },
    { code: '000000', err: '', errno: 0 },
    { status: 1, result: '1' },
    { rc: 200, status: 'No records' },
    { status: 'completed', state: 'b64place', ack: 'x' },
    { hasErrors: false, isError: 0, warnings: [], maintenance: 'no' },
    { authenticated: true, valid: 'yes', kind: 'reports#activities', etag: 'x' },
  ])('is told from an empty page without a list: %j', async (body) => {
    expect(await codeOf({ body }, { records_missing: 'empty' })).toBeUndefined();
  });

  it('is not looked for in the list of records', async () => {
    expect(await codeOf({ body: { errors: records } }, { records: 'errors' })).toBeUndefined();
    expect(await codeOf({ body: { errors: { items: records } } }, { records: 'errors.items' })).toBeUndefined();
  });

  it('shows the words of the vendor and what to do', async () => {
    const error = await faultOf(
      openVendor(vendorConnector({}), () => ({ body: { data: [], fail: [{ Message: 'gone wrong' }] } })),
    );

    expect([error?.message, error?.fix]).toEqual([
      'answered 200 "gone wrong" to GET https://api.example.com/v1/logs',
      'the vendor says so in the body: if it is no failure, say in read.failures of the connector what the member means',
    ]);
  });
});

describe('what a connector says of members', async () => {
  const page = await readFile(resolve(import.meta.dirname, '../../docs/connectors.md'), 'utf8');
  const block = /<!-- example: failures -->\n```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const { failures } = parse(block) as { failures: unknown };

  it.each([
    [{ ok: false, error: 'token_revoked' }, 'PEN_SOURCE_REFUSED'],
    [{ ok: false, error: 'RateLimited' }, 'PEN_SOURCE_UNAVAILABLE'],
    [{ error: 'anything else', data: records }, 'PEN_SOURCE_BAD_REPLY'],
    [{ meta: { status: 500 }, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
    [{ meta: { status: 404 } }, undefined],
    [{ meta: { status: 200 }, data: [] }, undefined],
    [{ ok: false, data: [] }, 'PEN_SOURCE_BAD_REPLY'],
  ])('decides, as the example of the page has it: %j', async (body, code) => {
    expect(await codeOf({ body }, { failures })).toBe(code);
  });

  it('of a page token begins the window again, and is a bad reply to a first page', async () => {
    const connector = vendorConnector({
      failures,
      'page.kind': 'token',
      'page.token': 'next',
      'request.query': { from: '{{ window.from }}', after: '{{ page.token }}' },
    });
    const vendor = openVendor(connector, () => ({ body: { ok: false, error: 'invalid_cursor' } }));

    const codes = [await faultOf(vendor, { kind: 'token', token: 't' }), await faultOf(vendor)].map((error) => error?.code);

    expect(codes).toEqual(['PEN_PAGE_TOKEN_REFUSED', 'PEN_SOURCE_BAD_REPLY']);
  });

  it('counts in refusals too, but never makes one a page', async () => {
    const error = { code: 'no_events' };

    expect([
      await codeOf({ status: 404, body: { error } }, { failures: { 'error.code': { no_events: 'empty' } } }),
      await codeOf(
        { status: 404, body: { error: { code: 'no_tenant' } } },
        { failures: { 'error.code': { no_events: 'empty' } } },
      ),
      await codeOf({ status: 404, body: { error, data: [] } }, { failures: { 'error.code': { no_events: 'ok' } } }),
    ]).toEqual([undefined, 'PEN_SOURCE_BAD_REPLY', 'PEN_SOURCE_REFUSED']);
  });

  it('can be that a member is no failure', async () => {
    const body = { errors: ['deprecated'], data: records };

    expect(await codeOf({ body }, { failures: { errors: { '*': 'ok' } } })).toBeUndefined();
  });
});

describe('a status', () => {
  it.each([204, 400, 403, 404, 410, 422, 500])('%i means an empty page where the connector says so', async (status) => {
    const vendor = openVendor(vendorConnector({ statuses: { [status]: 'empty' } }), () => ({ status, body: 'none' }));

    expect(await pageOf(vendor)).toMatchObject({ records: [], next: null });
    expect(vendor.asked).toHaveLength(1);
  });

  it.each([400, 403, 404, 410, 422, 500])('%i is a fault where it does not', async (status) => {
    expect(await codeOf({ status, body: 'none' })).toBeDefined();
  });

  it('202 with nothing in it is no empty page: what was asked for is not there yet', async () => {
    expect(await codeOf({ status: 202, body: { data: [] } })).toBe('PEN_SOURCE_UNAVAILABLE');
    expect(await codeOf({ status: 202, body: { data: records } })).toBeUndefined();
  });

  it.each([401, 404, 422])('%i means what it does, although words speak of a rate', async (status) => {
    expect(await codeOf({ status, body: { error: 'rate limit of this role exceeded' } })).toBe('PEN_SOURCE_REFUSED');
  });

  it('means what the connector says of it', async () => {
    const statuses = { 403: 'rate_limit', 401: 'unavailable', 429: 'refused', 409: 'window_too_large', 200: 'failed' };

    expect(
      await Promise.all([403, 401, 429, 409, 200].map((status) => codeOf({ status, body: { data: [] } }, { statuses }))),
    ).toEqual([
      'PEN_SOURCE_UNAVAILABLE',
      'PEN_SOURCE_UNAVAILABLE',
      'PEN_SOURCE_REFUSED',
      'PEN_WINDOW_TOO_LARGE',
      'PEN_SOURCE_BAD_REPLY',
    ]);
  });
});

describe('a refusal', () => {
  it.each([
    [{ Error: { Message: 'no such thing' } }, 'no such thing'],
    [{ ERROR: 'no such thing' }, 'no such thing'],
    [{ Errors: [{ Detail: 'one' }, { Detail: 'two' }] }, 'one; two'],
    [{ Response: { Error: { Code: 'X', Message: 'no such thing' } } }, 'no such thing'],
    [{ error_message: 'no such thing' }, 'no such thing'],
    [{ errorMessage: 'no such thing' }, 'no such thing'],
    [{ fault: { faultstring: 'no such thing' } }, 'no such thing'],
  ])('shows the words of the vendor whatever the case of the names: %j', async (body, words) => {
    const error = await faultOf(openVendor(vendorConnector({}), () => ({ status: 403, body })));

    expect(error?.message).toContain(`answered 403 "${words}" to`);
  });
});

describe('behind the first page', () => {
  const offset = { 'page.kind': 'offset', 'request.query': { from: '{{ window.from }}', offset: '{{ page.offset }}' } };
  const token = {
    'page.kind': 'token',
    'page.token': 'next',
    'request.query': { from: '{{ window.from }}', token: '{{ page.token }}' },
  };
  const places = [
    {
      read: offset,
      state: { kind: 'offset', offset: 100 } as const,
      refused: 'PEN_WINDOW_TOO_LARGE',
      failed: 'PEN_WINDOW_TOO_LARGE',
    },
    {
      read: token,
      state: { kind: 'token', token: 't' } as const,
      refused: 'PEN_PAGE_TOKEN_REFUSED',
      failed: 'PEN_SOURCE_BAD_REPLY',
    },
  ];

  it.each(places)('a body that says 403 or failed speaks of the place: $state.kind', async ({ read, state, refused, failed }) => {
    const codeFor = async (body: unknown): Promise<string | undefined> =>
      (
        await faultOf(
          openVendor(vendorConnector(read), () => ({ body })),
          state,
        )
      )?.code;

    expect(await codeFor({ status: 403, message: 'no such cursor', data: [] })).toBe(refused);
    expect(await codeFor({ ok: false, error: 'invalid_cursor' })).toBe(failed);
    expect(await codeFor({ status: 401, data: [] })).toBe('PEN_SOURCE_REFUSED');
    expect(await codeFor({ status: 429, data: [] })).toBe('PEN_SOURCE_UNAVAILABLE');
  });

  it.each([400, 404, 410])('a status that means empty (%i) is no page for a token that was promised one', async (status) => {
    const open = (read: typeof offset | typeof token) =>
      openVendor(vendorConnector({ ...read, statuses: { [status]: 'empty' } }), () => ({ status }));

    expect((await faultOf(open(token), { kind: 'token', token: 't' }))?.code).toBe('PEN_PAGE_TOKEN_REFUSED');
    expect(await pageOf(open(offset), { kind: 'offset', offset: 7 })).toMatchObject({ records: [], next: null });
    expect(await pageOf(open(token))).toMatchObject({ records: [], next: null });
  });
});
