import { expect, it } from 'vitest';
import { parseTimestamp } from '../../src/base/quantity.ts';

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
