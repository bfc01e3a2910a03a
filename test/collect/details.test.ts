// A list of records, and an address for the detail of each.
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { startSource } from '../../src/collect/index.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/client.ts';
import { vendorConnector } from '../connectors/vendor.ts';
import { memoryJournal } from '../journal/memory-journal.ts';
import type { Values } from '../options/cases.ts';
import { at, bench, hour, minute, noon, settings } from './fixture.ts';

const url = 'https://api.example.com/v1/logs/{{ record.id }}';
const windows: Values = { 'request.query': { from: '{{ window.from }}', to: '{{ window.to }}' } };
const cursor: Values = {
  kind: 'http_cursor',
  'request.query': { after: '{{ page.token }}' },
  'page.kind': 'token',
  'page.token': 'data[-1].id',
  'cursor.overlap': '10m',
};

type Answer = Partial<HttpResponse> & { readonly json?: unknown };
const abc = ['a', 'b', 'c'];

/** More members of records. */
type More = Record<string, unknown> | ((id: string) => Record<string, unknown>);

/** A vendor with these records, three unless said; `detail` answers for one of them, the n-th time that it is asked. */
function listing(
  words: Values,
  detail: (id: string, times: number) => Answer | undefined,
  more: More = {},
  ids = abc,
  record: Values = {},
) {
  const clock = at(noon);
  const { journal, ...memory } = memoryJournal();
  const connector = vendorConnector(words, { auth: { bearer: '{{ options.token }}' }, ...record });
  const asked: string[] = [];
  const sent: HttpRequest[] = [];
  const answer = ({ url: { pathname, searchParams } }: HttpRequest): Answer => {
    if (pathname === '/v1/logs') {
      const start = ids.indexOf(searchParams.get('after') ?? '') + 1;
      const time = new Date(noon - 30 * minute).toISOString();
      const isIn = !searchParams.has('from') || Date.parse(searchParams.get('from') ?? '') <= noon - 30 * minute;
      return {
        json: {
          data: isIn
            ? ids.slice(start).map((id) => ({ id, time, action: 'read', ...(typeof more === 'function' ? more(id) : more) }))
            : [],
        },
      };
    }
    const id = pathname.split('/').at(-1) ?? '';
    asked.push(id);
    return detail(id, asked.filter((one) => one === id).length) ?? { json: { id, who: `user-${id}` } };
  };
  const http = {
    request(request: HttpRequest): Promise<HttpResponse> {
      sent.push(request);
      const { json, ...rest } = answer(request);
      return Promise.resolve({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(json ?? {})), ...rest });
    },
    describeRoute: () => 'direct',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const seams = { ...systemSeams(), clock, random: seededRandom(1) };
  const deps = { http, seams, userAgent: 'penstock/test', limit: () => Promise.resolve(), budget: () => undefined };
  const { overlapMs, settleMs, maxMs, minMs } = connector.defaults;
  const source = settings({ connector, tenant: undefined, window: { overlapMs, settleMs, maxMs, minMs } });
  const made = bench(clock, journal, () => Promise.resolve(connector.open({ token: 'tok' }, { ...deps, log: made.deps.log })));
  const run = async (minutes: number) => {
    const loop = startSource(source, made.deps);
    loop.start();
    await clock.advance(minutes * minute);
    const status = loop.status();
    await clock.until(loop[Symbol.asyncDispose]());
    return status;
  };
  const stored = () =>
    memory.records.map(({ record, labels }) => {
      const { id, who } = record as Record<string, unknown>;
      return labels === undefined ? [id, who] : [id, who, ...labels];
    });
  return { run, stored, asked, sent, clock, records: () => memory.records.map(({ record }) => record) };
}

const sorted = (rows: unknown[][]): unknown[][] => rows.toSorted(([a], [b]) => String(a).localeCompare(String(b)));

const whole = abc.map((id) => [id, `user-${id}`]);

describe.each([
  ['windows', windows],
  ['cursor', cursor],
] as const)('of a source by %s', (_name, words) => {
  const details = { ...words, 'details.url': url };

  it('become part of their records, and are asked for once', async () => {
    const vendor = listing(details, () => undefined);

    await vendor.run(10);
    await vendor.run(10);

    expect(vendor.stored()).toEqual(whole);
    expect(vendor.asked).toEqual(abc);
  });

  it('stand in a member of their own where the connector says so', async () => {
    const vendor = listing({ ...details, 'details.into': 'who', 'details.record': 'who' }, () => undefined);

    await vendor.run(2);

    expect(vendor.stored()).toEqual(whole);
  });

  it.each([400, 404, 410, 422])('that are answered with %d leave a record that says so', async (status) => {
    const vendor = listing(details, (id) => (id === 'b' ? { status } : undefined));

    const { state, warnings } = await vendor.run(3);

    expect(vendor.stored()).toEqual([
      ['a', 'user-a'],
      ['b', undefined, 'without_detail'],
      ['c', 'user-c'],
    ]);
    expect([state, warnings]).toEqual(['idle', [expect.stringMatching(/^a record was delivered without the detail/)]]);
  });

  it.each([500, 503, 429])(
    'that fail with %d for a while hold their page, not one record is delivered without',
    async (status) => {
      const vendor = listing(details, () => (vendor.clock.now() < noon + 20 * minute ? { status } : undefined));

      const failing = await vendor.run(15);
      const before = vendor.stored();
      await vendor.run(30);

      expect([failing.state, before, vendor.stored()]).toEqual(['failing', [], whole]);
      expect(failing.last_error?.code).toBe('PEN_DETAIL_UNAVAILABLE');
    },
  );

  it('that keep failing for one record while others come are given up for it in the end', async () => {
    const vendor = listing(details, (id) => (id === 'b' ? { status: 500 } : undefined));

    const { state, consecutive_failures } = await vendor.run(15);

    expect(vendor.stored()).toEqual([
      ['a', 'user-a'],
      ['b', undefined, 'without_detail'],
      ['c', 'user-c'],
    ]);
    expect([state, consecutive_failures]).toEqual(['idle', 0]);
    // Those that came are not asked for again with each poll.
    expect(vendor.asked.filter((id) => id !== 'b')).toEqual(['a', 'c']);
  });

  it('that keep failing for all records are given up after some twenty polls', async () => {
    const vendor = listing(details, () => ({ status: 500 }));

    await vendor.run(6 * 60);

    expect(vendor.stored()).toEqual(abc.map((id) => [id, undefined, 'without_detail']));
  });

  it('that are away from the middle of a page on are waited for, whatever came before', async () => {
    const isAway = (id: string): boolean => id !== 'a' && vendor.clock.now() < noon + 20 * minute;
    const vendor = listing(details, (id) => (isAway(id) ? { status: 503 } : undefined));

    const { state } = await vendor.run(15);
    const before = vendor.stored();
    await vendor.run(45);

    expect([state, before, sorted(vendor.stored())]).toEqual(['failing', [], whole]);
  });

  it('that are away are waited for also beside records that have no address for one', async () => {
    const address = { ...words, 'details.url': 'https://api.example.com/v1/logs/{{ record.ref }}' };
    const isAway = (): boolean => vendor.clock.now() < noon + 20 * minute;
    const vendor = listing(
      address,
      () => (isAway() ? { status: 503 } : undefined),
      (id) => ({ ref: id === 'a' ? null : id }),
    );

    const { state } = await vendor.run(15);
    const before = vendor.stored();
    await vendor.run(45);

    expect([state, before]).toEqual(['failing', []]);
    expect(sorted(vendor.stored())).toEqual([['a', undefined, 'without_detail'], ...whole.slice(1)]);
  });

  it('that fail once more when the vendor is back are asked for again', async () => {
    const isBack = (): boolean => vendor.clock.now() > noon + 15 * minute;
    let left = 5;
    const vendor = listing(details, (id) => {
      if (!isBack()) return { status: 503 };
      return id === 'b' && left-- > 0 ? { status: 500 } : undefined;
    });

    await vendor.run(60);

    expect(sorted(vendor.stored())).toEqual(whole);
  });

  it('that are given up for want of a vendor leave records that say so, asked for or not', async () => {
    const many = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const vendor = listing(details, () => ({ status: 503 }), {}, many);

    await vendor.run(6 * 60);

    expect(vendor.stored()).toEqual(many.map((id) => [id, undefined, 'without_detail']));
  });

  it('that are more than memory should hold are stored as they come, also while a later one fails', async () => {
    const many = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const who = 'x'.repeat(6 * 1024 * 1024);
    const isBack = { is: false };
    const vendor = listing(details, (id) => (id === 'f' && !isBack.is ? { status: 503 } : { json: { id, who } }), {}, many);
    const ids = (): unknown[] => vendor.stored().map(([id]) => id);

    await vendor.run(1);
    const before = ids();
    isBack.is = true;
    await vendor.run(30);

    expect(before).toEqual(['a', 'b', 'c']);
    expect(ids()).toEqual(many);
    expect(vendor.stored().every(([, text]) => text === who)).toBe(true);
  });

  it('hold the source when the credential may read none of them', async () => {
    const vendor = listing(details, () => ({ status: 403 }));

    const { state, hold } = await vendor.run(3);

    expect([state, vendor.stored(), hold?.fix]).toEqual(['hold', [], expect.stringContaining('right to read the details')]);
  });

  it('hold the source when the credential is refused', async () => {
    const vendor = listing(details, (id) => (id === 'c' ? { status: 401 } : undefined));

    const { state } = await vendor.run(3);

    expect([state, vendor.stored()]).toEqual(['hold', []]);
  });

  it.each([
    'https://evil.example/v1/logs/a',
    '//evil.example/v1/logs/a',
    'http://api.example.com/v1/logs/a',
    'https://api.example.com:8443/v1/logs/a',
    'https://api.example.com@evil.example/v1/logs/a',
  ])('are not asked for at another origin: %s', async (self) => {
    const vendor = listing({ ...words, 'details.link': 'self' }, () => undefined, { self });

    const { state } = await vendor.run(3);

    expect([state, vendor.asked]).toEqual(['idle', []]);
    expect([...new Set(vendor.sent.map(({ url: { origin } }) => origin))]).toEqual(['https://api.example.com']);
    expect(vendor.stored()).toEqual(abc.map((id) => [id, undefined, 'without_detail']));
  });

  it('are asked for with the credential where a link of the record leads to', async () => {
    const vendor = listing({ ...words, 'details.link': 'self' }, () => undefined, { self: '/v1/items/x?full=1' });

    await vendor.run(2);

    const detail = vendor.sent.find(({ url: { pathname } }) => pathname !== '/v1/logs');
    expect([detail?.url.href, detail?.headers?.['authorization']]).toEqual([
      'https://api.example.com/v1/items/x?full=1',
      'Bearer tok',
    ]);
  });

  it('leave a record that has no address for one', async () => {
    const vendor = listing({ ...words, 'details.url': 'https://api.example.com/v1/logs/{{ record.missing }}' }, () => undefined);

    await vendor.run(2);

    expect(vendor.stored()).toEqual(abc.map((id) => [id, undefined, 'without_detail']));
  });

  it('come no faster than their rate', async () => {
    const vendor = listing({ ...details, 'details.rate': '1/10s' }, () => undefined);

    await vendor.run(1 / 4);
    const early = vendor.asked.length;
    await vendor.run(hour / minute);

    expect([early, vendor.stored()]).toEqual([2, whole]);
  });
});

it.each([
  ['windows', windows],
  ['cursor', cursor],
] as const)(
  'records of a source by %s that hold more events than memory should hold are taken in parts',
  async (_name, words) => {
    const more = (id: string) => ({
      parts: Array.from({ length: 2_000 }, (_, n) => ({ n: `${id}${n}` })),
      list: 'x'.repeat(1_000),
    });
    const record = { record: { id: 'id', time: 'time', action: 'action', each: 'parts' } };
    const vendor = listing(words, () => undefined, more, abc, record);

    await vendor.run(10);
    await vendor.run(10);

    const ids = vendor.records().map((event) => (event as { parts: { n: string } }).parts.n);
    expect([ids.length, new Set(ids).size]).toEqual([6_000, 6_000]);
  },
);
