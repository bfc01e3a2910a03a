// The place in a window that the journal keeps, and a vendor that no longer takes it.
import { expect, it } from 'vitest';
import { type ErrorCode, PenstockError } from '../../../src/base/errors.ts';
import { runRange, startSource } from '../../../src/collect/index.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import type { VirtualClock } from '../../virtual-clock.ts';
import { at, bench, minute, noon, row, said, settings, vendor } from '../fixture.ts';

const rows = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((id, i) => row(id, noon - 30 * minute + i));

const answers: readonly { code: ErrorCode; status?: number }[] = [
  { code: 'PEN_PAGE_TOKEN_REFUSED', status: 410 },
  { code: 'PEN_SOURCE_BAD_REPLY', status: 200 },
  { code: 'PEN_FOREIGN_ORIGIN' },
  { code: 'PEN_SOURCE_UNAVAILABLE', status: 500 },
  { code: 'PEN_HTTP_TIMEOUT' },
  { code: 'PEN_HTTP_RESET' },
  { code: 'PEN_HTTP_BAD_BODY' },
  { code: 'PEN_HTTP_TOO_LARGE' },
];
const cases = (['token', 'link'] as const).flatMap((paging) => answers.map((answer) => ({ paging, ...answer })));

/** A source whose first process ended after the first page; places named before it ended are refused, those named since are taken. */
async function afterRestart(paging: 'token' | 'link' | 'offset', refusal: () => Error) {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([...rows], { clock, paging, totals: false });
  const first = startSource(settings(), bench(clock, memory.journal, api.open).deps);
  api.onRequest = ({ state }) => {
    if (state !== null) throw new PenstockError('PEN_HTTP_UNREACHABLE', 'no route');
    return undefined;
  };
  first.start();
  await clock.advance(1000);
  await clock.until(first[Symbol.asyncDispose]());
  const live = (await memory.journal.checkpoint('s', 'live')) as { walk?: { state: unknown } };

  let isFresh = false;
  api.onRequest = ({ state }) => {
    isFresh ||= state === null;
    if (!isFresh) throw refusal();
    return undefined;
  };
  const { deps, lines } = bench(clock, memory.journal, api.open);
  return { clock, api, lines, kept: live.walk?.state, loop: startSource(settings(), deps) };
}

it.each(cases)('begins a window again within about a minute when its $paging ends in $code', async ({ paging, code, status }) => {
  const { clock, loop, kept, lines } = await afterRestart(
    paging,
    () => new PenstockError(code, 'gone', status === undefined ? {} : { status }),
  );
  loop.start();

  await clock.advance(75_000);
  const { state, records, consecutive_failures } = loop.status();
  await clock.until(loop[Symbol.asyncDispose]());

  expect(kept).toMatchObject({ kind: paging });
  // The first page came before.
  expect({ state, new: records.new, consecutive_failures }).toEqual({ state: 'idle', new: 4, consecutive_failures: 0 });
  expect(said(lines, 'source on hold: it waits for a person, nothing is lost')).toEqual([]);
});

it('keeps its place while the vendor says that it is asked too often', async () => {
  const { clock, api, loop } = await afterRestart(
    'token',
    () => new PenstockError('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 429', { status: 429 }),
  );
  const before = api.requests.length;
  loop.start();

  await clock.advance(10 * minute);
  await clock.until(loop[Symbol.asyncDispose]());

  expect(api.requests.slice(before).filter(({ state }) => state === null)).toEqual([]);
});

it.each([
  ['token', 'PEN_PAGE_TOKEN_REFUSED'],
  ['link', 'PEN_SOURCE_BAD_REPLY'],
  ['token', 'PEN_SOURCE_UNAVAILABLE'],
] as const)('cuts smaller windows when no second page by %s ever comes (%s), and says so', async (paging, code) => {
  const clock = at(noon);
  const memory = memoryJournal();
  const many = Array.from({ length: 12 }, (_none, i) => row(`r${i}`, noon - 58 * minute + i * 4 * minute));
  const api = vendor(many, { clock, paging, totals: false });
  api.onRequest = ({ state, from, to }) => {
    const inside = many.filter(({ time }) => Number(time) >= from && Number(time) <= to).length;
    if (state !== null && inside > 3) throw new PenstockError(code, 'no second page', { status: 500 });
    return undefined;
  };
  const loop = startSource(settings(), bench(clock, memory.journal, api.open).deps);
  loop.start();
  const fixes = new Set<string | undefined>();
  for (let i = 0; i < 120 && loop.status().records.new < 12; i += 1) {
    await clock.advance(minute);
    fixes.add(loop.status().last_error?.fix);
  }
  const { records, state } = loop.status();
  await clock.until(loop[Symbol.asyncDispose]());

  expect({ new: records.new, state }).toEqual({ new: 12, state: 'idle' });
  expect([...fixes].join()).toContain('smaller windows are read');
});

it.each([
  ...(['PEN_SOURCE_BAD_REPLY', 'PEN_WINDOW_TOO_LARGE'] as const).map((code) => ({ code, failures: 0 })),
  ...(['PEN_SOURCE_UNAVAILABLE', 'PEN_HTTP_TIMEOUT', 'PEN_HTTP_RESET', 'PEN_HTTP_BAD_BODY', 'PEN_HTTP_TOO_LARGE'] as const).map(
    (code) => ({ code, failures: 1 }),
  ),
])(
  'reads halves when no second page by offset ever comes ($code), after $failures polls that failed',
  async ({ code, failures }) => {
    const clock = at(noon);
    const memory = memoryJournal();
    const many = Array.from({ length: 24 }, (_none, i) => row(`r${i}`, noon - 58 * minute + i * 2 * minute));
    const api = vendor(many, { clock, paging: 'offset', totals: false });
    api.onRequest = ({ state, from, to }) => {
      const inside = many.filter(({ time }) => Number(time) >= from && Number(time) <= to).length;
      if (state !== null && inside > 3) throw new PenstockError(code, 'no second page', { status: 500 });
      return undefined;
    };
    const { deps, lines } = bench(clock, memory.journal, api.open);
    const loop = startSource(settings(), deps);
    loop.start();

    await clock.advance(75_000);
    const { records, state } = loop.status();
    await clock.until(loop[Symbol.asyncDispose]());

    expect({ new: records.new, state }).toEqual({ new: 24, state: 'idle' });
    expect(said(lines, 'poll failed, the cursor stays')).toHaveLength(failures);
  },
);

/** A vendor of 24 records, two minutes apart, that fails where a window holds more than it can show. */
function crowded(clock: VirtualClock, most: number, error: PenstockError) {
  const many = Array.from({ length: 24 }, (_none, i) => row(`r${i}`, noon - 58 * minute + i * 2 * minute));
  const api = vendor(many, { clock, paging: 'none' });
  api.onRequest = ({ from, to }) => {
    if (many.filter(({ time }) => Number(time) >= from && Number(time) <= to).length > most) throw error;
    return undefined;
  };
  return api;
}

it.each(['PEN_HTTP_TOO_LARGE', 'PEN_HTTP_TIMEOUT', 'PEN_HTTP_RESET', 'PEN_HTTP_BAD_BODY', 'PEN_SOURCE_UNAVAILABLE'] as const)(
  'reads smaller windows when the first page of a large one ends in %s',
  async (code) => {
    const clock = at(noon);
    const memory = memoryJournal();
    const api = crowded(clock, 10, new PenstockError(code, 'too much'));
    const loop = startSource(settings(), bench(clock, memory.journal, api.open).deps);
    loop.start();

    await clock.advance(10 * minute);
    const { records, state } = loop.status();
    await clock.until(loop[Symbol.asyncDispose]());

    expect({ new: records.new, state }).toEqual({ new: 24, state: 'idle' });
  },
);

it('reads a backfill in smaller ranges when the first page of a large one fails', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = crowded(clock, 5, new PenstockError('PEN_SOURCE_UNAVAILABLE', 'too much', { status: 500 }));
  const { deps } = bench(clock, memory.journal, api.open);
  const range = { job: 1, from: noon - 60 * minute, to: noon - minute };

  const done = await clock.until(runRange(settings(), deps, range, { signal: new AbortController().signal }), 24 * 60 * minute);

  expect(done).toMatchObject({ at: range.to, new: 24 });
});

it.each([
  { polls: 1, lacking: 0 },
  { polls: 2, lacking: 0 },
  { polls: 100, lacking: 1 },
])(
  'leaves the smallest window whose second page is told to fail, in a success, only in the third poll: $polls of them',
  async ({ polls, lacking }) => {
    const clock = at(noon);
    const memory = memoryJournal();
    const many = ['a', 'b', 'c', 'd', 'e', 'f'].map((id, i) => row(id, noon - 30 * minute + i));
    const api = vendor(many, { clock, paging: 'offset', totals: false });
    const failed = new PenstockError('PEN_WINDOW_TOO_LARGE', 'answered 200 "internal error"', { status: 200 });
    let failing = 0;
    let isFailing = false;
    const { deps, lines } = bench(clock, memory.journal, api.open);
    api.onRequest = ({ state }) => {
      if (state === null) isFailing = said(lines, 'poll failed, the cursor stays').length < polls;
      if (state === null || !isFailing) return undefined;
      failing += 1;
      throw failed;
    };
    const loop = startSource(settings(), deps);
    loop.start();

    await clock.advance(15 * minute);
    const { records, state, warnings } = loop.status();
    await clock.until(loop[Symbol.asyncDispose]());

    expect(failing).toBeGreaterThan(0);
    expect({ state, lacking: warnings.filter((text) => text.includes('did not show')).length }).toEqual({
      state: 'idle',
      lacking,
    });
    expect(records.new < 6).toBe(lacking === 1);
    expect(said(lines, 'poll failed, the cursor stays')).toHaveLength(Math.min(polls, 2));
  },
);
