import { expect, it } from 'vitest';
import { sleep } from '../../../src/base/clock.ts';
import { startSource } from '../../../src/collect/index.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, day, hour, minute, noon, row, said, settings, vendor } from '../fixture.ts';

const ids = (records: readonly { record: unknown }[]): string[] => records.map(({ record }) => (record as { id: string }).id);

it('reads closed windows again and forwards what arrived late', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('a', noon - 30 * minute)], { clock });
  const { deps, lines } = bench(clock, memory.journal, api.open);
  await using loop = startSource(settings({ sweep: { everyMs: 2 * hour, backMs: day } }), deps);
  loop.start();
  await clock.advance(hour);
  api.rows.push(row('late', noon - 29 * minute));
  await clock.advance(30 * minute);
  const before = ids(memory.records);

  await clock.advance(hour);

  expect(before).toEqual(['a']);
  expect(ids(memory.records)).toEqual(['a', 'late']);
  expect(said(lines, 'sweep done')).toMatchObject([{ late: 1 }]);
  expect(loop.status().details).toMatchObject({ sweep: { done: true }, suggested_overlap: '6h' });
});

it('looks back from the clock of a vendor that is behind, and does not take that for lateness', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('a', noon - 3 * hour - minute)], { clock, skewMs: -3 * hour });
  const { deps } = bench(clock, memory.journal, api.open);
  await using loop = startSource(settings({ start: { backMs: 6 * hour }, sweep: { everyMs: hour, backMs: 2 * hour } }), deps);
  loop.start();
  await clock.advance(50 * minute);
  api.rows.push(row('late', noon - 3 * hour + 20 * minute));

  await clock.advance(15 * minute);

  expect(ids(memory.records)).toEqual(['a', 'late']);
  expect(loop.status().details).toMatchObject({ sweep: { done: true }, suggested_overlap: '1h' });
});

it('finds rows without a time, newest first, until it knows a page whole', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([], { clock });
  const pages = [['n1', 'n2'], ['n3'], ['n4']];
  api.sweep = (state) => {
    const index = state?.kind === 'offset' ? state.offset : 0;
    return {
      records: (pages[index] ?? []).map((id) => ({ value: { id, time: null, action: 'login' } })),
      next: index + 1 < pages.length ? { kind: 'offset', offset: index + 1 } : null,
    };
  };
  await using loop = startSource(
    settings({ sweep: { everyMs: hour, backMs: day } }),
    bench(clock, memory.journal, api.open).deps,
  );
  loop.start();
  await clock.advance(hour + 10 * minute);
  const first = ids(memory.records);
  pages.unshift(['n0']);
  await clock.advance(hour);

  expect(first).toEqual(['n1', 'n2', 'n3', 'n4']);
  expect(ids(memory.records)).toEqual(['n1', 'n2', 'n3', 'n4', 'n0']);
});

it('keeps the live loop going when the sweep fails, and says so', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([], { clock });
  api.onRequest = ({ from, to }) => {
    if (to - from > 40 * minute && clock.now() > noon + minute) throw new Error('the vendor cannot do that');
    return undefined;
  };
  const { deps } = bench(clock, memory.journal, api.open);
  await using loop = startSource(settings({ sweep: { everyMs: hour, backMs: day } }), deps);
  loop.start();

  await clock.advance(hour + 10 * minute);

  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0, cursor: noon + hour + 9 * minute });
  expect(loop.status().warnings).toEqual(['the sweep does not get on: the vendor cannot do that']);
});

it('sweeps with `run --once` too, in the run that finds one due', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('a', noon - 30 * minute)], { clock });
  const { deps, lines } = bench(clock, memory.journal, api.open);
  const runOnce = async (): Promise<void> => {
    await using loop = startSource(settings({ sweep: { everyMs: 2 * hour, backMs: day } }), deps);
    await loop.pollOnce(new AbortController().signal);
  };
  await runOnce();
  await clock.advance(hour);
  await runOnce();
  api.rows.push(row('late', noon - 29 * minute));
  await runOnce();
  const before = ids(memory.records);

  await clock.advance(hour);
  await runOnce();

  expect(before).toEqual(['a']);
  expect(ids(memory.records)).toEqual(['a', 'late']);
  expect(said(lines, 'sweep done')).toMatchObject([{ late: 1 }]);
});

it('begins anew where a wrong clock left a sweep of the future', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('a', noon - 30 * minute)], { clock });
  const { deps, lines } = bench(clock, memory.journal, api.open);
  const until = noon + 200 * day;
  const future = { from: until - day, to: until, until: until - day, began: noon - minute, done: false };
  await memory.journal.append({ source: 's', checkpoint: { name: 'sweep', value: future } });
  await using loop = startSource(settings({ sweep: { everyMs: 2 * hour, backMs: day } }), deps);
  loop.start();
  await clock.advance(hour);
  api.rows.push(row('late', noon - 29 * minute));

  await clock.advance(2 * hour);

  expect(ids(memory.records)).toEqual(['a', 'late']);
  expect(said(lines, 'sweep done')).toMatchObject([{ late: 0 }, { late: 1 }]);
});

it('goes on with a sweep that the next poll interrupted, to its end', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('a', noon - 30 * minute)], { clock });
  let isSlow = false;
  api.onRequest = async () => {
    if (isSlow) await sleep(clock, 20_000);
    return undefined;
  };
  const { deps, lines } = bench(clock, memory.journal, api.open);
  const { window } = settings();
  const source = settings({
    start: { backMs: day },
    sweep: { everyMs: 2 * hour, backMs: day },
    window: { ...window, maxMs: 2 * hour },
  });
  await using loop = startSource(source, deps);
  loop.start();
  await clock.advance(hour);
  // Late, and in the last part of what is swept.
  api.rows.push(row('late', noon + 10 * minute));
  isSlow = true;

  await clock.advance(hour + 3 * minute);
  const begun = [loop.status().details, ids(memory.records)];
  await clock.advance(30 * minute);
  isSlow = false;
  await clock.advance(minute);

  expect(begun).toEqual([{ sweep: expect.objectContaining({ done: false }) }, ['a']]);
  expect(ids(memory.records)).toEqual(['a', 'late']);
  expect(said(lines, 'sweep done')).toHaveLength(1);
});
