// What a page means for a reading by cursor: where the log goes on behind it, and whether the poll does.
import { PenstockError } from '../../base/errors.ts';
import type { CursorPage, CursorReader, PageState } from '../../connectors/connector.ts';

/** What follows a page. */
interface Step {
  /** The cursor to go on from, in this poll or the next; null while there is none yet: reading begins again. */
  readonly place: PageState | null;
  /** True where the vendor has no more just now. */
  readonly isCaughtUp: boolean;
  /** Why the log cannot be followed behind this page, whose records count nevertheless. */
  readonly fault?: PenstockError;
}

const textOf = (place: PageState): string => JSON.stringify(place);

/** Follows the cursor through the pages of one poll. One per poll. */
export class CursorSteps {
  readonly #met = new Set<string>();
  readonly #reader: Pick<CursorReader, 'emptyPageContinues' | 'pageSize'>;

  constructor(reader: Pick<CursorReader, 'emptyPageContinues' | 'pageSize'>) {
    this.#reader = reader;
  }

  /** What follows the page that `asked` led to (null: the first request). */
  after(asked: PageState | null, { next, more, records, count = records.length }: CursorPage): Step {
    if (asked !== null) this.#met.add(textOf(asked));
    if (next === null || (asked !== null && textOf(next) === textOf(asked))) return this.#stayed(asked, next, more, count);
    // A cursor that was met in this poll leads round in a circle; behind this page it would only be read once more.
    if (this.#met.has(textOf(next))) return { place: asked, ...(more === false ? { isCaughtUp: true } : stuck(circle())) };
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
  return new PenstockError(
    'PEN_SOURCE_BAD_REPLY',
    `the reply ${what} but ${cursor}, so that nothing behind it can be asked for`,
    {
      fix: 'read.page of the connector must lead to the cursor of the next page: token, link or header',
    },
  );
}
