// A log in parts: organizations, each with an address of its own.
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { startSource } from '../../src/collect/index.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/client.ts';
import { vendorConnector } from '../connectors/vendor.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import type { Values } from '../options/cases.ts';
import { at, bench, minute, noon, said, settings } from './fixture.ts';

const groups: Values = {
  'request.url': 'https://api.example.com/v1/orgs/{{ group.id }}/logs',
  'groups.request.url': 'https://api.example.com/v1/orgs',
  'groups.request.query': { skip: '{{ page.offset }}' },
  'groups.page': { kind: 'offset', size: 2 },
  'groups.records': 'orgs',
  'groups.id': 'id',
  'groups.into': 'organization',
};
const pagings = {
  offset: {
    'page.kind': 'offset',
    'page.total': 'total',
    'request.query': { from: '{{ window.from }}', to: '{{ window.to }}', skip: '{{ page.offset }}' },
  },
  token: {
    'page.kind': 'token',
    'page.token': 'next',
    'request.query': { from: '{{ window.from }}', to: '{{ window.to }}', skip: '{{ page.token }}' },
  },
  link: { 'page.kind': 'link', 'page.link': 'link', 'request.query': { from: '{{ window.from }}', to: '{{ window.to }}' } },
} as const;
const names = Object.keys(pagings) as (keyof typeof pagings)[];

interface Row {
  readonly org: string;
  readonly id: string;
  readonly time: number;
}

type Answer = Partial<HttpResponse> & { readonly json?: unknown };

/** A vendor with these organizations; `answer` may answer in its place. */
function organizations(
  paging: keyof typeof pagings,
  orgs: string[],
  rows: Row[],
  answer: (url: URL, count: number) => Answer | undefined = () => undefined,
  more: Values = {},
  grouping: Values = groups,
) {
  const clock = at(noon);
  const { journal, ...memory } = memoryJournal();
  const connector = vendorConnector({ ...grouping, ...pagings[paging], ...more });
  const asked: URL[] = [];
  const usual = ({ pathname, searchParams: query }: URL): Answer => {
    const skip = Number(query.get('skip') ?? 0);
    if (pathname === '/v1/orgs') return { json: { orgs: orgs.slice(skip, skip + 2).map((id) => ({ id })) } };
    const org = pathname.split('/')[3];
    const [from, to] = [Date.parse(query.get('from') ?? ''), Date.parse(query.get('to') ?? '')];
    const all = rows.filter((one) => one.org === org && one.time >= from && one.time <= to);
    const data = all.slice(skip, skip + 2).map(({ id, time }) => ({ id, time: new Date(time).toISOString(), action: 'read' }));
    const end = skip + data.length;
    const more = end < all.length;
    query.set('skip', String(end));
    return { json: { data, total: all.length, ...(more ? { next: end, link: `?${query.toString()}` } : {}) } };
  };
  const http = {
    request({ url }: HttpRequest): Promise<HttpResponse> {
      asked.push(new URL(url));
      const { json, ...rest } = answer(url, asked.length) ?? usual(new URL(url));
      return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(json ?? {})), ...rest });
    },
    describeRoute: () => 'direct',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const deps = {
    http,
    seams: { ...systemSeams(), clock, random: seededRandom(1) },
    userAgent: 'x',
    limit: () => Promise.resolve(),
    budget: () => undefined,
  };
  const { overlapMs, settleMs, maxMs, minMs } = connector.defaults;
  const source = settings({ connector, tenant: undefined, window: { overlapMs, settleMs, maxMs, minMs } });
  const made = bench(clock, journal, () => Promise.resolve(connector.open({}, { ...deps, log: made.deps.log })));
  const run = async (minutes: number) => {
    const loop = startSource(source, made.deps);
    loop.start();
    await clock.advance(minutes * minute);
    const status = loop.status();
    await clock.until(loop[Symbol.asyncDispose]());
    return status;
  };
  const stored = () =>
    memory.records.map(
      ({ record }) =>
        `${String((record as Record<string, unknown>)['organization'])} ${String((record as Record<string, unknown>)['id'])}`,
    );
  return { run, stored, asked, clock, lines: made.lines };
}

const orgs = ['acme', 'beta', 'core', 'dune', 'empty'];
const rows = orgs
  .slice(0, 4)
  .flatMap((org) => [0, 1, 2, 3, 4].map((n) => ({ org, id: `${org}-${n}`, time: noon - 30 * minute + n * 1000 })));
const all = rows.map(({ org, id }) => `${org} ${id}`);

describe.each(names)('groups paged by %s', (paging) => {
  it('are each read, page by page, once', async () => {
    const vendor = organizations(paging, orgs, rows);

    const { state, warnings } = await vendor.run(5);

    expect([vendor.stored(), state, warnings]).toEqual([all, 'idle', []]);
  });

  it('are gone on with where a process ended', async () => {
    let isOver = false;
    const vendor = organizations(paging, orgs, rows, (_url, count) => (count >= 9 && !isOver ? { status: 401 } : undefined));
    await vendor.run(1 / 10);
    const before = vendor.stored().length;
    isOver = true;

    await vendor.run(3);

    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(all.length);
    expect(vendor.stored().toSorted()).toEqual(all);
  });

  it('may come and go between two requests', async () => {
    const there = [...orgs];
    const vendor = organizations(paging, there, rows, (_url, count) => {
      if (count === 9) there.splice(there.indexOf('beta'), 1, 'aaa');
      return undefined;
    });

    const { state } = await vendor.run(10);

    expect([
      state,
      vendor
        .stored()
        .filter((one) => !one.startsWith('beta'))
        .toSorted(),
    ]).toEqual(['idle', all.filter((one) => !one.startsWith('beta'))]);
  });

  it('hold the source when one of them is refused: nothing of it is passed by', async () => {
    let isRefused = true;
    const vendor = organizations(paging, orgs, rows, ({ pathname }) =>
      isRefused && pathname.includes('core') ? { status: 403 } : undefined,
    );

    const { state } = await vendor.run(2);
    isRefused = false;
    await vendor.run(10);

    expect([state, vendor.stored().toSorted()]).toEqual(['hold', all]);
  });

  it('hold the source when there are none', async () => {
    const { run } = organizations(paging, [], rows);

    const { state, hold } = await run(2);

    expect([state, hold?.reason]).toEqual(['hold', 'the list of groups is empty']);
  });
});

it('are not gathered without end', async () => {
  const pad = 'x'.repeat(2_000_000);
  const vendor = organizations('offset', orgs, rows, ({ pathname }, count) =>
    pathname === '/v1/orgs' ? { json: { orgs: [1, 2].map((n) => ({ id: `o-${count}-${n}`, pad })) } } : undefined,
  );

  const { state, last_error } = await vendor.run(1);

  expect([state, last_error?.code]).toEqual(['failing', 'PEN_SOURCE_BAD_REPLY']);
  expect(last_error?.message).toBe('the list of groups is longer than memory should hold: 16 and more');
  expect(vendor.asked.length).toBeLessThan(30);
});

it('is read in halves where a group shows fewer records than it counts', async () => {
  const vendor = organizations('offset', ['acme', 'beta'], rows, ({ pathname, searchParams: query }) => {
    const wide = Date.parse(query.get('to') ?? '') - Date.parse(query.get('from') ?? '') > 20 * minute;
    // A wide window shows nothing of the first group behind its first page.
    return wide && pathname.includes('acme') && Number(query.get('skip')) >= 2 ? { json: { data: [], total: 5 } } : undefined;
  });

  await vendor.run(5);

  expect(vendor.stored().toSorted()).toEqual(all.filter((one) => /acme|beta/.test(one)));
  expect(said(vendor.lines, 'window refused as too large, a smaller one is read').length).toBeGreaterThan(0);
});

describe('records of groups', () => {
  const one = { id: 'x', time: noon - 30 * minute };

  it.each([
    ['an address', { 'details.url': 'https://api.example.com/v1/events/{{ record.id }}' }],
    ['a link', { 'details.link': 'self' }],
  ])('are read with their details by %s', async (_how, details) => {
    const answer = ({ pathname }: URL) => {
      if (pathname === '/v1/events/x') return { json: { who: 'someone' } };
      const row = { id: 'x', self: '/v1/events/x', time: new Date(one.time).toISOString() };
      return pathname.endsWith('/logs') ? { json: { data: [row], total: 1 } } : undefined;
    };
    const vendor = organizations('offset', ['acme'], [], answer, details);

    const { state } = await vendor.run(10);

    expect([state, vendor.stored()]).toEqual(['idle', ['acme x']]);
    expect(vendor.asked.filter(({ pathname }) => pathname === '/v1/events/x')).toHaveLength(1);
  });
});

describe.each(names)('a record that two groups show, paged by %s,', (paging) => {
  const twice = ['acme', 'beta', 'core'].flatMap((org) =>
    ['x', 'y', 'z'].map((id, n) => ({ org, id, time: noon - 30 * minute + n * 1000 })),
  );
  const bare = Object.fromEntries(Object.entries(groups).filter(([name]) => name !== 'groups.into'));

  it('is stored once, and no loop', async () => {
    const vendor = organizations(paging, ['acme', 'beta', 'core'], twice, undefined, {}, bare);

    const { state, last_error } = await vendor.run(10);

    expect([state, last_error]).toEqual(['idle', undefined]);
    expect(vendor.stored()).toEqual(['x', 'y', 'z'].map((id) => `undefined ${id}`));
  });

  it('ends no loop of one group', async () => {
    const vendor = organizations(
      paging,
      ['acme', 'beta'],
      [],
      ({ pathname }, count) => {
        const row = { id: 'x', time: new Date(noon - 30 * minute).toISOString() };
        const json = { data: [row], total: 1000, next: `n${count}`, link: `?n=${count}` };
        return pathname.endsWith('/logs') ? { json } : undefined;
      },
      {},
      bare,
    );

    const { last_error, warnings } = await vendor.run(10);

    if (paging === 'offset') expect(warnings.join()).toContain('the vendor did not show at least ');
    else expect(last_error?.code).toBe('PEN_PAGE_LOOP');
  });
});

describe('a group that the vendor pages through no further than so far', () => {
  const busy = Array.from({ length: 9 }, (_none, n) => ({ org: 'acme', id: `busy-${n}`, time: noon - 30 * minute }));
  const others = ['acme', 'beta'].flatMap((org) =>
    [40, 30, 20].map((back) => ({ org, id: `${org}-${back}`, time: noon - back * minute + 1000 })),
  );
  const refused =
    (status: number, body = '') =>
    ({ pathname, searchParams }: URL): Answer | undefined =>
      pathname.endsWith('/logs') && Number(searchParams.get('skip') ?? 0) >= 4 ? { status, body: Buffer.from(body) } : undefined;

  it.each([
    ['400', refused(400)],
    ['404', refused(404)],
    ['204', refused(204)],
    ['an error in the body', refused(200, '{"ok":false,"error":"too deep"}')],
    ['503 that stays', refused(503)],
    ['HTML', refused(200, '<html>')],
  ])('lacks its rest, and no other group lacks anything: %s', async (_how, answer) => {
    const vendor = organizations('offset', ['acme', 'beta'], [...busy, ...others], answer);

    const { state, warnings } = await vendor.run(40);

    const stored = vendor.stored();
    expect(state).toBe('idle');
    expect(others.filter(({ org, id }) => !stored.includes(`${org} ${id}`) && id !== 'acme-30')).toEqual([]);
    expect(stored.length).toBe(new Set(stored).size);
    expect(warnings.join()).toMatch(/the vendor did not show at least [56] of its records/);
  });
});
