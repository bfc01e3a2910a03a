import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkpointAt, startSource } from '../../../src/collect/index.ts';
import type { Page, WindowReader } from '../../../src/connectors/connector.ts';
import { emptyDisk, memoryJournal } from '../../journal/memory-journal.ts';
import { fewOrMany } from '../../thorough.ts';
import type { VirtualClock } from '../../virtual-clock.ts';
import { at, bench, minute, never, noon, type Row, row, settings, uidOf, vendor } from '../fixture.ts';

// Overlap 5 min, settle 1 min: what shows up within this time of its own time must arrive, whatever happens.
const promisedMs = 6 * minute - 1000;

interface Life {
  /** Steps until the process dies; undefined: it lives until it has caught up. */
  readonly steps: number | undefined;
  readonly pauseMs: number;
}

const rows = fc.array(
  fc.record({
    // Whole seconds make ties.
    second: fc.integer({ min: -20 * 60, max: 20 * 60 }),
    lateMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: promisedMs }), fc.integer({ min: promisedMs, max: 20 * minute })),
    goneAfterMs: fc.option(fc.integer({ min: 0, max: 20 * minute }), { nil: undefined, freq: 5 }),
  }),
  { minLength: 1, maxLength: 40 },
);
const lives = fc.array(
  fc.record({
    steps: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined, freq: 3 }),
    pauseMs: fc.integer({ min: 1000, max: 15 * minute }),
  }),
  { minLength: 1, maxLength: 8 },
);
const history = fc.record({
  rows,
  lives,
  paging: fc.constantFrom('offset' as const, 'keyset' as const),
  // Rows that go while others come in the same walk can hide from every count an offset walk has; the sweep is for them.
  churn: fc.constantFrom('late' as const, 'gone' as const),
  ascending: fc.boolean(),
  pageSize: fc.integer({ min: 1, max: 7 }),
  requestMs: fc.integer({ min: 0, max: 90_000 }),
  maxMs: fc.constantFrom(2 * minute, 30 * minute),
  skewMs: fc.constantFrom(undefined, 0, -10 * minute),
});
type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

const ids = ({ records }: Page): string[] => [...records].map(({ value }) => (value as { id: string }).id);

/** Wraps a reader so that the process may die around each request, and the last page returned is known. */
function mortal(reader: WindowReader, step: () => Promise<void>, onPage: (page: Page) => void): WindowReader {
  return {
    kind: 'http_window',
    get requestCount() {
      return reader.requestCount;
    },
    async page(request, signal) {
      await step();
      const page = await reader.page(request, signal);
      onPage(page);
      await step();
      return page;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Lives one process until it dies or has caught up. */
async function live(
  clock: VirtualClock,
  disk: ReturnType<typeof emptyDisk>,
  api: ReturnType<typeof vendor>,
  { steps }: Life,
  h: History,
): Promise<void> {
  let left = steps ?? Number.POSITIVE_INFINITY;
  const death = Promise.withResolvers<'dead'>();
  const step = (): Promise<void> => {
    left -= 1;
    if (left >= 0) return Promise.resolve();
    death.resolve('dead');
    return new Promise(() => undefined);
  };
  let page: Page | undefined;
  const { journal } = memoryJournal(disk, step);
  const append = journal.append.bind(journal);
  journal.append = async (commit) => {
    await append(commit);
    if (commit.window === undefined || page === undefined) return;
    const stored = new Set(disk.records.map(({ uid }) => uid));
    for (const id of ids(page)) if (!stored.has(uidOf(id))) throw new Error(`a committed page lost ${id}`);
  };
  const open = async (): Promise<WindowReader> => mortal(await api.open(), step, (news) => void (page = news));
  const window = { overlapMs: 5 * minute, settleMs: minute, maxMs: h.maxMs, minMs: minute };
  const loop = startSource(
    settings({ window, start: { backMs: 30 * minute } }, { ascending: h.ascending }),
    bench(clock, journal, open).deps,
  );
  // A walk that never adds up because rows keep moving is tried again by the next life.
  await Promise.race([loop.pollOnce(never).catch((error: unknown) => void (error as Error)), death.promise]);
}

async function play(h: History) {
  const clock = at(noon);
  const disk = emptyDisk();
  // The start is fixed before the first poll; what comes before is another test's.
  disk.checkpoints.set('s live', checkpointAt(settings(), noon - 30 * minute));
  const all = h.rows.map(({ second, lateMs, goneAfterMs }, i) => {
    const time = noon + second * 1000;
    const canBeLate = h.paging === 'keyset' || h.churn === 'late';
    const canGo = h.paging === 'keyset' || h.churn === 'gone';
    const visibleAt = time + (canBeLate ? lateMs : 0);
    return {
      ...row(`r${i}`, time),
      visibleAt,
      goneAt: goneAfterMs === undefined || !canGo ? Number.POSITIVE_INFINITY : Math.max(visibleAt, noon) + goneAfterMs,
    };
  });
  const fields = ({ goneAt: _goneAt, ...rest }: (typeof all)[number]): Row => rest;
  const api = vendor([], {
    clock,
    paging: h.paging,
    pageSize: h.pageSize,
    ...(h.skewMs === undefined ? {} : { skewMs: h.skewMs }),
  });
  api.onRequest = async () => {
    await clock.advance(h.requestMs);
    const vendorNow = clock.now() + (h.skewMs ?? 0);
    api.rows = all.filter(({ goneAt }) => goneAt > vendorNow).map(fields);
    return undefined;
  };
  for (const life of h.lives) {
    await live(clock, disk, api, life, h);
    await clock.advance(life.pauseMs);
  }
  // Peace: the vendor changes nothing any more, and every row is old enough.
  await clock.advance(90 * minute);
  const calm = { steps: undefined, pauseMs: 0 };
  const still = { ...h, requestMs: 0 };
  api.onRequest = () => {
    api.rows = all.filter(({ goneAt }) => goneAt === Number.POSITIVE_INFINITY).map(fields);
    return undefined;
  };
  for (let i = 0; i < 4; i += 1) await live(clock, disk, api, calm, still);
  return { disk, all };
}

// Found once: a vendor whose clock is ten minutes behind, many small windows, and a record as late as promised.
const examples: [History][] = [
  [
    {
      rows: [
        { second: -441, lateMs: 352_894, goneAfterMs: undefined },
        { second: 0, lateMs: 0, goneAfterMs: undefined },
      ],
      lives: [
        { steps: 1, pauseMs: 7537 },
        { steps: undefined, pauseMs: 357_427 },
        { steps: undefined, pauseMs: 1003 },
        { steps: undefined, pauseMs: 1000 },
      ],
      paging: 'offset',
      churn: 'late',
      ascending: false,
      pageSize: 1,
      requestMs: 8107,
      maxMs: 2 * minute,
      skewMs: -10 * minute,
    },
  ],
  [
    {
      rows: [
        { second: -517, lateMs: 0, goneAfterMs: undefined },
        { second: -517, lateMs: 359_000, goneAfterMs: undefined },
        { second: -517, lateMs: 0, goneAfterMs: undefined },
        { second: -517, lateMs: 0, goneAfterMs: 0 },
        { second: -517, lateMs: 0, goneAfterMs: 361_001 },
        { second: 362, lateMs: 0, goneAfterMs: undefined },
        { second: 0, lateMs: 0, goneAfterMs: undefined },
      ],
      lives: [
        { steps: undefined, pauseMs: 1000 },
        { steps: undefined, pauseMs: 544_870 },
        { steps: undefined, pauseMs: 1000 },
      ],
      paging: 'offset',
      churn: 'gone',
      ascending: false,
      pageSize: 4,
      requestMs: 83_026,
      maxMs: 30 * minute,
      skewMs: -10 * minute,
    },
  ],
];

it('loses nothing, doubles nothing and balances, whatever the vendor does and wherever the process dies', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (h) => {
      const { disk, all } = await play(h);

      const stored = disk.records.map(({ uid }) => uid);
      const promised = all.filter(
        ({ time, visibleAt, goneAt }) =>
          goneAt === Number.POSITIVE_INFINITY && visibleAt - Number(time) <= promisedMs && Number(time) >= noon - 30 * minute,
      );
      const sum = (name: 'fetched' | 'new' | 'duplicate' | 'excluded'): number =>
        [...disk.windows.values()].reduce((total, w) => total + w[name], 0);
      expect(promised.filter(({ id }) => !stored.includes(uidOf(id))).map(({ id }) => id)).toEqual([]);
      expect(new Set(stored).size).toBe(stored.length);
      expect(sum('new')).toBe(stored.length);
      expect(sum('fetched')).toBe(sum('new') + sum('duplicate') + sum('excluded'));
    }),
    { numRuns: fewOrMany(60, 300), examples },
  );
});
