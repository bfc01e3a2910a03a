import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Database } from '../../src/journal/postgres/database.ts';
import { arrive, putRegistered } from '../../src/journal/postgres/members.ts';
import { migrate } from '../../src/journal/postgres/schema.ts';
import { beat, claim, excess, giveBack, Outlook, readOwned } from '../../src/journal/postgres/shares.ts';
import { hasPostgres, postgresUrl, temporarySchema } from '../postgres.ts';
import { fewOrMany } from '../thorough.ts';
import { postgresEngine } from './places.ts';

const members = ['one', 'two', 'three'];
const names = Array.from({ length: 7 }, (_none, index) => `s${index}`);

async function crew(units: readonly string[] = names) {
  const url = (await postgresUrl()) ?? '';
  const db = new Database({ ...postgresEngine(url, temporarySchema(url)), connections: 1 });
  await migrate(db);
  const { s } = db;
  await db.run(`INSERT INTO ${s}.units (kind, name) SELECT 'source', n FROM unnest($1::text[]) AS n`, [units]);
  await db.run(`INSERT INTO ${s}.sources (name, unit) SELECT name, id FROM ${s}.units WHERE kind = 'source'`);
  for (const name of members)
    await db.transaction((sql) => arrive(sql, s, name, { name, labels: [], version: '1', leaseMs: 600_000 }));
  /** One member's tick, as the membership does it. */
  const tick = async (id: string, justLeft: readonly number[]) => {
    await beat(db, id, 600_000, true);
    return db.transaction(async (sql) => {
      await giveBack(sql, s, id, justLeft);
      const share = await claim(sql, s, id, justLeft);
      return excess(await readOwned(sql, s, id), share, () => false);
    });
  };
  /** All know all; who owns each unit. */
  const assign = async (owners: readonly (string | null)[]) => {
    const known = units.map((name) => ['source', name] as const);
    for (const id of members) await db.transaction((sql) => putRegistered(sql, s, id, known));
    for (const [index, owner] of owners.entries())
      await db.run(`UPDATE ${s}.units SET owner = $2 WHERE name = $1`, [units[index], owner]);
  };
  return { db, s, tick, assign };
}

/** Who owns what, by name of the source. */
const ownersOf = async ({ db, s }: Awaited<ReturnType<typeof crew>>): Promise<Record<string, string | null>> => {
  const rows = await db.query<{ name: string; owner: string | null }>(
    `SELECT name, owner FROM ${s}.units WHERE kind = 'source' ORDER BY name`,
  );
  return Object.fromEntries(rows.map(({ name, owner }) => [name, owner]));
};

/** How many the members own, fewest first. */
const countsOf = (owners: Record<string, string | null> = {}): number[] =>
  members.map((id) => Object.values(owners).filter((owner) => owner === id).length).toSorted((a, b) => a - b);

/** Lets all have their turn, in any order, again and again; returns who owned what after each time. */
async function settle(of: Awaited<ReturnType<typeof crew>>, orders: readonly (readonly string[])[]) {
  const leaving = new Map<string, readonly number[]>();
  const after: Record<string, string | null>[] = [];
  for (const order of orders) {
    for (const id of order) leaving.set(id, await of.tick(id, leaving.get(id) ?? []));
    after.push(await ownersOf(of));
  }
  return after;
}

const lists = fc.tuple(...members.map(() => fc.subarray(names)));
const turns = fc.array(fc.shuffledSubarray(members, { minLength: 3, maxLength: 3 }), { minLength: 12, maxLength: 12 });

describe.runIf(hasPostgres())('replicas with different lists of sources', () => {
  it('own each source that any of them knows, and then leave it where it is', async () => {
    await using of = Object.assign(await crew(), { [Symbol.asyncDispose]: () => of.db.close() });
    const register = (known: readonly (readonly string[])[]) =>
      of.db.transaction(async (sql) => {
        for (const [index, id] of members.entries())
          await putRegistered(
            sql,
            of.s,
            id,
            (known[index] ?? []).map((name) => ['source', name] as const),
          );
      });

    const property = fc.asyncProperty(lists, turns, async (known, orders) => {
      await register(known);
      const after = await settle(of, orders);
      const last = after.at(-1) ?? {};
      const knows = (id: string, name: string): boolean => known[members.indexOf(id)]?.includes(name) === true;
      for (const name of names) {
        const owner = last[name] ?? '';
        if (members.some((id) => knows(id, name))) expect([name, owner, knows(owner, name)]).toEqual([name, owner, true]);
      }
      expect(after.slice(-3)).toEqual([last, last, last]);
    });

    await fc.assert(property, { numRuns: fewOrMany(8, 150) });
  });

  it('have at most their share each where all know all', async () => {
    await using of = Object.assign(await crew(), { [Symbol.asyncDispose]: () => of.db.close() });
    await of.db.transaction(async (sql) => {
      for (const id of members)
        await putRegistered(
          sql,
          of.s,
          id,
          names.map((name) => ['source', name] as const),
        );
    });

    const after = await settle(of, [['one'], ['one'], ['two', 'one'], members, members, members, members]);

    expect(countsOf(after.at(-1))).toEqual([2, 2, 3]);
  });

  it.each([
    { owners: ['one', 'one', 'two', 'two'], shared: [1, 1, 2] },
    { owners: ['one', 'one', 'one', 'one', 'three', 'three'], shared: [2, 2, 2] },
    { owners: ['one', 'one', 'one', 'two', 'three', 'three', 'three'], shared: [2, 2, 3] },
  ])(
    'share what $owners own, so that none has two less than another, and then leave it where it is',
    async ({ owners, shared }) => {
      await using of = Object.assign(await crew(names.slice(0, owners.length)), { [Symbol.asyncDispose]: () => of.db.close() });
      await of.assign(owners);

      const after = await settle(of, [members, ['three', 'two', 'one'], members, members, members, members, members]);

      expect(countsOf(after.at(-1))).toEqual(shared);
      expect(after.slice(-3)).toEqual(Array.from({ length: 3 }, () => after.at(-1)));
    },
  );

  it('leave what is free to one that lacks it, and take it where that one does not come', async () => {
    await using of = Object.assign(await crew(names.slice(0, 4)), { [Symbol.asyncDispose]: () => of.db.close() });
    await of.assign(['one', 'one', 'two', null]);

    const [left] = await settle(of, [['two']]);
    await of.db.run(`UPDATE ${of.s}.members SET seen = now() - interval '1 minute' WHERE id = 'three'`);
    const [taken] = await settle(of, [['two']]);

    expect([left?.['s3'], taken?.['s3']]).toEqual([null, 'two']);
  });

  it('look again when one comes that did not come when what it is to have was counted, though it came a moment before', async () => {
    await using of = Object.assign(await crew(names.slice(0, 4)), { [Symbol.asyncDispose]: () => of.db.close() });
    await of.assign(['one', 'one', 'two', 'two']);
    const { db, s } = of;
    const outlook = new Outlook();
    const comes = (ago: string) => db.run(`UPDATE ${s}.members SET seen = now() - $1::interval WHERE id = 'three'`, [ago]);

    const glanced = await beat(db, 'one', 600_000, true);
    await comes('1 minute');
    const missed = await db.transaction((sql) => outlook.look(sql, { s, id: 'one' }, glanced, []));
    await comes('0');
    const isOld = outlook.isOld(await beat(db, 'one', 600_000, true));

    expect(missed.mine.map(({ isWanted }) => isWanted)).toEqual([false, false]);
    expect(isOld).toBe(true);
  });

  it('take what a dead one had beyond their share where who has room does not come, and give it when it comes again', async () => {
    await using of = Object.assign(await crew(), { [Symbol.asyncDispose]: () => of.db.close() });
    const { db, s } = of;
    const knownByAll = names.slice(0, 6).map((name) => ['source', name] as const);
    await db.transaction(async (sql) => {
      for (const id of members) await putRegistered(sql, s, id, knownByAll);
    });
    // `s6` is of a configuration that nobody has any more.
    await settle(of, [members, members, members]);
    await db.run(`UPDATE ${s}.members SET expires = now() WHERE id = 'one'`);
    await db.run(`UPDATE ${s}.units SET owner = 'one' WHERE owner = 'two' OR name = 's6'`);
    await db.run(`UPDATE ${s}.members SET seen = now() - interval '1 minute' WHERE id = 'two'`);

    // It lives and hears of nothing.
    for (let turn = 0; turn < 3; turn += 1) await beat(db, 'two', 600_000, false);
    const [alone] = (await settle(of, [['three'], ['three'], ['three']])).slice(-1);
    const [shared] = (
      await settle(of, [
        ['two', 'three'],
        ['two', 'three'],
        ['two', 'three'],
      ])
    ).slice(-1);

    const count = (owners: Record<string, string | null> | undefined, id: string): number =>
      Object.values(owners ?? {}).filter((owner) => owner === id).length;
    expect([count(alone, 'three'), count(shared, 'two'), count(shared, 'three')]).toEqual([7, 3, 4]);
  });
});
