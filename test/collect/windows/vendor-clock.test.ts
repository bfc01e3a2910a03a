// Date headers that are those of a cache, or of no clock.
import { expect, it } from 'vitest';
import { startSource } from '../../../src/collect/index.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, day, hour, minute, noon, row, settings, vendor } from '../fixture.ts';

/** Polls every minute for half an hour, while the vendor's answers carry a time; what became of 25 records. */
async function polled(serverTime: (now: number) => number, skewMs = 0, start = noon - hour) {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([], { clock });
  const { deps } = bench(clock, memory.journal, api.open);
  const loop = startSource(settings({ start: { at: start } }), deps);
  api.onRequest = ({ from, to }) => {
    const rows = api.rows.filter(({ time }) => Number(time) >= from && Number(time) <= to);
    return { records: rows.map((value) => ({ value })), next: null, serverTime: serverTime(clock.now()) };
  };
  loop.start();
  for (let i = 0; i < 25; i += 1) {
    api.rows.push(row(`r${i}`, clock.now() + skewMs));
    await clock.advance(minute);
  }
  await clock.advance(5 * minute);
  const { records, warnings, clock_skew_ms, cursor_age_seconds = 0 } = loop.status();
  await clock.until(loop[Symbol.asyncDispose]());
  const rows = (await memory.journal.windows('s', 0, Number.MAX_SAFE_INTEGER)).length;
  return { new: records.new, warnings, skew: clock_skew_ms, age: Math.round(cursor_age_seconds / 60), rows };
}

it('takes a Date that stands still for no clock, and does not blame ours', async () => {
  const frozen = noon - 3 * hour;

  expect(await polled(() => frozen)).toMatchObject({ new: 25, warnings: [], skew: undefined, age: 1 });
});

it('takes a Date that stands still for minutes and jumps for the clock that it jumps to', async () => {
  expect(await polled((now) => Math.floor(now / (5 * minute)) * 5 * minute)).toMatchObject({ new: 25, warnings: [] });
});

it('follows a Date that goes on', async () => {
  expect(await polled((now) => now - hour, -hour, noon - 2 * hour)).toMatchObject({ new: 25, skew: -hour });
});

it.each([-3 * day, -365 * day, 3 * day])('is not held back by a Date that is %i ms off and goes on', async (offMs) => {
  expect(await polled((now) => now + offMs)).toMatchObject({ new: 25, skew: offMs });
});

it('keeps reading what the vendor writes now when our own clock is a month ahead', async () => {
  expect(await polled((now) => now - 30 * day, -30 * day, noon - 31 * day)).toMatchObject({ new: 25, skew: -30 * day, rows: 32 });
});
