export type * from './journal.ts';
export { type JournalOptions, openJournal } from './open.ts';
export { pageCacheBytes, withPageCache } from './records/page-cache.ts';
export { backupJournal } from './repair/backup.ts';
export { checkJournal, type JournalCheck } from './repair/check.ts';
export { type JournalRepair, repairJournal } from './repair/repair.ts';
