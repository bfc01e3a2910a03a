export { backupJournal } from './backup.ts';
export { checkJournal, type JournalCheck } from './check.ts';
export type * from './journal.ts';
export { type JournalOptions, openJournal } from './open.ts';
export { pageCacheBytes, withPageCache } from './page-cache.ts';
export { type JournalRepair, repairJournal } from './repair.ts';
