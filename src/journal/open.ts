import type { JournalOptions } from './contract/open.ts';
import type { Journal } from './journal.ts';
import { openPostgres } from './postgres/open.ts';
import { openSqlite } from './sqlite/open.ts';

/**
 * Opens the journal, a new one when there is none.
 *
 * Throws PEN_JOURNAL_LOCKED, PEN_JOURNAL_CORRUPT, PEN_JOURNAL_FOREIGN, PEN_JOURNAL_UNWRITABLE, PEN_JOURNAL_UNAVAILABLE; for an observer
 * PEN_NOT_FOUND where there is no journal yet.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { engine } = options;
  return engine.kind === 'sqlite' ? openSqlite(engine, options) : openPostgres(engine, options);
}
