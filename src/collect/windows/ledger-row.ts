import type { LedgerRowRange, WalkState } from '../checkpoint.ts';
import type { SourceContext } from '../context.ts';
import { windowKey } from './walk.ts';

const hourMs = 3_600_000;

/** Where a walk's counts go in the ledger. */
export interface LedgerRow {
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

/**
 * The stretch that the newest row covers once the walk is complete: windows polled every minute share a row for about an hour, because one
 * row each would fill the journal within months.
 */
export function grownRow({ settings }: SourceContext, row: LedgerRowRange | undefined, { from, to }: WalkState): LedgerRowRange {
  const longest = hourMs + settings.window.overlapMs;
  const belongs = row !== undefined && from >= row.from && from <= row.to && to - row.from <= longest;
  return belongs ? { from: row.from, to: Math.max(row.to, to) } : { from, to };
}

/** The row that counts a page of the walk: until the walk is complete it covers what it covered before. */
export function rowOf(c: SourceContext, row: LedgerRowRange | undefined, walk: WalkState, isComplete: boolean): LedgerRow {
  const grown = grownRow(c, row, walk);
  if (grown.to - grown.from > hourMs + c.settings.window.overlapMs)
    return { key: windowKey(walk.from, walk.to), from: walk.from, to: walk.to };
  const covered = isComplete ? grown.to : grown.from === row?.from ? row.to : grown.from;
  return { key: `${new Date(grown.from).toISOString()}/..`, from: grown.from, to: covered };
}
