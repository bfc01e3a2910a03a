import { expect, it } from 'vitest';
import { Names } from '../../src/journal/postgres/core.ts';
import type { Database } from '../../src/journal/postgres/database.ts';
import type { Membership } from '../../src/journal/postgres/membership.ts';

/** A database whose answers come when the test says so. */
function slowDatabase() {
  const answers: ((end: number, epoch?: number) => void)[] = [];
  const transaction = (): Promise<unknown> =>
    new Promise((answer) => {
      answers.push((end, epoch = 1) => answer({ id: 1, unit: 1, epoch, owner: 'me', ends: [end, 0] }));
    });
  return { db: { s: 'x', transaction } as unknown as Database, answers };
}

function owner() {
  let epoch = 1;
  const member = { id: 'me', mayTake: (_name: string, at = epoch) => at >= epoch, renew: () => undefined };
  return { member: member as unknown as Membership, moveOn: () => void (epoch += 1) };
}

it('reads a source once for all that ask at the same time, so that nobody goes on from where it stood before them', async () => {
  const { db, answers } = slowDatabase();
  const { member } = owner();
  const names = new Names(db);

  const asked = [names.owned('s', member), names.owned('s', member)];
  for (const answer of answers) answer(100);
  const [first, second] = await Promise.all(asked);
  if (first !== undefined) first.ends[0] = 110;

  expect([answers.length, second?.ends, (await names.owned('s', member)).ends]).toEqual([1, [110, 0], [110, 0]]);
});

it('takes no answer for a source that changed hands before it came', async () => {
  const { db, answers } = slowDatabase();
  const { member, moveOn } = owner();
  const names = new Names(db);

  const before = Promise.allSettled([names.owned('s', member)]);
  moveOn();
  names.forgetOwned('s');
  const after = names.owned('s', member);
  answers[1]?.(200, 2);
  const now = await after;
  answers[0]?.(100, 1);

  expect(await before).toMatchObject([{ reason: { code: 'PEN_JOURNAL_FENCED' } }]);
  expect(await names.owned('s', member)).toBe(now);
});
