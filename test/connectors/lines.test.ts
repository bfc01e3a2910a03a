import { describe, expect, it } from 'vitest';
import type { Values } from '../options/cases.ts';
import { faultOf, openVendor, pageOf, pathsAsked, vendorConnector, walk } from './vendor.ts';

const at = (id: string): string => JSON.stringify({ id, time: '2026-11-21T09:30:00Z', action: 'x' });
const mark = Buffer.from([0xef, 0xbb, 0xbf]);

function vendorOf(format: string, body: string | Buffer, more: Values = {}, type = '') {
  const connector = vendorConnector({ 'reply.format': format, records: '$', ...more });
  return openVendor(connector, () => ({ body, headers: { 'content-type': type } }));
}

async function recordsOf(...args: Parameters<typeof vendorOf>) {
  const { records } = await pageOf(vendorOf(...args));
  return [...records].map(({ value, unreadable, labels }) =>
    unreadable === undefined ? { ...(value as object), ...(labels === undefined ? {} : { labels }) } : { value, unreadable },
  );
}

describe('NDJSON', () => {
  it.each([
    ['\\n', `${at('a')}\n${at('b')}\n`],
    ['\\r\\n', `${at('a')}\r\n\r\n${at('b')}\r\n`],
    ['no line end at the end', `${at('a')}\n${at('b')}`],
    ['\\r alone', `${at('a')}\r${at('b')}\r`],
    ['record separators', `\x1e${at('a')}\n\x1e${at('b')}\n`],
    ['a list after all', `[${at('a')},${at('b')}]`],
  ])('reads a record a line with %s', async (_what, body) => {
    expect(await recordsOf('ndjson', body)).toMatchObject([{ id: 'a' }, { id: 'b' }]);
  });

  it('makes a line that is no JSON one unreadable record', async () => {
    const body = `${at('a')}\n{"id": "b", oops\n${at('c')}\n`;

    expect(await recordsOf('ndjson', body)).toMatchObject([
      { id: 'a' },
      { value: '{"id": "b", oops', unreadable: 'the line is not JSON' },
      { id: 'c' },
    ]);
  });

  it('mends and labels a line alone', async () => {
    const records = await recordsOf('ndjson', `${at('a')}\n${at('b\u0001').replace('\\u0001', '\u0001')}\n`);

    expect(records).toMatchObject([{ id: 'a' }, { id: 'b\u0001', labels: ['mended'] }]);
    expect(records[0]).not.toHaveProperty('labels');
  });

  it('makes a record of more values than memory should hold one unreadable record', async () => {
    const bomb = `{"id":"b","v":[${'1,'.repeat(600_000)}1]}`;

    const records = await recordsOf('ndjson', `${at('a')}\n${bomb}\n${at('c')}\n`);

    expect(records.map((record) => ('unreadable' in record ? record.unreadable : record))).toMatchObject([
      { id: 'a' },
      expect.stringMatching(/^more than \d+ values in \d+ characters$/),
      { id: 'c' },
    ]);
    expect((await recordsOf('ndjson', `${bomb}\n`)).length).toBe(1);
    expect((await faultOf(vendorOf('ndjson', bomb.slice(0, -2))))?.message).toMatch(/a last line that was cut off/);
    expect((await faultOf(vendorOf('ndjson', `[${'1,'.repeat(600_000)}1]\n`)))?.message).toMatch(/without a line of JSON/);
  });

  it('takes an empty body for an empty page', async () => {
    expect(await recordsOf('ndjson', '')).toEqual([]);
  });

  it.each([
    ['the body was cut off', `${at('a')}\n{"id":"b","ti`, /answered 200 with a last line that was cut off/],
    ['a proxy answers', '<html><body>Sign in</body></html>', /an HTML page instead of JSON/],
    ['there is no line of JSON', 'upstream went away\n', /a body without a line of JSON/],
    ['the only line is an error', '{"error":{"message":"no such log"}}\n', /answered 200 "no such log"/],
    ['the last line is words', `${at('a')}\nInternal Server Error\n`, /words instead of a record in its last line/],
    [
      'the last line is words that nothing ends',
      `${at('a')}\n\nupstream went away`,
      /words instead of a record in its last line/,
    ],
    ['the last line is an error', `${at('a')}\n{"success":false,"message":"aborted"}\n`, /"success":false,"message":"aborted"/],
  ])('fails the page where %s', async (_what, body, message) => {
    expect((await faultOf(vendorOf('ndjson', body)))?.message).toMatch(message);
  });

  it('takes a record that speaks of an error for a record', async () => {
    const line = JSON.stringify({ id: 'a', time: '2026-11-21T09:30:00Z', error: { message: 'login failed' } });

    expect(await recordsOf('ndjson', `${line}\n`)).toMatchObject([{ id: 'a' }]);
  });

  it('asks for a shorter window when there are too many records', async () => {
    expect((await faultOf(vendorOf('ndjson', '{}\n'.repeat(100_001))))?.code).toBe('PEN_WINDOW_TOO_LARGE');
  });

  it('finds the token of the next page in the last record', async () => {
    const vendor = vendorOf('ndjson', `${at('a')}\n${at('b')}\n`, {
      'page.kind': 'token',
      'page.token': '$[-1].id',
      'request.query': { from: '{{ window.from }}', after: '{{ page.token }}' },
    });

    expect((await pageOf(vendor)).next).toEqual({ kind: 'token', token: 'b' });
    expect(vendor.asked[0]?.headers?.['accept']).toBe('application/x-ndjson, application/json');
  });
});

describe('CSV', () => {
  const head = 'id,time,action';
  const row = (id: string): string => `${id},2026-11-21T09:30:00Z,x`;

  it.each([
    ['commas', `${head}\n${row('a')}\n${row('b')}\n`],
    ['semicolons', `${head}\n${row('a')}\n${row('b')}\n`.replaceAll(',', ';')],
    ['tabs and \\r\\n', `${head}\r\n${row('a')}\r\n${row('b')}`.replaceAll(',', '\t')],
    ['a byte order mark', `${mark.toString()}${head}\n${row('a')}\n${row('b')}\n`],
    ['\\r alone', `${head}\n${row('a')}\n${row('b')}\n`.replaceAll('\n', '\r')],
    ['\\r alone behind a byte order mark', `${mark.toString()}${head}\r${row('a')}\r${row('b')}`],
    ['a header that comes again', `${head}\n${row('a')}\n${head}\n${row('b')}\n`],
  ])('reads a record a row with %s', async (_what, body) => {
    expect(await recordsOf('csv', body)).toEqual([
      { id: 'a', time: '2026-11-21T09:30:00Z', action: 'x' },
      { id: 'b', time: '2026-11-21T09:30:00Z', action: 'x' },
    ]);
  });

  it('keeps line ends and quotes in a cell, and cells that the header does not name', async () => {
    expect(await recordsOf('csv', `${head}\n"a\n""b""",2026-11-21T09:30:00Z,x,more\n`)).toMatchObject([
      { id: 'a\n"b"', _extra: ['more'] },
    ]);
  });

  it.each(['\n', '\r\n', '\r'])(
    'makes a row whose quote is never closed one unreadable record: rows end with %j',
    async (end) => {
      const records = await recordsOf('csv', [head, row('a'), '"b,2026', row('c'), row('d'), ''].join(end));

      expect(records).toMatchObject([{ id: 'a' }, { value: '"b,2026' }, { id: 'c' }, { id: 'd' }]);
    },
  );

  it('gives columns the names that the connector says', async () => {
    const columns = { id: ['Event ID'], time: ['Date'] };

    expect(await recordsOf('csv', `EVENT_ID,date\n${row('a')}\n`, { 'reply.columns': columns })).toMatchObject([{ id: 'a' }]);
  });

  it('takes a header alone for an empty page', async () => {
    expect(await recordsOf('csv', `${head}\n`)).toEqual([]);
  });

  it('keeps a short last row of a table that has other short ones, and one that is ended', async () => {
    expect(await recordsOf('csv', `${head}\nb,2026-11-21T09:30:00Z\nc,2026-11-21T09:30:00Z`)).toHaveLength(2);
    expect(await recordsOf('csv', `${head}\n${row('a')}\nb,2026-11-21T09:30:00Z\n`)).toHaveLength(2);
  });

  it.each([
    ['the last row was cut off', `${head}\n${row('a')}\nb,2026-11-2`, /a last row that was cut off/],
    ['the body was cut off', `${head}\n${row('a')}\n"b`, /a last row that was cut off/],
    ['it is another table', 'name,size\nx,1\n', /answered 200 with a table without a column time/],
    ['a login page answers', '<!doctype html><html></html>', /an HTML page instead of JSON/],
    ['it is an error as JSON', '{"error":"no such export"}', /answered 200 "no such export"/],
    ['it is empty', '', /the reply has no list of records/],
  ])('fails the page where %s', async (_what, body, message) => {
    expect((await faultOf(vendorOf('csv', body)))?.message).toMatch(message);
  });

  it('asks for a shorter window when there are too many rows', async () => {
    expect((await faultOf(vendorOf('csv', `${head}\n${'a,b,c\n'.repeat(100_001)}`)))?.code).toBe('PEN_WINDOW_TOO_LARGE');
  });
});

describe('characters', () => {
  const line = `{"id":"é","time":"2026-11-21T09:30:00Z"}\n`;

  it.each([
    ['UTF-8, whatever is declared', Buffer.from(line), {}, 'application/x-ndjson; charset=iso-8859-1'],
    ['the charset that is declared', Buffer.from(line, 'latin1'), {}, 'text/plain; charset="ISO-8859-1"'],
    ['the charset that the connector names', Buffer.from(line, 'latin1'), { 'reply.charset': 'windows-1252' }, ''],
    ['UTF-16', Buffer.from(line, 'utf16le'), { 'reply.charset': 'utf-16le' }, ''],
  ])('are read as %s', async (_what, body, more, type) => {
    expect(await recordsOf('ndjson', body, more, type)).toMatchObject([{ id: 'é' }]);
  });

  it.each(['', 'text/plain; charset=klingon'])('that are not what they should be become U+FFFD (%j)', async (type) => {
    expect(await recordsOf('ndjson', Buffer.from(line, 'latin1'), {}, type)).toMatchObject([{ id: '\uFFFD' }]);
  });

  it('of JSON are read as the connector says too', async () => {
    const body = Buffer.from('[{"id":"é"}]', 'latin1');

    expect(await recordsOf('json', body, { 'reply.charset': 'latin1' })).toMatchObject([{ id: 'é' }]);
  });

  const json = '[{"id":"é"}]';

  it.each([
    ['as their type declares', Buffer.from(json, 'latin1'), 'application/json; charset=ISO-8859-1', 'é'],
    ['as UTF-8 whatever is declared', Buffer.from(json), 'application/json; charset=ISO-8859-1', 'é'],
    [
      'as UTF-8 with one wrong byte in it',
      Buffer.concat([Buffer.from('[{"id":"é","note":"éé'), Buffer.from([0xff]), Buffer.from('"}]')]),
      'application/json; charset=ISO-8859-1',
      'é',
    ],
    ['as UTF-16 with a mark', Buffer.from(`\ufeff${json}`, 'utf16le'), '', 'é'],
    ['as UTF-16 without a mark', Buffer.from(json, 'utf16le'), '', 'é'],
    ['as UTF-16 of the other order', Buffer.from(`\ufeff${json}`, 'utf16le').swap16(), '', 'é'],
  ])('of JSON are read %s', async (_what, body, type, id) => {
    expect(await recordsOf('json', body, {}, type)).toMatchObject([{ id }]);
  });

  it('are no charset of their own making', () => {
    expect(() => vendorConnector({ 'reply.charset': 'klingon' })).toThrow(/"klingon" is no charset/);
  });
});

describe.each(['ndjson', 'csv'])('a reply as %s of more rows than one may have', (format) => {
  const time = '2026-11-21T09:30:00Z';
  const body = (count: number): string => {
    const rows = Array.from({ length: count }, (_, i) => (format === 'csv' ? `${i},${time}` : `{"id":${i},"time":"${time}"}`));
    // Tables that were put together have a header for each.
    if (format === 'csv') rows.splice(10, 0, 'id,time', 'id,time', 'id,time');
    return `${format === 'csv' ? 'id,time\n' : ''}${rows.join('\n')}\n`;
  };

  it('is refused in a window', async () => {
    expect((await faultOf(vendorOf(format, body(100_001))))?.code).toBe('PEN_WINDOW_TOO_LARGE');
  });

  it('is read to its last row behind a cursor', async () => {
    const connector = vendorConnector({
      kind: 'http_cursor',
      'request.query': { from: '{{ page.token }}' },
      'cursor.overlap': '5m',
      'reply.format': format,
      records: '$',
      'page.kind': 'token',
      'page.token': '$[-1].id',
    });
    const vendor = openVendor(connector, () => ({ body: body(100_010) }));
    const { records, next } = await pageOf(vendor);

    expect([records.length, next]).toEqual([100_010, { kind: 'token', token: '100009' }]);
  });
});

const byTrailer = {
  'page.kind': 'token',
  'page.token': '$[-1].offset',
  'reply.format': 'ndjson',
  'reply.trailer': 'offset',
  records: '$',
  'request.query': { from: '{{ window.from }}', offset: '{{ page.token }}' },
};

it('a last line that says what comes next is no record', async () => {
  const bodies = ['{"id":1}\n{"id":2}\n{"offset":"o1","total":2}\n', '{"offset":null,"total":0}\n'];
  const vendor = openVendor(vendorConnector(byTrailer), (_request, count) => ({ body: bodies[count] }));

  expect(await walk(vendor)).toEqual([1, 2]);
  expect(pathsAsked(vendor).map((path) => /offset=(\w+)/.exec(path)?.[1])).toEqual([undefined, 'o1']);
});

it.each(['{"id":1}\n{"id":2}\n', '', '{"id":1}\n{"offset":'])('a reply without its last line was cut off: %j', async (body) => {
  const fault = await faultOf(openVendor(vendorConnector(byTrailer), () => ({ body })));

  expect(fault?.code).toBe('PEN_SOURCE_BAD_REPLY');
});

it('a trailer is one of lines', () => {
  expect(() => vendorConnector({ ...byTrailer, 'reply.format': 'csv' })).toThrow('only a reply of lines has a last one');
});
