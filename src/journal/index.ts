export type { JournalOptions } from './contract/open.ts';
export type * from './journal.ts';
export { openJournal } from './open.ts';
export { pageCacheBytes, withPageCache } from './records/page-cache.ts';
export { takeDataDir } from './sqlite/file/lock.ts';
export { backupJournal } from './sqlite/repair/backup.ts';
export { checkJournal, glanceAtJournal, lookAtJournal } from './sqlite/repair/check.ts';
export { repairJournal } from './sqlite/repair/repair.ts';
export { ballastBytes, volumeBytes } from './sqlite/upkeep/room.ts';
