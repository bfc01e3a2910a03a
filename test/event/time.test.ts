import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseJson } from '../../src/base/json.ts';
import { compileTime, parseTime } from '../../src/event/index.ts';

it.each([
  ['2026-11-20T10:15:30.123456Z', '2026-11-20T10:15:30.123Z'],
  ['2026-11-20T10:15:30.999999999Z', '2026-11-20T10:15:30.999Z'],
  ['2026-11-20T10:15:30.1Z', '2026-11-20T10:15:30.100Z'],
  ['2026-11-20T10:15:30Z', '2026-11-20T10:15:30.000Z'],
  ['2026-11-20T10:15:30', '2026-11-20T10:15:30.000Z'],
  ['2026-11-20T10:15:30+00:00', '2026-11-20T10:15:30.000Z'],
  ['2021-10-29T16:01:38.967-07:00', '2021-10-29T23:01:38.967Z'],
  ['2021-10-29T16:01:38.967-0700', '2021-10-29T23:01:38.967Z'],
  ['2016-08-30 16:45:57.785', '2016-08-30T16:45:57.785Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  [1_762_161_322, '2025-11-03T09:15:22.000Z'],
  [1_762_161_322.417, '2025-11-03T09:15:22.417Z'],
  [1_762_161_322_417, '2025-11-03T09:15:22.417Z'],
  ['1762161322417', '2025-11-03T09:15:22.417Z'],
  ['1762161322.417', '2025-11-03T09:15:22.417Z'],
])('reads %s', (text, iso) => {
  const time = parseTime(text);

  expect({ iso: new Date(time?.ms ?? -1).toISOString(), dayOnly: time?.dayOnly }).toEqual({ iso, dayOnly: false });
});

it('reads a date alone as midnight UTC and says so', () => {
  expect(parseTime('2026-11-20')).toEqual({ ms: Date.UTC(2026, 10, 20), dayOnly: true });
});

it('reads a number that the parser kept as text', () => {
  const record = parseJson('{"at":1762161322417.123456789}') as { at: unknown };

  expect(parseTime(record.at)?.ms).toBe(1_762_161_322_417);
});

it.each([
  '',
  ' ',
  'yesterday',
  '2026-13-01',
  '2026-02-29',
  '2026-11-31T00:00:00Z',
  '2026-11-20T24:00:00Z',
  '2026-11-20T10:60:00Z',
  '0001-01-01T00:00:00Z',
  '1969-12-31T23:59:59Z',
  '2026-11-20T10:15:30+25:00',
  '2026-11-20T10:15:30.1234567890Z',
  '-5',
  '1e12',
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1e18,
  null,
  undefined,
  true,
  {},
  [],
])('takes %j for no time', (value) => {
  expect(parseTime(value)).toBeUndefined();
});

it('reads every instant that this program writes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
      expect(parseTime(new Date(ms).toISOString())?.ms).toBe(ms);
    }),
  );
});

it('never throws', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const ms = parseTime(value)?.ms ?? 0;

      expect(Number.isInteger(ms) && ms >= 0).toBe(true);
    }),
  );
});

it('falls through to the next path when the first holds no time', () => {
  expect(compileTime(['occurred_at', 'created_at'])({ occurred_at: 'soon', created_at: '2026-11-20' })?.ms).toBe(
    Date.UTC(2026, 10, 20),
  );
});
