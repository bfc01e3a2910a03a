import { expect, it } from 'vitest';
import { isObject } from '../../src/base/json.ts';
import { startSource } from '../../src/collect/index.ts';
import type { RawRecord, RecordFacts } from '../../src/connectors/connector.ts';
import {
  at,
  bench,
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
  vendor,
} from './fixture.ts';

const then = noon - 30 * minute;

async function polled(rows: Row[], change: Parameters<typeof settings>[0] = {}) {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor(rows, { clock, pageSize: 100 });
  const { deps, lines } = bench(clock, journal, api.open);
  const loop = startSource(
    settings({ window: { overlapMs: hour, settleMs: minute, maxMs: 24 * hour, minMs: minute }, ...change }),
    deps,
  );
  await loop.pollOnce(never);
  return { clock, journal, api, lines, loop };
}

it('keeps one of two equal records, and both when only the id is equal', async () => {
  const { journal, loop } = await polled([row('a', then), row('a', then, { volatile: 2 }), row('a', then, { extra: 1 })]);

  const kept = await stored(journal);

  expect(kept.map(({ uid, labels }) => [uid === uidOf('a'), labels])).toEqual([
    [true, undefined],
    [false, ['id_conflict']],
  ]);
  expect(loop.status().records).toEqual({ fetched: 3, new: 2, duplicate: 1, excluded: 0, unreadable: 0 });
  expect((await journal.ledger()).sources['s']).toEqual({
    fetched: 3,
    new: 2,
    duplicate: 1,
    excluded: 0,
    unreadable: 0,
    id_conflict: 1,
  });
});

it('counts times that cannot be read once, and shows them in the status', async () => {
  const { clock, loop } = await polled([row('a', then, { told: 'soon' }), row('b', then, { told: 'later' }), row('c', then)]);
  await clock.advance(minute);
  await loop.pollOnce(never);

  expect(loop.status().warnings).toEqual([
    '2 records have a time that cannot be read and are dated by their receipt; see metadata.original_time, and correct record.time of the connector',
  ]);
});

it.each([
  { what: 'could not be read', odd: { action: null }, more: 'and were delivered as Base Event, labelled unreadable' },
  { what: 'have no time', odd: { told: null }, more: 'and are dated by their receipt' },
])('says in the status when most new records $what', async ({ what, odd, more }) => {
  const rows = ['a', 'b', 'c', 'd', 'e', 'f'].map((id, at) => row(id, then, at < 3 ? odd : {}));
  const { api, clock, loop } = await polled(rows.slice(0, 5));
  const warnings = loop.status().warnings.join();
  api.rows.push(...rows.slice(5));
  await clock.advance(minute);
  await loop.pollOnce(never);

  expect(warnings).toContain(`3 of 5 new records ${what} ${more}`);
  expect(loop.status().warnings).toEqual([]);
});

it('says that records are delivered with each reading where they differ in each', async () => {
  const { api, clock, loop } = await polled([]);
  const warned: number[] = [];
  for (let poll = 0; poll < 3; poll += 1) {
    api.rows.splice(0, api.rows.length, ...Array.from({ length: 10 }, (_, n) => row(`r${n}`, then, { age: poll })));
    await clock.advance(minute);
    await loop.pollOnce(never);
    warned.push(loop.status().warnings.length);
  }

  expect(warned).toEqual([0, 1, 1]);
  expect(loop.status().warnings.join()).toMatch(
    /^20 records came again under a known id with other content, and 0 as they were: .* name it in record\.volatile/,
  );
});

it.each([
  ['other content', (n: number) => row('dana', then, { extra: n })],
  ['the same content but for the time', (n: number) => row('dana', then, { told: then + n })],
])('says once that records of one reply share an id, with %s', async (_what, one) => {
  const { clock, loop } = await polled(Array.from({ length: 11 }, (_, n) => one(n)));
  const first = loop.status().warnings;
  await clock.advance(minute);
  await loop.pollOnce(never);

  expect(first).toEqual([expect.stringMatching(/^10 records have the id of another one in the same reply that is not the same/)]);
  expect(loop.status().warnings).toEqual(first);
});

it('says nothing of copies of one record in a reply, however many', async () => {
  const { loop } = await polled(Array.from({ length: 40 }, () => row('dana', then)));

  expect(loop.status().warnings).toEqual([]);
});

it('says that times lie ahead', async () => {
  const { loop } = await polled([row('a', then, { told: noon + 25 * hour }), row('b', then, { told: noon + 23 * hour })]);

  expect(loop.status().warnings).toContainEqual(
    expect.stringMatching(/^a record has a time more than a day ahead of this machine/),
  );
});

it('says nothing of a few records that change, nor of a few that share an id', async () => {
  const rows = Array.from({ length: 30 }, (_, n) => row(n < 10 ? 'same' : `r${n}`, then, { extra: n }));
  const { api, clock, loop } = await polled(rows);
  const first = loop.status().warnings;
  api.rows.splice(12, 9, ...Array.from({ length: 9 }, (_, n) => row(`r${n + 12}`, then, { extra: 'changed' })));
  await clock.advance(minute);

  await loop.pollOnce(never);

  expect([first, loop.status().warnings]).toEqual([[], []]);
});

it('knows both of them at the next poll', async () => {
  const { journal, loop } = await polled([row('a', then), row('a', then, { extra: 1 })]);

  await loop.pollOnce(never);

  expect((await stored(journal)).length).toBe(2);
});

it('keeps each of many records with one id once, in one poll and the next', async () => {
  const rows = Array.from({ length: 90 }, (_, n) => row('same', then, { extra: n % 70 }));
  const { journal, loop } = await polled(rows);

  await loop.pollOnce(never);

  expect(new Set((await stored(journal)).map(({ uid }) => uid)).size).toBe(70);
  expect((await journal.ledger()).sources['s']).toMatchObject({ fetched: 180, new: 70, duplicate: 110, id_conflict: 69 });
});

it('collects a record that showed up late within the overlap, and counts its lateness', async () => {
  const { api, clock, journal, loop } = await polled([row('a', then)]);
  api.rows.push(row('late', then + 1));
  await clock.advance(minute);

  await loop.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['a', 'late']);
  expect(loop.status().details).toEqual({
    lateness: {
      on_time: 1,
      late: { '1m': 0, '5m': 0, '15m': 0, '1h': 1, '6h': 0, '24h': 0, '72h': 0, more: 0 },
      latest_ms: 31 * minute - 1,
    },
  });
});

it('journals what is no record, has no action or no id as it came', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([], { clock });
  api.onRequest = () => ({
    records: [
      { value: 'half a rec', unreadable: 'not JSON' },
      { value: [1, 2] },
      { value: { id: 'x', time: then } },
      { value: { id: 'y', action: 'login', time: 'noon' } },
    ],
    next: null,
  });
  await using loop = startSource(settings(), bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect((await stored(journal)).map(({ record, unreadable }) => [record, unreadable])).toEqual([
    ['half a rec', 'not JSON'],
    ['1,2', 'not an object'],
    [{ id: 'x', time: then }, undefined],
    [{ id: 'y', action: 'login', time: 'noon' }, undefined],
  ]);
  expect(loop.status().records.unreadable).toBe(3);
});

it('keeps a record that breaks the rules as text, and those around it as they are', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([row('a', then), row('bomb', then, { deep: 1 }), row('b', then)], { clock });
  const source = settings();
  const examine = (raw: RawRecord, tenant: string | undefined): RecordFacts => {
    if (isObject(raw.value) && raw.value['deep'] === 1) throw new RangeError('Maximum call stack size exceeded');
    return source.connector.records.examine(raw, tenant);
  };
  const fragile = { ...source, connector: { ...source.connector, records: { split: (raw: RawRecord) => [raw], examine } } };
  await using loop = startSource(fragile, bench(clock, journal, api.open).deps);

  await loop.pollOnce(never);

  expect((await stored(journal)).map(({ record, unreadable }) => [typeof record, unreadable])).toEqual([
    ['object', undefined],
    ['object', undefined],
    ['string', 'the record could not be examined: Maximum call stack size exceeded'],
  ]);
});

it('filters before the journal and remembers nothing of what it left out', async () => {
  const rows = [row('a', then, { action: 'noise' }), row('b', then), row('c', then, { action: undefined })];
  const { journal, api, clock } = await polled(rows, { filter: { exclude_actions: ['noise'] } });
  const without = startSource(
    settings({ window: { overlapMs: hour, settleMs: minute, maxMs: 24 * hour, minMs: minute } }),
    bench(clock, journal, api.open).deps,
  );
  const before = await storedIds(journal);

  await without.pollOnce(never);

  expect(before).toEqual(['b', 'c']);
  expect(await storedIds(journal)).toEqual(['b', 'c', 'a']);
  expect((await journal.ledger()).sources['s']).toMatchObject({ fetched: 6, new: 3, duplicate: 2, excluded: 1 });
});

it('takes only the actions named, and whatever has none', async () => {
  const { journal } = await polled([row('a', then, { action: 'noise' }), row('b', then), row('c', then, { action: undefined })], {
    filter: { only_actions: ['login'] },
  });

  expect(await storedIds(journal)).toEqual(['b', 'c']);
});

const self = { action: 'read', ua: 'penstock/test' };

it('leaves out as many self-made records as it made requests, and forwards the excess with a warning', async () => {
  const { api, clock, journal, lines, loop } = await polled([]);
  api.rows.push(
    row('mine', noon - 1, self),
    row('forged 1', noon, self),
    row('forged 2', noon + 1, self),
    row('other', noon, { action: 'read', ua: 'curl' }),
  );
  await clock.advance(10 * minute);

  await loop.pollOnce(never);

  // Two requests were made by then: that of the first poll and that of the second.
  expect(await storedIds(journal)).toEqual(['other', 'forged 2']);
  expect(loop.status().records).toEqual({ fetched: 4, new: 2, duplicate: 0, excluded: 2, unreadable: 0 });
  expect(said(lines, 'more records claim to be made by our own requests than we made; the excess is forwarded')).toMatchObject([
    { requests: 2 },
  ]);
});

it('knows after a restart which requests it made', async () => {
  const { api, clock, journal, loop } = await polled([row('other', then, { ...self, ua: 'x' })]);
  api.rows.push(row('mine 1', noon, self));
  await clock.advance(2 * minute);
  await loop.pollOnce(never);
  const restarted = new Proxy(journal, {});
  api.rows.push(row('mine 2', noon + 2 * minute, self));
  await clock.advance(2 * minute);
  await using next = startSource(
    settings({ window: { overlapMs: hour, settleMs: minute, maxMs: 24 * hour, minMs: minute } }),
    bench(clock, restarted, api.open).deps,
  );

  await next.pollOnce(never);

  expect(await storedIds(journal)).toEqual(['other']);
});

it('knows after a kill which requests it made, also before it met a record of one and in the middle of a range', async () => {
  const rows = Array.from({ length: 12 }, (_none, i) => row(`r${i}`, then + i));
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor(rows, { clock });
  let commits = 0;
  // It dies after its third page.
  const dying = new Proxy(journal, {
    get: (target, name) =>
      name === 'append'
        ? (commit: Parameters<typeof journal.append>[0]) =>
            commits++ < 3 ? target.append(commit) : Promise.reject(new Error('killed'))
        : Reflect.get(target, name),
  });
  const own = settings({ window: { overlapMs: hour, settleMs: minute, maxMs: 24 * hour, minMs: minute } });
  const killed = startSource(own, bench(clock, dying, api.open).deps);
  await killed.pollOnce(never).catch(() => undefined);
  await killed[Symbol.asyncDispose]();
  api.rows.push(...['1', '2', '3', '4'].map((n) => row(`mine ${n}`, noon + Number(n), self)));
  // Nothing else is read again: what the successor asks for is as little as can be.
  const successor = vendor(api.rows, { clock, pageSize: 100 });
  await clock.advance(10 * minute);
  const { deps, lines } = bench(clock, new Proxy(journal, {}), successor.open);
  await using next = startSource(own, deps);

  await next.pollOnce(never);

  // Three pages were written, with the requests for them; the fourth is one more than was noted, and this poll makes it up.
  expect(said(lines, 'more records claim to be made by our own requests than we made; the excess is forwarded')).toEqual([]);
  expect((await storedIds(journal)).filter((id) => id.startsWith('mine'))).toEqual([]);
});

it('forwards self-made records when configured to', async () => {
  const { journal } = await polled([row('mine', then, self)], { selfEvents: 'forward' });

  expect(await storedIds(journal)).toEqual(['mine']);
});

it('cuts a huge page into commits, and only the last moves the checkpoint', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const rows = Array.from({ length: 11_000 }, (_none, i) => row(`r${i}`, then + (i % 1000)));
  const api = vendor(rows, { clock, paging: 'none' });
  const checkpoints: unknown[] = [];
  const watched = new Proxy(journal, {
    get: (target, name) =>
      name === 'append'
        ? (commit: Parameters<typeof journal.append>[0]) => (
            checkpoints.push((commit.checkpoint?.value as { until?: number } | undefined)?.until), target.append(commit)
          )
        : Reflect.get(target, name),
  });
  await using loop = startSource(settings(), bench(clock, watched, api.open).deps);

  await loop.pollOnce(never);

  expect(checkpoints).toEqual([noon - hour, noon - hour, noon - hour, noon - minute]);
  expect((await journal.ledger()).sources['s']).toMatchObject({ fetched: 11_000, new: 11_000 });
});
