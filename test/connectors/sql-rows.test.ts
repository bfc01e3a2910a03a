// Records as lists of values, answers that are not ready, and later pages by another method: what SQL APIs and searches do.
import { describe, expect, it } from 'vitest';
import { faultOf, from, openVendor, pageOf, pathsAsked, vendorConnector } from './vendor.ts';

const told = { columns: { at: 'meta.cols', name: 'name' }, records: 'rows', 'page.kind': 'link_header' };
const meta = { cols: [{ name: 'id' }, { name: 'time' }, { name: 'action' }] };
const row = (id: string) => [id, '1795251600.123456789', 'LOGIN'];
const record = (id: string) => ({ id, time: '1795251600.123456789', action: 'LOGIN' });
const next = (path: string) => ({ link: `<${path}>; rel="next"` });

const valuesOf = async (...args: Parameters<typeof pageOf>) => [...(await pageOf(...args)).records].map(({ value }) => value);

describe('records that are lists of values', () => {
  it.each([
    ['that the reply names', told, { meta, rows: [row('a'), row('b')] }],
    ['that the connector names', { records: 'rows', columns: ['id', 'time', 'action'] }, { rows: [row('a'), row('b')] }],
    [
      'whose names are a list of texts',
      { records: 'rows', columns: { at: 'fields' } },
      { fields: ['id', 'time', 'action'], rows: [row('a'), row('b')] },
    ],
    [
      'in members of their own',
      { records: 'rows', columns: { at: 'schema.fields', name: 'name', row: 'f', value: 'v' } },
      { schema: { fields: meta.cols }, rows: ['a', 'b'].map((id) => ({ f: row(id).map((v) => ({ v })) })) },
    ],
  ])('get their names: %s', async (_what, words, body) => {
    const vendor = openVendor(vendorConnector(words), () => ({ body }));

    expect(await valuesOf(vendor)).toEqual([record('a'), record('b')]);
  });

  it('keep the names of the first page on later ones, which tell none, and forget them with the walk', async () => {
    const vendor = openVendor(vendorConnector(told), ({ url }) =>
      url.searchParams.has('p')
        ? { body: { rows: [row('b')] } }
        : { body: { meta, rows: [row('a')] }, headers: next('/v1/logs?p=1') },
    );

    const first = await pageOf(vendor);

    expect(await valuesOf(vendor, first.next)).toEqual([record('b')]);
    const fresh = openVendor(vendorConnector(told), () => ({ body: { rows: [row('b')] } }));
    expect((await faultOf(fresh, first.next))?.code).toBe('PEN_PAGE_TOKEN_REFUSED');
    expect(await faultOf(openVendor(vendorConnector(told), () => ({ body: { rows: [row('a')] } })))).toMatchObject({
      code: 'PEN_SOURCE_BAD_REPLY',
      message: 'the reply does not name its columns',
    });
  });

  it('are no records where there are none, with names or without', async () => {
    expect(await valuesOf(openVendor(vendorConnector(told), () => ({ body: { rows: [] } })))).toEqual([]);
  });

  it('with too few or too many values are kept as text, and fail the poll where all of them are', async () => {
    const mixed = openVendor(vendorConnector(told), () => ({ body: { meta, rows: [row('a'), ['b', 'x'], [...row('c'), 1]] } }));
    const [first, ...others] = (await pageOf(mixed)).records;

    expect([first?.value, others]).toEqual([
      record('a'),
      [
        { value: '["b","x"]', unreadable: 'the row has 2 values, but 3 names' },
        { value: '["c","1795251600.123456789","LOGIN",1]', unreadable: 'the row has 4 values, but 3 names' },
      ],
    ]);
    expect(await faultOf(openVendor(vendorConnector(told), () => ({ body: { meta, rows: [['a'], ['b']] } })))).toMatchObject({
      code: 'PEN_SOURCE_BAD_REPLY',
      message: 'the rows of the reply have 1 value, but 3 names',
    });
  });

  it('keep both values of two columns of one name, and names that are keys of every object', async () => {
    const cols = ['n', 'n', '__proto__'].map((name) => ({ name }));
    const vendor = openVendor(vendorConnector(told), () => ({ body: { meta: { cols }, rows: [[1, 2, 3]] } }));

    expect(JSON.stringify(await valuesOf(vendor))).toBe('[{"n":1,"n_2":2,"__proto__":3}]');
  });

  it('have times as fractions of seconds since 1970', () => {
    const { records } = vendorConnector(told);

    expect(records.examine({ value: record('a') }, undefined).time).toBe(1_795_251_600_123);
  });
});

describe('an answer that is not ready', () => {
  const sql = {
    ...told,
    'request.method': 'POST',
    'request.query': {},
    'request.body': { statement: 'SELECT', from: '{{ window.from }}' },
    'request.later': { method: 'GET' },
    statuses: { 202: 'pending' },
    pending: { link: 'statusUrl', every: '3s', at_most: '30s' },
  };
  const wait = { status: 202, body: { statusUrl: '/v1/logs/h1?requestId=r1' } };
  const ready = { body: { meta, rows: [row('a')] } };

  it('is asked for again at its address, without the body, until it is there; later pages are a GET', async () => {
    const answers = [
      wait,
      { ...wait, headers: { 'retry-after': '7' } },
      { ...ready, headers: next('/v1/logs/h1?p=1') },
      { body: { rows: [row('b')] } },
    ];
    const vendor = openVendor(vendorConnector(sql), (_request, n) => answers[n] ?? {});

    const first = await pageOf(vendor);
    const second = await valuesOf(vendor, first.next);

    expect([[...first.records].map(({ value }) => value), second]).toEqual([[record('a')], [record('b')]]);
    expect(vendor.asked.map(({ method, body }) => [method, body])).toEqual([
      ['POST', `{"statement":"SELECT","from":"${new Date(from).toISOString()}"}`],
      ['GET', undefined],
      ['GET', undefined],
      ['GET', undefined],
    ]);
    expect(vendor.asked.some(({ method, headers }) => method === 'GET' && 'content-type' in (headers ?? {}))).toBe(false);
    expect(pathsAsked(vendor)).toEqual(['/v1/logs', '/v1/logs/h1?requestId=r1', '/v1/logs/h1?requestId=r1', '/v1/logs/h1?p=1']);
    expect(vendor.waits).toEqual([3_000, 7_000]);
  });

  it.each([
    ['a header', { header: 'location' }, { status: 202, headers: { location: '/v1/jobs/9' }, body: '' }, '/v1/jobs/9'],
    [
      'a member that makes an address',
      { url: 'https://api.example.com/v1/jobs/{{ reply.id }}' },
      { status: 202, body: { id: 'a/b' } },
      '/v1/jobs/a%2Fb',
    ],
    ['nothing', {}, { status: 202, body: {} }, '/v1/logs'],
  ])('is asked for again where %s says', async (_what, pending, first, path) => {
    const vendor = openVendor(vendorConnector({ ...sql, pending }), (_request, n) => [first, ready][n] ?? {});

    expect(await valuesOf(vendor)).toEqual([record('a')]);
    expect(vendor.asked[1]?.url.pathname).toBe(path);
  });

  it('is asked for at the address that was asked where a later answer names none', async () => {
    const answers = [{ status: 202, body: { id: 'j1' } }, { status: 202, body: { state: 'RUNNING' } }, ready];
    const pending = { url: 'https://api.example.com/v1/jobs/{{ reply.id }}' };
    const vendor = openVendor(vendorConnector({ ...sql, pending }), (_request, n) => answers[n] ?? {});

    expect(await valuesOf(vendor)).toEqual([record('a')]);
    expect(pathsAsked(vendor)).toEqual(['/v1/logs', '/v1/jobs/j1', '/v1/jobs/j1']);
  });

  it('may say so in its body, with status 200', async () => {
    const { statuses: _statuses, ...words } = { ...sql, failures: { state: { RUNNING: 'pending', DONE: 'ok' } } };
    const running = { body: { ...wait.body, state: 'RUNNING', rows: [] } };
    const vendor = openVendor(
      vendorConnector(words),
      (_request, n) => [running, { body: { ...ready.body, state: 'DONE' } }][n] ?? {},
    );

    expect(await valuesOf(vendor)).toEqual([record('a')]);
  });

  it('is one by its status also where nothing is wrong with the body', async () => {
    const words = { ...sql, failures: { code: { 391908: 'window_too_large', '*': 'ok' } } };
    const begun = { ...wait, body: { ...wait.body, code: '333334' } };
    const vendor = openVendor(
      vendorConnector(words),
      (_request, n) => [begun, { body: { ...ready.body, code: '090001' } }][n] ?? {},
    );

    expect(await valuesOf(vendor)).toEqual([record('a')]);
  });

  it('is not waited for beyond the time that is set, and the poll fails', async () => {
    const vendor = openVendor(vendorConnector(sql), () => wait);

    expect(await faultOf(vendor)).toMatchObject({
      code: 'PEN_SOURCE_UNAVAILABLE',
      message: 'the answer to POST https://api.example.com/v1/logs was not ready after 30 s',
    });
    expect(vendor.waits.reduce((sum, ms) => sum + ms, 0)).toBe(30_000);
  });

  it('is begun anew by a later poll where the vendor has forgotten it', async () => {
    const vendor = openVendor(vendorConnector(sql), (_request, n) => (n === 0 ? wait : { status: 404 }));

    expect((await faultOf(vendor))?.code).toBe('PEN_SOURCE_UNAVAILABLE');
  });

  it('holds the source where the vendor refuses in the end, as it would at once', async () => {
    const refusal = { status: 422, body: { message: 'SQL compilation error' } };
    const vendor = openVendor(vendorConnector(sql), (_request, n) => (n === 0 ? wait : refusal));

    expect(await faultOf(vendor)).toMatchObject({
      code: 'PEN_SOURCE_REFUSED',
      message: expect.stringContaining('SQL compilation') as string,
    });
  });

  it('is never asked for at another host', async () => {
    const vendor = openVendor(vendorConnector(sql), () => ({ status: 202, body: { statusUrl: 'https://evil.example/x' } }));

    expect([(await faultOf(vendor))?.code, vendor.asked.length]).toEqual(['PEN_FOREIGN_ORIGIN', 1]);
  });

  it.each([
    ['an empty list', { data: [] }],
    ['nothing', ''],
    ['no list', {}],
  ])('is no empty page where a connector says nothing of it: 202 with %s', async (_what, body) => {
    const vendor = openVendor(vendorConnector({ records_missing: 'empty' }), () => ({ status: 202, body }));

    expect((await faultOf(vendor))?.code).toBe('PEN_SOURCE_UNAVAILABLE');
  });

  it('is a page where it has records, or the connector says so', async () => {
    const full = openVendor(vendorConnector({}), () => ({ status: 202, body: { data: [{ id: 1 }] } }));
    const empty = openVendor(vendorConnector({ statuses: { 202: 'ok' } }), () => ({ status: 202, body: { data: [] } }));

    expect([await valuesOf(full), await valuesOf(empty)]).toEqual([[{ id: 1 }], []]);
  });
});
