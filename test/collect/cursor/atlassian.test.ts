// The shipped connector against a log as Atlassian describes it: in the order of processing, by a cursor that outlives its page.
import { expect, it } from 'vitest';
import { systemSeams } from '../../../src/base/seams.ts';
import { runRange, startSource } from '../../../src/collect/index.ts';
import type { BudgetNews } from '../../../src/connectors/connector.ts';
import { loadConnector } from '../../../src/connectors/index.ts';
import type { HttpRequest, HttpResponse } from '../../../src/http/client.ts';
import { shippedConnectors } from '../../connectors/open-source.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, hour, minute, never, noon, settings } from '../fixture.ts';

interface AuditEvent {
  readonly id: string;
  readonly time: number;
  readonly processedAt?: number;
}

const perPage = 200;
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const iso = (ms: number): string => new Date(ms).toISOString();

/** Behind the last event there is a page without records and without a cursor. `onAsk` answers in the vendor's place where it gives something. */
async function atlassian(
  events: AuditEvent[],
  onAsk: (query: URLSearchParams) => Partial<HttpResponse> | undefined = () => undefined,
) {
  const clock = at(noon);
  const { journal, ...memory } = memoryJournal();
  const asked: { at: number; url: URL }[] = [];
  const budgets: BudgetNews[] = [];
  const usual = (query: URLSearchParams): Partial<HttpResponse> => {
    const [place = 0, end = Number.POSITIVE_INFINITY] = (query.get('cursor') ?? '').split('-').filter(Boolean).map(Number);
    const from = Number(query.get('from') ?? 0);
    const to = Number(query.get('to') ?? end);
    const log = events
      .map((one) => ({ processedAt: one.time, ...one }))
      .filter(({ processedAt }) => processedAt <= clock.now() && processedAt <= to)
      .sort((a, b) => a.processedAt - b.processedAt);
    const page = log
      .map((one, n) => ({ one, n }))
      .filter(({ one, n }) => n >= place && one.processedAt >= from)
      .slice(0, perPage);
    const last = page.at(-1);
    const next = last === undefined ? null : [last.n + 1, ...(Number.isFinite(to) ? [to] : [])].join('-');
    const data = page.map(({ one: { id, time, processedAt } }) => ({
      id,
      type: 'events',
      attributes: { time: iso(time), processedAt: iso(processedAt), action: 'user_login', actor: { id: 'u' } },
    }));
    return { body: json({ data, meta: { next, page_size: perPage }, links: {} }) };
  };
  const http = {
    request({ url }: HttpRequest): Promise<HttpResponse> {
      asked.push({ at: clock.now(), url });
      return Promise.resolve({
        status: 200,
        body: json({}),
        headers: {},
        ...(onAsk(url.searchParams) ?? usual(url.searchParams)),
      });
    },
    describeRoute: () => 'direct',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const connector = await loadConnector('atlassian', { dirs: [shippedConnectors], files: systemSeams().files });
  const made = bench(clock, journal, () =>
    Promise.resolve(
      connector.open(
        { org_id: 'o', api_key: 'k', api_url: 'https://api.atlassian.com' },
        { ...made.deps, http, limit: () => Promise.resolve(), budget: (_key, news) => budgets.push(news) },
      ),
    ),
  );
  const { overlapMs, settleMs, maxMs, minMs } = connector.defaults;
  const window = { overlapMs, settleMs, maxMs, minMs };
  const source = settings({ connector, window, retentionMs: connector.defaults.retentionMs });
  const ids = (): string[] => memory.records.map(({ record }) => (record as { id: string }).id);
  return { clock, asked, budgets, deps: made.deps, source, ids };
}

it('begins at a time, goes on by cursor, and collects an event that is processed hours late', async () => {
  const vendor = await atlassian([
    { id: 'a', time: noon - minute },
    { id: 'late', time: noon - 50 * minute, processedAt: noon + 2 * hour },
    { id: 'z', time: noon + 2 * hour + minute },
  ]);
  await using loop = startSource(vendor.source, vendor.deps);
  loop.start();

  await vendor.clock.advance(3 * hour);

  expect(vendor.ids()).toEqual(['a', 'late', 'z']);
  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0, warnings: [], details: { caught_up: true } });
  expect(vendor.asked.slice(1).filter(({ url }) => url.searchParams.has('from') || url.searchParams.has('sortOrder'))).toEqual(
    [],
  );
});

it('waits for the first event of an organization where nothing has happened yet', async () => {
  const vendor = await atlassian([{ id: 'first', time: noon + 20 * minute }]);
  await using loop = startSource(vendor.source, vendor.deps);
  loop.start();

  await vendor.clock.advance(30 * minute);

  expect(vendor.ids()).toEqual(['first']);
  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0, warnings: [] });
});

it('takes exactly one full page, and what comes behind it', async () => {
  const events = Array.from({ length: perPage + 1 }, (_, n) => ({
    id: `e${n}`,
    time: n === perPage ? noon + 5 * minute : noon - perPage + n,
  }));
  const vendor = await atlassian(events);
  await using loop = startSource(vendor.source, vendor.deps);
  loop.start();

  await vendor.clock.advance(10 * minute);

  expect(vendor.ids()).toEqual(events.map(({ id }) => id));
  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0, warnings: [] });
});

it('pauses as long as Retry-After says, and goes on at the same cursor', async () => {
  let refusals = 0;
  const vendor = await atlassian(
    [
      { id: 'a', time: noon - minute },
      { id: 'b', time: noon + 3 * minute },
    ],
    (query) => {
      if (query.get('cursor') !== '1' || refusals > 0) return undefined;
      refusals += 1;
      return { status: 429, headers: { 'retry-after': '300' }, body: json({ code: 429, message: 'Rate limit exceeded' }) };
    },
  );
  await using loop = startSource(vendor.source, vendor.deps);
  loop.start();

  await vendor.clock.advance(20 * minute);

  expect(vendor.ids()).toEqual(['a', 'b']);
  expect(vendor.budgets.filter(({ pauseMs }) => pauseMs !== undefined)).toEqual([{ pauseMs: 300_000 }]);
  expect(vendor.asked.map(({ url }) => url.searchParams.get('cursor')).slice(0, 3)).toEqual([null, '1', '1']);
});

it('begins a day before the newest event again when its cursor has expired', async () => {
  let refusals = 0;
  const vendor = await atlassian(
    [
      { id: 'a', time: noon - minute },
      { id: 'late', time: noon - 20 * hour, processedAt: noon + 10 * minute },
      { id: 'b', time: noon + 11 * minute },
    ],
    (query) => {
      if (query.get('cursor') !== '1' || vendor.clock.now() < noon + 5 * minute || refusals > 1) return undefined;
      refusals += 1;
      return { status: 400, body: json({ errors: [{ title: 'invalid cursor' }] }) };
    },
  );
  await using loop = startSource(vendor.source, vendor.deps);
  loop.start();

  await vendor.clock.advance(30 * minute);

  const begun = vendor.asked.map(({ url }) => url.searchParams.get('from')).filter((from) => from !== null);
  expect(vendor.ids()).toEqual(['a', 'late', 'b']);
  expect(begun.slice(1)).toEqual([begun[0]]);
  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0 });
});

it('backfills a range that its cursor does not know', async () => {
  const vendor = await atlassian([
    { id: 'old', time: noon - 5 * hour },
    { id: 'a', time: noon - minute },
  ]);

  await runRange(vendor.source, vendor.deps, { job: 1, from: noon - 6 * hour, to: noon - hour }, { signal: never });

  expect(vendor.ids()).toEqual(['old']);
});
