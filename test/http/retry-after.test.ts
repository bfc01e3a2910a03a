import { expect, it } from 'vitest';
import { retryAfterMs } from '../../src/http/index.ts';
import { virtualClock } from '../virtual-clock.ts';

const noon = Date.UTC(2026, 10, 21, 12);
const day = 86_400_000;
const httpDate = (ms: number): string => new Date(ms).toUTCString();

it.each([
  ['seconds', { 'retry-after': '40' }, 0, 40_000],
  ['a date, by our clock where the answer has none', { 'retry-after': httpDate(noon + 40_000) }, 0, 40_000],
  [
    "a date, by the answer's own Date when our clock is two days behind",
    { date: httpDate(noon), 'retry-after': httpDate(noon + 40_000) },
    -2 * day,
    40_000,
  ],
  [
    "a date, by the answer's own Date when our clock is two days ahead",
    { date: httpDate(noon), 'retry-after': httpDate(noon + 40_000) },
    2 * day,
    40_000,
  ],
  [
    'a date in an answer that a cache kept',
    { date: httpDate(noon), age: '30', 'retry-after': httpDate(noon + 40_000) },
    0,
    10_000,
  ],
  ['a number that is no whole number of seconds', { 'retry-after': '1.5' }, 0, 1_500],
  ['seconds with their unit', { 'retry-after': '30s' }, 0, 30_000],
  ['a time since 1970', { 'retry-after': String((noon + 40_000) / 1000) }, 0, 40_000],
  ['a time since 1970 in milliseconds', { 'retry-after': String(noon + 40_000) }, 0, 40_000],
  ['an ISO date', { 'retry-after': new Date(noon + 40_000).toISOString() }, 0, 40_000],
  ['a date that is over', { 'retry-after': httpDate(noon - 40_000) }, 0, 0],
  ['zero', { 'retry-after': '0' }, 0, 0],
  ['the longest of several', { 'retry-after': '3, 40, 5' }, 0, 40_000],
  ['the longest of several with a date', { 'retry-after': `3, ${httpDate(noon + 40_000)}` }, 0, 40_000],
  ['the one of several that can be read', { 'retry-after': 'soon, 7' }, 0, 7_000],
  ['nothing in less than nothing', { 'retry-after': '-5' }, 0, undefined],
  ['nothing in words', { 'retry-after': 'tomorrow' }, 0, undefined],
  ['more than ten minutes', { 'retry-after': '100000' }, 0, 600_000],
])('reads %s', (_what, headers: Record<string, string>, offMs, wait) => {
  expect(retryAfterMs(headers, virtualClock(noon + offMs))).toBe(wait);
});
