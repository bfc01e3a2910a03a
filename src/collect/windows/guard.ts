import { createHash } from 'node:crypto';
import { PenstockError } from '../../base/errors.ts';
import type { Page, PageState, RecordFacts } from '../../connectors/connector.ts';
import { isCounted } from '../checkpoint.ts';

function placeOf(state: PageState): string {
  if (state.kind === 'offset') return `offset ${state.offset}`;
  return state.kind === 'token' ? `token ${state.token}` : `link ${state.path}`;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('base64');

// 52 bits of id and fingerprint in one number: a walk of a million records stays within tens of megabytes.
const pairOf = ({ uid, fingerprint }: RecordFacts): number => Number.parseInt(uid.slice(0, 7) + fingerprint.slice(0, 6), 16);

interface Asked {
  /** Where the page was asked for. */
  readonly state?: PageState | null;
  /** True where further records of the page follow. */
  readonly isPart?: boolean;
}

/** Watches one reading of pages: against loops, and whether a reading by offset saw everything. */
export class PageGuard {
  readonly #places = new Set<string>();
  readonly #pages = new Set<string>();
  readonly #pairs = new Set<number>();
  #distinct = 0;
  #mostTotal = 0;
  #totals: readonly [first: number, last: number] | undefined;
  #largest = 0;
  /** Of a page whose records come in parts: what came before this one. */
  #parts: string[] = [];

  /** `first` is the place that the reading begins at, when that is not the first page. */
  constructor(first: PageState | null) {
    if (first !== null) this.#places.add(digest(placeOf(first)));
  }

  /** Records met by offset or number, each (id, fingerprint) once however many pages repeat it. */
  get distinct(): number {
    return this.#distinct;
  }

  /** The largest total that a page named: when rows go away in the middle of a reading, others are skipped, and the last total hides that. */
  get mostTotal(): number {
    return this.#mostTotal;
  }

  /** By how much the total grew from page to page: so many may have come in while we read. */
  get grown(): number {
    const [first, last] = this.#totals ?? [0, 0];
    return Math.max(0, last - first);
  }

  /** Throws PEN_PAGE_LOOP when the page or its successor's place came before; `facts` are without the numbers of equal rows. */
  refuseLoop({ next, group = '' }: Page, facts: readonly RecordFacts[], { state = null, isPart = false }: Asked = {}): void {
    const ids = facts.map(({ uid, fingerprint }) => uid + fingerprint);
    if (isPart) {
      this.#parts.push(digest(ids.join()));
      return;
    }
    const parts = this.#parts.splice(0);
    // An empty page repeats nothing: some vendors send several, each with another token.
    if (facts.length > 0 && !this.#isFullOfOneRow(facts))
      once(this.#pages, [group, ...parts, ...ids].join(), 'sent the same page', state);
    this.#largest = Math.max(this.#largest, facts.length);
    if (next !== null) once(this.#places, placeOf(next), `named the same next page (by ${next.kind})`);
  }

  // Rows without ids may fill several pages with one and the same content. A shorter page is the last one, and may not come again.
  #isFullOfOneRow(facts: readonly RecordFacts[]): boolean {
    const [first] = facts;
    const isSame = ({ uid, fingerprint }: RecordFacts): boolean => uid === first?.uid && fingerprint === first.fingerprint;
    return facts.length >= this.#largest && facts.every((one) => one.isNamedByContent === true && isSame(one));
  }

  /**
   * Takes a page into account, asked for by a place. A copy within one page is the vendor's own; one on a later page is a row that moved while we
   * read. Behind a token or link none does, so that nothing of these is kept, however long the walk is.
   */
  count({ total = 0, next }: Page, facts: readonly RecordFacts[], asked: PageState | null = null): void {
    this.#mostTotal = Math.max(this.#mostTotal, total);
    // A first total of no more than its own page grows with each, whatever comes in.
    const isRunning = next !== null && total <= facts.length;
    if (total > 0) this.#totals = [this.#totals?.[0] ?? (isRunning ? Number.POSITIVE_INFINITY : total), total];
    if (asked !== null && !isCounted(asked)) return;
    const fresh: number[] = [];
    for (const one of facts) {
      const pair = pairOf(one);
      if (one.isFurtherPart !== true && !this.#pairs.has(pair)) fresh.push(pair);
    }
    this.#distinct += fresh.length;
    for (const pair of fresh) this.#pairs.add(pair);
  }
}

// By offset or number we say ourselves what comes next: a page that comes again then means that the vendor shows nothing further on.
function once(known: Set<string>, text: string, what: string, state: PageState | null = null): void {
  const mark = digest(text);
  const code = isCounted(state) ? 'PEN_WINDOW_TOO_LARGE' : 'PEN_PAGE_LOOP';
  if (known.has(mark)) throw new PenstockError(code, `the vendor ${what} twice in one walk`);
  known.add(mark);
}
