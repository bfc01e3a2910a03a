import type { Log } from '../base/log.ts';
import type { NewDeadLetter } from '../journal/journal.ts';

// Receivers that put something of the event into the code have no end of codes.
const mostCodes = 100;

/** Logs the first dead letter of each code: an event that a receiver refused needs a person, but not a line each. */
export function createLetterNews(log: Log): (letters: readonly NewDeadLetter[]) => void {
  const told = new Set<string>();
  return (letters) => {
    for (const { code, text, source, action, record } of letters) {
      if (told.has(code) || told.size >= mostCodes) continue;
      told.add(code);
      log.error(
        { code, text, source, action, uid: record.uid, fix: 'see penstock dead-letters list; retry or discard them' },
        'first dead letter with this code; further ones are counted, not logged',
      );
    }
  };
}
