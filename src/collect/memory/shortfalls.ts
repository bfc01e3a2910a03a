// Stretches of time of which the vendor showed fewer records than it has, as far as anybody can tell: it counts more than its pages hold, refuses
// the pages further on, or cut a reply off, and no smaller window helped.

import { isObject, type Json } from '../../base/json.ts';
import { iso } from '../../base/quantity.ts';

/** Event times in milliseconds, both inclusive. */
export interface Shortfall {
  readonly from: number;
  readonly to: number;
  /** At least so many records were not shown. */
  readonly records: number;
  /** When it was noticed last, milliseconds. */
  readonly at: number;
}

/** A window that was read to its end; `lacking` is 0 when it was whole. */
export interface ReadWindow {
  readonly from: number;
  readonly to: number;
  readonly lacking: number;
}

/** Name of the note that keeps them. */
export const shortfallsNote = 'shortfalls';

/** More stretches are joined, oldest first: what is said of them gets coarser, never less. */
const mostKept = 100;

/** The shortfalls after a window was read; the same list when nothing changed. A whole window ends what was noted of its time. */
export function shortfallsAfter(
  known: readonly Shortfall[],
  { from, to, lacking }: ReadWindow,
  at: number,
): readonly Shortfall[] {
  const touching = known.filter((one) => one.from <= to && one.to >= from);
  if (touching.length === 0 && lacking === 0) return known;
  const others = known.filter((one) => !touching.includes(one));
  const left =
    lacking === 0
      ? touching.flatMap((one) => withoutWindow(one, from, to))
      : [joined([...touching, { from, to, records: lacking, at }])];
  return bounded([...others, ...left].toSorted((a, b) => a.from - b.from));
}

function withoutWindow(one: Shortfall, from: number, to: number): Shortfall[] {
  const parts = [
    { ...one, to: Math.min(one.to, from) },
    { ...one, from: Math.max(one.from, to) },
  ];
  return parts.filter((part) => part.to > part.from);
}

function joined(all: readonly Shortfall[]): Shortfall {
  return all.reduce((a, b) => ({
    from: Math.min(a.from, b.from),
    to: Math.max(a.to, b.to),
    records: Math.max(a.records, b.records),
    at: Math.max(a.at, b.at),
  }));
}

function bounded(all: readonly Shortfall[]): readonly Shortfall[] {
  const [first, second, ...rest] = all;
  if (all.length <= mostKept || first === undefined || second === undefined) return all;
  return bounded([{ ...joined([first, second]), records: first.records + second.records }, ...rest]);
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** Reads the note; what is not one counts as none. */
export function parseShortfalls(note: Json): readonly Shortfall[] {
  if (!Array.isArray(note)) return [];
  return (note as unknown[]).flatMap((value) => {
    if (!isObject(value)) return [];
    const { from, to, records, at } = value;
    return isTime(from) && isTime(to) && isTime(records) && isTime(at) ? [{ from, to, records, at }] : [];
  });
}

/** What is noted, in one sentence for `status`; empty when nothing is. */
export function describeShortfalls(all: readonly Shortfall[]): readonly string[] {
  const [first] = all;
  const last = all.at(-1);
  if (first === undefined || last === undefined) return [];
  const records = all.reduce((sum, one) => sum + one.records, 0);
  const span = `${iso(first.from)} and ${iso(last.to)}`;
  return [`the vendor did not show at least ${records} of its records between ${span}, whatever was asked; see penstock ledger`];
}
