import { createHash } from 'node:crypto';
import { PenstockError } from '../base/errors.ts';
import type { Page, PageState, RecordFacts } from '../connectors/connector.ts';

/** Watches one scan over the pages of a window: against loops, and whether an offset walk saw everything. */
export interface WalkGuard {
  /** Takes a page into account; throws PEN_PAGE_LOOP when the page or its successor's place came before. */
  take(page: Page, facts: readonly RecordFacts[]): void;
  /** Records of the scan, each (id, fingerprint) once however many pages repeat it. */
  readonly distinct: number;
}

function placeOf(state: PageState): string {
  if (state.kind === 'offset') return `offset ${state.offset}`;
  return state.kind === 'token' ? `token ${state.token}` : `link ${state.path}`;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('base64');

// 52 bits of id and fingerprint in one number: a walk of a million records stays within tens of megabytes.
const pairOf = ({ uid, fingerprint }: RecordFacts): number => Number.parseInt(uid.slice(0, 7) + fingerprint.slice(0, 6), 16);

/** A guard for one scan; `first` is the place it begins at, when that is not the first page. */
export function createWalkGuard(first: PageState | null): WalkGuard {
  const places = new Set<string>(first === null ? [] : [digest(placeOf(first))]);
  const pages = new Set<string>();
  const pairs = new Set<number>();
  let distinct = 0;

  // A copy within one page is the vendor's own; one on a later page is a row that moved while we read.
  const count = (facts: readonly RecordFacts[]): void => {
    const own: number[] = [];
    for (const item of facts) {
      const pair = pairOf(item);
      if (pairs.has(pair)) continue;
      own.push(pair);
      distinct += 1;
    }
    for (const pair of own) pairs.add(pair);
  };

  return {
    take(page, facts) {
      if (facts.length > 0) {
        const content = digest(facts.map(({ uid, fingerprint }) => uid + fingerprint).join());
        if (pages.has(content)) throw new PenstockError('PEN_PAGE_LOOP', 'the vendor sent the same page twice in one walk');
        pages.add(content);
      }
      if (page.next !== null) {
        const place = digest(placeOf(page.next));
        if (places.has(place))
          throw new PenstockError(
            'PEN_PAGE_LOOP',
            `the vendor named the same next page twice in one walk (by ${page.next.kind})`,
          );
        places.add(place);
      }
      count(facts);
    },
    get distinct() {
      return distinct;
    },
  };
}
