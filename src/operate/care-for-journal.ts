import type { Seams } from '../base/seams.ts';
import { backupJournal, checkJournal, type JournalCheck, type JournalRepair, repairJournal } from '../journal/index.ts';
import { readConfig } from '../runtime/read-config.ts';

export type { JournalCheck, JournalRepair } from '../journal/index.ts';

async function dataDirOf(configFile: string, seams: Seams): Promise<string> {
  return (await readConfig(configFile, seams, { withoutSecrets: true })).data_dir;
}

/** Reads the journal of a configuration from end to end and changes nothing. */
export async function check(configFile: string, seams: Seams): Promise<JournalCheck> {
  return checkJournal(await dataDirOf(configFile, seams));
}

/** Saves what can be read into a new file and puts the damaged one aside. */
export async function repair(configFile: string, seams: Seams): Promise<JournalRepair> {
  return repairJournal(await dataDirOf(configFile, seams), { seams });
}

/** Copies the journal, also while the daemon runs. */
export async function backup(configFile: string, to: string, seams: Seams): Promise<void> {
  await backupJournal(await dataDirOf(configFile, seams), to);
}
