import { expect, it } from 'vitest';
import { type ErrorCode, PenstockError } from '../../../src/base/errors.ts';
import { startSource } from '../../../src/collect/index.ts';
import { plain } from '../../journal/records.ts';
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
  said,
  settings,
  stored,
  storedIds,
  uidOf,
  type Vendor,
  vendor,
} from '../fixture.ts';

/** A vendor at noon with these rows, and an empty journal. */
async function atNoon(rows: Row[], options: Omit<Parameters<typeof vendor>[1], 'clock'> = {}) {
  const clock = at(noon);
  return { clock, journal: await realJournal(clock), api: vendor(rows, { clock, ...options }) };
}

/** A row for each letter, a millisecond apart, half an hour old. */
const rowsOf = (letters: string): Row[] => letters.split('').map((id, i) => row(id, noon - 30 * minute + i));

/** Answers first pages, and refuses every later one. */
const laterPagesFail =
  (code: ErrorCode, message: string): Vendor['onRequest'] =>
  ({ state }) => {
    if (state !== null) throw new PenstockError(code, message);
    return undefined;
  };

it('walks from the start to settle before now, and then again from the overlap', async () => {
  const { clock, journal, api } = await atNoon([row('a', noon - 30 * minute), row('b', noon - 20 * minute)]);
  const { deps } = bench(clock, journal, api.open);
  await using loop = startSource(settings(), deps);

  await loop.pollOnce(never);
  await clock.advance(minute);
  await loop.pollOnce(never);

  expect(api.requests).toEqual([
    { from: noon - hour, to: noon - minute, state: null },
    { from: noon - 6 * minute, to: noon, state: null },
  ]);
  expect(await journal.checkpoint('s', 'live')).toEqual({
    connector: 'example',
    identity: { origin: 'https://api.example.com' },
    start: noon - hour,
    until: noon,
    from: noon - 5 * minute,
    newest: noon - 20 * minute,
    row: { from: noon - hour, to: noon },
  });
  expect(await storedIds(journal)).toEqual(['a', 'b']);
});

it('fixes the start durably before the first request', async () => {
  const { clock, journal, api } = await atNoon([]);
  let before: unknown;
  api.onRequest = async () => {
    before ??= await journal.checkpoint('s', 'live');
    return undefined;
  };
  await using loop = startSource(settings({ start: { backMs: 2 * hour } }), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect(before).toMatchObject({ start: noon - 2 * hour, until: noon - 2 * hour });
});

it('goes on through consecutive windows of at most the maximum until it has caught up', async () => {
  const { clock, journal, api } = await atNoon([]);
  await using loop = startSource(settings({ start: { backMs: 60 * hour } }), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  const begin = noon - 60 * hour;
  expect(api.requests.map(({ from, to }) => [from, to])).toEqual([
    [begin, begin + day],
    [begin + day - 1000, begin + 2 * day - 1000],
    [begin + 2 * day - 2000, noon - minute],
  ]);
});

it('commits every page with the place after it', async () => {
  const { clock, journal, api } = await atNoon(rowsOf('abcd'), { paging: 'token' });
  api.onRequest = laterPagesFail('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 503');
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_SOURCE_UNAVAILABLE' });

  expect(await storedIds(journal)).toEqual(['a', 'b', 'c']);
  expect(await journal.checkpoint('s', 'live')).toMatchObject({
    until: noon - hour,
    walk: { from: noon - hour, to: noon - minute, state: { kind: 'token', token: '3' }, pages: 1 },
  });
});

it('resumes a token walk at its token, with the window as it was', async () => {
  const { clock, journal, api } = await atNoon(rowsOf('abcd'), { paging: 'token' });
  api.onRequest = laterPagesFail('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 503');
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);
  await expect(loop.pollOnce(never)).rejects.toThrow('503');
  api.onRequest = () => undefined;
  await clock.advance(10 * minute);

  await loop.pollOnce(never);

  expect(api.requests.slice(2)).toEqual([
    { from: noon - hour, to: noon - minute, state: { kind: 'token', token: '3' } },
    { from: noon - minute - 1000, to: noon + 9 * minute, state: null },
  ]);
  expect(await storedIds(journal)).toEqual(['a', 'b', 'c', 'd']);
});

it('reads again from before an interrupted walk began, so that a record shown late meanwhile is not missed', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const late = row('late', noon - 3 * minute, { visibleAt: noon + 30_000 });
  const rows = ['a', 'b', 'c', 'd'].map((id, i) => row(id, noon - 2 * minute + i));
  const api = vendor([late, ...rows], { clock, paging: 'keyset' });
  api.onRequest = laterPagesFail('PEN_SOURCE_UNAVAILABLE', 'the vendor answered 503');
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);
  await expect(loop.pollOnce(never)).rejects.toThrow('503');
  api.onRequest = () => undefined;
  await clock.advance(30 * minute);
  await loop.pollOnce(never);
  await clock.advance(minute);

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['a', 'b', 'c', 'd', 'late']);
});

it('walks the window again, once, when a page token is refused', async () => {
  const { clock, journal, api } = await atNoon(rowsOf('abcd'), { paging: 'token' });
  api.onRequest = (request, number) => {
    if (number === 2) throw new PenstockError('PEN_PAGE_TOKEN_REFUSED', 'the vendor answered 400');
    return undefined;
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect(api.requests.map(({ state }) => state)).toEqual([
    null,
    { kind: 'token', token: '3' },
    null,
    { kind: 'token', token: '3' },
  ]);
  expect(await storedIds(journal)).toEqual(['a', 'b', 'c', 'd']);
});

it('fails the poll when the page token is refused a second time', async () => {
  const { clock, journal, api } = await atNoon(rowsOf('abcd'), { paging: 'token' });
  api.onRequest = laterPagesFail('PEN_PAGE_TOKEN_REFUSED', 'the vendor answered 400');
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_PAGE_TOKEN_REFUSED' });

  expect(api.requests.length).toBe(4);
  expect(await journal.checkpoint('s', 'live')).toMatchObject({ until: noon - hour });
});

it.each([
  { ascending: false, from: noon - hour },
  { ascending: true, from: noon - 30 * minute + 2 - 5 * minute },
])('restarts a broken offset walk from $from when ascending is $ascending', async ({ ascending, from }) => {
  const { clock, journal, api } = await atNoon(rowsOf('abcd'));
  api.onRequest = (_request, number) => {
    if (number === 2) throw new PenstockError('PEN_HTTP_RESET', 'connection reset');
    return undefined;
  };
  await using loop = startSource(settings({}, { ascending }), bench(clock, journal, api.open).deps);
  await expect(loop.pollOnce(never)).rejects.toThrow('reset');

  await loop.pollOnce(never);

  expect(api.requests[2]).toEqual({ from, to: noon - minute, state: null });
  expect(await storedIds(journal)).toEqual(['a', 'b', 'c', 'd']);
});

it('restarts from the window when the total shrank before the walk broke', async () => {
  const { clock, journal, api } = await atNoon(rowsOf('abcdefgh'));
  api.onRequest = (_request, number) => {
    if (number === 2) api.rows = api.rows.filter(({ id }) => id !== 'a');
    if (number === 3) throw new PenstockError('PEN_HTTP_RESET', 'connection reset');
    return undefined;
  };
  await using loop = startSource(settings({}, { ascending: true }), bench(clock, journal, api.open).deps);
  await expect(loop.pollOnce(never)).rejects.toThrow('reset');

  await loop.pollOnce(never);

  expect(api.requests[3]).toMatchObject({ from: noon - hour, state: null });
  expect((await storedIds(journal)).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
});

it('scans an offset walk again when rows moved, and finds the skipped one', async () => {
  const { clock, journal, api } = await atNoon(rowsOf('abcde'));
  api.onRequest = (_request, number) => {
    // 'a' goes and 'd' moves to offset 2, which was read already.
    if (number === 2) api.rows = api.rows.filter(({ id }) => id !== 'a');
    return undefined;
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect((await storedIds(journal)).sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
});

it("takes copies within one page for the vendor's own", async () => {
  const { clock, journal, api } = await atNoon([]);
  const copy = { value: row('a', noon - 30 * minute) };
  api.onRequest = () => ({ records: [copy, copy], next: null, total: 2 });
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['a']);
  expect(loop.status().records).toEqual({ fetched: 2, new: 1, duplicate: 1, excluded: 0, unreadable: 0 });
});

it.each([
  {
    what: 'the same page',
    page: (n: number) => ({
      records: [{ value: row('a', noon - 30 * minute) }],
      next: { kind: 'token' as const, token: `t${n}` },
    }),
    message: 'the vendor sent the same page twice in one walk',
  },
  {
    what: 'the same token',
    page: (n: number) => ({
      records: [{ value: row(`a${n}`, noon - 30 * minute) }],
      next: { kind: 'token' as const, token: 'again' },
    }),
    message: 'the vendor named the same next page (by token) twice in one walk',
  },
  {
    what: 'pages without end',
    page: (n: number) => ({ records: [], next: { kind: 'token' as const, token: `t${n}` } }),
    message: 'the window has more than 100 pages',
  },
])('ends a walk that meets $what with an error that says so', async ({ page, message }) => {
  const { clock, journal, api } = await atNoon([]);
  api.onRequest = (_request, number) => page(number);
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_PAGE_LOOP', message });

  expect(await journal.checkpoint('s', 'live')).toMatchObject({ until: noon - hour });
});

it('reads half of the window after one with too many pages, so that a busy hour cannot stop it', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const rows = Array.from({ length: 50 }, (_none, i) => row(`r${i}`, noon - hour + i * minute + 1));
  const api = vendor(rows, { clock, paging: 'token' });
  await using loop = startSource(settings({}, { maxPages: 10 }), bench(clock, journal, api.open).deps);
  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_PAGE_LOOP' });

  await loop.pollOnce(never);

  expect((await storedIds(journal)).length).toBe(50);
});

it('halves a window that the vendor refuses as too large, and grows again', async () => {
  const { clock, journal, api } = await atNoon([row('a', noon - 50 * minute), row('b', noon - 5 * minute)]);
  api.onRequest = ({ from, to }) => {
    if (to - from > 20 * minute) throw new PenstockError('PEN_WINDOW_TOO_LARGE', 'the vendor answered 413', { status: 413 });
    return undefined;
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['a', 'b']);
  expect(await journal.checkpoint('s', 'live')).toMatchObject({ until: noon - minute });
});

it('holds when even the smallest window is refused', async () => {
  const { clock, journal, api } = await atNoon([]);
  api.onRequest = () => {
    throw new PenstockError('PEN_WINDOW_TOO_LARGE', 'the vendor answered 400', { status: 400 });
  };
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_SOURCE_REFUSED' });

  expect(loop.status().state).toBe('hold');
  expect(api.requests.at(-1)).toMatchObject({ from: noon - hour, to: noon - hour + minute });
});

it('says how to go on where the vendor may refuse what it keeps no more', async () => {
  const { clock, journal, api } = await atNoon([]);
  api.onRequest = () => {
    throw new PenstockError('PEN_WINDOW_TOO_LARGE', 'the vendor answered 400', { status: 400 });
  };
  const source = settings({ start: { backMs: 30 * day }, retentionMs: 7 * day });
  await using loop = startSource(source, bench(clock, journal, api.open).deps);

  await expect(loop.pollOnce(never)).rejects.toMatchObject({
    code: 'PEN_SOURCE_REFUSED',
    fix: 'the vendor keeps 7d and may refuse what is older: go on with what it still has by: penstock sources reset s --from 2026-11-14T12:10:00.000Z',
  });
});

it("never moves the checkpoint beyond the vendor's own clock", async () => {
  const { clock, journal, api } = await atNoon([], { skewMs: -hour });
  const { deps, lines } = bench(clock, journal, api.open);
  await using loop = startSource(settings({ start: { backMs: 3 * hour } }), deps);

  await loop.pollOnce(never);
  api.rows.push(row('late for us', noon - 90 * minute + hour));
  await clock.advance(hour + 40 * minute);
  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['late for us']);
  expect(await journal.checkpoint('s', 'live')).toMatchObject({ until: noon + 39 * minute });
  expect(loop.status().clock_skew_ms).toBe(-hour);
  expect(said(lines, "the vendor's clock and ours differ; windows follow the slower one").length).toBe(1);
});

it.each([
  ['now', 'now' as const, ['since']],
  ['20 minutes back', { backMs: 20 * minute }, ['shortly before', 'since']],
])(
  'counts a first start of %s from the clock of a vendor that is behind, and asks for nothing older',
  async (_name, start, ids) => {
    const clock = at(noon);
    const journal = await realJournal(clock);
    const rows = [row('before', noon - 90 * minute), row('shortly before', noon - 70 * minute), row('since', noon - 58 * minute)];
    const api = vendor(rows, { clock, skewMs: -hour });
    const { deps, lines } = bench(clock, journal, api.open);
    await using loop = startSource(settings({ start }), deps);

    for (let poll = 0; poll < 6; poll += 1) {
      await loop.pollOnce(never);
      await clock.advance(minute);
    }

    expect(await storedIds(journal)).toEqual(ids);
    expect(said(lines, "the vendor's clock is behind ours; the first start is counted back from the vendor's").length).toBe(1);
  },
);

it('keeps about an hour of windows in one row of the ledger, which covers only what is complete', async () => {
  const { clock, journal, api } = await atNoon([row('a', noon - minute)], { paging: 'token', pageSize: 1 });
  await using loop = startSource(settings({ start: { backMs: 10 * minute } }), bench(clock, journal, api.open).deps);
  for (let i = 0; i < 70; i += 1) {
    await loop.pollOnce(never);
    await clock.advance(minute);
  }
  const rows = await journal.windows('s', 0, noon + day);
  api.rows.push(row('b', noon + 68 * minute), row('c', noon + 68 * minute + 1));
  api.onRequest = laterPagesFail('PEN_HTTP_RESET', 'connection reset');
  await expect(loop.pollOnce(never)).rejects.toThrow('reset');

  expect(rows.map(({ key, from, to, complete, new: fresh }) => ({ key, from, to, complete, new: fresh }))).toEqual([
    { key: '2026-11-21T11:50:00.000Z/..', from: noon - 10 * minute, to: noon + 55 * minute, complete: true, new: 1 },
    { key: '2026-11-21T12:50:00.000Z/..', from: noon + 50 * minute, to: noon + 68 * minute, complete: true, new: 0 },
  ]);
  expect((await journal.windows('s', noon + hour, noon + day)).at(-1)).toMatchObject({
    to: noon + 68 * minute,
    complete: true,
    new: 1,
  });
});

it('rewinds a checkpoint in the future to the last window before now', async () => {
  const { clock, journal, api } = await atNoon([]);
  const { deps, lines } = bench(clock, journal, api.open);
  await using loop = startSource(settings(), deps);
  await loop.pollOnce(never);
  clock.step(day);
  await loop.pollOnce(never);
  clock.step(-day);
  await clock.advance(2 * minute);
  api.rows.push(row('a', noon));

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['a']);
  expect(await journal.checkpoint('s', 'live')).toMatchObject({ until: noon + minute });
  expect(
    said(
      lines,
      'the checkpoint lies in the future, so a clock was wrong; collection goes on after the last record, or the last window before now',
    ).length,
  ).toBe(1);
});

it('fixes a start again that a wrong clock put into the future', async () => {
  const clock = at(noon + day);
  const journal = await realJournal(clock);
  const api = vendor([row('a', noon + minute)], { clock });
  const { deps } = bench(clock, journal, api.open);
  await using loop = startSource(settings({ start: 'now' }), deps);
  await loop.pollOnce(never);
  clock.step(-day);
  await loop.pollOnce(never);
  await clock.advance(10 * minute);

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['a']);
});

it('keeps polling after a checkpoint when our clock runs a little behind it', async () => {
  const { clock, journal, api } = await atNoon([row('a', noon - 2 * minute, { visibleAt: noon - 20_000 })]);
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);
  await loop.pollOnce(never);
  clock.step(-30_000);

  await loop.pollOnce(never);

  expect(api.requests.at(-1)).toEqual({ from: noon - 6 * minute, to: noon - minute, state: null });
});

it('holds when the name stands for another tenant than before', async () => {
  const { clock, journal, api } = await atNoon([]);
  const { deps } = bench(clock, journal, api.open);
  await using first = startSource(settings(), deps);
  await first.pollOnce(never);
  await using loop = startSource(settings({ identity: { origin: 'https://other.example.com' } }), deps);

  await expect(loop.pollOnce(never)).rejects.toMatchObject({
    code: 'PEN_IDENTITY_CHANGED',
    fix: 'give it a new name, or run: penstock sources reset s --from TIME',
  });

  expect(api.requests.length).toBe(1);
  expect(await journal.holds()).toMatchObject([{ kind: 'source', name: 's' }]);
});

it('takes nothing of the first reading for late, also not what happened at the very start', async () => {
  const { clock, journal, api } = await atNoon([row('a', noon - hour), row('b', noon - 30 * minute)]);
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['a', 'b']);
  expect(loop.status().details).toBeUndefined();
});

it('writes records with everything that the sinks need', async () => {
  const { clock, journal, api } = await atNoon([row('a', noon - 30 * minute)]);
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  const [lane] = await journal.lanes('sink');
  if (lane === undefined) throw new Error('nothing stored');
  const [page] = await journal.read('sink', lane.lane, lane.offset, 10);
  expect(page).toMatchObject({
    source: 's',
    connector: { name: 'example', hash: '0123456789abcdef' },
    tenant: 'acme',
    labels: ['audit'],
  });
  expect(page?.records.map(plain)).toEqual([
    { uid: uidOf('a'), received: noon, record: { id: 'a', time: noon - 30 * minute, action: 'login' } },
  ]);
  expect(await stored(journal)).toMatchObject([{ lane: 'live' }]);
});

it('cuts a page that is larger than the free space of the journal, and is done with its last part only', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const rows = Array.from({ length: 7 }, (_, index) => row(`r${index}`, noon - (30 - index) * minute));
  const api = vendor(rows, { clock, pageSize: 10 });
  const parts: (readonly [number, boolean, boolean])[] = [];
  const cramped: typeof journal = Object.create(journal, {
    append: {
      value: async (commit: Parameters<typeof journal.append>[0]) => {
        const count = commit.page?.records.length ?? 0;
        if (count > 2) throw new PenstockError('PEN_JOURNAL_FULL', 'no room for so much at once');
        await journal.append(commit);
        if (count > 0) parts.push([count, commit.checkpoint !== undefined, commit.window?.complete === true]);
      },
    },
  });
  await using loop = startSource(settings(), bench(clock, cramped, api.open).deps);

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6']);
  expect(parts).toEqual([
    [2, false, false],
    [2, false, false],
    [2, false, false],
    [1, true, true],
  ]);
});

it.each([
  { what: 'where bounds are days, of the whole day of the end', told: noon + 1.9 * day, strayMs: 2 * day, said: 0 },
  { what: 'where bounds are days, by weeks', told: noon - 40 * day, strayMs: 2 * day, said: 1 },
  { what: 'where files came up in it, by weeks', told: noon - 40 * day, strayMs: Number.POSITIVE_INFINITY, said: 0 },
  { what: 'as the window says', told: noon - 30 * minute, said: 0 },
  { what: 'by hours, as another clock or a zone may have it', told: noon - 20 * hour, said: 0 },
  { what: 'by weeks', told: noon - 40 * day, said: 1 },
  { what: 'by weeks, ahead', told: noon + 40 * day, said: 1 },
])('warns of records that lie outside of the window that was asked for: $what', async ({ told, strayMs = 0, said: count }) => {
  const { clock, journal, api } = await atNoon([row('a', noon - 30 * minute, { told })]);
  await using loop = startSource(settings({}, { strayMs }), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['a']);
  expect(loop.status().warnings.filter((text) => text.includes('returned for a window')).length).toBe(count);
});
