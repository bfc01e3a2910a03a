import type { LaneKind } from '../journal/journal.ts';

const everyOther: readonly (readonly LaneKind[])[] = [
  ['live', 'replay', 'backfill'],
  ['live', 'backfill', 'replay'],
];
const reserved: readonly (readonly LaneKind[])[] = [
  ['backfill', 'replay', 'live'],
  ['replay', 'backfill', 'live'],
];
// One batch in eight is first offered to old records, so that a flood of live ones never starves them.
const round = 8;

/** In which order the kinds of lanes fill the batch of this turn, counted from 0. */
export function turnOrder(turn: number): readonly LaneKind[] {
  const orders = turn % round === round - 1 ? reserved : everyOther;
  const pick = orders === reserved ? Math.floor(turn / round) : turn;
  return orders[pick % orders.length] ?? ['live', 'replay', 'backfill'];
}
