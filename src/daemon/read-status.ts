import { findDaemon } from '../admin/index.ts';
import type { Seams } from '../base/seams.ts';
import { withGroups } from '../operate/report/problem-groups.ts';
import { sharedStatus } from '../operate/report/shared-status.ts';
import type { StatusReport } from '../operate/report/status.ts';
import { storedStatus } from '../operate/report/stored-status.ts';
import { withStoredJournal } from '../runtime/configured-journal.ts';
import { readDataDir } from '../runtime/read-config.ts';

async function daemonOf(configFile: string, seams: Seams) {
  // A file that became faulty does not keep anybody from asking the daemon that runs with the one before.
  return findDaemon({ dataDir: await readDataDir(configFile, seams), files: seams.files });
}

/** The running daemon's status, or, when none answers, what the journal remembers. */
export async function readStatus(configFile: string, seams: Seams): Promise<StatusReport> {
  const daemon = await daemonOf(configFile, seams);
  if (daemon !== undefined) return (await daemon.status()) as StatusReport;
  const stored = await withStoredJournal(configFile, seams, (journal, loaded) =>
    loaded.journal.database === undefined ? storedStatus(loaded, journal, seams) : sharedStatus(loaded, journal, seams),
  );
  return withGroups(stored);
}

/** The running daemon's status; undefined where none answers, also because there is no such configuration. */
export async function runningStatus(configFile: string, seams: Seams): Promise<StatusReport | undefined> {
  const daemon = await daemonOf(configFile, seams).catch(() => undefined);
  return daemon === undefined ? undefined : ((await daemon.status()) as StatusReport);
}

/** True when the daemon of this configuration answers on its socket. */
export async function isAlive(configFile: string, seams: Seams): Promise<boolean> {
  return (await daemonOf(configFile, seams)) !== undefined;
}
