export type * from './journal.ts';
export { pageCacheBytes, withPageCache } from './records/page-cache.ts';
export { type JournalOptions, openJournal } from './sqlite/open.ts';
export { backupJournal } from './sqlite/repair/backup.ts';
export { checkJournal } from './sqlite/repair/check.ts';
export { repairJournal } from './sqlite/repair/repair.ts';
