import { hourMs, iso } from '../base/quantity.ts';
import { zeroCounts } from '../journal/counts.ts';
import type { Place } from './admit.ts';
import type { LedgerRowRange } from './checkpoint.ts';
import type { SourceContext } from './context.ts';
import type { WalkedPage } from './windows/scan.ts';
import type { Window } from './windows/windows.ts';

/**
 * The stretch that the newest row covers once the window is complete: windows polled every minute share a row for about an hour, because
 * one row each would fill the journal within months.
 */
export function grownRow({ settings }: SourceContext, row: LedgerRowRange | undefined, { from, to }: Window): LedgerRowRange {
  const longest = hourMs + settings.window.overlapMs;
  const belongs = row !== undefined && from >= row.from && from <= row.to && to - row.from <= longest;
  return belongs ? { from: row.from, to: Math.max(row.to, to) } : { from, to };
}

/** The shared row that counts a page: until the window is complete it covers what it covered before. */
export function sharedRow(context: SourceContext, row: LedgerRowRange | undefined, { walk, end }: WalkedPage): Place['row'] {
  if (end === 'dropped') return undefined;
  const grown = grownRow(context, row, walk);
  const complete = end === 'complete';
  if (grown.to - grown.from > hourMs + context.settings.window.overlapMs) return windowRow(walk, complete);
  const covered = complete ? grown.to : grown.from === row?.from ? row.to : grown.from;
  return { key: `${iso(grown.from)}/..`, from: grown.from, to: covered, complete };
}

/** A row of its own for the window of a page. */
export function ownRow({ walk, end }: WalkedPage): Place['row'] {
  return end === 'dropped' ? undefined : windowRow(walk, end === 'complete');
}

function windowRow({ from, to }: Window, complete: boolean): NonNullable<Place['row']> {
  return { key: `${iso(from)}/${iso(to)}`, from, to, complete };
}

/** The row that counts what is received in the hour of a time, milliseconds. */
export function receivedRow(time: number): { readonly key: string; readonly from: number; readonly to: number } {
  const hour = Math.floor(time / hourMs) * hourMs;
  return { key: `received ${new Date(hour).toISOString().slice(0, 13)}`, from: hour, to: hour + hourMs - 1 };
}

/** Completes a row that nothing more is counted in. */
export async function closeRow(
  { journal, settings }: Pick<SourceContext, 'journal' | 'settings'>,
  row: Omit<NonNullable<Place['row']>, 'complete'>,
): Promise<void> {
  await journal.append({ source: settings.name, window: { ...row, lane: 'live', ...zeroCounts(), complete: true } });
}
