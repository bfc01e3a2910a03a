export type * from './journal.ts';
export { type JournalOptions, openJournal } from './open.ts';
export { pageCacheBytes, withPageCache } from './records/page-cache.ts';
export { backupJournal } from './repair/backup.ts';
export { checkJournal } from './repair/check.ts';
export { repairJournal } from './repair/repair.ts';
