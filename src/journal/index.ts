export type * from './journal.ts';
export { type JournalOptions, openJournal } from './open.ts';
export { withPageCache } from './page-cache.ts';
