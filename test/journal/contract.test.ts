import { describe, expect, it } from 'vitest';
import { isBalanced, zeroTotals } from '../../src/journal/counts.ts';
import type { Journal, Lane, LaneState, NewDeadLetter, Position, ReplayRequest, StoredRecord } from '../../src/journal/index.ts';
import { commitOf, connector, letterOf, pageOf, plain, quietCommit, seamsAt, sink, someRecords, source } from './fixture.ts';
import { engines, inMemory, inModel, type Place } from './places.ts';

const none = zeroTotals();
const live: Lane = { kind: 'live', source: 's' };
const attempt = 'd1f4a2c0-6c1e-4a53-9b6e-2f0f3c9a7e11';
const anotherAttempt = '7b9e5d34-0f6a-4c2d-8a71-5e4c1b2d3f60';
const at = (position: number): Position => position as Position;

async function laneOf(journal: Journal, name: string): Promise<LaneState> {
  const [lane] = await journal.lanes(name);
  if (lane === undefined) throw new Error(`sink ${name} has nothing pending`);
  return lane;
}

async function totalsOf(journal: Journal, name: string) {
  const { rows } = await journal.ledger();
  expect(new Set(rows.map(isBalanced))).toEqual(new Set([true]));
  return rows.find((row) => row.sink === name)?.totals;
}

async function openLane(journal: Journal, job: number, what: ReplayRequest) {
  await journal.openReplay(job, 'a', what);
  const open = (await journal.lanes('a')).find(({ lane }) => lane.job === job);
  if (open === undefined) throw new Error(`job ${job} has nothing to do`);
  const [page] = await journal.read('a', open.lane, open.offset, 10);
  const last = page?.positions.at(-1);
  if (page === undefined || last === undefined) throw new Error('no page');
  return { lane: open.lane, page, last };
}

async function openWithLetter(place: Place): Promise<{ journal: Journal; records: [StoredRecord, StoredRecord] }> {
  const journal = await (await place())();
  await journal.register([source('s')], [sink('a')]);
  const records = someRecords(2) as [StoredRecord, StoredRecord];
  await journal.append(commitOf('s', records));
  await journal.settle('a', live, at(2), [letterOf(records[0])], { acknowledged: 1 });
  return { journal, records };
}

/** Delivers the stored records of the first replay, the letters among them at last. */
async function settleStored(journal: Journal): Promise<void> {
  const lane: Lane = { kind: 'replay', source: 's', job: 1 };
  const pages = await journal.read('a', lane, at(0), 10);
  const last = pages.at(-1)?.positions.at(-1) ?? at(0);
  const letters = pages.flatMap((page) => page.letters ?? []).filter((letter) => letter !== undefined);
  await journal.settle('a', lane, last, [], { replayed: 2 }, letters);
}

const models = [
  { kind: 'in memory', place: inMemory },
  { kind: 'in the model of a database', place: inModel },
];

/** What stays known of a letter. */
const lettersFacts = ({ record, eventTime, code, action }: NewDeadLetter) => ({
  uid: record.uid,
  eventTime,
  code,
  ...(action !== undefined && { action }),
});

describe.each([...engines, ...models])('a journal $kind', ({ place }) => {
  it('makes a commit once that is asked for again because its answer was lost', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const commit = { ...commitOf('s', someRecords(3)), attempt };

    await journal.append(commit);
    await journal.append(commit);
    await journal.append({ ...commitOf('s', someRecords(2, { prefix: 'x' })), attempt: anotherAttempt });

    expect((await journal.lanes('a'))[0]?.pending).toBe(5);
    expect((await journal.ledger()).sources['s']).toMatchObject({ fetched: 5, new: 5 });
  });

  it('makes a commit without records once that is asked for again because its answer was lost', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const commit = { ...quietCommit('s', 2), attempt };

    await journal.append(commit);
    await journal.append(commit);
    await journal.append({ ...quietCommit('s', 1), attempt: anotherAttempt });

    expect((await journal.ledger()).sources['s']).toMatchObject({ fetched: 3, duplicate: 3 });
    expect(await journal.windows('s', 0, 5000)).toMatchObject([{ key: 'w1', fetched: 3, complete: true }]);
    expect(await journal.checkpoint('s', 'live')).toEqual({ met: 1 });
  });

  it('settles once what is asked for again because its answer was lost', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const records = someRecords(3);
    await journal.append(commitOf('s', records));
    const letters = records.slice(0, 1).map((record) => letterOf(record));

    await journal.settle('a', live, at(2), letters, { acknowledged: 1, possible_duplicates: 1 }, [], attempt);
    await journal.settle('a', live, at(2), letters, { acknowledged: 1, possible_duplicates: 1 }, [], attempt);
    await journal.settle('a', live, at(3), [], { acknowledged: 1 }, [], anotherAttempt);

    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 2, dead_lettered: 1, possible_duplicates: 1 });
    expect(await journal.countDeadLetters({})).toBe(1);
    expect(await journal.lanes('a')).toEqual([]);
  });

  it('settles a replay once when its answer was lost', async () => {
    const { journal: opened, records } = await openWithLetter(place);
    await using journal = opened;
    const { lane, last } = await openLane(journal, 1, { kind: 'dead_letters' });
    const [record] = records;

    await journal.settle('a', lane, last, [letterOf(record)], { possible_duplicates: 1 }, [], attempt);
    await journal.settle('a', lane, last, [letterOf(record)], { possible_duplicates: 1 }, [], attempt);

    expect(await totalsOf(journal, 'a')).toMatchObject({ dead_lettered: 1, possible_duplicates: 1 });
    expect((await journal.deadLetters({}, 10)).map(({ attempts }) => attempts)).toEqual([2 * letterOf(record).attempts]);
  });

  it('inserts a job once that is asked for again because its answer was lost', async () => {
    await using journal = await (await place())();

    const first = await journal.insertJob('verify', { source: 's' }, attempt);
    const again = await journal.insertJob('verify', { source: 's' }, attempt);
    const other = await journal.insertJob('verify', { source: 's' }, anotherAttempt);

    expect(again).toEqual(first);
    expect((await journal.jobs()).map(({ id }) => id)).toEqual([first.id, other.id]);
  });

  it('tells a note of all sources that have it at once', async () => {
    await using journal = await (await place())();
    for (const [name, value] of [
      ['s', 1],
      ['t', { two: 2 }],
      ['', 'nobody'],
    ] as const)
      await journal.setNote(name, 'mark', value);
    await journal.setNote('u', 'other', 3);

    expect(await journal.noteOfAll('mark')).toEqual(
      new Map<string, unknown>([
        ['s', 1],
        ['t', { two: 2 }],
      ]),
    );
  });

  it('keeps the first of two notes that are set where none is', async () => {
    await using journal = await (await place())();

    const notes = await Promise.all(['one', 'two'].map((value) => journal.setNoteIfAbsent('', 'id', value)));

    const kept = await journal.note('', 'id');
    expect(notes).toEqual([kept, kept]);
    expect(['one', 'two']).toContain(kept);
  });

  it('puts what each of many has to say into a note that they change at the same moment', async () => {
    await using journal = await (await place())();
    const all = Array.from({ length: 12 }, (_none, index) => `n${index}`);

    await Promise.all(
      all.map((name) => journal.changeNote('', 'list', (note) => [...(Array.isArray(note) ? (note as string[]) : []), name])),
    );

    expect(((await journal.note('', 'list')) as string[]).toSorted()).toEqual(all.toSorted());
  });

  it('hands every sink the records in order, from its own offset', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a'), sink('b')]);
    await journal.append(commitOf('s', someRecords(3)));

    const [lane] = await journal.lanes('a');
    if (lane === undefined) throw new Error('no lane');
    const [page] = await journal.read('a', lane.lane, lane.offset, 100);
    const second = page?.positions[1];
    if (second === undefined) throw new Error('no position');
    await journal.settle('a', lane.lane, second, [], { acknowledged: 2 });
    const [rest] = await journal.read('a', lane.lane, second, 100);

    expect(lane).toEqual({ lane: { kind: 'live', source: 's' }, offset: 0, pending: 3, oldestReceived: 1000 });
    expect({ ...page, records: page?.records.map(plain) }).toEqual({
      source: 's',
      connector: { name: connector.name, hash: connector.hash },
      tenant: 'acme',
      labels: ['audit'],
      records: someRecords(3),
      positions: [1, 2, 3],
    });
    expect(rest?.records.map(plain)).toEqual(someRecords(3).slice(2));
    expect((await journal.lanes('a'))[0]?.pending).toBe(1);
    expect((await journal.lanes('b'))[0]?.pending).toBe(3);
  });

  it('keeps everything across a reopening', async () => {
    const open = await place();
    const first = await open();
    await first.register([source('s')], [sink('a')]);
    const seen = { day: 3, id: 'ab'.repeat(16), fingerprint: 'cd'.repeat(8) };
    await first.append({ ...commitOf('s', someRecords(2)), seen: [seen], notes: { lateness: [1, 2] } });
    await first[Symbol.asyncDispose]();

    await using journal = await open();
    await journal.register([source('s')], [sink('a')]);

    expect(await journal.checkpoint('s', 'live')).toEqual({ after: 'r2' });
    expect(await journal.note('s', 'lateness')).toEqual([1, 2]);
    expect(await journal.seen('s', [seen, { day: 4, id: seen.id }])).toEqual([[seen.fingerprint], []]);
    expect(await journal.connectorText('c0ffee')).toBe('name: example');
    expect(await journal.windows('s', 0, 10)).toMatchObject([{ source: 's', key: 'w1', fetched: 2, new: 2, complete: false }]);
    expect((await journal.lanes('a'))[0]?.pending).toBe(2);
  });

  it('remembers each id with its fingerprints once, and stores a page that brings one of them again', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const seenAs = (id: string, fingerprint: string, day = 3) => ({ day, id: id.repeat(16), fingerprint: fingerprint.repeat(8) });
    const known = [seenAs('ab', 'cd'), seenAs('00', '00'), seenAs('ff', 'ff'), seenAs('ab', 'ef', 0)];
    await journal.append({ ...commitOf('s', someRecords(2)), seen: known });

    await journal.append({
      ...commitOf('s', someRecords(3)),
      seen: [...known.slice(0, 1), seenAs('ab', '7f'), seenAs('12', '80')],
    });

    const found = await journal.seen('s', [...known, seenAs('12', '80'), seenAs('13', '80')]);
    expect(found.map((fingerprints) => fingerprints.map((hex) => hex.slice(0, 2)).toSorted())).toEqual([
      ['7f', 'cd'],
      ['00'],
      ['ff'],
      ['ef'],
      ['80'],
      [],
    ]);
    expect(await journal.lanes('a')).toMatchObject([{ pending: 5 }]);
  });

  it('refuses a settle whose counts do not cover what it passes', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    await journal.append(commitOf('s', someRecords(3)));
    const [lane] = await journal.lanes('a');
    if (lane === undefined) throw new Error('no lane');

    const settled = journal.settle('a', lane.lane, (lane.offset + lane.pending) as Position, [], { acknowledged: 2 });

    await expect(settled).rejects.toMatchObject({ code: 'PEN_INTERNAL' });
    expect((await journal.lanes('a'))[0]?.offset).toBe(0);
  });
  it('counts what became of every record in the transaction that moves the offset', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const records = someRecords(6);
    await journal.append(commitOf('s', records));

    await journal.settle('a', live, at(5), [letterOf(records[1] ?? { uid: '', received: 0, record: null })], {
      acknowledged: 2,
      unconfirmed: 1,
      not_routed: 1,
      possible_duplicates: 3,
    });

    expect(await totalsOf(journal, 'a')).toEqual({
      ...none,
      acknowledged: 2,
      unconfirmed: 1,
      not_routed: 1,
      dead_lettered: 1,
      pending: 1,
      possible_duplicates: 3,
    });
    expect(await journal.deadLetters({ sink: 'a' }, 10)).toEqual([
      { id: 1, sink: 'a', ...letterOf(records[1] ?? { uid: '', received: 0, record: null }) },
    ]);
  });

  it('refuses a window that does not add up and one that counts other than its page', async () => {
    await using journal = await (await place())();
    const commit = commitOf('s', someRecords(2));
    if (commit.window === undefined) throw new Error('no window');

    const uneven = journal.append({ ...commit, window: { ...commit.window, fetched: 3 } });
    const short = journal.append({ ...commit, window: { ...commit.window, fetched: 1, new: 1 } });

    await expect(uneven).rejects.toMatchObject({ code: 'PEN_INTERNAL' });
    await expect(short).rejects.toMatchObject({ code: 'PEN_INTERNAL' });
    expect(await journal.checkpoint('s', 'live')).toBeUndefined();
  });

  it('fails a commit that was asked for after one that failed, so that no cursor passes missing records', async () => {
    await using journal = await (await place())();
    const tooLarge = pageOf(someRecords(100_001));

    const first = journal.append({ source: 's', page: tooLarge });
    const second = journal.append(commitOf('s', someRecords(1)));

    await expect(first).rejects.toMatchObject({ code: 'PEN_INTERNAL' });
    await expect(second).rejects.toMatchObject({ code: 'PEN_INTERNAL' });
    expect(await journal.checkpoint('s', 'live')).toBeUndefined();
  });

  it('starts a new sink where it says, and everything where nothing was collected yet', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('first')]);
    await journal.append(commitOf('s', someRecords(2), { minTime: 100, maxTime: 200 }));
    await journal.append(commitOf('s', someRecords(3), { minTime: 300, maxTime: 400 }));

    const report = await journal.register(
      [source('s')],
      [sink('first'), sink('now'), sink('oldest', 'oldest'), sink('since', 250)],
    );

    expect(report.newSinks).toEqual([
      { name: 'now', pending: 0 },
      { name: 'oldest', pending: 5 },
      { name: 'since', pending: 3 },
    ]);
    expect((await laneOf(journal, 'first')).pending).toBe(5);
    expect(await totalsOf(journal, 'since')).toEqual({ ...none, not_routed: 2, pending: 3 });
  });

  it('reports orphans and changed identities', async () => {
    await using journal = await (await place())();
    await journal.register([source('s', { org: '1' }), source('gone')], [sink('a'), sink('b')]);
    await journal.append(commitOf('s', someRecords(2)));

    const report = await journal.register([source('s', { org: '2' })], [sink('a')]);

    expect(report).toEqual({
      newSinks: [],
      orphanSinks: [{ name: 'b', pending: 2 }],
      orphanSources: ['gone'],
      changedSources: [{ name: 's', was: { org: '1' }, is: { org: '2' } }],
    });
  });

  it('takes the new identity after a reset, and keeps ids', async () => {
    await using journal = await (await place())();
    const seen = { day: 3, id: 'ab'.repeat(16), fingerprint: 'cd'.repeat(8) };
    await journal.register([source('s', { org: '1' })], [sink('a')]);
    await journal.append({ ...commitOf('s', someRecords(1)), seen: [seen] });
    await journal.register([source('s', { org: '2' })], [sink('a')]);

    await journal.resetSource('s', { from: 5 });

    expect((await journal.register([source('s', { org: '2' })], [sink('a')])).changedSources).toEqual([]);
    expect(await journal.checkpoint('s', 'live')).toEqual({ from: 5 });
    expect(await journal.seen('s', [seen])).toEqual([[seen.fingerprint]]);
  });

  it('moves the state of a source and of a sink to another name', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    await journal.append(commitOf('s', someRecords(3)));
    await journal.settle('a', live, at(1), [], { acknowledged: 1 });
    await journal.register([source('t')], [sink('b')]);

    await journal.renameSource('s', 't');
    await journal.renameSink('a', 'b');

    expect(await journal.lanes('b')).toEqual([
      { lane: { kind: 'live', source: 't' }, offset: 1, pending: 2, oldestReceived: 1000 },
    ]);
    expect(await journal.checkpoint('t', 'live')).toEqual({ after: 'r3' });
    await expect(journal.lanes('a')).rejects.toMatchObject({ code: 'PEN_NOT_FOUND' });
    expect((await journal.register([source('t')], [sink('b')])).newSinks).toEqual([]);
  });

  it('does not rename onto a name with a history of its own', async () => {
    await using journal = await (await place())();
    await journal.append(commitOf('s', someRecords(1)));
    await journal.append(commitOf('t', someRecords(1)));

    await expect(journal.renameSource('s', 't')).rejects.toMatchObject({ code: 'PEN_OPERATION_FAILED' });
  });

  it('knows under which names a source was read that are not configured any more', async () => {
    await using journal = await (await place())();
    const [one, two] = [{ tenant: 'one' }, { tenant: 'two' }];
    await journal.register([source('old', one), source('other', two), source('beside', one)], [sink('a')]);
    await journal.register([source('beside', one), source('new', one)], [sink('a')]);

    expect([await journal.formerNames('new'), await journal.formerNames('other')]).toEqual([['old'], []]);
    expect(await journal.formerNames('nobody')).toEqual([]);
  });

  it('knows what a sink was not given because it had been collected before', async () => {
    const open = await place(seamsAt(42));
    const journal = await open();
    await journal.register([source('s'), source('t')], [sink('a')]);
    await journal.append(commitOf('s', someRecords(3)));
    await journal.append(commitOf('s', someRecords(2, { prefix: 'back' }), { lane: 'backfill' }));
    await journal.register([source('s'), source('t')], [sink('a'), sink('b'), sink('c', 'oldest')]);
    await journal.append(commitOf('s', someRecords(1, { prefix: 'later' })));
    await journal.renameSource('s', 'u');
    await journal.renameSink('b', 'd');
    await journal[Symbol.asyncDispose]();

    await using again = await open();
    expect(await again.sinkStarts()).toEqual([{ sink: 'd', source: 'u', at: 42, passed: 5 }]);
  });

  it('notes down which letters were discarded, when and by what filter, for good', async () => {
    const open = await place(seamsAt(42));
    const journal = await open();
    await journal.register([source('s')], [sink('a'), sink('b')]);
    const [one, two] = someRecords(2) as [StoredRecord, StoredRecord];
    await journal.append(commitOf('s', [one, two]));
    const late = letterOf(two, { code: '413', action: 'logout', eventTime: 900 });
    for (const to of ['a', 'b']) await journal.settle(to, live, at(2), [letterOf(one), late], {});

    await journal.discardDeadLetters({ code: '413', to: 900 });
    await journal.forgetSink('b');
    await journal[Symbol.asyncDispose]();

    await using again = await open();
    const { discards, forgotten } = await again.givenUp();
    const filter = { code: '413', to: 900 };
    const gone = { uid: two.uid, eventTime: 900, code: '413', action: 'logout' };
    expect(discards).toEqual([
      { at: 42, sink: 'a', source: 's', filter, letters: [{ id: 2, ...gone }] },
      { at: 42, sink: 'b', source: 's', filter: { sink: 'b' }, letters: [{ id: 3, ...lettersFacts(letterOf(one)) }] },
      { at: 42, sink: 'b', source: 's', filter, letters: [{ id: 4, ...gone }] },
    ]);
    expect(forgotten).toEqual([{ sink: 'b', at: 42, abandoned: 0, discarded: 1 }]);
  });

  it('discards more letters than it notes down at once', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const records = someRecords(10_002);
    await journal.append(commitOf('s', records));
    const letters = records.map((record) => letterOf(record));
    await journal.settle('a', live, at(records.length), letters, {});

    const discarded = await journal.discardDeadLetters({ code: '400' });

    const { discards } = await journal.givenUp();
    expect(discarded).toBe(records.length);
    expect(discards.flatMap((part) => part.letters.map(({ uid }) => uid))).toEqual(records.map(({ uid }) => uid));
    expect(await totalsOf(journal, 'a')).toEqual({ ...none, discarded: records.length });
  });

  it('forgets a sink and keeps what it left behind as a note', async () => {
    await using journal = await (await place(seamsAt(42)))();
    await journal.register([source('s')], [sink('a'), sink('b')]);
    await journal.append(commitOf('s', someRecords(3)));

    await journal.forgetSink('b');

    expect((await journal.ledger()).rows.map(({ sink: name }) => name)).toEqual(['a']);
    expect(await journal.givenUp()).toEqual({ discards: [], forgotten: [{ sink: 'b', at: 42, abandoned: 3, discarded: 0 }] });
  });

  it('forgets a source with all that is stored of it, and keeps what sinks had not been given as a note', async () => {
    const open = await place(seamsAt(42));
    const journal = await open();
    await journal.register([source('s'), source('t')], [sink('a'), sink('b')]);
    const records = someRecords(3);
    for (const name of ['s', 't']) await journal.append(commitOf(name, records));
    await journal.append(commitOf('s', someRecords(2, { prefix: 'back' }), { lane: 'backfill' }));
    const [refused] = records as [StoredRecord];
    await journal.settle('a', live, at(3), [letterOf(refused)], { acknowledged: 2 });
    await journal.setHold('source', 's', { since: 1, reason: 'no', fix: 'renew it' });
    const job = await journal.insertJob('replay', {});
    await journal.openReplay(job.id, 'a', { kind: 'stored' });

    await journal.forgetSource('s');
    await journal[Symbol.asyncDispose]();

    await using again = await open();
    await again.register([source('t')], [sink('a'), sink('b')]);
    const { sources, rows } = await again.ledger();
    expect([Object.keys(sources), rows.map((row) => `${row.sink} ${row.source} ${row.totals.pending}`)]).toEqual([
      ['t'],
      ['a t 3', 'b t 3'],
    ]);
    expect((await again.lanes('a')).map(({ lane }) => `${lane.kind} ${lane.source}`).toSorted()).toEqual(['live t', 'replay t']);
    expect([await again.checkpoint('s', 'live'), await again.holds(), await again.countDeadLetters({})]).toEqual([
      undefined,
      [],
      0,
    ]);
    expect((await again.givenUp()).forgotten).toEqual([{ source: 's', at: 42, abandoned: 7, discarded: 1 }]);
    await expect(again.forgetSource('s')).rejects.toMatchObject({ code: 'PEN_NOT_FOUND' });
  });

  // One in memory never deletes a record.
  it.runIf(place !== inMemory && place !== inModel)('keeps no record of a source that was forgotten', async () => {
    const open = await place();
    const journal = await open();
    await journal.register([source('s'), source('t')], [sink('a')]);
    for (const name of ['s', 't']) await journal.append(commitOf(name, someRecords(3)));

    await journal.forgetSource('s');
    await journal[Symbol.asyncDispose]();

    await using again = await open();
    expect(again.usage()).toMatchObject({ pages: 1, records: 3 });
  });

  it('takes a source that was forgotten for a new one', async () => {
    const open = await place();
    const journal = await open();
    await journal.register([source('s')], [sink('a')]);
    await journal.append(commitOf('s', someRecords(3)));

    await journal.forgetSource('s');
    await journal[Symbol.asyncDispose]();
    await using again = await open();
    await again.register([source('s')], [sink('a')]);
    await again.append(commitOf('s', someRecords(2)));

    const { rows } = await again.ledger();
    const { lane, offset } = await laneOf(again, 'a');
    const pages = await again.read('a', lane, offset, 10);
    expect(rows).toMatchObject([{ sink: 'a', source: 's', new: 2, totals: { pending: 2 } }]);
    expect(pages.flatMap((page) => page.records.map(({ uid }) => uid))).toEqual(someRecords(2).map(({ uid }) => uid));
  });

  it('delivers dead letters again: resolved ones leave, refused ones stay with the newer reason', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const [one, two] = someRecords(2) as [StoredRecord, StoredRecord];
    await journal.append(commitOf('s', [one, two]));
    await journal.settle('a', live, at(2), [letterOf(one), letterOf(two)], {});
    const job = await journal.insertJob('dead-letters-retry', {});

    const { total } = await journal.openReplay(job.id, 'a', { kind: 'dead_letters', letters: { code: '400' } });
    const lane = await laneOf(journal, 'a');
    const [page] = await journal.read('a', lane.lane, lane.offset, 10);
    const last = page?.positions.at(-1);
    if (last === undefined) throw new Error('no position');
    await journal.settle('a', lane.lane, last, [letterOf(two, { code: '413', last: 99 })], { acknowledged: 1 }, [1]);
    const left = await journal.lanes('a');
    await journal.closeReplay(job.id);

    expect({ total, lane: lane.lane, letters: page?.letters, records: page?.records }).toEqual({
      total: 2,
      lane: { kind: 'replay', source: 's', job: job.id },
      letters: [1, 2],
      records: [one, two],
    });
    expect(left).toEqual([]);
    expect(await journal.deadLetters({}, 10)).toMatchObject([{ id: 2, code: '413', attempts: 2, last: 99 }]);
    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 1, dead_lettered: 1, replayed: 1 });
    expect((await journal.ledger()).rows.map(({ letters }) => letters)).toEqual([1]);
  });

  it('keeps one letter for an event that a replay of its time brings again', async () => {
    const { journal, records } = await openWithLetter(place);
    await using _closing = journal;
    const { lane, page, last } = await openLane(journal, 1, { kind: 'stored' });

    await journal.settle('a', lane, last, [letterOf(records[0], { code: '413' })], { replayed: 1 });

    expect(page.letters).toEqual([1, undefined]);
    expect(await journal.deadLetters({}, 10)).toEqual([
      { id: 1, sink: 'a', ...letterOf(records[0], { code: '413', attempts: 2 }) },
    ]);
    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 1, dead_lettered: 1, replayed: 1 });
  });

  it('takes out the letter of an event that a replay of its time delivered at last', async () => {
    const { journal } = await openWithLetter(place);
    await using _closing = journal;
    const { lane, last } = await openLane(journal, 1, { kind: 'stored' });

    await journal.settle('a', lane, last, [], { replayed: 2 }, [1]);

    expect(await journal.deadLetters({}, 10)).toEqual([]);
    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 2, replayed: 2 });
  });

  it('marks the letter of a replay whose event the ledger had settled', async () => {
    const { journal, records } = await openWithLetter(place);
    await using _closing = journal;
    const { lane, last } = await openLane(journal, 1, { kind: 'stored' });

    await journal.settle('a', lane, last, [letterOf(records[1])], { replayed: 1 });

    expect(await journal.deadLetters({}, 10)).toEqual([
      { id: 1, sink: 'a', ...letterOf(records[0]) },
      { id: 2, sink: 'a', ...letterOf(records[1]), replayed: true },
    ]);
    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 1, dead_lettered: 1, replayed: 1 });
  });

  it('writes no letter again that another retry delivered or a person discarded meanwhile', async () => {
    const { journal, records } = await openWithLetter(place);
    await using _closing = journal;
    const first = await openLane(journal, 1, { kind: 'dead_letters' });
    const second = await openLane(journal, 2, { kind: 'dead_letters' });
    await journal.settle('a', first.lane, first.last, [], { replayed: 1 }, [1]);

    await journal.settle('a', second.lane, second.last, [letterOf(records[0])], {});

    expect(await journal.deadLetters({}, 10)).toEqual([]);
    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 2, replayed: 1 });
  });

  it('discards letters by filter and counts them', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const [one, two] = someRecords(2) as [StoredRecord, StoredRecord];
    await journal.append(commitOf('s', [one, two]));
    await journal.settle('a', live, at(2), [letterOf(one), letterOf(two, { code: '413', action: 'logout', eventTime: 900 })], {});

    const ofOthers = await journal.countDeadLetters({ sink: 'a', code: '413', uids: [one.uid] });
    const discarded = await journal.discardDeadLetters({ code: '413', from: 800, to: 900, ids: [1, 2], uids: [two.uid] });

    expect([ofOthers, discarded]).toEqual([0, 1]);
    expect(await journal.countDeadLetters({ sink: 'a' })).toBe(1);
    expect(await totalsOf(journal, 'a')).toEqual({ ...none, dead_lettered: 1, discarded: 1 });
  });

  it('replays stored pages beside the live lane, resumably, without touching the balance', async () => {
    const open = await place();
    const first = await open();
    await first.register([source('s')], [sink('a')]);
    await first.append(commitOf('s', someRecords(3, { prefix: 'old' }), { minTime: 0, maxTime: 99 }));
    await first.append(commitOf('s', someRecords(3, { prefix: 'in' }), { minTime: 100, maxTime: 200 }));
    await first.append(commitOf('s', someRecords(2, { prefix: 'back' }), { lane: 'backfill', minTime: 150, maxTime: 150 }));
    await first.settle('a', live, at(6), [], { acknowledged: 6 });
    await first.settle('a', { kind: 'backfill', source: 's' }, at(2), [], { acknowledged: 2 });
    const job = await first.insertJob('replay', {});
    const { total } = await first.openReplay(job.id, 'a', { kind: 'stored', source: 's', from: 100, to: 200 });
    const lane = await laneOf(first, 'a');
    const [page] = await first.read('a', lane.lane, lane.offset, 2);
    const middle = page?.positions[1];
    if (middle === undefined) throw new Error('no position');
    await first.settle('a', lane.lane, middle, [], { replayed: 2 });
    await first[Symbol.asyncDispose]();

    await using journal = await open();
    await journal.register([source('s')], [sink('a')]);
    const resumed = await journal.openReplay(job.id, 'a', { kind: 'stored', source: 's', from: 100, to: 200 });
    const rest = await laneOf(journal, 'a');
    const pages = await journal.read('a', rest.lane, rest.offset, 100);
    const last = pages.at(-1)?.positions.at(-1);
    if (last === undefined) throw new Error('no position');
    await journal.settle('a', rest.lane, last, [], { replayed: 3 });

    expect([total, resumed.total, rest.pending]).toEqual([5, 3, 3]);
    expect(pages.flatMap(({ records }) => records.map(({ uid }) => uid))).toEqual(['in3', 'back1', 'back2']);
    expect(await journal.lanes('a')).toEqual([]);
    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 8, replayed: 5 });
  });

  it('opens nothing for a job that was cancelled before it came to that', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    await journal.append(commitOf('s', someRecords(3)));
    const { id } = await journal.insertJob('replay', {});
    await journal.updateJob(id, { state: 'running' });
    await journal.cancelJob(id);

    const { total } = await journal.openReplay(id, 'a', { kind: 'stored' });

    expect([total, await journal.replayPending(id)]).toEqual([0, 0]);
    expect((await journal.lanes('a')).map(({ lane: { kind } }) => kind)).not.toContain('replay');
  });

  // The model of a database goes by the lane, which is gone, and counts nothing of it.
  it.runIf(place !== inModel)('counts what a replay had on its way when it was cancelled', async () => {
    const { journal } = await openWithLetter(place);
    await using _open = journal;
    const { id } = await journal.insertJob('replay', {});
    const { lane, last } = await openLane(journal, id, { kind: 'stored', source: 's' });
    await journal.cancelJob(id);

    await journal.settle('a', lane, last, [], { replayed: 2 }, [1]);

    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 2, replayed: 2 });
    expect((await journal.lanes('a')).map(({ lane: { kind } }) => kind)).not.toContain('replay');
  });

  it('counts a replay once that is settled up to where it stands, or up to an earlier place', async () => {
    const { journal } = await openWithLetter(place);
    await using _open = journal;
    const { lane, page, last } = await openLane(journal, 1, { kind: 'stored', source: 's' });
    await journal.settle('a', lane, last, [], { replayed: 2 }, [1]);

    await journal.settle('a', lane, last, [], { replayed: 2 });
    await journal.settle('a', lane, page.positions[0] ?? at(0), [], { replayed: 1 });

    expect(await totalsOf(journal, 'a')).toEqual({ ...none, acknowledged: 2, replayed: 2 });
  });

  it('settles nothing beyond the last record of a lane, whatever is counted for it', async () => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    await journal.append(commitOf('s', someRecords(3)));

    await expect(journal.settle('a', live, at(5), [], { acknowledged: 5 })).rejects.toMatchObject({ code: 'PEN_INTERNAL' });

    expect(await totalsOf(journal, 'a')).toEqual({ ...none, pending: 3 });
    expect((await laneOf(journal, 'a')).offset).toBe(0);
  });

  it('remembers jobs and holds', async () => {
    const seams = seamsAt(7);
    await using journal = await (await place(seams))();

    const job = await journal.insertJob('backfill', { source: 's' });
    await journal.updateJob(job.id, { state: 'running', progress: { done: 1 } });
    seams.set(9);
    await journal.updateJob(job.id, { state: 'failed', error: 'refused' });
    await journal.setHold('sink', 'a', { since: 1, reason: 'token', fix: 'renew' });
    await journal.setHold('source', 's', { since: 2, reason: 'gone', fix: undefined });
    await journal.setHold('sink', 'a', null);

    expect(await journal.jobs({ states: ['failed'] })).toEqual([
      {
        id: 1,
        kind: 'backfill',
        args: { source: 's' },
        state: 'failed',
        progress: { done: 1 },
        error: 'refused',
        created: 7,
        started: 7,
        finished: 9,
      },
    ]);
    expect(await journal.holds()).toEqual([{ kind: 'source', name: 's', hold: { since: 2, reason: 'gone', fix: undefined } }]);
  });

  it('cancels a job that waits or runs, whoever has it, with its replay, and takes no further word on it', async () => {
    const seams = seamsAt(7);
    await using journal = await (await place(seams))();
    await journal.register([source('s')], [sink('a')]);
    await journal.append(commitOf('s', someRecords(3)));
    await journal.settle('a', live, at(3), [], { acknowledged: 3 });
    const { id } = await journal.insertJob('replay', { sink: 'a' });
    await journal.claimJob(id);
    await journal.updateJob(id, { state: 'running' });
    await journal.openReplay(id, 'a', { kind: 'stored' });
    const { id: ended } = await journal.insertJob('verify', {});
    await journal.updateJob(ended, { state: 'done' });

    const cancelled = await journal.cancelJob(id);
    const words = [{ progress: 9 }, { state: 'done' }, { state: 'running' }] as const;
    const answers = await Promise.allSettled(words.map((word) => journal.updateJob(id, word)));

    expect(cancelled).toMatchObject({ id, state: 'cancelled', finished: 7 });
    expect(answers).toMatchObject(words.map(() => ({ reason: { code: 'PEN_JOURNAL_FENCED' } })));
    expect(await journal.replayPending(id)).toBe(0);
    expect(await journal.lanes('a')).toEqual([]);
    expect((await journal.jobs()).map(({ state }) => state)).toEqual(['cancelled', 'done']);
    expect(await journal.cancelJob(ended)).toMatchObject({ id: ended, state: 'done' });
    expect(await journal.cancelJob(99)).toBeUndefined();
  });

  it('wakes who waits when an append has brought something', async () => {
    await using journal = await (await place())();
    const woken = journal.changed(AbortSignal.timeout(60_000));

    await journal.append(commitOf('s', someRecords(1)));

    await expect(woken).resolves.toBeUndefined();
  });

  it.each([
    { what: 'another replay delivered', leave: (journal: Journal) => settleStored(journal) },
    { what: 'a person discarded', leave: (journal: Journal) => journal.discardDeadLetters({ sink: 'a' }) },
  ])('comes to the end of a retry whose last letter $what', async ({ leave }) => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const records = someRecords(2);
    await journal.append(commitOf('s', records));
    const letters = records.map((record) => letterOf(record, { code: 'wrong_index' }));
    await journal.settle('a', live, at(2), letters, {});
    const { id: other } = await journal.insertJob('replay', {});
    await journal.openReplay(other, 'a', { kind: 'stored', from: 0, to: 1000 });
    const { id } = await journal.insertJob('retry_dead_letters', {});
    await journal.openReplay(id, 'a', { kind: 'dead_letters', letters: { code: 'wrong_index' } });
    const lane: Lane = { kind: 'replay', source: 's', job: id };
    const [page] = await journal.read('a', lane, at(0), 1);
    const first = page?.positions[0] ?? at(0);
    await journal.settle('a', lane, first, [], { replayed: 1 }, [1]);

    await leave(journal);
    const rest = await journal.read('a', lane, first, 10);

    expect(rest).toEqual([]);
    expect((await journal.lanes('a')).filter(({ lane: { job } }) => job === id)).toEqual([]);
  });
});

it.each(engines)(
  'a journal $kind finds what is known of an id once, however many records of a page have that id',
  async ({ place }) => {
    await using journal = await (await place())();
    await journal.register([source('s')], [sink('a')]);
    const id = 'ab'.repeat(16);
    const known = Array.from({ length: 20 }, (_, n) => ({ day: 3, id, fingerprint: n.toString(16).padStart(16, '0') }));
    await journal.append({ ...commitOf('s', someRecords(20)), seen: known });

    const found = await journal.seen('s', [...known, { day: 4, id }, ...known]);

    expect(new Set(found).size).toBe(2);
    expect(found.map(({ length }) => length)).toEqual([...known.map(() => 20), 0, ...known.map(() => 20)]);
  },
);
