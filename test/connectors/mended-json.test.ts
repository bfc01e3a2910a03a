import { describe, expect, it } from 'vitest';
import { faultOf, openVendor, pageOf, vendorConnector } from './vendor.ts';

const good = '{"id":1,"note":"tab \\t line \\n nul \\u0000 quote \\" slash \\\\"}';
const goodRecord = { value: { id: 1, note: 'tab \t line \n nul \0 quote " slash \\' } };

async function recordsOf(body: string | Buffer, settings = {}): Promise<unknown> {
  return (await pageOf(openVendor(vendorConnector(settings), () => ({ body })))).records;
}

describe('a page with what no JSON may hold', () => {
  it.each([
    ['a control character', '"a\u0001b"', 'a\u0001b'],
    ['a line break', '"a\nb"', 'a\nb'],
    ['a tab', '"a\tb"', 'a\tb'],
    ['a NUL', '"a\0b"', 'a\0b'],
    ['an escape', '"a\u001bb"', 'a\u001bb'],
    ['a wrong escape', '"C:\\Users\\x"', 'C:\\Users\\x'],
    ['an escaped quote of JavaScript', `"it\\'s"`, "it\\'s"],
    ['a backslash before a line break', '"a\\\nb"', 'a\\\nb'],
    ['NaN', 'NaN', null],
    ['an infinite number', '-Infinity', null],
  ])('gives all its records, and labels the one: %s', async (_name, text, note) => {
    const bad = `{"id":2,"note":${text}}`;
    const labelled = { value: { id: 2, note }, labels: ['mended'] };

    for (const [settings, body] of [
      [{}, `{"data":[${good},${bad},${good}],"next":null}`],
      [{ records: '$' }, `[${good},${bad},${good}]`],
    ] as const)
      expect(await recordsOf(body, settings)).toEqual([goodRecord, labelled, goodRecord]);
  });

  it('labels no record when the place is outside of the records', async () => {
    expect(await recordsOf(`{"data":[${good}],"message":"a\u0001b"}`)).toEqual([goodRecord]);
  });

  it('keeps the digits of long numbers', async () => {
    const records = await recordsOf('{"data":[{"id":12345678901234567890,"note":"a\u0001"}]}');

    expect(JSON.stringify(records)).toContain('"id":12345678901234567890');
  });

  it('carries the label into what is known of the record', () => {
    const { records } = vendorConnector({});

    expect(records.examine({ value: { id: 1 }, labels: ['mended'] }, undefined).labels).toEqual(['mended']);
  });

  it.each([
    '{"data":[{"id":1,"note":"a\u0001b"}',
    '{"data":[{"id":1,"note":"a\u0001b',
    '{"data":[{"id":1,"note":"a\u0001"b"}]}',
    '{"data":[\u0001]}',
    '',
    'NaN of it',
  ])('that was cut off or is no JSON stays a bad reply: %j', async (body) => {
    expect((await faultOf(openVendor(vendorConnector({}), () => ({ body }))))?.code).toBe('PEN_SOURCE_BAD_REPLY');
  });

  it('is mended in time and memory that grow with its size', async () => {
    const body = `{"data":[{"id":1,"note":"${`${'x\\"'.repeat(20)}\u0001`.repeat(40_000)}"}]}`;

    expect(await recordsOf(body)).toHaveLength(1);
  });

  it.each(['\u0001', '\\q', 'x\u0000'])('and hardly anything else is a bad reply: %j', async (run) => {
    const body = `{"data":[{"id":1,"note":"${run.repeat(500_000)}"}]}`;

    expect((await faultOf(openVendor(vendorConnector({}), () => ({ body }))))?.code).toBe('PEN_SOURCE_BAD_REPLY');
  });
});

it.each([
  [")]}',", ''],
  [")]}'\n", ''],
  ['while(1);', ''],
  [' for (;;);\r\n', ''],
  ['\ufeff\ufeff', ''],
  ['\n \ufeff', '\n'],
  ['', '\0\0'],
])('reads what stands between %j and %j, and labels nothing of it', async (before, after) => {
  for (const [settings, body] of [
    [{}, `{"data":[${good}],"next":null}`],
    [{ records: '$' }, `[${good}]`],
  ] as const)
    expect(await recordsOf(`${before}${body}${after}`, settings)).toEqual([goodRecord]);
  expect(await recordsOf(`${before}{"data":[{"id":2,"note":"a\u0001"}]}${after}`)).toMatchObject([{ labels: ['mended'] }]);
});

it.each(['', ';', '<!-- 3 ms -->', '\n{"data":[]}', ')'])('takes no reply whose end is not where it says: %j', async (after) => {
  const fault = await faultOf(
    openVendor(vendorConnector({}), () => ({ body: `)]}',{"data":[${good}]${after === '' ? '' : '}'}${after}` })),
  );

  expect(fault?.code).toBe('PEN_SOURCE_BAD_REPLY');
});
