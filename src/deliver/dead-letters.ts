import type { Journal } from '../journal/journal.ts';

/** Room for dead letters: a full box is a hold, never a loss. */
export interface LetterBox {
  /** Letters in the journal and on their way to it. */
  readonly count: number;
  /** Takes a place for one letter; false when the box is full. */
  reserve(): boolean;
  /** Of the reserved ones, so many are in the journal now; `resolved` others left it, delivered at last. */
  written(letters: number, resolved: number): void;
  /** Counts anew: an operator may have retried or discarded some. True when there is room. */
  recount(): Promise<boolean>;
}

/** A box for at most `most` letters of the sink. */
export function createLetterBox(journal: Pick<Journal, 'countDeadLetters'>, sink: string, most: number): LetterBox {
  let stored = 0;
  let reserved = 0;
  return {
    get count() {
      return stored + reserved;
    },
    reserve() {
      if (stored + reserved >= most) return false;
      reserved += 1;
      return true;
    },
    written(letters, resolved) {
      reserved = Math.max(0, reserved - letters);
      stored = Math.max(0, stored + letters - resolved);
    },
    async recount() {
      stored = await journal.countDeadLetters({ sink });
      return stored + reserved < most;
    },
  };
}
