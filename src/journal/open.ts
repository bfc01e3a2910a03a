import { PenstockError } from '../base/errors.ts';
import type { JournalOptions } from './contract/open.ts';
import type { Journal } from './journal.ts';
import { openSqlite } from './sqlite/open.ts';

/**
 * Opens the journal, a new one when there is none.
 *
 * Throws PEN_JOURNAL_LOCKED, PEN_JOURNAL_CORRUPT, PEN_JOURNAL_FOREIGN, PEN_JOURNAL_UNWRITABLE, PEN_JOURNAL_UNAVAILABLE; for an observer
 * PEN_NOT_FOUND where there is no journal yet.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { engine } = options;
  if (engine.kind === 'sqlite') return openSqlite(engine, options);
  throw new PenstockError('PEN_INTERNAL', 'this build has no engine for a database');
}
