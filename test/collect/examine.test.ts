import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { nextTurn } from '../../src/base/slices.ts';
import { type Examining, examineAll } from '../../src/collect/examine.ts';

/** Examines records of which each takes so long; says after which of them something else had its turn. */
async function turnsOf(count: number, msEach: number): Promise<number[]> {
  let [now, done, isOver] = [0, 0, false];
  const examine = (): object => {
    now += msEach;
    done += 1;
    return {};
  };
  const clock = { ...systemSeams().clock, monotonic: () => now };
  const connector = { records: { examine } };
  const examining = {
    log: silentLog(),
    secrets: undefined,
    seams: { ...systemSeams(), clock },
    settings: { connector, tenant: undefined },
  } as unknown as Examining;
  const seen: number[] = [];
  const other = async (): Promise<void> => {
    while (!isOver) {
      await nextTurn();
      if (!isOver) seen.push(done);
    }
  };

  const others = other();
  await examineAll(examining, Array<{ value: object }>(count).fill({ value: {} }));
  isOver = true;
  await others;
  return seen;
}

it('gives way after a few records that take long, and after many that do not', async () => {
  expect(await turnsOf(6, 10)).toEqual([2, 4]);
  expect(await turnsOf(600, 0)).toEqual([250, 500]);
});
