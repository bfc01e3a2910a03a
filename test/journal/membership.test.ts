import { expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Database, Sql } from '../../src/journal/postgres/database.ts';
import { Membership } from '../../src/journal/postgres/membership.ts';

const leaseMs = 5000;

/** A clock that stands, and a database with the one source `s` of whoever asks; `beforeAnswer` happens once, between commit and answer. */
function world() {
  let now = 0;
  const clock: Clock = { now: () => now, monotonic: () => now, timer: () => ({ [Symbol.dispose]: () => undefined }) };
  let answer: unknown[] = [{ source: 's', unit: 1, epoch: 1, isOthers: false, replicas: 1 }];
  let beforeAnswer = (): void => undefined;
  let aheadMs = 0;
  const sql = {
    run: () => Promise.resolve(1),
    query: (text: string) =>
      Promise.resolve(
        text.includes('.meta') && !text.includes('AS members')
          ? []
          : text.includes('AS source')
            ? answer
            : [{ alive: true, now: now + aheadMs, members: 1, free: true, have: answer.length, epochs: 1, want: 1, units: 1 }],
      ),
  } as unknown as Sql;
  const asMember = async <T>(work: (sql: Sql) => Promise<T>): Promise<T> => {
    const result = await work(sql);
    beforeAnswer();
    beforeAnswer = () => undefined;
    return result;
  };
  const queryAsMember = (text: string): Promise<unknown[]> => sql.query(text);
  const db = { s: 'x', where: 'db', asMember, queryAsMember, dropWaiting: () => undefined } as unknown as Database;
  const member = new Membership(db, clock, silentLog(), { name: 'a', labels: [], version: '1', leaseMs });
  return {
    member,
    /** Time passes, and another takes the source, before the next transaction is answered. */
    late: (ms: number): void => {
      beforeAnswer = () => {
        now += ms;
        answer = [];
      };
    },
    pass: (ms: number): void => void (now += ms),
    serverIsAhead: (ms: number): void => void (aheadMs = ms),
  };
}

it('owns nothing by an answer that came after the lease', async () => {
  const { member, late } = world();
  const gained: string[] = [];
  member.watch({ gained: (sources) => void gained.push(...sources), lost: () => undefined });
  await member.join();
  member.registers([['source', 's']]);

  late(leaseMs + 500);
  await member.tick();
  const after = member.owns('s');
  await member.tick();

  expect([after, member.owns('s'), gained]).toEqual([false, false, []]);
});

it.each([
  ['seconds', 59_000, 0],
  ['hours', 7_200_000, 7_200_000],
  ['hours, backwards', -7_200_000, -7_200_000],
])('goes by the clock of the server where its own is off by %s', async (_off, aheadMs, expected) => {
  const { member, serverIsAhead } = world();
  await member.join();
  serverIsAhead(aheadMs);

  await member.tick();
  const off = member.skew.ms;
  serverIsAhead(0);
  await member.tick();

  expect([off, member.skew.ms]).toEqual([expected, 0]);
});

it('takes no clock to and fro that is about a minute off, or whose answers come sooner or later', async () => {
  const { member, serverIsAhead } = world();
  await member.join();
  const taken: number[] = [];

  for (const aheadMs of [59_900, 60_100, 59_900, 61_000, 31_000, 29_000, 31_000, -60_100, -59_000]) {
    serverIsAhead(aheadMs);
    await member.tick();
    taken.push(member.skew.ms);
  }

  expect(taken).toEqual([0, 60_100, 60_100, 60_100, 31_000, 0, 0, -60_100, -60_100]);
});
