import { expect, it } from 'vitest';
import { PenstockError } from '../../../src/base/errors.ts';
import { type ComparedRecord, compareRange, runRange, startSource } from '../../../src/collect/index.ts';
import { zeroCounts } from '../../../src/journal/counts.ts';
import { memoryJournal } from '../../journal/memory-journal.ts';
import { at, bench, day, hour, minute, never, noon, realJournal, refused, row, settings, stored, vendor } from '../fixture.ts';

const old = noon - 10 * day;
const range = { job: 7, from: old, to: old + 3 * day };

it('collects an older range in its own lane and filters what the live loop has', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor(
    [
      row('a', old),
      row('b', old + 2 * day),
      row('c', old + 3 * day),
      row('out', old + 3 * day + 2000),
      row('live', noon - 30 * minute),
    ],
    { clock },
  );
  const { deps } = bench(clock, journal, api.open);
  await using loop = startSource(settings(), deps);
  await loop.pollOnce(never);
  const seen: number[] = [];

  const done = await runRange(settings(), deps, range, { signal: never, onProgress: ({ at }) => seen.push(at) });

  expect(done).toEqual({ at: range.to, fetched: 3, new: 3, duplicate: 0 });
  expect(seen).toEqual([...seen].sort((x, y) => x - y));
  expect((await stored(journal)).map(({ lane, record }) => [lane, (record as { id: string }).id])).toEqual([
    ['live', 'live'],
    ['backfill', 'a'],
    ['backfill', 'b'],
    ['backfill', 'c'],
  ]);
  expect(await journal.checkpoint('s', 'live')).toMatchObject({ until: noon - minute });
});

it('goes on where it was interrupted', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([row('a', old), row('b', old + 2 * day)], { clock });
  const { deps } = bench(clock, journal, api.open);
  const stop = new AbortController();
  api.onRequest = ({ from }) => {
    if (from > old + day) stop.abort(new Error('killed'));
    stop.signal.throwIfAborted();
    return undefined;
  };
  await expect(runRange(settings(), deps, range, { signal: stop.signal })).rejects.toThrow('killed');
  const first = api.requests.length;
  api.onRequest = () => undefined;

  await runRange(settings(), deps, range, { signal: never });
  const afterwards = api.requests.length;
  await runRange(settings(), deps, range, { signal: never });

  expect(api.requests[first]?.from).toBe(old + 2 * day - 1000);
  expect(api.requests.length).toBe(afterwards);
  expect((await stored(journal)).length).toBe(2);
});

it('sits out passing faults and rejects with a refusal', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('a', old)], { clock });
  const { deps } = bench(clock, memory.journal, api.open);
  api.onRequest = (_request, number) => {
    if (number <= 3) throw new PenstockError('PEN_HTTP_TIMEOUT', 'no answer');
    return undefined;
  };

  await clock.until(runRange(settings(), deps, range, { signal: never }), day);
  api.onRequest = () => {
    throw refused(403);
  };

  expect(memory.records.length).toBe(1);
  await expect(clock.until(runRange(settings(), deps, { ...range, job: 8 }, { signal: never }))).rejects.toMatchObject({
    code: 'PEN_SOURCE_REFUSED',
  });
});

it('gives up only after ten failures without a page between them', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const api = vendor([row('a', old + day)], { clock });
  const { deps } = bench(clock, memory.journal, api.open);
  const narrow = settings({ window: { overlapMs: 0, settleMs: 0, maxMs: 4 * hour, minMs: minute } });
  const fail = (): never => {
    throw new PenstockError('PEN_HTTP_TIMEOUT', 'no answer');
  };
  api.onRequest = (_request, number) => (number % 2 === 0 ? fail() : undefined);

  const done = await clock.until(runRange(narrow, deps, range, { signal: never }), 10 * day);
  api.requests.length = 0;
  api.onRequest = fail;

  expect(done).toMatchObject({ at: range.to, new: 1 });
  await expect(clock.until(runRange(narrow, deps, { ...range, job: 8 }, { signal: never }), day)).rejects.toThrow('no answer');
  expect(api.requests.length).toBe(10);
});

it('shares ids with the live loop while both run, so that nothing is taken twice', async () => {
  const clock = at(noon);
  const memory = memoryJournal();
  const append = memory.journal.append.bind(memory.journal);
  memory.journal.append = async (commit) => {
    // Long enough for the other walk to look its ids up meanwhile, if it may.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await append(commit);
  };
  const rows = Array.from({ length: 30 }, (_none, i) => row(`r${i}`, noon - 50 * minute + i * minute));
  const api = vendor(rows, { clock });
  const { deps } = bench(clock, memory.journal, api.open);
  await using loop = startSource(settings(), deps);
  const job = { job: 1, from: noon - hour, to: noon - 2 * minute };

  await Promise.all([loop.pollOnce(never), runRange(settings(), deps, job, { signal: never })]);

  expect(memory.records.length).toBe(30);
});

it('refuses a range where nothing can be asked for by time', async () => {
  const clock = at(noon);
  const reader = {
    kind: 'csv_directory' as const,
    list: () => Promise.reject(new Error('no')),
    read: () => [] as never,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { deps } = bench(clock, memoryJournal().journal, () => Promise.resolve(reader));

  await expect(runRange(settings(), deps, range, { signal: never })).rejects.toMatchObject({
    code: 'PEN_OPERATION_FAILED',
    fix: 'import the files: penstock import s FILE...',
  });
});

it('compares without writing: what is known, missing, late, never collected or left out', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const mine = { action: 'read', ua: 'penstock/test' };
  const api = vendor([row('known', noon - 30 * minute), row('noise', noon - 29 * minute, { action: 'noise' })], { clock });
  const { deps } = bench(clock, journal, api.open);
  const source = settings({ filter: { exclude_actions: ['noise'] } });
  await using loop = startSource(source, deps);
  await loop.pollOnce(never);
  api.rows.push(
    row('missing', noon - 31 * minute),
    row('late', noon - 2 * minute),
    row('before', noon - 2 * hour),
    row('mine', noon - 20 * minute, mine),
  );
  const before = await journal.ledger();
  const found: ComparedRecord[] = [];

  for await (const records of compareRange(source, deps, { from: noon - 3 * hour, to: noon - minute }, never))
    found.push(...records);

  expect(found.map(({ known, excluded, coverage, withinMemory }) => [known, excluded, coverage, withinMemory])).toEqual([
    [false, false, 'never', true],
    [false, false, 'closed', true],
    [true, false, 'closed', true],
    [false, true, 'closed', true],
    [false, true, 'closed', true],
    [false, false, 'open', true],
  ]);
  expect(found.map(({ isOverdue }) => isOverdue)).toEqual([false, false, false, false, false, false]);
  expect(found.map(({ isBeforeStart }) => isBeforeStart)).toEqual([true, false, false, false, false, false]);
  expect(await journal.ledger()).toEqual(before);
});

it('calls overdue what live collection should have brought some polls ago', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const times = [2 * hour, 30 * minute, 5 * minute].map((back) => row(`-${back}`, noon - back));
  const api = vendor(times, { clock });
  const { deps } = bench(clock, journal, api.open);
  api.onRequest = () => {
    throw refused(401);
  };
  await using loop = startSource(settings(), deps);
  await expect(loop.pollOnce(never)).rejects.toThrow();
  api.onRequest = () => undefined;
  const found: ComparedRecord[] = [];

  for await (const records of compareRange(settings(), deps, { from: noon - 3 * hour, to: noon }, never)) found.push(...records);

  expect(found.map(({ coverage, isOverdue, isBeforeStart }) => [coverage, isOverdue, isBeforeStart])).toEqual([
    ['never', false, true],
    ['never', true, false],
    ['never', false, false],
  ]);
});

it('calls overdue by the time of a vendor whose clock is behind ours', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  // Written a moment ago, by a clock that is half an hour behind.
  const api = vendor([row('now', noon - 31 * minute)], { clock, skewMs: -30 * minute });
  const { deps } = bench(clock, journal, api.open);
  api.onRequest = () => {
    throw refused(401);
  };
  await using loop = startSource(settings(), deps);
  await expect(loop.pollOnce(never)).rejects.toThrow();
  api.onRequest = () => undefined;
  const found: ComparedRecord[] = [];

  for await (const records of compareRange(settings(), deps, { from: noon - 3 * hour, to: noon }, never)) found.push(...records);

  expect(found.map(({ coverage, isOverdue }) => [coverage, isOverdue])).toEqual([['never', false]]);
});

it('calls nothing overdue that a first catch-up has not come to, until that stands still', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([row('a', noon - 3 * day - hour), row('b', noon - 2 * hour)], { clock });
  const { deps } = bench(clock, journal, api.open);
  const stop = new AbortController();
  api.onRequest = ({ from }) => {
    if (from > noon - 2.5 * day) stop.abort(new Error('stopped'));
    stop.signal.throwIfAborted();
    return undefined;
  };
  const source = settings({ start: { backMs: 4 * day } });
  const loop = startSource(source, deps);
  await expect(loop.pollOnce(stop.signal)).rejects.toThrow('stopped');
  await loop[Symbol.asyncDispose]();
  api.onRequest = () => undefined;
  const overdue = async (): Promise<unknown[]> => {
    const found: ComparedRecord[] = [];
    for await (const records of compareRange(source, deps, { from: noon - 4 * day, to: noon }, never)) found.push(...records);
    return found.map(({ known, coverage, isOverdue }) => [known, coverage, isOverdue]);
  };

  const moving = await overdue();
  await clock.advance(hour);
  const standing = await overdue();

  expect(moving).toEqual([
    [true, 'closed', false],
    [false, 'never', false],
  ]);
  expect(standing).toEqual([
    [true, 'closed', false],
    [false, 'never', true],
  ]);
});

it('calls nothing missing that lies behind where live collection stands, though a window was once cut further by a wrong clock', async () => {
  const clock = at(noon);
  const journal = await realJournal(clock);
  const api = vendor([row('old', noon - 3 * hour)], { clock, skewMs: -2 * hour });
  const { deps } = bench(clock, journal, api.open);
  await using loop = startSource(settings({ start: { backMs: day } }), deps);
  await loop.pollOnce(never);
  const live = (await journal.checkpoint('s', 'live')) as { until: number };
  await journal.append({
    source: 's',
    window: { ...zeroCounts(), key: 'cut', lane: 'live', from: live.until, to: noon, complete: true },
  });
  api.rows.push(row('new', live.until + 10 * minute));
  const found: ComparedRecord[] = [];

  for await (const records of compareRange(settings(), deps, { from: noon - 4 * hour, to: noon }, never)) found.push(...records);

  expect(found.map(({ known, coverage }) => [known, coverage])).toEqual([
    [true, 'closed'],
    [false, 'open'],
  ]);
});

it.each([-2 * day, 2 * day])(
  'reads a range to its end while our clock is set off by %i ms, and compares it to its end',
  async (stepMs) => {
    const clock = at(noon);
    const memory = memoryJournal();
    const rows = Array.from({ length: 12 }, (_none, i) => row(`r${i}`, noon - 12 * hour + i * hour));
    const api = vendor(rows, { clock: { ...clock, now: () => noon } });
    const { deps } = bench(clock, memory.journal, api.open);
    const narrow = settings({ window: { overlapMs: 0, settleMs: 0, maxMs: hour, minMs: minute } });
    const all = { job: 1, from: noon - 12 * hour, to: noon - hour };
    api.onRequest = (_request, number) => {
      if (number === 3) clock.step(stepMs);
      return undefined;
    };

    const done = await clock.until(runRange(narrow, deps, all, { signal: never }), day);
    clock.step(-stepMs);
    api.requests.length = 0;
    const seen: string[] = [];
    for await (const records of compareRange(narrow, deps, all, never)) seen.push(...records.map(({ uid }) => uid));

    expect(done).toMatchObject({ at: all.to, new: 12 });
    expect(new Set(seen).size).toBe(12);
  },
);
