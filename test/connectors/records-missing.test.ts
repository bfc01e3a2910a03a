import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemSeams } from '../../src/base/seams.ts';
import { testConnector } from '../../src/workbench/connector-test/index.ts';
import { newConnector } from '../../src/workbench/new-connector.ts';
import { faultOf, openVendor, pageOf, vendorConnector } from './vendor.ts';

async function faultsOf(setting: string, reply: string): Promise<readonly string[]> {
  const seams = systemSeams();
  const { folder } = await newConnector('acme', await mkdtemp(join(tmpdir(), 'penstock-connectors-')), seams);
  const file = join(folder, 'connector.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace('  records: data\n', `  records: data\n${setting}`));
  await writeFile(join(folder, 'tests/first/page-2.json'), reply);
  const { cases } = await testConnector(folder, seams, { update: true });
  return cases.flatMap(({ faults }) => faults);
}

it.each(['{}', '{"data":null}', '{"data":null,"next_cursor":null}'])(
  'takes %s for an empty page only where the connector says so',
  async (reply) => {
    const [strict, lenient] = [await faultsOf('', reply), await faultsOf('  records_missing: empty\n', reply)];

    expect(strict).toEqual([expect.stringContaining('the reply has no list of records at data')]);
    expect(lenient).toEqual([]);
  },
);

it.each(['[]', '"text"', '{"data":{}}', '{"data":"none"}'])('never takes %s for an empty page', async (reply) => {
  expect(await faultsOf('  records_missing: empty\n', reply)).toEqual([
    expect.stringContaining('the reply has no list of records'),
  ]);
});

const lists = { records: ['a', 'b'], records_into: 'kind' };

it.each([
  ['two lists with records', { records: ['a', 'b'] }, { a: [{ id: 1 }], b: [{ id: 2 }] }, 'the reply has records at a and at b'],
  ['a list that is missing', lists, { a: [{ id: 1 }] }, 'the reply has no list of records at b'],
  [
    'a list that is something else',
    { ...lists, records_missing: 'empty' },
    { a: [{ id: 1 }], b: 'x' },
    'the reply has no list of records at b',
  ],
])('loses no records of several lists: %s', async (_name, read, body, says) => {
  await expect(pageOf(openVendor(vendorConnector(read), () => ({ body })))).rejects.toThrow(says);
});

it.each([
  ['the one of several lists that has records', { records: ['a', 'b'] }, { a: [], b: [{ id: 2 }] }, [{ id: 2 }]],
  ['an empty list of several', { records: ['a', 'b'] }, { a: [], b: [] }, []],
  ['what is there', { ...lists, records_missing: 'empty' }, { b: [{ id: 2 }] }, [{ id: 2, kind: 'b' }]],
  ['nothing', { ...lists, records_missing: 'empty' }, {}, []],
  [
    'maps',
    { ...lists, records_are: 'map' },
    { a: { x: { id: 1 } }, b: { x: { id: 1 } } },
    [
      { id: 1, kind: 'a' },
      { id: 1, kind: 'b' },
    ],
  ],
])('reads %s', async (_name, read, body, values) => {
  const { records } = await pageOf(openVendor(vendorConnector(read), () => ({ body })));

  expect([...records].map(({ value }) => value)).toEqual(values);
});

const record = { id: 1, time: '2026-11-21T09:00:00Z', action: 'login' };
const mayLack = { records_missing: 'empty' };

it.each([
  ['of the name in another case', mayLack, { Data: [record] }, 'Data'],
  ['of the name in another case, while it is empty', mayLack, { Data: [] }, 'Data'],
  [
    'of the name with other marks',
    { ...mayLack, records: '$.audit.log_entries' },
    { audit: { logEntries: [1] } },
    'audit.logEntries',
  ],
  ['of another name that holds records', mayLack, { total: 1, events: [record] }, 'events'],
  ['of another name that holds records, beside null', mayLack, { data: null, page: { rows: [record] } }, 'page.rows'],
  ['of one of several names in another case', { ...lists, ...mayLack }, { a: [record], B: [record] }, 'B'],
])('takes no reply for empty that has a list %s', async (_name, read, body, path) => {
  const fault = await faultOf(openVendor(vendorConnector(read), () => ({ body })));

  expect(fault).toMatchObject({ code: 'PEN_SOURCE_BAD_REPLY', message: expect.stringContaining('has no list of records at') });
  expect(fault?.fix).toContain(`add "${path}" to read.records`);
});

it.each([
  ['notes of the vendor', { data: null, messages: [{ id: 7, text: 'no events' }], links: [{ rel: 'self' }] }],
  ['users beside the records', { users: [{ id: 1, time: '2026-11-21T09:00:00Z' }] }],
  ['the same name without a list', { DATA: 0 }],
])('takes a reply without its list for empty beside %s', async (_name, body) => {
  const { records } = await pageOf(openVendor(vendorConnector(mayLack), () => ({ body })));

  expect([...records]).toEqual([]);
});

it('names what a reply has in the place of its list, one level down, and the list that holds records', async () => {
  const body = { d: { results: [record], __count: '1' }, at: 7, more: {} };

  const fault = await faultOf(openVendor(vendorConnector({}), () => ({ body })));

  expect(fault).toMatchObject({
    message: 'the reply has no list of records at data; it has d.results, d.__count, at, more',
    fix: 'the API may have changed: add "d.results" to read.records of the connector',
  });
});

it('knows a log that goes on by its records, too', async () => {
  const read = { kind: 'http_cursor', 'request.query': { after: '{{ page.token }}' }, 'cursor.overlap': '5m' };
  const connector = vendorConnector({ ...read, ...mayLack, 'page.kind': 'token', 'page.token': 'next' });

  const fault = await faultOf(openVendor(connector, () => ({ body: { events: [record], next: 'b' } })));

  expect(fault?.message).toContain('no list of records at data');
});

it('refuses a member of its own for lists of values', () => {
  expect(() => vendorConnector({ ...lists, columns: ['id'] })).toThrow('lists of values have no member of their own');
});
