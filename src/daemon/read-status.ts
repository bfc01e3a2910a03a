import { findDaemon } from '../admin/index.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/index.ts';
import type { StatusReport } from '../operate/report/status.ts';
import { storedStatus } from '../operate/report/stored-status.ts';
import { withStoredJournal } from '../runtime/configured-journal.ts';
import { readConfig } from '../runtime/read-config.ts';

function daemonOf({ data_dir }: Config, { files }: Seams) {
  return findDaemon({ dataDir: data_dir, files });
}

/** The running daemon's status, or, when none answers, what the journal remembers. */
export async function readStatus(configFile: string, seams: Seams): Promise<StatusReport> {
  const config = await readConfig(configFile, seams, { withoutSecrets: true });
  const daemon = await daemonOf(config, seams);
  if (daemon !== undefined) return (await daemon.status()) as StatusReport;
  return await withStoredJournal(configFile, seams, (journal, loaded) => storedStatus(loaded, journal, seams));
}

/** True when the daemon of this configuration answers on its socket. */
export async function isAlive(configFile: string, seams: Seams): Promise<boolean> {
  const config = await readConfig(configFile, seams, { withoutSecrets: true });
  return (await daemonOf(config, seams)) !== undefined;
}
