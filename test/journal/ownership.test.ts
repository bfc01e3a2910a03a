import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { type Seams, systemSeams } from '../../src/base/seams.ts';
import type { JournalOptions, PostgresEngine } from '../../src/journal/contract/open.ts';
import { type Commit, type Journal, type Lane, type Position, pageCacheBytes, withPageCache } from '../../src/journal/index.ts';
import { newAttempt } from '../../src/journal/postgres/database.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { virtualClock } from '../virtual-clock.ts';
import { commitOf, letterOf, sink, someRecords, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

/** Where one is to be missing a test says so in the database: a lease that runs out on a busy machine would be another experiment. */
const leaseMs = 30_000;
const names = Array.from({ length: 12 }, (_none, index) => `s${index}`);

/** Opens replicas on a schema of their own; `sql` speaks to the database beside them. */
async function shared() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const open = (name: string, change: Partial<PostgresEngine> = {}, more: Partial<JournalOptions> = {}): Promise<Journal> => {
    const engine = { ...postgresEngine(url, schema, name), leaseMs, ...change };
    const options = {
      maxBytes: 16 * 1024 * 1024,
      keepMs: 7 * 86_400_000,
      seams: systemSeams(),
      log: silentLog(),
      lockWaitMs: 0,
      ...more,
    };
    return openPostgres(engine, { engine, ...options });
  };
  const sql = (text: string) =>
    onServer(url, async (client) => (await client.query(text.replaceAll('{s}', schema))).rows as unknown[]);
  /** Holds rows until disposed. */
  const hold = async (text: string): Promise<AsyncDisposable> => {
    const held = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const holding = onServer(url, async (client) => {
      await client.query('BEGIN');
      await client.query(text.replaceAll('{s}', schema));
      held.resolve();
      await end.promise;
      await client.query('COMMIT');
    });
    await Promise.race([held.promise, holding]);
    return {
      [Symbol.asyncDispose]: () => {
        end.resolve();
        return holding;
      },
    };
  };
  return { open, sql, hold };
}

/** For one that was paused beyond its lease once the database has been told so: its time stands still, and nobody hears of it. */
const pausedSeams = (): Seams => ({ ...systemSeams(), clock: virtualClock(Date.now()) });

const register = (journal: Journal) =>
  journal.register(
    names.map((name) => source(name)),
    [sink('a')],
  );
/** The code with which it is refused; undefined where it is not. */
const refusal = (asked: Promise<void>): Promise<unknown> =>
  asked.then(
    () => undefined,
    (error: unknown) => (error instanceof PenstockError ? error.code : error),
  );

/** As if a standby had been promoted that has only the first so many records of live lanes. */
const standbyBefore = (end: number): string => `DELETE FROM {s}.pages WHERE kind = 0 AND first > ${end}; DELETE FROM {s}.seen;
  UPDATE {s}.lanes SET appended = least(appended, ${end}) WHERE kind = 0; UPDATE {s}.offsets SET position = least(position, ${end});
  UPDATE {s}.counters SET attempts = '{}'; DELETE FROM {s}.totals`;

const owned = ({ ownership }: Journal): string[] => names.filter((name) => ownership.owns(name));

describe.runIf(hasPostgres())('replicas on one journal', () => {
  it('owns everything when it is alone', async () => {
    const { open } = await shared();
    await using journal = await open('one');
    const gained: string[] = [];
    journal.ownership.watch({ gained: (sources) => void gained.push(...sources), lost: () => undefined });

    await register(journal);

    expect(owned(journal)).toEqual(names);
    expect(gained.sort()).toEqual([...names].sort());
    expect(await journal.ownership.replicas()).toMatchObject([{ name: 'one', sources: 12 }]);
  });

  it('says its name and its labels in the database', async () => {
    const { open, sql } = await shared();
    await using journal = await open('one', { replica: { name: 'one', labels: ['dc1', 'blue'] } });
    await register(journal);

    expect(await sql('SELECT name, labels FROM {s}.members')).toEqual([{ name: 'one', labels: ['dc1', 'blue'] }]);
  });

  it('asks over no more connections than it may have, and one for its membership', async () => {
    const { open, sql } = await shared();
    await using journal = await open('one', { connections: 2 });
    await register(journal);
    await Promise.all(Array.from({ length: 40 }, (_none, index) => journal.note(names[index % 12] ?? '', 'lateness')));

    const [{ n }] = (await sql(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%{s}%' AND pid <> pg_backend_pid()`,
    )) as [{ n: number }];

    expect(n).toBeLessThanOrEqual(3);
  });

  it('takes no hold of a sink over from another replica, whose file may be the cause, and tells all of them to who is none', async () => {
    const { open } = await shared();
    await using one = await open('one');
    await register(one);
    await using two = await open('two');
    await using observer = await open('three', {}, { role: 'observer' });
    const hold = { since: 1, reason: 'wrong token', fix: 'renew' };

    await one.setHold('sink', 'a', hold);
    await one.setHold('source', 's1', hold);
    const before = await Promise.all([one, two, observer].map((journal) => journal.holds()));
    await one.setHold('sink', 'a', null);

    expect(before.map((holds) => holds.map(({ kind }) => kind))).toEqual([['sink', 'source'], ['source'], ['sink', 'source']]);
    expect((await observer.holds()).map(({ kind }) => kind)).toEqual(['source']);
  });

  it('keeps in a note what each of two replicas puts in at the same moment, also where there was none', async () => {
    const { open } = await shared();
    await using one = await open('one');
    await using two = await open('two');
    const put = (journal: Journal, key: string) =>
      journal.changeNote('', 'shared', (note) => ({ ...(note as object | undefined), [key]: true }));
    const keys = Array.from({ length: 10 }, (_none, index) => `k${index}`);

    for (const key of keys) await Promise.all([put(one, `${key} of one`), put(two, `${key} of two`)]);

    const note = (await two.note('', 'shared')) as object;
    expect(Object.keys(note).sort()).toEqual(keys.flatMap((key) => [`${key} of one`, `${key} of two`]).sort());
  });

  it('shares evenly with one that joins, and takes over what one that leaves gave back', async () => {
    const { open } = await shared();
    await using first = await open('one');
    await register(first);
    const second = await open('two');
    await register(second);

    await expect.poll(() => [owned(first).length, owned(second).length]).toEqual([6, 6]);
    const both = [...owned(first), ...owned(second)].sort();
    await second[Symbol.asyncDispose]();

    await expect.poll(() => owned(first).length).toBe(12);
    expect(both).toEqual([...names].sort());
    expect(await first.ownership.replicas()).toMatchObject([{ name: 'one' }]);
  });

  it('tells what the others said of themselves to who asks for that, and to nobody else', async () => {
    const { open } = await shared();
    await using first = await open('one');
    await register(first);
    await using second = await open('two');
    await register(second);
    await first.ownership.report({ from: 'one' });
    await second.ownership.report({ from: 'two' });

    const told = await first.ownership.replicas({ reports: true });
    const bare = await first.ownership.replicas();

    expect(told?.map(({ isSelf, report }) => [isSelf, report])).toEqual([
      [true, undefined],
      [false, { from: 'two' }],
    ]);
    expect(bare?.map(({ isSelf, report }) => [isSelf, report])).toEqual([
      [true, undefined],
      [false, undefined],
    ]);
  });

  it('hands each sink of a replica the lanes of its own sources', async () => {
    const { open } = await shared();
    await using first = await open('one');
    await register(first);
    for (const name of names) await first.append(commitOf(name, someRecords(2)));
    await using second = await open('two');
    await register(second);

    await expect.poll(() => owned(second).length).toBe(6);
    const lanes = async (journal: Journal) => (await journal.lanes('a')).map(({ lane }) => lane.source).sort();

    await expect.poll(() => lanes(first)).toEqual(owned(first).sort());
    expect(await lanes(second)).toEqual(owned(second).sort());
  });

  it('leaves no source without a loop where one goes and one comes in the same moment', async () => {
    const { open } = await shared();
    const few = names.slice(0, 3);
    const more = names.slice(0, 5);
    const put = (journal: Journal, all: readonly string[]) =>
      journal.register(
        all.map((name) => source(name)),
        [sink('a')],
      );
    await using first = await open('one');
    const underWay = Promise.withResolvers<void>();
    let handsOver = false;
    const releasing = (): Promise<void> => {
      handsOver = true;
      return underWay.promise;
    };
    first.ownership.watch({ gained: () => undefined, lost: () => undefined, releasing });
    await put(first, few);
    await using second = await open('two');
    await put(second, few);
    await expect.poll(() => handsOver).toBe(true);

    await put(first, more);
    underWay.resolve();
    await put(second, more);

    await expect.poll(() => [...owned(first), ...owned(second)].sort()).toEqual([...more].sort());
  });

  it('refuses every write of a replica whose source another took over, and what was written is the other’s alone', async () => {
    const { open, sql } = await shared();
    await using late = await open('late', {}, { seams: pausedSeams() });
    await register(late);
    await late.append(commitOf('s1', someRecords(3)));
    const lane: Lane = { kind: 'live', source: 's1' };
    await sql('UPDATE {s}.members SET expires = now()');
    await using other = await open('other');
    await register(other);

    const written = await Promise.allSettled([
      late.append(commitOf('s1', someRecords(5))),
      late.settle('a', lane, 3 as Position, [], { acknowledged: 3 }),
    ]);

    expect(written).toMatchObject([{ reason: { code: 'PEN_JOURNAL_FENCED' } }, { reason: { code: 'PEN_JOURNAL_FENCED' } }]);
    expect((await other.lanes('a')).map(({ offset, pending }) => [offset, pending])).toEqual([[0, 3]]);
    await other.settle('a', lane, 3 as Position, [], { acknowledged: 3 });
    expect(await other.lanes('a')).toEqual([]);
  });

  it('joins anew when it was not heard of in time, and owns again what nobody took', async () => {
    const { open, sql } = await shared();
    await using journal = await open('one');
    await register(journal);
    const told: string[] = [];
    journal.ownership.watch({ gained: () => void told.push('gained'), lost: () => void told.push('lost') });

    await sql('UPDATE {s}.members SET expires = now()');

    await expect.poll(() => told).toEqual(['gained', 'lost', 'gained']);
    expect(owned(journal)).toEqual(names);
    await journal.append(commitOf('s1', someRecords(1)));
  });

  it('hands over a source that only the others are configured with, whatever its share', async () => {
    const { open } = await shared();
    await using first = await open('one');
    await using second = await open('two');
    const put = (journal: Journal, of: readonly string[]) =>
      journal.register(
        of.map((name) => source(name)),
        [sink('a')],
      );
    await register(first);
    await register(second);
    await expect.poll(() => [owned(first).length, owned(second).length]).toEqual([6, 6]);
    const [gone = ''] = owned(first);

    await put(
      first,
      names.filter((name) => name !== gone),
    );

    await expect.poll(() => second.ownership.owns(gone)).toBe(true);
  });

  it('leaves a source that is disabled in its file to one that has it enabled, and makes no orphan of what is disabled', async () => {
    const { open } = await shared();
    await using first = await open('one');
    await register(first);
    await using second = await open('two');
    const disabled = names.map((name) => ({ ...source(name), enabled: false }));
    const before = owned(first).length;

    const report = await second.register(disabled, [{ ...sink('a'), enabled: false }]);
    const [, asTwo] = (await first.ownership.replicas()) ?? [];
    await first.register(disabled, [{ ...sink('a'), enabled: false }]);
    const isNamed = await first.ownership.isNamed?.('source', 's1');
    await register(second);

    await expect.poll(() => owned(second).length).toBe(12);
    expect([before, owned(first), isNamed]).toEqual([12, [], false]);
    expect(report).toMatchObject({ orphanSinks: [], orphanSources: [] });
    expect(asTwo).toMatchObject({ name: 'two', sinks: [], disabledSinks: ['a'] });
    await expect(first.forgetSink('a')).rejects.toMatchObject({ code: 'PEN_JOURNAL_LOCKED' });
  });

  it('gives a source back only when nothing of it is under way any more', async () => {
    const { open, sql } = await shared();
    await using first = await open('one', { leaseMs: 20_000 });
    await register(first);
    const [asked, ended] = [Promise.withResolvers<readonly string[]>(), Promise.withResolvers<void>()];
    first.ownership.watch({
      gained: () => undefined,
      lost: () => undefined,
      async releasing(sources) {
        asked.resolve(sources);
        await ended.promise;
      },
    });
    await using second = await open('two');
    await register(second);
    // Each tells the database again, and gives what can be given.
    await register(first);
    const [going = ''] = await asked.promise;
    await register(first);
    await register(first);
    const meanwhile = await sql(`SELECT owner LIKE 'one~%' AS "isFirst" FROM {s}.units WHERE name = '${going}'`);
    ended.resolve();

    await expect.poll(() => second.ownership.owns(going)).toBe(true);
    expect([meanwhile, first.ownership.owns(going)]).toEqual([[{ isFirst: true }], false]);
  });

  it('stays a member with all else while a source that it gives back is being written', async () => {
    const { open, sql, hold } = await shared();
    // Heard of each second, and so for two leases.
    await using first = await open('one', { leaseMs: 5000 });
    await register(first);
    await using held = await hold(`SELECT 1 FROM {s}.units WHERE name = 's1' FOR SHARE`);
    const lost: string[] = [];
    first.ownership.watch({ gained: () => undefined, lost: (of) => void lost.push(...of) });
    await using second = await open('two');
    await second.register([source('s1')], [sink('a')]);
    await first.register(
      names.filter((name) => name !== 's1').map((name) => source(name)),
      [sink('a')],
    );
    const seen = async () =>
      ((await sql(`SELECT max(seen)::text AS at FROM {s}.members WHERE name = 'one'`)) as { at: string }[])[0]?.at;
    const heard = new Set<string | undefined>();
    await expect.poll(async () => heard.add(await seen()).size).toBeGreaterThan(10);
    const meanwhile = [...lost];
    await held[Symbol.asyncDispose]();

    await expect.poll(() => second.ownership.owns('s1')).toBe(true);
    expect(meanwhile).toEqual([]);
  });

  it('keeps what a reset set against an owner that comes back late', async () => {
    const { open, sql } = await shared();
    await using late = await open('late', {}, { seams: pausedSeams() });
    await register(late);
    await late.append(commitOf('s1', someRecords(3)));
    await sql('UPDATE {s}.members SET expires = now()');
    await using command = await open('command');

    await command.resetSource('s1', { cursor: 5 });

    await expect(
      late.append({ ...commitOf('s1', someRecords(2)), checkpoint: { name: 'live', value: 7 } }),
    ).rejects.toMatchObject({
      code: 'PEN_JOURNAL_FENCED',
    });
    expect(await command.checkpoint('s1', 'live')).toEqual({ cursor: 5 });
  });

  it('makes no orphan of what only another replica is configured with', async () => {
    const { open } = await shared();
    await using older = await open('older');
    await register(older);
    await using newer = await open('newer');

    const report = await newer.register([source('s1')], [sink('b')]);

    expect(report).toMatchObject({ orphanSinks: [], orphanSources: [] });
    await expect(newer.forgetSink('a')).rejects.toMatchObject({ code: 'PEN_JOURNAL_LOCKED' });
  });

  it('lets one replica take a job, and another only when that one is gone', async () => {
    const { open } = await shared();
    await using first = await open('one');
    const second = await open('two');
    const { id } = await first.insertJob('verify', {});

    const taken = [await second.claimJob(id), await second.claimJob(id), await first.claimJob(id)];
    await second[Symbol.asyncDispose]();

    expect(taken).toEqual([true, true, false]);
    expect(await first.claimJob(id)).toBe(true);
  });

  it('lets another replica take a job for a sink that the one which has it is not configured with any more', async () => {
    const { open } = await shared();
    await using first = await open('one');
    await using second = await open('two');
    for (const one of [first, second]) await one.register([source('s')], [sink('a')]);
    const { id } = await first.insertJob('replay', { sink: 'a' });
    await first.claimJob(id);
    await first.updateJob(id, { state: 'running' });

    const before = await second.claimJob(id);
    await first.register([source('s')], []);
    const after = await second.claimJob(id);

    expect([before, after, await first.claimJob(id)]).toEqual([false, true, false]);
    await expect(first.updateJob(id, { progress: 1 })).rejects.toMatchObject({ code: 'PEN_JOURNAL_FENCED' });
    for (const { ownership } of [first, second]) {
      const isNamed = async (kind: 'source' | 'sink', name: string) => await ownership.isNamed?.(kind, name);
      expect([await isNamed('sink', 'a'), await isNamed('sink', 'b'), await isNamed('source', 's')]).toEqual([true, false, true]);
    }
  });

  it('takes no word on a job from a replica that was away so long that another has it', async () => {
    const { open, sql } = await shared();
    await using late = await open('late', {}, { seams: pausedSeams() });
    await using other = await open('other');
    const { id } = await late.insertJob('replay', {});
    await late.claimJob(id);
    await late.updateJob(id, { state: 'running', progress: 1 });
    const beaten = await other.claimJob(id);
    await sql(`UPDATE {s}.members SET expires = now() - interval '1 s' WHERE name = 'late'`);

    const taken = await other.claimJob(id);
    await other.updateJob(id, { state: 'running', progress: 2 });
    const words = [{ progress: 9 }, { state: 'failed', error: 'late' }, { state: 'done' }] as const;
    const answers = await Promise.allSettled(words.map((word) => late.updateJob(id, word)));

    expect([beaten, taken]).toEqual([false, true]);
    expect(answers).toMatchObject(words.map(() => ({ reason: { code: 'PEN_JOURNAL_FENCED' } })));
    expect(await other.jobs()).toMatchObject([{ id, state: 'running', progress: 2 }]);
    await other.updateJob(id, { state: 'done', progress: 3 });
  });

  it('does no job again that a replica which is gone has ended', async () => {
    const { open } = await shared();
    await using first = await open('one');
    const second = await open('two');
    for (const state of ['done', 'failed', 'cancelled'] as const) {
      const { id } = await first.insertJob('verify', {});
      await second.claimJob(id);
      await second.updateJob(id, { state: 'running' });
      await second.updateJob(id, { state });
    }
    await second[Symbol.asyncDispose]();
    const ended = await first.jobs();

    const taken = await Promise.all(ended.map(({ id }) => first.claimJob(id)));
    const begun = await Promise.allSettled(ended.map(({ id }) => first.updateJob(id, { state: 'running' })));

    expect(taken).toEqual([false, false, false]);
    expect(begun).toMatchObject([1, 2, 3].map(() => ({ reason: { code: 'PEN_JOURNAL_FENCED' } })));
    expect(await first.jobs()).toEqual(ended);
    await expect(first.updateJob(99, { state: 'running' })).rejects.toMatchObject({ code: 'PEN_NOT_FOUND' });
  });

  describe('when a standby is promoted that lacks the last commits', () => {
    const walked = (prefix: string, cursor: number, source = 's1') => ({
      ...commitOf(source, someRecords(100, { prefix })),
      checkpoint: { name: 'live', value: { cursor } },
    });
    const live: Lane = { kind: 'live', source: 's1' };

    async function promoted() {
      const { open, sql } = await shared();
      const journal = await open('one');
      await register(journal);
      await journal.append(walked('p0-', 0));
      await journal.append(walked('p1-', 1));
      const told: string[] = [];
      journal.ownership.watch({
        gained: (sources) => void told.push(`gained ${sources.length}`),
        lost: (sources) => void told.push(`lost ${sources.join()}`),
      });
      const end = async () => (await journal.lanes('a')).map(({ offset, pending }) => offset + pending);
      return { journal, sql, end, beganAnew: () => expect.poll(() => told).toEqual(['gained 12', 'lost s1', 'gained 1']) };
    }
    const fenced = { code: 'PEN_JOURNAL_FENCED' };

    it.each([
      ['the next page', (): Commit => walked('p2-', 2)],
      ['a checkpoint alone', (): Commit => ({ source: 's1', checkpoint: { name: 'live', value: { cursor: 2 } } })],
    ])('stores %s of the walk under way nowhere, and begins the source anew', async (_what, next) => {
      const { journal, sql, beganAnew, end } = await promoted();
      await using _closed = journal;
      await sql(standbyBefore(100));

      await expect(journal.append(next())).rejects.toMatchObject(fenced);

      await beganAnew();
      expect(await end()).toEqual([100]);
      expect(await journal.checkpoint('s1', 'live')).toEqual({ cursor: 1 });
      await journal.append(walked('p1-', 1));
      expect(await end()).toEqual([200]);
    });

    it('begins all of its sources anew that it finds short at the same moment', async () => {
      const { open, sql } = await shared();
      // By itself it looks closely after sixty heartbeats only: a minute and a half.
      const soon = { timeout: 45_000 };
      await using journal = await open('one', { leaseMs: 120_000 });
      await register(journal);
      for (const name of names) for (const page of [0, 1]) await journal.append(walked(`p${page}-${name}-`, page, name));
      const told = { gained: [] as string[], lost: [] as string[] };
      journal.ownership.watch({ gained: (of) => void told.gained.push(...of), lost: (of) => void told.lost.push(...of) });
      await sql(standbyBefore(100));

      const refused = await Promise.all(names.map((name) => refusal(journal.append(walked(`p2-${name}-`, 2, name)))));

      expect(refused).toEqual(names.map(() => 'PEN_JOURNAL_FENCED'));
      await expect.poll(() => told.gained.toSorted(), soon).toEqual([...names, ...names].toSorted());
      expect([told.lost.toSorted(), owned(journal)]).toEqual([names.toSorted(), names]);
    });

    it('notices also when a settle failed in between', async () => {
      const { journal, sql, beganAnew, end } = await promoted();
      await using _closed = journal;
      await sql(standbyBefore(100));
      const counts = { acknowledged: 1 };
      await expect(journal.settle('nobody', live, 1 as Position, [], counts)).rejects.toMatchObject({ code: 'PEN_NOT_FOUND' });

      await expect(journal.append(walked('p2-', 2))).rejects.toMatchObject(fenced);

      await beganAnew();
      expect(await end()).toEqual([100]);
    });

    it('lets a sink begin from the offset that is left', async () => {
      const { journal, sql, beganAnew } = await promoted();
      await using _closed = journal;
      await journal.settle('a', live, 150 as Position, [], { acknowledged: 150 });
      await sql(standbyBefore(0));

      await expect(journal.settle('a', live, 200 as Position, [], { acknowledged: 50 })).rejects.toMatchObject({
        code: 'PEN_INTERNAL',
      });

      await beganAnew();
      expect(await journal.lanes('a')).toEqual([]);
    });
  });

  it('takes no source that it let go, though nobody else has it', async () => {
    const { open, sql } = await shared();
    await using journal = await open('one');
    await register(journal);
    await journal.append(commitOf('s1', someRecords(1)));
    await sql("UPDATE {s}.units SET owner = NULL, epoch = epoch + 1 WHERE name = 's1'");

    const asked = [
      await refusal(journal.append(commitOf('s1', someRecords(1)))),
      await refusal(journal.append(commitOf('other', someRecords(1)))),
    ];

    expect(asked).toEqual(['PEN_JOURNAL_FENCED', 'PEN_JOURNAL_FENCED']);
  });

  it('stores a commit only under the ownership under which it was asked for first, however often it is asked', async () => {
    const { open, sql } = await shared();
    await using journal = await open('one');
    await register(journal);
    await journal.append(commitOf('s1', someRecords(1)));
    const asked = { ...commitOf('s1', someRecords(2, { prefix: 'late' })), attempt: newAttempt() };
    const told: string[] = [];
    journal.ownership.watch({ gained: () => void told.push('gained'), lost: () => void told.push('lost') });
    await sql('ALTER TABLE {s}.counters RENAME TO away');
    const first = await refusal(journal.append(asked));
    await sql('ALTER TABLE {s}.away RENAME TO counters');
    await sql('UPDATE {s}.members SET expires = now()');
    await expect.poll(() => told).toEqual(['gained', 'lost', 'gained']);

    const again = await refusal(journal.append(asked));

    expect([first === again, again]).toEqual([false, 'PEN_JOURNAL_FENCED']);
    expect((await journal.lanes('a')).map(({ pending }) => pending)).toEqual([1]);
  });

  it('hands out no page of an earlier ownership after the database failed over', async () => {
    const { open, sql } = await shared();
    await using journal = withPageCache(await open('one'), pageCacheBytes);
    await register(journal);
    await journal.lanes('a');
    await journal.append(commitOf('s1', someRecords(3, { prefix: 'first' })));
    const lost = Promise.withResolvers<void>();
    journal.ownership.watch({ gained: () => undefined, lost: () => lost.resolve() });

    await sql(`${standbyBefore(0)}; UPDATE {s}.members SET expires = now()`);
    await lost.promise;
    await expect.poll(() => journal.ownership.owns('s1')).toBe(true);
    await journal.append(commitOf('s1', [...someRecords(2, { prefix: 'new' }), ...someRecords(3, { prefix: 'first' })]));

    const pages = await journal.read('a', { kind: 'live', source: 's1' }, 0 as Position, 100);
    expect(pages.flatMap(({ records }) => records.map(({ uid }) => uid))).toEqual(['new1', 'new2', 'first1', 'first2', 'first3']);
  });

  it('hands out nothing that was read ahead under an earlier ownership', async () => {
    const { open, sql } = await shared();
    await using journal = await open('one');
    await register(journal);
    for (const prefix of ['first', 'second']) await journal.append(commitOf('s1', someRecords(3, { prefix })));
    const lane: Lane = { kind: 'live', source: 's1' };
    const [before] = await journal.read('a', lane, 0 as Position, 3);
    const lost = Promise.withResolvers<void>();
    journal.ownership.watch({ gained: () => undefined, lost: () => lost.resolve() });

    await sql(`${standbyBefore(0)}; UPDATE {s}.members SET expires = now()`);
    await lost.promise;
    await expect.poll(() => journal.ownership.owns('s1')).toBe(true);
    for (const prefix of ['other', 'another']) await journal.append(commitOf('s1', someRecords(3, { prefix })));

    const [after] = await journal.read('a', lane, 3 as Position, 3);
    expect([before, after].map((page) => page?.records[0]?.uid)).toEqual(['first1', 'another1']);
  });

  it('begins retries of two sinks at once with no more connections than they take, and settles beside a registration', async () => {
    const { open } = await shared();
    await using journal = await open('one', { connections: 2 });
    const registerAll = () =>
      journal.register(
        names.map((name) => source(name)),
        [sink('a'), sink('b')],
      );
    await registerAll();
    for (const name of names) {
      const records = someRecords(1, { prefix: name });
      await journal.append(commitOf(name, records));
      const [record] = records;
      if (record === undefined) continue;
      for (const to of ['a', 'b'])
        await journal.settle(to, { kind: 'live', source: name }, 1 as Position, [letterOf(record, { source: name })], {});
    }
    await registerAll();

    const jobs = [await journal.insertJob('retry_dead_letters', {}), await journal.insertJob('retry_dead_letters', {})];
    const what = { kind: 'dead_letters', letters: {} } as const;
    await Promise.all(['a', 'b'].map((to, index) => journal.openReplay(jobs[index]?.id ?? 0, to, what)));
    const lanes = (await journal.lanes('a')).filter(({ lane }) => lane.kind === 'replay');
    const pages = await Promise.all(
      lanes.map(async ({ lane, offset }) => ({ lane, page: (await journal.read('a', lane, offset, 10))[0] })),
    );
    const settle = ({ lane, page }: (typeof pages)[number]) =>
      journal.settle(
        'a',
        lane,
        page?.positions.at(-1) ?? (0 as Position),
        [],
        { replayed: 1 },
        (page?.letters ?? []).filter((id) => id !== undefined),
      );
    await Promise.all([...pages.slice(0, 4).map(settle), registerAll(), ...pages.slice(4).map(settle)]);

    expect([pages.length, await journal.countDeadLetters({ sink: 'a' }), await journal.countDeadLetters({ sink: 'b' })]).toEqual([
      12, 0, 12,
    ]);
  });

  it('opens nothing anew for a request that is late, when another replica has ended the job', async () => {
    const { open } = await shared();
    await using one = await open('one');
    await register(one);
    await one.append(commitOf('s1', someRecords(3)));
    const { id } = await one.insertJob('replay', { sink: 'a' });
    const ask = () => one.openReplay(id, 'a', { kind: 'stored' });
    await ask();
    await one.updateJob(id, { state: 'done' });
    await one.closeReplay(id);

    expect([await ask(), await one.replayPending(id)]).toEqual([{ total: 0 }, 0]);
  });
});
