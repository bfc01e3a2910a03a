// Which page of a walk is the last one.
import { expect, it } from 'vitest';
import type { PageState } from '../../src/connectors/connector.ts';
import { compilePaging } from '../../src/connectors/http-window/paging.ts';
import type { HttpWindowSpec } from '../../src/connectors/read-section.ts';

type Vendor = (from: number, count: number) => { readonly data: readonly unknown[]; readonly total?: number };

const rows = (count: number) => Array.from({ length: count }, (_none, id) => ({ id }));

/** A vendor with so many rows that pages no further than `cap` and counts no further than `counts`; no page is longer than `most`. */
function vendor(
  has: number,
  { cap = Infinity, counts = has, most = Infinity }: { cap?: number; counts?: number; most?: number },
): Vendor {
  return (from, count) => ({ data: rows(Math.min(has, cap)).slice(from, from + Math.min(count, most)), total: counts });
}

/** How many rows come, and how many requests that takes. */
function walked(
  kind: 'offset' | 'page_number',
  ask: Vendor,
  { size, most = size }: { size: number; most?: number },
): { rows: number; requests: number } {
  const spec = { records: 'data', page: { kind, size, total: 'total' } } as unknown as HttpWindowSpec;
  const paging = compilePaging(spec);
  let [state, came, requests]: [PageState | null, number, number] = [null, 0, 0];
  do {
    const at: number = state?.kind === 'offset' ? state.offset : kind === 'offset' ? 0 : 1;
    const reply = ask(kind === 'offset' ? at : (at - 1) * most, size);
    const context = { url: new URL('https://x'), headers: {}, state, limit: size, secrets: [] };
    const page = paging(reply, context);
    came += page.records.length;
    requests += 1;
    state = page.next;
  } while (state !== null && requests < 100);
  return { rows: came, requests };
}

it.each(['offset', 'page_number'] as const)('by %s asks once more after a full page that reaches the total', (kind) => {
  expect(walked(kind, vendor(30, { counts: 20 }), { size: 10 })).toEqual({ rows: 30, requests: 4 });
  expect(walked(kind, vendor(20, {}), { size: 10 })).toEqual({ rows: 20, requests: 3 });
});

it.each(['offset', 'page_number'] as const)('by %s ends with a page that has room when the total is reached', (kind) => {
  expect(walked(kind, vendor(15, {}), { size: 10 })).toEqual({ rows: 15, requests: 2 });
  expect(walked(kind, vendor(0, {}), { size: 10 })).toEqual({ rows: 0, requests: 1 });
});

it.each(['offset', 'page_number'] as const)('by %s counts what came where pages are shorter than asked for', (kind) => {
  expect(walked(kind, vendor(13, { most: 5 }), { size: 10, most: 5 })).toEqual({ rows: 13, requests: 3 });
});

it.each(['offset', 'page_number'] as const)('by %s asks once more where the total may be that of the page', (kind) => {
  const ask: Vendor = (from, count) => {
    const data = rows(130).slice(from, from + Math.min(count, 50));
    return { data, total: data.length };
  };

  expect(walked(kind, ask, { size: 1000, most: 50 })).toEqual({ rows: 130, requests: 3 });
  expect(walked(kind, vendor(49, {}), { size: 1000 })).toEqual({ rows: 49, requests: 1 });
});

it.each([
  [0, 4],
  [24, 3],
])('believes no total of %i beside 25 records', (counts, requests) => {
  const ask: Vendor = (from, count) => ({ data: rows(60).slice(from, from + Math.min(count, 25)), total: counts });

  expect(walked('offset', ask, { size: 1000, most: 25 })).toEqual({ rows: 60, requests });
});

it.each([
  [300, 100, true],
  [1000, 100, true],
  [100, 100, undefined],
  [40, 10, undefined],
  [1017, 100, undefined],
])('takes an empty page behind %i records in pages of %i for the end of what the vendor pages through: %s', (read, size, cut) => {
  const paging = compilePaging({ records: 'data', page: { kind: 'offset' } } as unknown as HttpWindowSpec);
  const state = { kind: 'offset', offset: read, read, size } as const;

  expect(paging({ data: [] }, { url: new URL('https://x'), headers: {}, state, limit: 100, secrets: [] }).mayBeCut).toBe(cut);
});

it.each([
  [20_000, 20_000, undefined],
  [20_000, 30_000, true],
  [10_000, 10_000, true],
])(
  'takes an empty page behind %i records where the vendor counts %i for the end of what it pages through: %s',
  (read, total, cut) => {
    const paging = compilePaging({ records: 'data', page: { kind: 'offset', total: 'total' } } as unknown as HttpWindowSpec);
    const context = { url: new URL('https://x'), headers: {}, limit: 1000, secrets: [] };
    const state = { kind: 'offset', offset: read, read, size: 1000 } as const;

    expect(paging({ data: [], total }, { ...context, state }).mayBeCut).toBe(cut);
  },
);

it('takes an empty page for the end where the connector says that the vendor shows all', () => {
  const paging = compilePaging({ records: 'data', page: { kind: 'offset', whole: true } } as unknown as HttpWindowSpec);
  const state = { kind: 'offset', offset: 500, read: 500, size: 100 } as const;

  expect(
    paging({ data: [] }, { url: new URL('https://x'), headers: {}, state, limit: 100, secrets: [] }).mayBeCut,
  ).toBeUndefined();
});

type Case = [page: { size?: number }, count: number, cut: boolean | undefined];

it.each<Case>([
  [{ size: 7 }, 6, undefined],
  [{ size: 7 }, 7, true],
  [{ size: 7 }, 8, true],
  [{ size: 1000 }, 100, true],
  ...[20, 25, 50, 100, 128, 350, 1000, 1024].map((count): Case => [{}, count, true]),
  ...[1, 7, 9, 21, 99].map((count): Case => [{}, count, undefined]),
  [{}, 101, undefined],
])('takes the only page of %j for one that may be cut when it holds %i records: %s', (page, count, cut) => {
  const paging = compilePaging({ records: 'data', page: { kind: 'none', ...page } } as unknown as HttpWindowSpec);
  const context = { url: new URL('https://x'), headers: {}, state: null, limit: 100, secrets: [] };

  expect(paging({ data: rows(count) }, context).mayBeCut).toBe(cut);
});

type Full = [
  what: string,
  page: object,
  reply: object,
  cut: 'unpaged' | undefined,
  count?: number,
  headers?: Record<string, string>,
];

it.each<Full>([
  ['a token that is nowhere', { kind: 'token', token: 'curser' }, { cursor: 'x' }, 'unpaged'],
  ['one that is missing below a member', { kind: 'token', token: 'meta.next' }, { meta: {} }, 'unpaged'],
  ['a token of null', { kind: 'token', token: 'meta.next' }, { meta: { next: null } }, undefined],
  ['an empty token', { kind: 'token', token: 'next' }, { next: '' }, undefined],
  ['an answer that there is no more', { kind: 'token', token: 'curser', more: 'more' }, { more: false }, undefined],
  ['no answer whether there is more', { kind: 'token', token: 'curser', more: 'mroe' }, { more: false }, 'unpaged'],
  ['a link that is nowhere', { kind: 'link', link: 'links.next' }, {}, 'unpaged'],
  ['no header of links', { kind: 'link_header' }, {}, 'unpaged'],
  ['a header without the next one', { kind: 'link_header' }, {}, undefined, 7, { link: '</x>; rel="prev"' }],
  ['no header of tokens', { kind: 'token', header: 'X-Next' }, {}, 'unpaged'],
  ['an empty header of tokens', { kind: 'token', header: 'X-Next' }, {}, undefined, 7, { 'x-next': '' }],
  ['a total', { kind: 'token', token: 'curser', total: 'total' }, { total: 7 }, undefined],
  ['a connector that vouches for it', { kind: 'token', token: 'curser', whole: true }, {}, undefined],
  ['fewer records than were asked for', { kind: 'token', token: 'curser' }, {}, undefined, 6],
  ['fewer, as many as a vendor may send at most', { kind: 'token', token: 'curser', size: 200 }, {}, 'unpaged', 50],
])(
  'a first page that is full and names no next one, with %s, may be cut: %s',
  (_what, page, reply, cut, count = 7, headers = {}) => {
    const request = { url: 'https://x', query: { limit: '{{ page.limit }}' } };
    const paging = compilePaging({ records: 'data', page: { size: 7, ...page }, request } as unknown as HttpWindowSpec);
    const limit = 'size' in page ? Number(page.size) : 7;
    const context = { url: new URL('https://x'), headers, state: null, limit, secrets: [] };

    expect(paging({ data: rows(count), ...reply }, context).mayBeCut).toBe(cut);
    expect(paging({ data: rows(count), ...reply }, { ...context, isPaged: true }).mayBeCut).toBeUndefined();
  },
);

it('takes any round number for a full page where the vendor does not hear how many are wanted', () => {
  const spec = { records: 'data', page: { kind: 'token', token: 'next' }, request: { url: 'https://x' } };
  const paging = compilePaging(spec as unknown as HttpWindowSpec);
  const context = { url: new URL('https://x'), headers: {}, state: null, limit: 100, secrets: [] };

  expect([10, 20, 21, 50].map((count) => paging({ data: rows(count) }, context).mayBeCut)).toEqual([
    'unpaged',
    'unpaged',
    undefined,
    'unpaged',
  ]);
});
