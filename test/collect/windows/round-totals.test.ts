// Windows that hold a round number of records, by offset: as many as the vendor counts, which may be as far as it counts.
import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { startSource } from '../../../src/collect/index.ts';
import type { Page, PageRequest } from '../../../src/connectors/connector.ts';
import { endOf } from '../../../src/connectors/http-window/paging.ts';
import type { ReadDefaults } from '../../../src/connectors/read-defaults.ts';
import { at, bench, hour, minute, never, noon, type Row, realJournal, row, settings, storedIds, vendor } from '../fixture.ts';

const size = 100;

/** Whether the bounds of a window belong to it. */
const bounds: Readonly<Record<string, (time: number, from: number, to: number) => boolean>> = {
  inclusive: (time, from, to) => time >= from && time <= to,
  'half open': (time, from, to) => time >= from && time < to,
  'open at the start': (time, from, to) => time > from && time <= to,
  exclusive: (time, from, to) => time > from && time < to,
};

interface Ways {
  readonly rows: readonly Row[];
  /** It shows and counts no more of a window. */
  readonly cap?: number;
  readonly bound?: keyof typeof bounds;
  /** True for one that names no total. */
  readonly isMute?: boolean;
}

/** Polls such a vendor once; a second poll asks `again`. */
async function polled(
  ways: Ways,
  again?: Ways,
  answer: (request: PageRequest) => void = () => undefined,
  reading: Partial<ReadDefaults> = {},
) {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([], { clock });
  let { rows, cap = Infinity, bound = 'inclusive', isMute = false } = ways;
  api.onRequest = (request): Page => {
    answer(request);
    const inside = bounds[bound] ?? (() => false);
    const matching = rows.filter(({ time }) => inside(Number(time), request.from, request.to)).slice(0, cap);
    const offset = request.state?.kind === 'offset' ? request.state.offset : 0;
    const records = matching.slice(offset, offset + Math.min(size, request.limit ?? size)).map((value) => ({ value }));
    const total = isMute ? undefined : matching.length;
    const read = offset + records.length;
    if (records.length === 0) return { records, next: null, total, ...endOf(request.state, {}, total) };
    return { records, next: { kind: 'offset', offset: read, read, size }, total };
  };
  await using loop = startSource(settings({}, reading), bench(clock, journal, api.open).deps);
  await loop.pollOnce(never);
  const first = api.requests.length;
  if (again !== undefined) {
    ({ rows, cap = Infinity, bound = 'inclusive', isMute = false } = again);
    await clock.advance(30 * minute);
    await loop.pollOnce(never);
  }
  const ids = new Set(await storedIds(journal));
  const lacking = rows.filter(({ id }) => !ids.has(id)).length;
  const counted = api.requests.filter(({ limit }) => limit !== undefined).length;
  return { first, second: api.requests.length - first, counted, lacking, warnings: loop.status().warnings };
}

const spread = (count: number, from = noon - hour, stepMs = 5_000): readonly Row[] =>
  Array.from({ length: count }, (_none, i) => row(`r${String(i).padStart(4, '0')}`, from + i * stepMs));

it.each(Object.keys(bounds))('counts the halves of a window instead of reading them, bounds %s', async (bound) => {
  // Some rows share the middle of the window.
  const rows = [
    ...spread(590, noon - hour + 1000),
    ...Array.from({ length: 10 }, (_none, i) => row(`m${i}`, noon - 30.5 * minute)),
  ];

  // Six pages, the empty one, and three counts.
  expect(await polled({ rows, bound })).toEqual({ first: 10, second: 0, counted: 3, lacking: 0, warnings: [] });
});

it('looks for a half that does not hold all of them', async () => {
  const rows = spread(600, noon - hour + 1000, 100);

  // All of them within the first minute of 59.
  expect(await polled({ rows })).toEqual({ first: 7 + 3 * 6, second: 0, counted: 3 * 6, lacking: 0, warnings: [] });
});

it.each([
  ['over the window', spread(1000, noon - hour + 1000, 3_500)],
  ['in its first half', spread(1000, noon - hour + 1000, 1_500)],
  ['in its last half', spread(1000, noon - 25 * minute, 1_400)],
  ['but one in its first half', [...spread(600, noon - hour + 1000, 2_000), row('last', noon - 2 * minute)]],
  [
    'at two times',
    [...spread(300, noon - 50 * minute, 0), ...spread(301, noon - 10 * minute, 0).map((one) => ({ ...one, id: `z${one.id}` }))],
  ],
])('believes no count that is as far as the vendor counts, with rows %s', async (_where, rows) => {
  const { lacking, warnings } = await polled({ rows, cap: 600 });

  expect([lacking, warnings]).toEqual([0, []]);
});

it('believes it without counting once the vendor counted further, or showed more', async () => {
  const later = spread(600, noon, 2_500);

  expect(await polled({ rows: spread(613) }, { rows: later })).toMatchObject({ first: 8, second: 7, lacking: 0 });
  expect(await polled({ rows: spread(613), isMute: true }, { rows: later, isMute: true })).toMatchObject({
    second: 7,
    lacking: 0,
  });
});

it('counts no halves for ever where all records share a time, and none where the bounds cannot tell them', async () => {
  const rows = spread(600, noon - 30 * minute, 0);

  const fine = await polled({ rows });
  const coarse = await polled({ rows }, undefined, undefined, { strayMs: 24 * hour });

  expect(fine.counted).toBeLessThanOrEqual(18 * 7);
  expect(coarse.counted).toBe(0);
});

it('reads the halves where they cannot be counted', async () => {
  const refuse = ({ limit }: PageRequest): void => {
    if (limit !== undefined)
      throw new PenstockError('PEN_WINDOW_TOO_LARGE', 'answered 400 "limit must be 10 or more"', { status: 400 });
  };

  const { first, lacking, warnings } = await polled({ rows: spread(600) }, undefined, refuse);

  expect([first > 12, lacking, warnings]).toEqual([true, 0, []]);
});
