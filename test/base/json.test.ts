import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseForeignJson, TooManyValues } from '../../src/base/foreign.ts';
import { canonicalJson, isObject, mayHoldInexactNumber, parseJson, setOwn, snakeKeys } from '../../src/base/json.ts';
import { fewOrMany } from '../thorough.ts';

const digits = fc.string({ unit: fc.constantFrom('0', '7', '9', 'x', '.'), maxLength: 80 });
const keys = fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('10', '9', '__proto__', 'toJSON', 'é', 'id'));
const { json } = fc.letrec<{ json: unknown; object: unknown }>((tie) => ({
  object: fc.array(fc.tuple(keys, tie('json')), { maxLength: 6 }).map((members) => {
    const object: Record<string, unknown> = {};
    for (const [key, value] of members) setOwn(object, key, value);
    return object;
  }),
  json: fc.oneof(
    { depthSize: 'small' },
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(null, true, parseJson('12345678901234567890')),
    fc.array(tie('json'), { maxLength: 4 }),
    tie('object'),
  ),
}));

/** What canonical JSON means, without regard to cost. */
function spelledOut(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spelledOut).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).toSorted();
  return `{${members.map((key) => `${JSON.stringify(key)}:${spelledOut(value[key])}`).join(',')}}`;
}

it('writes canonical JSON with the keys of every object in order, whatever came before', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(canonicalJson(value)).toBe(spelledOut(value));
    }),
    { numRuns: fewOrMany(150, 5000) },
  );
});

it('leaves members of the value out of canonical JSON, not those below', () => {
  const text = canonicalJson({ message: 'a', id: 1, meta: { message: 'b' } }, new Set(['message']));

  expect(text).toBe('{"id":1,"meta":{"message":"b"}}');
});

it('keeps the digits of every number, whatever stands around it', () => {
  const number = fc.constantFrom(
    '12345678901234567890',
    '-9007199254740993',
    '0.12345678901234567',
    '0.30000000000000004',
    '-1.7976931348623157e+308',
    '-1.7976931348623158e+308',
    '1234567890123456789e5',
    '1733000000.123456789',
    '-1.2345678901234567890',
    '1e400',
    '-2.5E+1000',
    '1e-400',
    '4.9406e-324',
    `0.${'0'.repeat(330)}1`,
    `1${'0'.repeat(309)}`,
    '7',
  );
  const run = fc.constantFrom('', '1234567890123456', ' 1234567890123456,');
  const text = fc.tuple(digits, run, digits).map((parts) => JSON.stringify(`k${parts.join('')}`));
  const value = fc.oneof(number, text);
  const item = fc.oneof(
    value,
    fc.array(value, { maxLength: 4 }).map((items) => `[${items.join('#,#')}]`),
    fc.dictionary(text, value, { maxKeys: 4, noNullPrototype: true }).map((members) => {
      const written = Object.entries(members).map(([key, member]) => `${key}#:#${member}`);
      return `{#${written.join('#,#')}#}`;
    }),
  );
  fc.assert(
    fc.property(fc.array(item, { maxLength: 5 }), fc.constantFrom('', ' ', '\n\t'), (items, blanks) => {
      const marked = `#[${items.join('#,#')}#]#`;

      const parsed = parseJson(marked.replaceAll('#', blanks));

      expect(JSON.stringify(parsed)).toBe(marked.replaceAll('#', ''));
    }),
    { numRuns: fewOrMany(250, 10_000) },
  );
});

it.each([
  '"1234567890123456"',
  '{"id":"90020230118223242000000","url":"a:1234567890123456"}',
  '["a-1234567890123456-b"]',
  '[123456789012345]',
  '[0.30000000000000004,-1.7976931348623157e+308]',
  '{"a":-9007199254740992,"b":1.4285714285714285e-10}',
  '52.37021612345678',
  '[1733000000.123456,1733000000.123000,1733000000.100000]',
  '["1733000000.123456789","10.20.30.40.50.60.70"]',
])('sees no number that a double cannot hold in %s', (text) => {
  expect(mayHoldInexactNumber(text)).toBe(false);
});

it.each([
  '9007199254740993',
  '[0.3,0.300000000000000044]',
  '{"a":0.30000000000000004,"b":-9007199254740993}',
  '[1.2345678901234567E-9]',
  '[1.2345678901234567e400]',
  '[0.12345678901234567890123456789]',
  '[1234567890123456.50]',
  '[12345678.123456789012]',
  '{"at":1733000000.123456789}',
])('sees the number that a double writes differently in %s', (text) => {
  expect(mayHoldInexactNumber(text)).toBe(true);
});

it('takes digits in a text for what they are, whatever stands around them', () => {
  const value = { id: '-012345678901234567890}', at: '+01:0012345678901234567890]', e: ':123.456.789.012.345.6e,' };

  expect(parseJson(JSON.stringify(value))).toEqual(value);
});

it('keeps the digits of a number however deep its document is nested', () => {
  const text = `[12345678901234567890,${'['.repeat(20_000)}1${']'.repeat(20_000)}]`;

  const [first] = parseJson(text) as unknown[];

  expect(JSON.stringify(first)).toBe('12345678901234567890');
});

describe('JSON from outside', () => {
  it.each([
    ['empty objects', '{},'],
    ['empty lists', '[],'],
    ['digits', '1,'],
    ['members', '{"":{"":1}},'],
  ])('of millions of %s is refused before it is built', (_name, item) => {
    expect(() => parseForeignJson(`[${item.repeat(2_000_000)}1]`)).toThrow(TooManyValues);
  });

  it('of ordinary records is read whatever its size', () => {
    const record = {
      id: 'e-1',
      at: 1,
      actor: { name: 'someone, {else} [here]', id: 7 },
      tags: ['a', 'b'],
      text: 'x\\"'.repeat(20),
    };
    const text = JSON.stringify(Array.from({ length: 60_000 }, () => record));

    expect(parseForeignJson(text)).toHaveLength(60_000);
  });
});

it('spells our own keys in snake_case, and leaves what a vendor wrote', () => {
  const letter = {
    eventTime: 1,
    letters: [{ usedBytes: 2, record: { uid: 'u', record: { userName: 'a' } } }],
    'anaconda-acme': { lastAt: 3 },
  };

  expect(snakeKeys(letter, ['record'])).toEqual({
    event_time: 1,
    letters: [{ used_bytes: 2, record: { uid: 'u', record: { userName: 'a' } } }],
    'anaconda-acme': { last_at: 3 },
  });
});
