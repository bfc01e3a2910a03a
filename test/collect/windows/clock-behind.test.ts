// Our clock falls behind what was already collected: nothing is read again beyond the overlap, and nothing is left out.
import { expect, it } from 'vitest';
import { startSource } from '../../../src/collect/index.ts';
import { forgetMemory } from '../../../src/collect/memory/source-memory.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, day, hour, minute, noon, row, settings, vendor } from '../fixture.ts';

const never = new AbortController().signal;

/**
 * A source that collected for an hour and then found nothing for `silent` minutes, on a clock that is then set by `step`; the vendor's clock
 * goes on, and is told in a Date or not. The last page of a window is empty.
 */
async function collected({ step, hasDate, silent = 0 }: { step: number; hasDate: boolean; silent?: number }) {
  const clock = at(noon);
  const memory = memoryJournal();
  let behind = 0;
  const api = vendor([], { clock });
  api.onRequest = ({ from, to, state }) => {
    const now = clock.now() + behind;
    const date = hasDate ? { serverTime: now } : {};
    if (state !== null) return { records: [], next: null, ...date };
    const rows = api.rows.filter(({ time }) => Number(time) >= from && Number(time) <= to && Number(time) <= now);
    const next = rows.length === 0 ? null : ({ kind: 'token', token: 'the end' } as const);
    return { records: rows.map((value) => ({ value })), next, ...date };
  };
  const { deps } = bench(clock, memory.journal, api.open);
  const loop = startSource(settings({ start: { backMs: hour } }), deps);
  const poll = async (polls: number, isSilent = false): Promise<void> => {
    for (let i = 0; i < polls; i += 1) {
      if (!isSilent) api.rows.push(row(`r${api.rows.length}`, clock.now() + behind - 30_000));
      await clock.advance(minute);
      await loop.pollOnce(never);
    }
  };
  await poll(60);
  await poll(silent, true);
  const asked = api.requests.length;
  clock.step(step);
  behind = -step;
  await poll(5);
  const whileBehind = api.requests.slice(asked).filter(({ state }) => state === null);
  const newWhileBehind = loop.status().records.new - 60;
  clock.step(-step);
  behind = 0;
  await poll(5);
  await loop[Symbol.asyncDispose]();
  return { whileBehind, newWhileBehind, counts: loop.status().records };
}

const steps = [-90 * minute, -day, -2 * day, -3 * day, -730 * day];
const cases = steps.flatMap((step) => [true, false].map((hasDate) => ({ step, hasDate })));

it.each(cases)('reads only the overlap again while our clock is off by $step ms, Date told: $hasDate', async (given) => {
  const { whileBehind, newWhileBehind, counts } = await collected(given);

  // Our clock says that nothing new can be there yet; the vendor, or its newest record, knows better.
  expect(newWhileBehind).toBeGreaterThanOrEqual(given.hasDate ? 4 : 3);
  expect(whileBehind.length).toBe(5);
  expect(Math.min(...whileBehind.map(({ from }) => from))).toBeGreaterThanOrEqual(noon + 50 * minute);
  expect(counts.new).toBe(70);
});

it.each(cases)('does so after hours of silence, too: $step ms, Date told: $hasDate', async (given) => {
  const { whileBehind, counts } = await collected({ ...given, silent: 200 });

  // Without a Date the newest record is all that is known for sure.
  const least = given.hasDate ? noon + 250 * minute : noon + 50 * minute;
  expect(Math.min(...whileBehind.map(({ from }) => from))).toBeGreaterThanOrEqual(least);
  expect(counts.new).toBe(70);
});

it('begins again where a start was fixed in the future and brought nothing', async () => {
  const clock = at(noon + 2 * day);
  const memory = memoryJournal();
  const api = vendor([row('a', noon + minute)], { clock });
  const loop = startSource(settings({ start: { backMs: hour } }), bench(clock, memory.journal, api.open).deps);
  await loop.pollOnce(never);
  clock.step(-2 * day);
  for (let i = 0; i < 5; i += 1) {
    await loop.pollOnce(never);
    await clock.advance(minute);
  }
  await loop[Symbol.asyncDispose]();

  expect(loop.status().records.new).toBe(1);
});

it('goes back to the last record where our clock was ahead and the vendor tells no time', async () => {
  const { counts } = await collected({ step: 2 * day, hasDate: false });

  expect(counts.new).toBe(70);
});

it.each([true, false])(
  'goes on at once after a start with a clock that is two days behind, and says so (Date told: %s)',
  async (hasDate) => {
    const clock = at(noon);
    const memory = memoryJournal();
    const api = vendor([], { clock });
    let behind = 0;
    api.onRequest = ({ from, to }) => {
      const now = clock.now() + behind;
      const rows = api.rows.filter(({ time }) => Number(time) >= from && Number(time) <= to && Number(time) <= now);
      return { records: rows.map((value) => ({ value })), next: null, ...(hasDate ? { serverTime: now } : {}) };
    };
    const life = async (minutes: number) => {
      const loop = startSource(settings(), bench(clock, memory.journal, api.open).deps);
      loop.start();
      for (let i = 0; i < minutes; i += 1) {
        api.rows.push(row(`r${api.rows.length}`, clock.now() + behind));
        await clock.advance(minute);
      }
      const status = loop.status();
      await clock.until(loop[Symbol.asyncDispose]());
      forgetMemory(memory.journal, 's');
      return status;
    };
    await life(10);
    clock.step(-2 * day);
    behind = 2 * day;

    const { warnings } = await life(10);

    expect(memory.records.length).toBeGreaterThanOrEqual(18);
    expect(warnings.join()).toContain(
      hasDate ? "the vendor's clock is 2d ahead of ours" : 'behind the newest record of the vendor',
    );
  },
);

it('asks again for the overlap alone after a start with a clock that is behind what was read, hours after the last record', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('a', noon + minute)], { clock });
  let behind = 0;
  api.onRequest = ({ from, to }) => {
    const rows = api.rows.filter(({ time }) => Number(time) >= from && Number(time) <= to);
    return { records: rows.map((value) => ({ value })), next: null, serverTime: clock.now() + behind };
  };
  const life = async (minutes: number) => {
    const loop = startSource(settings(), bench(clock, memory.journal, api.open).deps);
    loop.start();
    await clock.advance(minutes * minute);
    await clock.until(loop[Symbol.asyncDispose]());
    forgetMemory(memory.journal, 's');
  };
  await life(200);
  const asked = api.requests.length;
  clock.step(-2 * day);
  behind = 2 * day;

  await life(5);

  const froms = api.requests.slice(asked).map(({ from }) => from);
  expect(froms.length).toBeGreaterThan(3);
  expect(Math.min(...froms)).toBeGreaterThan(noon + 190 * minute);
});

it('takes a clock that was ahead and is set right for right, with a Date that agrees', async () => {
  const { counts } = await collected({ step: 2 * day, hasDate: true });

  expect(counts.new).toBe(70);
});
