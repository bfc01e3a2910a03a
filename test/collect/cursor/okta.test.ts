// The shipped connector against a log as Okta describes it: polling requests in the order of storing, bounded ones by the time of publishing.
import { expect, it } from 'vitest';
import type { PenstockError } from '../../../src/base/errors.ts';
import { systemSeams } from '../../../src/base/seams.ts';
import { compareRange, runRange, startSource } from '../../../src/collect/index.ts';
import { loadConnector } from '../../../src/connectors/index.ts';
import type { HttpRequest, HttpResponse } from '../../../src/http/client.ts';
import { shippedConnectors } from '../../connectors/open-source.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, hour, minute, never, noon, settings } from '../fixture.ts';

interface LogEvent {
  readonly uuid: string;
  readonly published: number;
  readonly stored?: number;
}

const origin = 'https://example.okta.com';
const perPage = 2;

async function okta(events: LogEvent[], words: Record<string, unknown> = {}) {
  const clock = at(noon);
  const { journal, ...memory } = memoryJournal();
  const asked: URL[] = [];
  const answer = ({ searchParams: query }: URL): Partial<HttpResponse> => {
    const [since, until] = ['since', 'until'].map((name) => Date.parse(query.get(name) ?? ''));
    const isBounded = query.has('until');
    const there = events.filter(({ published, stored = published }) => stored <= clock.now()).map((one, n) => ({ ...one, n }));
    const key = ({ published, stored = published }: LogEvent): number => (isBounded ? published : stored);
    const log = there
      .filter((one) => key(one) >= (since ?? 0) && (!isBounded || key(one) < (until ?? 0)))
      .sort((a, b) => key(a) - key(b));
    const start = Number(query.get('after') ?? 0);
    const page = log.slice(start, start + perPage);
    const next = new URL(`${origin}/api/v1/logs?${query.toString()}`);
    next.searchParams.set('after', String(start + page.length));
    const records = page.map(({ uuid, published }) => ({
      uuid,
      published: new Date(published).toISOString(),
      eventType: 'user.session.start',
    }));
    return { body: Buffer.from(JSON.stringify(records)), headers: { link: `<${next.href}>; rel="next"` } };
  };
  const http = {
    request({ url }: HttpRequest): Promise<HttpResponse> {
      asked.push(url);
      return Promise.resolve({ status: 200, body: Buffer.from(''), headers: {}, ...answer(url) });
    },
    describeRoute: () => 'direct',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const connector = await loadConnector('okta', { dirs: [shippedConnectors], files: systemSeams().files });
  const made = bench(clock, journal, () =>
    Promise.resolve(
      connector.open(
        { org_url: origin, token: 't' },
        { ...made.deps, http, limit: () => Promise.resolve(), budget: () => undefined },
      ),
    ),
  );
  const { overlapMs, settleMs, maxMs, minMs } = connector.defaults;
  const source = settings({
    connector,
    window: { overlapMs, settleMs, maxMs, minMs },
    retentionMs: connector.defaults.retentionMs,
    ...words,
  });
  const ids = (): string[] => memory.records.map(({ record }) => (record as { uuid: string }).uuid);
  return { clock, journal, asked, deps: made.deps, source, ids };
}

it('collects an event that shows up 11 minutes late, and one that shows up hours late', async () => {
  const vendor = await okta([
    { uuid: 'a', published: noon - minute },
    { uuid: 'late', published: noon + minute, stored: noon + 12 * minute },
    { uuid: 'b', published: noon + 5 * minute },
    { uuid: 'c', published: noon + 11 * minute },
    { uuid: 'very-late', published: noon + 2 * minute, stored: noon + 3 * hour },
  ]);
  await using loop = startSource(vendor.source, vendor.deps);
  loop.start();

  await vendor.clock.advance(4 * hour);

  expect(vendor.ids()).toEqual(['a', 'b', 'c', 'late', 'very-late']);
  expect(loop.status()).toMatchObject({ state: 'idle', warnings: [] });
});

it('goes on from the checkpoint of a source that was read by windows', async () => {
  const events = Array.from({ length: 9 }, (_, i) => ({ uuid: `e${i}`, published: noon - 60 * minute + i * 5 * minute }));
  const vendor = await okta([...events, { uuid: 'late', published: noon - 24 * minute, stored: noon + 1 }]);
  // As windows left it in the middle of one: complete until 20 minutes ago.
  await runRange(
    vendor.source,
    vendor.deps,
    { job: 1, from: noon - hour, to: noon - 20 * minute },
    { signal: never, lane: 'live' },
  );
  const walk = {
    from: noon - 25 * minute,
    to: noon,
    readFrom: noon - 25 * minute,
    state: { kind: 'link', path: '/x?after=1' },
    pages: 1,
    began: noon,
  };
  const value = {
    connector: 'okta',
    identity: vendor.source.identity,
    start: noon - hour,
    until: noon - 20 * minute,
    from: noon - 25 * minute,
    walk,
  };
  await vendor.journal.append({ source: 's', checkpoint: { name: 'live', value } });
  const before = vendor.ids();
  await using loop = startSource(vendor.source, vendor.deps);
  loop.start();

  await vendor.clock.advance(3 * minute);

  expect(before).toEqual(events.map(({ uuid }) => uuid));
  expect(vendor.ids()).toEqual([...before, 'late']);
  expect(loop.status()).toMatchObject({ state: 'idle', consecutive_failures: 0, records: { new: 1 } });
});

it('backfills and compares ranges of time beside its cursor', async () => {
  const vendor = await okta([
    { uuid: 'old', published: noon - 5 * hour },
    { uuid: 'a', published: noon - 30 * minute },
    { uuid: 'b', published: noon - 10 * minute },
  ]);
  await using loop = startSource(vendor.source, vendor.deps);
  await vendor.clock.until(loop.pollOnce(never));
  const compared = async (): Promise<unknown[]> => {
    const all = [];
    for await (const page of compareRange(vendor.source, vendor.deps, { from: noon - 6 * hour, to: noon }, never))
      all.push(...page.map(({ known, coverage }) => [known, coverage]));
    return all;
  };

  const before = await compared();
  await runRange(vendor.source, vendor.deps, { job: 1, from: noon - 6 * hour, to: noon - hour }, { signal: never });
  const after = await compared();

  expect(before).toEqual([
    [false, 'never'],
    [true, 'closed'],
    [true, 'open'],
  ]);
  expect(after.map((one) => (one as [boolean])[0])).toEqual([true, true, true]);
  expect(vendor.ids()).toEqual(['a', 'b', 'old']);
});

it('says that a cursor without ranges cannot be compared, and what can be done', async () => {
  const vendor = await okta([]);
  const deps = {
    ...vendor.deps,
    openReader: async () => Object.assign(Object.create(await vendor.deps.openReader()), { range: undefined }) as never,
  };

  const error = await runRange(vendor.source, deps, { job: 1, from: noon - hour, to: noon }, { signal: never }).catch(
    (caught: unknown) => caught as PenstockError,
  );

  expect(error).toMatchObject({
    code: 'PEN_OPERATION_FAILED',
    message: 'its records cannot be asked for by time (http_cursor)',
    fix: 'read the log again, known records are left out: penstock sources reset s --from TIME',
  });
});
