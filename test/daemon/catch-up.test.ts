import { expect, it } from 'vitest';
import { CatchUp } from '../../src/daemon/catch-up.ts';

const minute = 60_000;

/** What is left after looks once a minute. */
function left(...behind: readonly number[]): number | undefined {
  const catchUp = new CatchUp();
  for (const [index, value] of behind.entries()) catchUp.note(index * minute, new Map([['sink soc', value]]));
  return catchUp.secondsLeft('sink soc');
}

it.each([
  { behind: [9000, 8000, 7000], seconds: 420, why: 'what is left at that pace' },
  { behind: [100, 5000, 9000, 8000, 7000], seconds: 420, why: 'not what it grew by before' },
  { behind: [9000, 9000, 8000, 7000], seconds: 420, why: 'since it began to get less' },
  { behind: [7000, 8000, 9000], seconds: undefined, why: 'it grows' },
  { behind: [9000], seconds: undefined, why: 'one look says nothing' },
  { behind: [9000, 0], seconds: undefined, why: 'it is caught up' },
  { behind: [9000, 100], seconds: undefined, why: 'it is over in a moment' },
  { behind: [900_000, 899_999], seconds: undefined, why: 'no pace lasts for years' },
])('takes $seconds s for $behind: $why', ({ behind, seconds }) => {
  expect(left(...behind)).toBe(seconds);
});

it('knows nothing of a name that it never saw, and forgets the pace of an hour ago', () => {
  const catchUp = new CatchUp();
  catchUp.note(0, new Map([['sink soc', 90_000]]));
  catchUp.note(60 * minute, new Map([['sink soc', 9000]]));

  expect([catchUp.secondsLeft('sink soc'), catchUp.secondsLeft('source feed')]).toEqual([undefined, undefined]);
});
