// Vendors that do not show, or not at once, what they have.
import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { type Random, seededRandom } from '../../../src/base/random.ts';
import { compareRange, startSource } from '../../../src/collect/index.ts';
import { type Shortfall, shortfallsAfter } from '../../../src/collect/memory/shortfalls.ts';
import type { Page, PageRequest } from '../../../src/connectors/connector.ts';
import { readLedger } from '../../../src/operate/report/ledger.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import {
  at,
  bench,
  day,
  hour,
  minute,
  never,
  noon,
  type Row,
  realJournal,
  row,
  settings,
  storedIds,
  type VendorOptions,
  vendor,
} from '../fixture.ts';

const size = 3;
const cap = 6;

/** How a vendor answers an offset from its cap on. */
const ends: Readonly<Record<string, (last: Page) => Page>> = {
  'an empty page': () => ({ records: [], next: null }),
  'the last page again': (last) => last,
  'a refusal': () => {
    throw new PenstockError('PEN_WINDOW_TOO_LARGE', 'the vendor answered 416', { status: 416 });
  },
};
type Total = 'real' | 'clipped' | 'none';

/** Pages by offset or number as the reader gives them: a full last page names a next one. */
function paged(rows: readonly Row[], { from, to, state }: PageRequest, end: (last: Page) => Page, totals: Total): Page {
  const matching = rows.filter(({ time }) => Number(time) >= from && Number(time) <= to);
  const total = totals === 'none' ? {} : { total: totals === 'real' ? matching.length : Math.min(matching.length, cap) };
  const pageAt = (offset: number): Page => {
    const records = matching.slice(offset, Math.min(offset + size, cap)).map((value) => ({ value }));
    const read = offset + records.length;
    const isLast = records.length === 0 || (totals !== 'none' && read >= Number(total.total) && records.length < size);
    return { records, next: isLast ? null : { kind: 'offset', offset: read, read }, ...total };
  };
  const offset = state?.kind === 'offset' ? state.offset : 0;
  return offset >= cap ? { ...end(pageAt(offset - size)), ...total } : pageAt(offset);
}

const spread = Array.from({ length: 40 }, (_none, i) => row(`r${String(i).padStart(2, '0')}`, noon - hour + i * 80_000));
const cases = Object.keys(ends).flatMap((end) =>
  (['real', 'clipped', 'none'] as const).map((totals) => ({
    end,
    totals,
    cap: end === 'an empty page' && totals !== 'real' ? cap : undefined,
  })),
);

it.each(cases)(
  'reads everything where $end comes beyond the cap, with a total that is $totals',
  async ({ end, totals, cap: known }) => {
    const clock = at(noon);
    const journal = await realJournal(clock);
    const api = vendor([], { clock });
    api.onRequest = (request) => paged(spread, request, ends[end] ?? (() => ({ records: [], next: null })), totals);
    await using loop = startSource(settings({}, { cap: known }), bench(clock, journal, api.open).deps);

    await loop.pollOnce(never);

    expect((await storedIds(journal)).sort()).toEqual(spread.map(({ id }) => id).slice(0, 40));
    expect(loop.status().warnings).toEqual([]);
  },
);

it('halves a window whose only page may be cut', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([], { clock });
  api.onRequest = ({ from, to }) => {
    const matching = spread.filter(({ time }) => Number(time) >= from && Number(time) <= to);
    return { records: matching.slice(0, cap).map((value) => ({ value })), next: null, mayBeCut: matching.length >= cap };
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect((await storedIds(journal)).length).toBe(40);
  expect(loop.status().warnings).toEqual([]);
});

it('halves windows of a connector that leads to no next page, and says so until one comes', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([], { clock });
  let leadsOn = false;
  api.onRequest = ({ from, to, state }) => {
    const matching = spread.filter(({ time }) => Number(time) >= from && Number(time) <= to);
    if (leadsOn) return { records: [], next: state === null ? { kind: 'token', token: 'next' } : null };
    const records = matching.slice(0, cap).map((value) => ({ value }));
    return { records, next: null, ...(records.length === cap ? { mayBeCut: 'unpaged' } : {}) };
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  const ids = await storedIds(journal);
  const said = loop.status().warnings.join();
  leadsOn = true;
  await clock.advance(hour);
  await loop.pollOnce(never);
  expect(ids.length).toBe(40);
  expect(said).toMatch(
    /^\d+ replies were as full as a page can be and named no next page, nor did any other: see that read\.page/,
  );
  expect(loop.status().warnings).toEqual([]);
});

it('reads on past a row that is counted and never shown, and says so until its time was read whole', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const phantom = noon - 30 * minute;
  let isCounted = true;
  const api = vendor([], { clock });
  api.onRequest = ({ from, to, state }) => {
    const matching = spread.filter(({ time }) => Number(time) >= from && Number(time) <= to);
    const offset = state?.kind === 'offset' ? state.offset : 0;
    const records = matching.slice(offset, offset + size).map((value) => ({ value }));
    const total = matching.length + (isCounted && from <= phantom && phantom <= to ? 1 : 0);
    const read = offset + records.length;
    const next = records.length === 0 || read >= total ? null : ({ kind: 'offset', offset: read, read } as const);
    return { records, next, total };
  };
  const source = settings({ window: { overlapMs: 40 * minute, settleMs: minute, maxMs: 24 * hour, minMs: minute } });
  const { deps } = bench(clock, journal, api.open);
  await using loop = startSource(source, deps);

  await loop.pollOnce(never);

  const text = loop.status().warnings.join();
  const { shortfalls } = await readLedger(journal);
  expect((await storedIds(journal)).length).toBe(40);
  expect(text).toMatch(/^the vendor did not show at least 1 of its records between 2026-11-21T11:/);
  expect(shortfalls).toMatchObject([{ source: 's', records: 1 }]);
  expect(shortfalls.every(({ from, to }) => from <= phantom && phantom <= to && to - from <= 2 * minute)).toBe(true);

  const unseen: number[] = [];
  for await (const _records of compareRange(source, deps, { from: noon - hour, to: noon - minute }, never, (n) =>
    unseen.push(n),
  ));
  expect(unseen).toEqual([1]);

  isCounted = false;
  await clock.advance(minute);
  await loop.pollOnce(never);
  expect(loop.status().warnings).toEqual([]);
  expect((await readLedger(journal)).shortfalls).toEqual([]);
});

it.each(Object.keys(ends))(
  'goes on after a second with more records than the vendor pages through (%s), and notes what it lacks',
  async (end) => {
    const clock = at(noon);
    const journal = await realJournal(clock);
    const busy = Array.from({ length: 10 }, (_none, i) => row(`busy${i}`, noon - 30 * minute));
    const rows = [row('before', noon - 40 * minute), ...busy, row('after', noon - 20 * minute)];
    const api = vendor([], { clock });
    api.onRequest = (request) => paged(rows, request, ends[end] ?? (() => ({ records: [], next: null })), 'real');
    await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

    await loop.pollOnce(never);

    const ids = await storedIds(journal);
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([8, 'before', 'after']);
    expect(loop.status()).toMatchObject({ state: 'idle', cursor: noon - minute });
    expect(loop.status().warnings.join()).toContain('the vendor did not show at least 4 of its records');
  },
);

it('holds when a first page is refused at the end of a walk whose later pages were refused', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const rows = Array.from({ length: 10 }, (_none, i) => row(`busy${i}`, noon - 30 * minute));
  const api = vendor([], { clock });
  let isRevoked = false;
  api.onRequest = (request) => {
    if (isRevoked && request.state === null)
      throw new PenstockError('PEN_SOURCE_REFUSED', 'the vendor answered 403', { status: 403 });
    isRevoked ||= request.state !== null && request.to - request.from <= minute;
    if (isRevoked) throw new PenstockError('PEN_WINDOW_TOO_LARGE', 'the vendor answered 403', { status: 403 });
    return paged(rows, request, ends['a refusal'] as () => Page, 'real');
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_SOURCE_REFUSED' });

  expect(loop.status()).toMatchObject({ state: 'hold' });
  expect((await readLedger(journal)).shortfalls).toEqual([]);
});

it('goes on after a second page that has failed for ten polls, where no window is smaller', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const busy = Array.from({ length: 10 }, (_none, i) => row(`busy${i}`, noon - 30 * minute));
  const rows = [row('before', noon - 40 * minute), ...busy, row('after', noon - 20 * minute)];
  const api = vendor([], { clock });
  const fault = (): Page => {
    throw new PenstockError('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 500', { status: 500 });
  };
  api.onRequest = (request) => paged(rows, request, fault, 'real');
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);
  loop.start();

  await clock.advance(9 * minute);
  while (loop.status().state === 'polling') await clock.settle();
  const failing = loop.status();
  await clock.advance(2 * hour);

  expect([failing.state, failing.warnings]).toEqual(['failing', []]);
  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0 });
  expect(loop.status().warnings.join()).toContain('the vendor did not show at least 4 of its records');
  expect((await storedIds(journal)).length).toBe(8);
});

/** Pages of three rows; `isAway` says of which requests the vendor does not answer. */
function failing(
  rows: Row[],
  isAway: (request: PageRequest, now: number) => boolean,
  { random = seededRandom(1), paging = 'offset' }: { random?: Random; paging?: VendorOptions['paging'] } = {},
) {
  const clock = at(noon);
  const { journal } = memoryJournal();
  const api = vendor(rows, { clock, paging, totals: false });
  api.onRequest = (request) => {
    if (isAway(request, clock.now()))
      throw new PenstockError('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 503', { status: 503 });
    return undefined;
  };
  const { deps } = bench(clock, journal, api.open);
  const loop = startSource(settings(), { ...deps, seams: { ...deps.seams, random } });
  loop.start();
  return { clock, journal, loop };
}

it.each(['offset', 'token', 'link'] as const)(
  'leaves no window by %s after an outage of an hour, where first pages come twenty minutes before others',
  async (paging) => {
    const busy = Array.from({ length: 7 }, (_none, i) => row(`busy${i}`, noon - 30 * minute));
    const isAway = ({ state }: PageRequest, now: number): boolean => now < noon + hour + (state === null ? 0 : 20 * minute);
    const { clock, journal, loop } = failing(busy, isAway, { paging });

    await clock.advance(hour);
    const failures = loop.status().consecutive_failures;
    await clock.advance(hour);
    const { records, consecutive_failures } = loop.status();
    await clock.until(loop[Symbol.asyncDispose]());

    expect(failures).toBeGreaterThan(10);
    expect({ new: records.new, consecutive_failures }).toEqual({ new: 7, consecutive_failures: 0 });
    expect((await readLedger(journal)).shortfalls).toEqual([]);
  },
);

// With the pauses of seed 7 a later poll cuts its windows three seconds before those of the poll that left one.
it.each([1, 7])('leaves no window because the one before it was left: seed %i', async (seed) => {
  const busy = Array.from({ length: 12 }, (_none, n) => 30 - n).flatMap((back) =>
    Array.from({ length: 5 }, (_none, i) => row(`${back} ${i}`, noon - back * minute)),
  );
  let isAway = true;
  const { clock, journal, loop } = failing(busy, ({ state }) => isAway && state !== null, { random: seededRandom(seed) });

  while (!loop.status().warnings.join().includes('did not show')) await clock.advance(minute);
  isAway = false;
  await clock.advance(hour);
  const { records } = loop.status();
  await clock.until(loop[Symbol.asyncDispose]());

  // At most one window was left: two of its five, until the overlap reads it again.
  expect(60 - records.new).toBeLessThan(3);
  expect((await readLedger(journal)).shortfalls.length).toBeLessThan(2);
});

it('takes a reply for whole that is as long as vendors cut at, once a longer one came', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([], { clock });
  api.onRequest = ({ from, to }) => {
    const records = spread.filter(({ time }) => Number(time) >= from && Number(time) <= to).map((value) => ({ value }));
    return { records, next: null, ...([10, 20].includes(records.length) ? { mayBeCut: true } : {}) };
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);
  const before = api.requests.length;
  api.onRequest = () => ({ records: spread.slice(0, 10).map((value) => ({ value })), next: null, mayBeCut: true });
  await clock.advance(minute);
  await loop.pollOnce(never);

  expect([before, api.requests.length - before]).toEqual([1, 1]);
  expect(loop.status().warnings).toEqual([]);
});

it('halves a window as long as the vendor says that its answer is not whole, also where longer ones came', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([], { clock });
  api.onRequest = ({ from, to }) => {
    const matching = spread.filter(({ time }) => Number(time) >= from && Number(time) <= to);
    const isCut = matching.length > 7;
    const records = matching.slice(0, isCut ? 5 : 7).map((value) => ({ value }));
    return { records, next: null, ...(isCut ? { toldCut: 'its status is 206' } : {}) };
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect((await storedIds(journal)).sort()).toEqual(spread.map(({ id }) => id));
  expect(loop.status().warnings).toEqual([]);
});

it.each(['token', 'link'] as const)('halves a window whose pages by %s end before the total', async (paging) => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor(spread, { clock, paging });
  let usual = 0;
  const inside = ({ from, to }: PageRequest): number =>
    spread.filter(({ time }) => Number(time) >= from && Number(time) <= to).length;
  api.onRequest = (request) => {
    const start = request.state === null ? 0 : (usual += size);
    if (request.state === null) usual = 0;
    const rows = spread
      .filter(({ time }) => Number(time) >= request.from && Number(time) <= request.to)
      .slice(start, start + size);
    const total = inside(request);
    const isLast = start + size >= Math.min(cap, total);
    const place = paging === 'token' ? { kind: 'token', token: String(start) } : { kind: 'link', path: `/r?${start}` };
    return { records: rows.map((value) => ({ value })), total, next: isLast ? null : (place as Page['next']) };
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect((await storedIds(journal)).sort()).toEqual(spread.map(({ id }) => id));
  expect(loop.status().warnings).toEqual([]);
});

it.each([204, 500, 'html'])(
  'goes on at once after a second that is known to hold more than the vendor shows (%s), in every poll that reads it again',
  async (how) => {
    const clock = at(noon);
    const { journal, ...memory } = memoryJournal();
    const busy = Array.from({ length: 10 }, (_none, i) => row(`busy${i}`, noon - 3 * minute));
    const api = vendor([], { clock });
    const end = (): Page => {
      if (how === 204) return { records: [], next: null };
      const code = how === 500 ? 'PEN_SOURCE_UNAVAILABLE' : 'PEN_SOURCE_BAD_REPLY';
      throw new PenstockError(code, 'no more', how === 500 ? { status: 500 } : {});
    };
    api.onRequest = (request) => {
      const page = paged([...busy, row('after', noon - 2 * minute)], request, end, 'real');
      // The status tells no total.
      return page.records.length === 0 && how === 204 ? { records: [], next: null } : page;
    };
    const loop = startSource(settings(), bench(clock, journal, api.open).deps);
    loop.start();

    await clock.advance(15 * minute);
    const { state, cursor, warnings } = loop.status();
    await clock.until(loop[Symbol.asyncDispose]());

    expect(state).toBe('idle');
    expect(cursor).toBeGreaterThan(noon + 12 * minute);
    expect(warnings.join()).toMatch(/the vendor did not show at least [45] of its records/);
    expect(memory.records.length).toBe(7);
  },
);

it('counts a page that is examined in parts once', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const many = Array.from({ length: 12_000 }, (_none, i) => row(`r${i}`, noon - 40 * minute + i * 100));
  const api = vendor([], { clock });
  api.onRequest = ({ state }) => {
    const start = state?.kind === 'token' ? Number(state.token) : 0;
    const next = start === 0 ? ({ kind: 'token', token: '6000' } as const) : null;
    return { records: many.slice(start, start + 6_000).map((value) => ({ value })), next, total: many.length };
  };
  const source = settings({ start: { at: noon - 50 * minute } }, { cap: 12_001 });
  const { deps } = bench(clock, journal, api.open);
  await using loop = startSource(source, deps);

  await loop.pollOnce(never);
  const [unseen, seen]: [number[], string[]] = [[], []];
  for await (const records of compareRange(source, deps, { from: noon - hour, to: noon - minute }, never, (n) => unseen.push(n)))
    seen.push(...records.map(({ uid }) => uid));

  expect(loop.status()).toMatchObject({ records: { fetched: 12_000, new: 12_000, duplicate: 0 }, warnings: [] });
  expect([api.requests.length, seen.length, unseen]).toEqual([4, 12_000, []]);
});

const ofAll = (all: number): number => all;
// Of the pages so far: it grows with each, whatever comes in.
const soFar = (all: number, read: number): number => Math.min(all, read);

it.each([
  { what: 'came in while it was read', comes: 1, gone: 0, total: ofAll, back: 0, lacking: 0 },
  { what: 'never shows', comes: 0, gone: 1, total: ofAll, back: 0, lacking: 1 },
  { what: 'never shows, while another came in', comes: 1, gone: 1, total: ofAll, back: 0, lacking: 1 },
  { what: 'never shows, where the total runs along', comes: 0, gone: 1, total: soFar, back: 0, lacking: 1 },
  // No later window brings it.
  { what: 'came in late while it was read, hours after its end', comes: 1, gone: 0, total: ofAll, back: 20 * hour, lacking: 1 },
])('a smallest window lacks what $what: $lacking', async ({ comes, gone, total, back, lacking }) => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const rows = spread.slice(0, 8).map((one) => ({ ...one, time: Number(one.time) - back }));
  const api = vendor([], { clock });
  let came = 0;
  // Newest first, and the end of the window is written as a later one.
  api.onRequest = ({ from, to, state }): Page => {
    if (noon - hour - back < from || noon - hour - back > to) return { records: [], next: null };
    const late = Array.from({ length: came }, (_none, i) => row(`new${i}`, noon - back));
    const all = [...late.toReversed(), ...rows.toReversed()];
    came += comes;
    const offset = state?.kind === 'offset' ? state.offset : 0;
    const records = all.slice(offset, offset + size).map((value) => ({ value }));
    const read = offset + records.length;
    const isLast = records.length < size;
    const next = isLast ? null : ({ kind: 'offset', offset: read, read } as const);
    return { records, next, total: total(all.length, read) + (isLast || total === ofAll ? gone : 0) };
  };
  const { window } = settings();
  const source = settings({ start: { backMs: day }, window: { ...window, minMs: 12 * hour, maxMs: 12 * hour } });
  await using loop = startSource(source, bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect(loop.status().warnings.filter((text) => text.includes('did not show'))).toHaveLength(lacking);
  expect((await storedIds(journal)).filter((id) => id.startsWith('r'))).toHaveLength(8);
});

it('a list of groups that may be cut is noted, and no window is halved for it', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([], { clock });
  api.onRequest = () => ({ records: spread.slice(0, 2).map((value) => ({ value })), next: null, mayBeCut: 'list', lacking: 1 });
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);
  const unseen: number[] = [];
  const compared = compareRange(
    settings(),
    bench(clock, journal, api.open).deps,
    { from: noon - hour, to: noon },
    never,
    (count) => unseen.push(count),
  );
  for await (const _records of compared);

  expect(loop.status().warnings.join()).toContain('did not show at least 1 of its records');
  expect([api.requests.length, unseen]).toEqual([2, [1]]);
});

it('joins the oldest stretches beyond a hundred, and says no less of them', () => {
  let all: readonly Shortfall[] = [];
  for (let n = 0; n < 103; n += 1) all = shortfallsAfter(all, { from: n * hour, to: n * hour + minute, lacking: 2 }, n);

  expect(all.length).toBe(100);
  expect(all[0]).toEqual({ from: 0, to: 3 * hour + minute, records: 8, at: 3 });
  expect(all.reduce((sum, { records }) => sum + records, 0)).toBe(206);
});
