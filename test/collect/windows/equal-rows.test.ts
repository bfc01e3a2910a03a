// Rows of a vendor without ids that say the same thing in the same second.
import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { compareRange, startSource } from '../../../src/collect/index.ts';
import type { Page, PageRequest, PageState } from '../../../src/connectors/connector.ts';
import { compileRecordRules } from '../../../src/connectors/record-rules.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, connector, hour, minute, never, noon, settings, vendor } from '../fixture.ts';

const records = compileRecordRules({ hash: ['time', 'action', 'user'], time: 'time', action: 'action' }, 'table');
const source = settings({ connector: { ...connector('http_window'), records } });

const login = (user: string, time: number) => ({ time: new Date(time).toISOString(), action: 'login.failed', user });
type Login = ReturnType<typeof login>;

const pagings = ['offset', 'token', 'link', 'none'] as const;
type Paging = (typeof pagings)[number];

function place(paging: Paging, offset: number): PageState {
  if (paging === 'offset') return { kind: 'offset', offset };
  return paging === 'link' ? { kind: 'link', path: `/rows?after=${offset}` } : { kind: 'token', token: String(offset) };
}

const offsetOf = (state: PageState | null): number => {
  if (state === null) return 0;
  if (state.kind === 'offset') return state.offset;
  return Number(state.kind === 'token' ? state.token : state.path.split('=')[1]);
};

function paged(rows: readonly Login[], { from, to, state }: PageRequest, paging: Paging, size: number): Page {
  const matching = rows.filter(({ time }) => Date.parse(time) >= from && Date.parse(time) <= to);
  const offset = offsetOf(state);
  const found = matching.slice(offset, paging === 'none' ? undefined : offset + size);
  const end = offset + found.length;
  const isLast = paging === 'none' || found.length === 0 || end >= matching.length;
  return { records: found.map((value) => ({ value })), next: isLast ? null : place(paging, end) };
}

function reading(paging: Paging, size: number, rows: Login[]) {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([], { clock });
  api.onRequest = (request) => paged(rows, request, paging, size);
  const open = () => startSource(source, bench(clock, memory.journal, api.open).deps);
  return { clock, memory, api, rows, open };
}

const uidsOf = ({ records: entries }: ReturnType<typeof memoryJournal>): string[] => entries.map(({ uid }) => uid);

const cases = pagings.flatMap((paging) => [1, 2, 3, 100].map((size) => ({ paging, size })));

it.each(cases)('keeps each of equal rows once, over polls and processes ($paging, pages of $size)', async ({ paging, size }) => {
  const rows = [
    login('eve', noon - 3 * minute),
    ...Array.from({ length: 5 }, () => login('bob', noon - 2 * minute)),
    login('eve', noon - 90_000),
  ];
  const { clock, memory, open } = reading(paging, size, rows);
  for (let process = 0; process < 3; process += 1) {
    await using loop = open();
    await loop.pollOnce(never);
    await clock.advance(minute);
    await loop.pollOnce(never);
  }
  // One more comes late into the same second.
  rows.splice(3, 0, login('bob', noon - 2 * minute));
  await using loop = open();
  await loop.pollOnce(never);

  expect(new Set(uidsOf(memory)).size).toBe(8);
  expect(uidsOf(memory).length).toBe(8);
  const unknown: string[] = [];
  const { deps } = bench(clock, memory.journal, () => Promise.reject(new Error('unused')));
  const api = vendor([], { clock });
  api.onRequest = (request) => paged(rows, request, paging, size);
  for await (const found of compareRange(source, { ...deps, openReader: api.open }, { from: noon - hour, to: noon }, never))
    unknown.push(...found.filter(({ known }) => !known).map(({ uid }) => uid));
  expect(unknown).toEqual([]);
});

it.each(['offset', 'token', 'link'] as const)(
  'numbers equal rows from the first page when a walk by %s broke between them',
  async (paging) => {
    const rows = Array.from({ length: 5 }, () => login('bob', noon - 2 * minute));
    const { api, memory, open, clock } = reading(paging, 2, rows);
    api.onRequest = (request) => {
      if (offsetOf(request.state) >= 2) throw new PenstockError('PEN_HTTP_UNREACHABLE', 'no route');
      return paged(rows, request, paging, 2);
    };
    {
      await using loop = open();
      await expect(loop.pollOnce(never)).rejects.toThrow('no route');
    }
    api.onRequest = (request) => paged(rows, request, paging, 2);
    await clock.advance(minute);
    await using loop = open();
    await loop.pollOnce(never);

    expect(new Set(uidsOf(memory)).size).toBe(5);
  },
);

it('does not number rows that come again because others were added before them', async () => {
  const rows = ['a', 'b', 'c', 'd', 'e', 'f'].map((user) => login(user, noon - 2 * minute));
  const { api, memory, open } = reading('offset', 2, rows);
  let asked = 0;
  api.onRequest = (request) => {
    asked += 1;
    if (asked === 2) rows.unshift(login('new', noon - 2 * minute));
    return { ...paged(rows, request, 'offset', 2), total: rows.length };
  };
  await using loop = open();
  await loop.pollOnce(never);

  expect(new Set(uidsOf(memory)).size).toBe(7);
});

it('still ends a walk whose pages come again', async () => {
  const { api, open } = reading('token', 2, []);
  let asked = 0;
  api.onRequest = () => {
    asked += 1;
    const found = [login('a', noon - 2 * minute), login('b', noon - 2 * minute)].map((value) => ({ value }));
    return { records: found, next: { kind: 'token', token: String(asked) } };
  };
  await using loop = open();

  await expect(loop.pollOnce(never)).rejects.toMatchObject({ code: 'PEN_PAGE_LOOP' });
});

it('keeps a record once that moves to the next page of a walk, where a hash identifies it', async () => {
  const rules = compileRecordRules({ hash: ['time', 'user'], hash_is_id: true, time: 'time', action: 'action' }, 'table');
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([], { clock });
  const [a, b, c] = ['a', 'b', 'c'].map((user, i) => ({ value: login(user, noon - (10 + i) * minute) }));
  api.onRequest = ({ state }) =>
    state === null ? { records: [a!, b!], next: place('token', 2) } : { records: [b!, c!], next: null };
  const identified = settings({ connector: { ...connector('http_window'), records: rules } });
  await using loop = startSource(identified, bench(clock, memory.journal, api.open).deps);

  await clock.until(loop.pollOnce(never));

  expect(memory.records.map(({ record }) => (record as Login).user)).toEqual(['a', 'b', 'c']);
});
