import { expect, it } from 'vitest';
import { JsonText } from '../../src/base/json.ts';
import { silentLog } from '../../src/base/log.ts';
import { systemSeams } from '../../src/base/seams.ts';
import { nextTurn } from '../../src/base/slices.ts';
import { type Examining, examineAll } from '../../src/collect/examine.ts';
import type { RawRecord } from '../../src/connectors/connector.ts';

/** Examines records of which each takes so long; says after which of them something else had its turn. */
async function turnsOf(count: number, msEach: number, bytes = 2): Promise<number[]> {
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
    for (;;) {
      await nextTurn();
      if (isOver) return;
      seen.push(done);
    }
  };

  const others = other();
  await examineAll(
    examining,
    Array.from({ length: count }, (): RawRecord => ({ value: {}, json: new JsonText(Buffer.alloc(bytes), 0, bytes) })),
  );
  isOver = true;
  await others;
  return seen;
}

it('gives way after a few records that take long, and after many that do not', async () => {
  expect(await turnsOf(6, 4)).toEqual([2, 4]);
  expect(await turnsOf(600, 0)).toEqual([250, 500]);
});

it('gives way before each large record, the first one too: all sources may begin with one at once', async () => {
  expect(await turnsOf(3, 0, 65_537)).toEqual([0, 1, 2]);
  expect(await turnsOf(3, 0, 65_536)).toEqual([]);
});
