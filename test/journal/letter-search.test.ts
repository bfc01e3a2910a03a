import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LetterFilter } from '../../src/journal/journal.ts';
import type { Core } from '../../src/journal/sqlite/core.ts';
import { openNames } from '../../src/journal/sqlite/core.ts';
import { openLetterSearch } from '../../src/journal/sqlite/delivery/letter-search.ts';
import { migrate, migrations } from '../../src/journal/sqlite/file/schema.ts';
import { fewOrMany } from '../thorough.ts';

interface Letter {
  readonly id: number;
  readonly sink: string;
  readonly source: string;
  readonly code: string;
  readonly action: string | null;
  readonly time: number;
}

const names = { sink: ['a', 'b'], source: ['s', 't'] };

function emptyJournal(version = migrations.length) {
  const db = new DatabaseSync(':memory:');
  db.exec(`${migrations.slice(0, version).join('')}; PRAGMA user_version = ${version}`);
  for (const name of names.sink)
    db.prepare("INSERT INTO sinks (name, type, when_full, created) VALUES (?, 'http', 'block', 0)").run(name);
  for (const name of names.source) db.prepare('INSERT INTO sources (name) VALUES (?)').run(name);
  const core = { db, names: openNames(db) } as Core;
  const insert = db.prepare(
    `INSERT INTO dead_letters (id, sink, source, uid, received, connector_name, connector_hash, labels, event_time, action, code, text, attempts, first, last, counted, record)
     VALUES (?, ?, ?, 'u', 0, 'c', 'h', '[]', ?, ?, ?, 'text', 1, 0, 0, 1, '{}')`,
  );
  const put = ({ id, sink, source, code, action, time }: Letter): void =>
    void insert.run(id, core.names.requireSink(sink), core.names.requireSource(source), time, action, code);
  return { db, put, search: openLetterSearch(core) };
}

const action = fc.option(fc.integer({ min: 0, max: 20 }).map((n) => `action ${n}`));
const code = fc.constantFrom('400', '413');
const letter = fc.record({ sink: fc.constantFrom('a', 'b'), source: fc.constantFrom('s', 't'), code, action, time: fc.nat(9) });
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const filter = fc.record({
  sink: maybe(fc.constantFrom('a', 'b', 'unknown')),
  source: maybe(fc.constantFrom('s', 't')),
  code: maybe(code),
  action: maybe(fc.constantFrom('action 1', 'action 2', 'never seen')),
  from: maybe(fc.nat(9)),
  to: maybe(fc.nat(9)),
  ids: maybe(fc.array(fc.nat(200), { maxLength: 20 })),
});
const range = fc.record({ after: maybe(fc.nat(150)), upTo: maybe(fc.nat(150)) });

function matches(
  letter: Letter,
  wanted: LetterFilter,
  { after = 0, upTo = 1000 }: { after?: number | undefined; upTo?: number | undefined },
): boolean {
  return (
    letter.id > after &&
    letter.id <= upTo &&
    (['sink', 'source', 'code', 'action'] as const).every((key) => wanted[key] === undefined || wanted[key] === letter[key]) &&
    letter.time >= (wanted.from ?? 0) &&
    letter.time <= (wanted.to ?? 9) &&
    (wanted.ids?.includes(letter.id) ?? true)
  );
}

const defined = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

it('finds and counts what a look at every letter would, however they came, changed and went', () => {
  fc.assert(
    fc.property(
      fc.array(letter, { maxLength: 150 }),
      fc.array(fc.nat(149), { maxLength: 40 }),
      fc.array(fc.tuple(fc.nat(149), code), { maxLength: 40 }),
      fc.array(fc.tuple(filter, range, fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 10 }),
      (drawn, gone, changed, questions) => {
        const { db, put, search } = emptyJournal();
        const letters = drawn.map((each, index) => ({ ...each, id: index + 1 }));
        for (const each of letters) put(each);
        for (const id of gone) db.prepare('DELETE FROM dead_letters WHERE id = ?').run(id);
        for (const [id, to] of changed) db.prepare('UPDATE dead_letters SET code = ?, attempts = 2 WHERE id = ?').run(to, id);
        const codes = new Map(changed);
        const left = letters
          .filter(({ id }) => !gone.includes(id))
          .map((each) => ({ ...each, code: codes.get(each.id) ?? each.code }));
        for (const [wanted, within, limit] of questions) {
          const ids = left.filter((each) => matches(each, defined(wanted), within)).map(({ id }) => id);
          expect(search.ids(defined(wanted), defined(within), limit)).toEqual(ids.slice(0, limit));
          expect(search.count(defined(wanted), defined(within))).toBe(ids.length);
        }
        db.close();
      },
    ),
    { numRuns: fewOrMany(40, 1000) },
  );
});

it('counts the letters that an older journal brings', () => {
  // Before letters were counted.
  const { db, put, search } = emptyJournal(4);
  for (let id = 1; id <= 5; id += 1) put({ id, sink: 'a', source: 's', code: '400', action: id === 1 ? null : 'x', time: id });
  migrate(db, ':memory:');

  expect([search.count({ sink: 'a' }), search.count({ action: 'x' }), search.ids({ action: 'x' }, {}, 2)]).toEqual([
    5,
    4,
    [2, 3],
  ]);
});
