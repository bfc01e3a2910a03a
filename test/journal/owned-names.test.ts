import { expect, it } from 'vitest';
import type { Database } from '../../src/journal/postgres/database.ts';
import type { Membership } from '../../src/journal/postgres/membership.ts';
import { Names } from '../../src/journal/postgres/names.ts';

/** A database whose answers come when the test says so. */
function slowDatabase() {
  const answers: ((end: number, epoch?: number) => void)[] = [];
  const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const query = (): Promise<unknown> =>
    new Promise((answer) => {
      answers.push((end, epoch = 1) => answer([{ name: 's', id: 1, unit: 1, epoch, kind: 0, appended: end }]));
      asked[answers.length - 1]?.resolve();
    });
  return { db: { s: 'x', query } as unknown as Database, answers, asked: asked.map(({ promise }) => promise) };
}

function owner() {
  let epoch = 1;
  const member = { id: 'me', mayTake: (_name: string, at = epoch) => at >= epoch, renew: () => undefined };
  return { member: member as unknown as Membership, moveOn: () => void (epoch += 1) };
}

it('reads a source once for all that ask at the same time, so that nobody goes on from where it stood before them', async () => {
  const { db, answers, asked: reading } = slowDatabase();
  const { member } = owner();
  const names = new Names(db, () => 'me');

  const asked = names.owned('s', member);
  await reading[0];
  const askedLater = names.owned('s', member);
  answers[0]?.(100);
  const first = await asked;
  first.ends[0] = 110;
  for (let turns = 0; turns < 3; turns += 1) await new Promise(setImmediate);
  answers[1]?.(100);
  const second = await askedLater;

  expect([answers.length, second.ends, (await names.owned('s', member)).ends]).toEqual([1, [110, 0], [110, 0]]);
});

it('takes no answer for a source that changed hands before it came', async () => {
  const { db, answers, asked: reading } = slowDatabase();
  const { member, moveOn } = owner();
  const names = new Names(db, () => 'me');

  const before = Promise.allSettled([names.owned('s', member)]);
  await reading[0];
  moveOn();
  names.forgetOwned('s');
  const after = names.owned('s', member);
  answers[0]?.(100, 1);
  await reading[1];
  answers[1]?.(200, 2);
  const now = await after;

  expect(await before).toMatchObject([{ reason: { code: 'PEN_JOURNAL_FENCED' } }]);
  expect(await names.owned('s', member)).toBe(now);
});
