import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { Client, type QueryConfig } from 'pg';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { checkJournal, openJournal, repairJournal } from '../../src/journal/index.ts';
import type { Seen } from '../../src/journal/journal.ts';
import { type Core, openNames } from '../../src/journal/sqlite/core.ts';
import { openDatabase } from '../../src/journal/sqlite/file/database.ts';
import { migrate } from '../../src/journal/sqlite/file/schema.ts';
import { openWriter } from '../../src/journal/sqlite/file/writer.ts';
import { IdTable } from '../../src/journal/sqlite/records/id-table.ts';
import { openSeen } from '../../src/journal/sqlite/records/seen.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { fewOrMany } from '../thorough.ts';
import { commitOf, journalOptions, sink, someRecords, source, temporaryDirectory } from './fixture.ts';
import { postgresEngine } from './places.ts';

const hexId = (n: number): string => `${n.toString(16).padStart(4, '0')}${'ab'.repeat(10)}${n.toString(16).padStart(8, '0')}`;
const print = (n: number): string => n.toString(16).padStart(16, '0');
const seenAs = (day: number, id: number, fingerprint = 0): Seen => ({ day, id: hexId(id), fingerprint: print(fingerprint) });

/** The index of ids over a database of its own, with what it needs of a journal. */
function openIndex(path: string) {
  const db = openDatabase(path);
  migrate(db, path);
  let reserveAsked = 0;
  const freeReserve = (): Promise<boolean> => {
    reserveAsked += 1;
    return Promise.resolve(false);
  };
  const writer = openWriter(db, { path, freeReserve, foundFull: () => undefined });
  const names = openNames(db);
  let now = 1_000_000;
  const time = { now: () => now };
  const core = { db, path, writer, names, time, clock: time, log: silentLog() } as unknown as Core;
  const seen = openSeen(core);
  return {
    db,
    seen,
    reserveAsked: () => reserveAsked,
    goTo: (ms: number) => (now = ms),
    write: <T>(work: () => T) => writer.write(work),
    remember: (name: string, entries: readonly Seen[], fails = false) =>
      writer.write(() => {
        seen.remember(names.ensureSource(name), entries);
        if (fails) throw new Error('the commit fails');
      }),
  };
}

async function emptyIndex() {
  const path = join(await temporaryDirectory(), 'journal.db');
  const index = { ...openIndex(path), reopen: () => Object.assign(index, openIndex(path)) };
  onTestFinished(() => index.db.close());
  return { path, index };
}

const name = fc.constantFrom('s', 't');
const entries = fc.array(fc.record({ day: fc.constantFrom(0, 3, 4), id: fc.nat({ max: 150 }), print: fc.nat({ max: 2 }) }), {
  // Few ids of a day make no block.
  minLength: 30,
  maxLength: 120,
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('commit' as const), name, entries, fails: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('look' as const), name, entries }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('move' as const), most: fc.nat({ max: 80 }), breaksOff: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), name, elsewhere: fc.boolean() }) },
);

it('knows exactly what was committed, in blocks, moved or half moved, after a failure, a restart and what others delete', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 14 }), async (steps) => {
      const { path, index } = await emptyIndex();
      const known = new Map<string, Set<string>>();
      const keyOf = (of: string, { day, id }: Seen): string => `${of}/${day}/${id}`;
      for (const each of steps) {
        if (each.kind === 'commit') {
          const seen = each.entries.map(({ day, id, print: fingerprint }) => seenAs(day, id, fingerprint));
          await index.remember(each.name, seen, each.fails).catch(() => undefined);
          if (!each.fails)
            for (const one of seen)
              known.set(keyOf(each.name, one), (known.get(keyOf(each.name, one)) ?? new Set()).add(one.fingerprint));
        }
        if (each.kind === 'look') {
          const asked = each.entries.map(({ day, id }) => seenAs(day, id));
          const found = index.seen.lookup(each.name, asked);
          expect(found.map((prints) => prints.toSorted())).toEqual(
            asked.map((one) => [...(known.get(keyOf(each.name, one)) ?? [])].toSorted()),
          );
        }
        let asked = 0;
        if (each.kind === 'move') await index.seen.moveBlocks(() => each.breaksOff && asked++ > 0, each.most);
        if (each.kind === 'reopen') {
          index.db.close();
          index.reopen();
        }
        if (each.kind === 'forget') {
          const other = each.elsewhere ? new DatabaseSync(path) : index.db;
          for (const table of ['seen', 'seen_blocks'])
            other.prepare(`DELETE FROM ${table} WHERE source = (SELECT id FROM sources WHERE name = ?)`).run(each.name);
          if (each.elsewhere) other.close();
          for (const key of known.keys()) if (key.startsWith(`${each.name}/`)) known.delete(key);
        }
      }
    }),
    { numRuns: fewOrMany(25, 400) },
  );
});

it('finds an id among others that share all places but one', () => {
  const row = fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 }), fc.nat({ max: 3 }));
  fc.assert(
    fc.property(fc.array(row, { maxLength: 600 }), fc.array(row, { maxLength: 40 }), (added, asked) => {
      const idOf = ([a, b]: readonly number[]): string => `${print(a ?? 0)}${print(b ?? 0)}`;
      const table = new IdTable();
      for (const each of added) table.add(Buffer.from(idOf(each) + print(each[2]), 'hex'));
      const found = asked.map((): string[] => []);

      table.find(Buffer.from(asked.map(idOf).join(''), 'hex'), (index, fingerprint) => found[index]?.push(fingerprint));

      const expected = asked.map(
        (one) => new Set(added.filter((each) => idOf(each) === idOf(one)).map((each) => print(each[2]))),
      );
      expect(found.map((prints) => prints.toSorted())).toEqual(expected.map((prints) => [...prints].toSorted()));
      expect(table.size).toBe(new Set(added.map(String)).size);
    }),
    { numRuns: fewOrMany(30, 300) },
  );
});

it('keeps very many ids of a day', () => {
  const table = new IdTable();
  const many = 20_000;
  for (let n = 0; n < many; n += 1) table.add(Buffer.from(hexId(n) + print(n), 'hex'));
  let found = 0;

  table.find(Buffer.from(Array.from({ length: 2 * many }, (_, n) => hexId(n)).join(''), 'hex'), (n, fingerprint) => {
    if (fingerprint === print(n)) found += 1;
  });

  expect({ size: table.size, found }).toEqual({ size: many, found: many });
});

it('knows what an older journal knew, and takes ids that fit into no block', async () => {
  const { index } = await emptyIndex();
  const odd: Seen[] = Array.from({ length: 20 }, (_, n) => ({ day: 3, id: `0${n % 10}`.repeat(n + 1), fingerprint: 'cd' }));
  await index.remember('s', [seenAs(3, 1)]);
  await index.remember('s', odd);
  await index.remember(
    's',
    Array.from({ length: 30 }, (_, n) => seenAs(3, n, 7)),
  );

  expect(index.seen.lookup('s', [seenAs(3, 1), seenAs(3, 29), seenAs(4, 1), ...odd.slice(0, 1)])).toEqual([
    [print(7), print(0)],
    [print(7)],
    [],
    ['cd'],
  ]);
});

it.each([
  { what: 'another process', elsewhere: true },
  { what: 'this process', elsewhere: false },
])('forgets what $what deletes, though it had it in memory', async ({ elsewhere }) => {
  const { path, index } = await emptyIndex();
  const [first, second] = [0, 100].map((from) => Array.from({ length: 30 }, (_, n) => seenAs(3, from + n)));
  await index.remember('s', first ?? []);
  await index.remember('s', second ?? []);
  const before = index.seen.lookup('s', [seenAs(3, 1), seenAs(3, 101)]);

  const db = elsewhere ? new DatabaseSync(path) : index.db;
  db.exec('DELETE FROM seen_blocks WHERE id = 1');
  if (elsewhere) db.close();

  expect([before, index.seen.lookup('s', [seenAs(3, 1), seenAs(3, 101)])]).toEqual([
    [[print(0)], [print(0)]],
    [[], [print(0)]],
  ]);
});

it('loses no id when moving them is broken off or a commit comes between, and keeps no block when it is done', async () => {
  const { index } = await emptyIndex();
  const all = Array.from({ length: 4100 }, (_, n) => seenAs(3, n));
  await index.remember('s', all.slice(0, 4050));
  let turns = 0;

  await index.seen.moveBlocks(() => turns++ > 0, 0);
  await index.remember('s', all.slice(4050));
  const between = index.seen.lookup('s', all);
  await index.seen.moveBlocks(() => false, 0);

  expect(between).toEqual(all.map(({ fingerprint }) => [fingerprint]));
  expect(index.seen.lookup('s', all)).toEqual(between);
  expect(
    index.db.prepare('SELECT (SELECT count(*) FROM seen) AS moved, (SELECT count(*) FROM seen_blocks) AS blocks').get(),
  ).toEqual({
    moved: 4100,
    blocks: 0,
  });
});

it('moves nothing of a day that expired meanwhile', async () => {
  const { index } = await emptyIndex();
  await index.remember(
    's',
    Array.from({ length: 4050 }, (_, n) => seenAs(3, n)),
  );
  const expired = (): boolean => {
    index.db.exec('DELETE FROM seen; DELETE FROM seen_blocks');
    return false;
  };

  await index.seen.moveBlocks(expired, 0);

  expect(index.db.prepare('SELECT count(*) AS ids FROM seen').get()).toEqual({ ids: 0 });
});

/** A closed journal with 40 ids in a block, one record, and that sink a has not settled it. */
async function journalWithBlock() {
  const dataDir = await temporaryDirectory();
  const seen = Array.from({ length: 40 }, (_, n) => seenAs(3, n));
  await using journal = await openJournal(journalOptions(dataDir));
  await journal.register([source('s')], [sink('a')]);
  await journal.append({ ...commitOf('s', someRecords(1)), seen });
  return { dataDir, seen };
}

function edit(dataDir: string, sql: string): void {
  using db = new DatabaseSync(join(dataDir, 'journal.db'));
  db.exec(sql);
}

it('says that a block is damaged instead of trusting it, and a repair goes on without it', async () => {
  const { dataDir, seen } = await journalWithBlock();
  edit(dataDir, 'UPDATE seen_blocks SET ids = CAST(zeroblob(24) || substr(ids, 25) AS BLOB)');

  const { problems } = await checkJournal(dataDir);
  const asked = await openJournal(journalOptions(dataDir));
  const answer = asked.seen('s', seen.slice(0, 2));
  await expect(answer).rejects.toThrow('block 1 with 40 ids is damaged');
  await asked[Symbol.asyncDispose]();
  const repair = await repairJournal(dataDir, { seams: journalOptions(dataDir).seams });

  expect(problems).toEqual(['block 1 with 40 ids is damaged']);
  expect(repair.notes).toEqual(['40 ids were damaged: events collected again from the overlap may be delivered twice']);
  await using repaired = await openJournal(journalOptions(dataDir));
  expect(await repaired.seen('s', seen.slice(0, 2))).toEqual([[], []]);
  expect((await checkJournal(dataDir)).problems).toEqual([]);
});

it('moves no damaged block, so that it is still found, and the days beside it', async () => {
  const { index } = await emptyIndex();
  for (const day of [3, 4])
    await index.remember(
      's',
      Array.from({ length: 40 }, (_, n) => seenAs(day, n)),
    );
  index.db.exec('UPDATE seen_blocks SET ids = CAST(zeroblob(24) || substr(ids, 25) AS BLOB) WHERE day = 3');

  await index.seen.moveBlocks(() => false, 0);

  expect(index.db.prepare('SELECT day FROM seen_blocks').all()).toEqual([{ day: 3 }]);
  expect(index.db.prepare('SELECT day, count(*) AS ids FROM seen GROUP BY day').all()).toEqual([{ day: 4, ids: 40 }]);
});

it('asks for the space of the reserve only where ids take none', async () => {
  const { index } = await emptyIndex();
  await index.remember(
    's',
    Array.from({ length: 4000 }, (_, n) => seenAs(3, n)),
  );
  const pages = Number(Object.values(index.db.prepare('PRAGMA page_count').get() ?? {})[0]);
  index.db.exec(`PRAGMA max_page_count = ${pages + 8}`);

  await expect(index.seen.moveBlocks(() => false, 0)).rejects.toMatchObject({ code: 'PEN_JOURNAL_FULL' });
  expect(index.reserveAsked()).toBe(0);
});

it('knows all ids after a repair that lost nothing', async () => {
  const { dataDir, seen } = await journalWithBlock();

  const { notes } = await repairJournal(dataDir, { seams: journalOptions(dataDir).seams });

  await using journal = await openJournal(journalOptions(dataDir));
  expect(notes).toEqual([]);
  expect(await journal.seen('s', seen)).toEqual(seen.map(({ fingerprint }) => [fingerprint]));
});

const [hour, day] = [3_600_000, 86_400_000];

/** An index that has two days of a source, kept for ten days after they were touched, and pinned for two hours. */
async function twoDays() {
  const { index } = await emptyIndex();
  index.goTo(day);
  await index.remember('s', [seenAs(3, 1), seenAs(4, 2)]);
  index.db.exec(`UPDATE sources SET seen_ttl_ms = ${10 * day}, seen_pinned_ms = ${2 * hour}`);
  const knows = (): boolean[] => index.seen.lookup('s', [seenAs(3, 1), seenAs(4, 2)]).map((prints) => prints.length > 0);
  const expire = async (isPinned: boolean): Promise<void> => {
    while ((await index.write(() => index.seen.expire(1_000, isPinned))) > 0);
  };
  return { index, knows, expire };
}

it('keeps the ids of a day in which nothing but duplicates is found any more, and forgets those of one that nobody reads', async () => {
  const { index, knows, expire } = await twoDays();
  for (let days = 6; days <= 12; days += 6) {
    index.goTo(days * day);
    index.seen.lookup('s', [seenAs(4, 2)]);
    await index.remember('s', []);
  }

  await expire(false);

  expect(knows()).toEqual([false, true]);
});

// A touch is noted once an hour.
it.each([
  { hours: 2.9, known: [true, true] },
  { hours: 3.1, known: [false, true] },
])(
  'keeps what overlap and sweep may read again where room is wanted, counted from the newest commit: $hours h',
  async (given) => {
    const { index, knows, expire } = await twoDays();
    index.goTo(day + given.hours * hour);
    await index.remember('s', [seenAs(4, 3)]);
    index.goTo(20 * day);

    await expire(true);

    expect(knows()).toEqual(given.known);
  },
);

it.runIf(hasPostgres())(
  'looks each id up by the index of the database, however little the server knows of the table',
  async () => {
    const url = (await postgresUrl()) ?? '';
    const schema = temporarySchema(url);
    const engine = postgresEngine(url, schema);
    await using journal = await openJournal({ engine, maxBytes: 2 ** 30, keepMs: 1e9, seams: systemSeams(), log: silentLog() });
    await journal.register([source('s')], [sink('a')]);
    const asked = vi.spyOn(Client.prototype, 'query');
    onTestFinished(() => asked.mockRestore());
    await journal.seen(
      's',
      Array.from({ length: 100 }, (_none, index) => seenAs(index % 3, index)),
    );
    const questions = asked.mock.calls.map((call) => call as unknown as [string | QueryConfig, unknown[]?]);
    const [lookup] = questions.flatMap(([text, values]) =>
      [typeof text === 'string' ? { text, values } : text].filter((one) => one.text?.includes('.seen ')),
    );
    asked.mockRestore();

    const rowsRead = await onServer(url, async (client) => {
      // In one transaction with the question, so that nothing counts the rows before.
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO ${schema}.seen SELECT (SELECT id FROM ${schema}.sources WHERE name = 's'), n % 3, md5(n::text)::uuid, n FROM generate_series(1, 20000) AS n`,
      );
      const { rows } = await client.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${lookup?.text}`, lookup?.values);
      await client.query('ROLLBACK');
      return mostRows((rows as { 'QUERY PLAN': { Plan: PlanNode }[] }[])[0]?.['QUERY PLAN'][0]?.Plan);
    });

    expect(rowsRead).toBe(100);
  },
);

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** The most rows that any part of a plan went through. */
function mostRows(plan: PlanNode | undefined): number {
  if (plan === undefined) return 0;
  const { 'Rows Removed by Filter': filtered = 0, 'Rows Removed by Index Recheck': rechecked = 0, Plans = [] } = plan;
  return Math.max((plan['Actual Rows'] + filtered + rechecked) * plan['Actual Loops'], ...Plans.map(mostRows));
}
