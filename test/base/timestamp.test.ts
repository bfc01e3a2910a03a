import { expect, it } from 'vitest';
import { parseDuration, parseTimestamp, sizeBytes } from '../../src/base/quantity.ts';

it.each([
  ['2026-11-21', Date.UTC(2026, 10, 21)],
  ['2026-11-21T10:00Z', Date.UTC(2026, 10, 21, 10)],
  ['2026-11-21T10:00:30.5+02:00', Date.UTC(2026, 10, 21, 8, 0, 30, 500)],
  ['2026-11-21 10:00:30z', Date.UTC(2026, 10, 21, 10, 0, 30)],
])('reads %s', (text, ms) => {
  expect(parseTimestamp(text)).toBe(ms);
});

it.each([
  '2026-02-31',
  '2026-02-31T00:00:00Z',
  '2026-11-21T10:00:00',
  '2026-11-21T25:00Z',
  '2026-13-01',
  '30d',
  '',
  '2026-11-21T10:00:00+0200',
])('refuses %j', (text) => {
  expect(parseTimestamp(text)).toBeUndefined();
});

it.each([
  ['1.5h', 5_400_000],
  ['500ms', 500],
  ['2w', 1_209_600_000],
  ['30days', undefined],
  ['5min', undefined],
  ['1h30m', undefined],
  ['-5m', undefined],
  ['5 m', undefined],
])('takes %j for %s milliseconds', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it('tells sizes by thousands from those by 1024', () => {
  expect(['1B', '1KB', '1KiB', '2MB', '2MiB', '1.5GiB', '1TiB'].map(sizeBytes)).toEqual([
    1, 1000, 1024, 2_000_000, 2_097_152, 1_610_612_736, 1_099_511_627_776,
  ]);
  expect(() => sizeBytes('1KiBs')).toThrow(RangeError);
});
