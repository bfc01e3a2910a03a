// What a page means for a reading by cursor: where the log goes on behind it, and whether the poll does.
import { createHash } from 'node:crypto';
import { PenstockError } from '../../base/errors.ts';
import type { CursorPage, CursorReader, PageState, RecordFacts } from '../../connectors/connector.ts';
import type { CursorState } from '../checkpoint.ts';
import type { SourceContext } from '../context.ts';
import type { CursorCheckpoint } from './begin.ts';

/** What follows a page. */
export interface Step {
  /** The cursor to go on from, in this poll or the next; null while there is none yet: reading begins again. */
  readonly place: PageState | null;
  /** True where the vendor has no more just now. */
  readonly isCaughtUp: boolean;
  /** Why the log cannot be followed behind this page, whose records count nevertheless. */
  readonly fault?: PenstockError;
}

const textOf = (place: PageState): string => JSON.stringify(place);

/** Places that are remembered as passed; further back nobody has seen a cursor go. */
const mostPassed = 64;

const markOf = (place: PageState): string => createHash('sha256').update(textOf(place)).digest('base64url').slice(0, 12);

/** True for a place that the log was read on from before. */
export function isPassed({ place, passed = [] }: CursorState, next: PageState | null): boolean {
  return next !== null && (place === null || textOf(next) !== textOf(place)) && passed.includes(markOf(next));
}

/** What is remembered once the log is read up to a place. */
function passedWith({ passed = [] }: Pick<CursorState, 'passed'>, place: PageState | null): Pick<CursorState, 'passed'> {
  if (place === null || passed.at(-1) === markOf(place)) return { passed };
  return { passed: [...passed, markOf(place)].slice(-mostPassed) };
}

/** Follows the cursor through the pages of one poll. One per poll. */
export class CursorSteps {
  readonly #met = new Set<string>();
  readonly #reader: Pick<CursorReader, 'emptyPageContinues' | 'pageSize'>;

  constructor(reader: Pick<CursorReader, 'emptyPageContinues' | 'pageSize'>) {
    this.#reader = reader;
  }

  /** What follows the page that `asked` led to (null: the first request). */
  after(asked: PageState | null, { next, more, records, count = records.length }: CursorPage): Step {
    if (asked !== null) this.#met.add(markOf(asked));
    if (next === null || (asked !== null && textOf(next) === textOf(asked))) return this.#stayed(asked, next, more, count);
    // A cursor that was met in this poll leads round in a circle; behind this page it would only be read once more.
    if (this.#met.has(markOf(next))) return { place: asked, ...(more === false ? { isCaughtUp: true } : stuck(circle())) };
    return { place: next, isCaughtUp: !(more ?? (count > 0 || this.#reader.emptyPageContinues)) };
  }

  #stayed(asked: PageState | null, next: PageState | null, more: boolean | undefined, count: number): Step {
    const { pageSize } = this.#reader;
    const isFull = pageSize !== undefined && count >= pageSize;
    if (more === true || (more === undefined && isFull)) return { place: asked, ...stuck(noWayOn(next, more === true)) };
    return { place: asked, isCaughtUp: true };
  }
}

const stuck = (fault: PenstockError) => ({ isCaughtUp: false, fault });

function circle(): PenstockError {
  return new PenstockError('PEN_PAGE_LOOP', 'the vendor named the same cursor twice in one poll', {
    fix: 'the records are collected; read.page of the connector names the wrong cursor unless the vendor is at fault',
  });
}

function noWayOn(next: PageState | null, saysMore: boolean): PenstockError {
  const what = saysMore ? 'says that there is more' : 'is full';
  const cursor = next === null ? 'names no cursor' : 'names the cursor that it was asked for by';
  return new PenstockError('PEN_SOURCE_BAD_REPLY', `the reply ${what} but ${cursor}, so that nothing after it can be asked for`, {
    fix: 'read.page of the connector must lead to the cursor of the next page: token, link or header',
  });
}

/** The checkpoint within a page. */
export function partly(live: CursorCheckpoint, taken: number): CursorCheckpoint {
  return live.cursor.place === null ? live : { ...live, cursor: { ...live.cursor, taken } };
}

export interface PageEnd {
  /** `begin`: the next poll begins again. */
  readonly place: PageState | null | 'begin';
  readonly isCaughtUp: boolean;
  readonly began: number;
  readonly count: number;
  /** True where it has records and the next first request may name a time. */
  readonly isTimed: boolean;
}

/** The checkpoint behind a page. */
export function after(
  { settings }: SourceContext,
  live: CursorCheckpoint,
  { place, isCaughtUp, began, count, isTimed }: PageEnd & { readonly place: PageState | null },
): CursorCheckpoint {
  const { taken: _taken, ...cursor } = live.cursor;
  const until = isCaughtUp ? began : Math.min(began, live.newest ?? live.until);
  const hasStayed = place !== null && place === cursor.place;
  // Without a cursor the next poll begins again: before what it has read, if that was all.
  const isPlaceless = place === null && isTimed && isCaughtUp;
  const from = isPlaceless
    ? Math.max(cursor.from, Math.min(live.newest ?? until, until) - settings.window.overlapMs)
    : cursor.from;
  return {
    ...live,
    until,
    cursor: {
      ...cursor,
      place,
      from,
      isCaughtUp: isCaughtUp || cursor.isCaughtUp,
      ...(hasStayed ? { taken: count } : {}),
      ...(settings.connector.records.areNamedByContent === true ? passedWith(cursor, place) : {}),
    },
  };
}

/** A record that is dated in the future does not say how far the log is read. */
export function newestOf({ newest }: CursorCheckpoint, facts: readonly RecordFacts[], now: number): { readonly newest?: number } {
  let latest = newest ?? Number.NEGATIVE_INFINITY;
  for (const { time } of facts) if (time !== undefined && time > latest && time <= now) latest = time;
  return latest === Number.NEGATIVE_INFINITY ? {} : { newest: latest };
}
