// Places in lanes as every engine stores them, so that rows can be moved from one to another.
import type { LaneKind, Position } from '../journal.ts';

const kinds = ['live', 'backfill'] as const;

/** How a stored lane's kind is written in a row. */
export function kindNumber(kind: LaneKind): number {
  return kind === 'live' ? 0 : 1;
}

/** The kind that a row's number stands for. */
export function kindName(number: number): 'live' | 'backfill' {
  return kinds[number] ?? 'live';
}

/**
 * Brands a number as a position. In a stored lane it is the ordinal of a record in its lane, counted from 1 and never used again; in a
 * replay of stored pages it is {@link packPosition}; in a replay of dead letters the letter's id. 0 stands before everything.
 */
export function position(value: number): Position {
  return value as Position;
}

// 2^17 is more than a row's records; ids below 2^36 stay exact in a double.
const recordsPerId = 131_072;

/** A place among stored pages of both kinds: page id and 1-based index of the record. */
export function packPosition(pageId: number, index: number): number {
  return pageId * recordsPerId + index;
}

/** Page id and number of records of that page that lie at or before the position. */
export function unpackPosition(packed: number): { readonly pageId: number; readonly index: number } {
  return { pageId: Math.floor(packed / recordsPerId), index: packed % recordsPerId };
}
