import { createHash } from 'node:crypto';
import { PenstockError } from '../../base/errors.ts';
import type { Page, PageState, RecordFacts } from '../../connectors/connector.ts';

/** Watches one scan over the pages of a window: against loops, and whether an offset walk saw everything. */
export interface WalkGuard {
  /** Takes a page into account; throws PEN_PAGE_LOOP when the page or its successor's place came before. */
  take(page: Page, facts: readonly RecordFacts[]): void;
  /** Records of the scan, each (id, fingerprint) once however many pages repeat it. */
  readonly distinct: number;
  /** The largest total that a page of the scan named: when rows go away in the middle of it, others are skipped, and the last total hides that. */
  readonly mostTotal: number;
}

function placeOf(state: PageState): string {
  if (state.kind === 'offset') return `offset ${state.offset}`;
  return state.kind === 'token' ? `token ${state.token}` : `link ${state.path}`;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('base64');

// 52 bits of id and fingerprint in one number: a walk of a million records stays within tens of megabytes.
const pairOf = ({ uid, fingerprint }: RecordFacts): number => Number.parseInt(uid.slice(0, 7) + fingerprint.slice(0, 6), 16);

const loop = (what: string): PenstockError => new PenstockError('PEN_PAGE_LOOP', `the vendor ${what} twice in one walk`);

function loopGuard(first: PageState | null): WalkGuard['take'] {
  const places = new Set<string>(first === null ? [] : [digest(placeOf(first))]);
  const pages = new Set<string>();
  const once = (known: Set<string>, text: string, what: string): void => {
    const mark = digest(text);
    if (known.has(mark)) throw loop(what);
    known.add(mark);
  };
  return ({ next }, facts) => {
    // An empty page repeats nothing: some vendors send several, each with another token.
    if (facts.length > 0) once(pages, facts.map(({ uid, fingerprint }) => uid + fingerprint).join(), 'sent the same page');
    if (next !== null) once(places, placeOf(next), `named the same next page (by ${next.kind})`);
  };
}

/** A guard for one scan; `first` is the place it begins at, when that is not the first page. */
export function createWalkGuard(first: PageState | null): WalkGuard {
  const guardLoop = loopGuard(first);
  const pairs = new Set<number>();
  let distinct = 0;
  let mostTotal = 0;

  // A copy within one page is the vendor's own; one on a later page is a row that moved while we read.
  const count = (facts: readonly RecordFacts[]): void => {
    const own = facts.map(pairOf).filter((pair) => !pairs.has(pair));
    distinct += own.length;
    for (const pair of own) pairs.add(pair);
  };

  return {
    take(page, facts) {
      guardLoop(page, facts);
      count(facts);
      mostTotal = Math.max(mostTotal, page.total ?? 0);
    },
    get mostTotal() {
      return mostTotal;
    },
    get distinct() {
      return distinct;
    },
  };
}
