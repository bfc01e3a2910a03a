import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { Journal } from '../../src/journal/journal.ts';
import { openPostgres } from '../../src/journal/postgres/open.ts';
import { hasPostgres, onServer, postgresUrl, temporarySchema } from '../postgres.ts';
import { commitOf, journalOptions, seamsAt, sink, someRecords, source } from './fixture.ts';
import { postgresEngine } from './places.ts';

const minute = 60_000;
const hour = 60 * minute;

/** A replica that had three records for the sinks "lake" and "gone" two hours ago, keeps an hour, and is configured with "near" alone since. */
async function world() {
  const url = (await postgresUrl()) ?? '';
  const schema = temporarySchema(url);
  const seams = seamsAt(1000);
  const open = (name: string): Promise<Journal> => {
    const engine = postgresEngine(url, schema, name);
    return openPostgres(engine, { ...journalOptions(''), keepMs: hour, engine, seams, log: silentLog() });
  };
  const sql = (text: string) =>
    onServer(url, async (client) => (await client.query(text.replaceAll('{s}', schema))).rows as Record<string, unknown>[]);
  const one = await open('one');
  await one.register([source('s')], [sink('near'), sink('lake'), sink('gone')]);
  await one.append(commitOf('s', someRecords(3)));
  let now = 2 * hour;
  seams.set(now);
  const keep = (): Promise<unknown> => one.register([source('s')], [sink('near')]);
  return {
    one,
    open,
    sql,
    keep,
    /** Lets so much time pass, with a round of upkeep every twenty seconds. */
    async pass(ms: number): Promise<void> {
      for (const end = now + ms; now < end; ) {
        now += 20_000;
        // A count that is used up is swept at the end of a round.
        await sql(`INSERT INTO {s}.letter_counts (sink, source, code, action, letters) VALUES (1, 1, 'x', '', 0)`);
        seams.set(now);
        await keep();
        await expect.poll(() => sql('SELECT 1 FROM {s}.letter_counts')).toEqual([]);
      }
    },
    async abandoned(): Promise<Record<string, number>> {
      const { rows } = await one.ledger();
      return Object.fromEntries(rows.map(({ sink: name, totals }) => [name, totals.abandoned]));
    },
    [Symbol.asyncDispose]: () => one[Symbol.asyncDispose](),
  };
}

describe.runIf(hasPostgres())('what is older than keep, of a sink that this replica is not configured with', () => {
  it('is kept where the replica that is configured with it starts anew, which takes some minutes', async () => {
    await using all = await world();
    const two = await all.open('two');
    await two.register([source('s')], [sink('near'), sink('lake')]);
    await all.keep();
    await all.pass(3 * minute);

    await two[Symbol.asyncDispose]();
    await all.pass(8 * minute);
    const meanwhile = await all.abandoned();
    await using again = await all.open('two');
    await again.register([source('s')], [sink('near'), sink('lake')]);
    await all.pass(3 * minute);

    expect([meanwhile, await all.abandoned()]).toEqual(Array.from({ length: 2 }, () => ({ near: 0, lake: 0, gone: 3 })));
  });

  it.each([
    ['of it alone', ''],
    ['of all', 'UPDATE {s}.members SET expires = now()'],
  ])('is kept where nothing was heard %s, until one comes in the place of who is missing', async (_what, cut) => {
    await using all = await world();
    await all.sql(`INSERT INTO {s}.members (id, name, expires, host, version) VALUES ('two~1', 'two', now(), 'h', '1');
      INSERT INTO {s}.registrations (member, kind, name) VALUES ('two~1', 'sink', 'lake'); ${cut}`);
    await expect.poll(() => all.one.ownership.owns('s')).toBe(true);
    await all.keep();
    await all.pass(12 * minute);

    const missing = await all.abandoned();
    await using _three = await all.open('three');
    await all.pass(9 * minute);
    const replaced = await all.abandoned();
    await all.pass(2 * minute);

    expect([missing, replaced, await all.abandoned()]).toEqual([
      { near: 0, lake: 0, gone: 3 },
      { near: 0, lake: 0, gone: 3 },
      { near: 0, lake: 3, gone: 3 },
    ]);
  });
});
