import { expect, it } from 'vitest';
import { turnOrder } from '../../src/deliver/read.ts';

it('offers seven of eight batches to live records first, and one in sixteen each to backfill and replay', () => {
  const firsts = Array.from({ length: 16 }, (_, turn) => turnOrder(turn)[0]);

  const count = (kind: string): number => firsts.filter((first) => first === kind).length;
  expect({ live: count('live'), backfill: count('backfill'), replay: count('replay') }).toEqual({
    live: 14,
    backfill: 1,
    replay: 1,
  });
});

it('takes turns between replay and backfill when there is nothing live', () => {
  const withoutLive = [0, 1, 2, 3].map((turn) => turnOrder(turn).find((kind) => kind !== 'live'));

  expect(withoutLive).toEqual(['replay', 'backfill', 'replay', 'backfill']);
});
