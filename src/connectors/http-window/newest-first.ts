// An API without a time range, which lists its newest records first: what a window holds is found by the times of the records.
import { dayMs, hourMs } from '../../base/quantity.ts';
import { compileTime, openZone } from '../../event/index.ts';
import type { RecordSpec } from '../connector-schema.ts';
import type { WholePage } from './paging.ts';

interface Range {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/**
 * Compiles what a page holds of a window: it is the last one when all of its records are older. One without a time belongs to any window, and
 * one of an hour that comes twice to those of both.
 */
export function compileNewestFirst({
  time,
  zone,
}: Pick<RecordSpec, 'time' | 'zone'>): (page: WholePage, range: Range) => WholePage {
  const opened = zone === undefined ? undefined : openZone(zone);
  const firstOf = compileTime(time, opened);
  const lastOf =
    opened === undefined ? firstOf : compileTime(time, { ...opened, toInstant: (wall) => opened.toLastInstant(wall) });
  // A day on which clocks are put back is longer.
  const longestDayMs = opened === undefined ? dayMs : dayMs + hourMs;
  return (page, { from = -Infinity, to = Infinity }) => {
    const spans = page.records.map(({ value }) => {
      const first = firstOf(value);
      if (first === undefined) return undefined;
      return { first: first.ms, last: first.dayOnly ? first.ms + longestDayMs : (lastOf(value)?.ms ?? first.ms) };
    });
    const isBehind = spans.length > 0 && spans.every((span) => span !== undefined && span.last < from);
    const isWithin = (index: number): boolean => {
      const span = spans[index];
      return span === undefined || (span.last >= from && span.first <= to);
    };
    // The total is that of the log; that it goes on says nothing of a window which lies before.
    const { total: _total, mayBeCut, toldCut, ...rest } = page;
    const records = page.records.filter((_record, index) => isWithin(index));
    return isBehind ? { ...rest, records, next: null } : { ...rest, records, toldCut, ...(mayBeCut && { mayBeCut }) };
  };
}
