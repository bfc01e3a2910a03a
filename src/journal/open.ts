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
  // Who keeps the journal in a file does not load the client of a database.
  const { openPostgres } = await import('./postgres/open.ts');
  return openPostgres(engine, options);
}
