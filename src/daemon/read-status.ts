import { findDaemon } from '../admin/index.ts';
import { PenstockError } from '../base/errors.ts';
import type { Seams } from '../base/seams.ts';
import { withGroups } from '../operate/report/problem-groups.ts';
import { sharedStatus } from '../operate/report/shared-status.ts';
import type { StatusReport } from '../operate/report/status.ts';
import { storedStatus } from '../operate/report/stored-status.ts';
import { withStoredJournal } from '../runtime/configured-journal.ts';
import { readDataDir } from '../runtime/read-config.ts';

/** Names a daemon by its file; `dataDir` is where it is also looked for: the file may be gone, or about to be replaced. */
interface Asked {
  readonly config: string;
  readonly dataDir?: string | undefined;
}

async function daemonOf({ config, dataDir }: Asked, { files }: Seams) {
  const find = (folder: string) => findDaemon({ dataDir: folder, files });
  try {
    // A file that became faulty does not keep anybody from asking the daemon that runs with the one before.
    const named = await find(await readDataDir(config, { files }));
    if (named !== undefined || dataDir === undefined) return named;
  } catch (error) {
    if (!(error instanceof PenstockError && error.code === 'PEN_CONFIG_INVALID')) throw error;
    const daemon = dataDir === undefined ? undefined : await find(dataDir);
    if (daemon !== undefined) return daemon;
    const { code, message, where = config, fix, cause } = error;
    const ask = 'a daemon that runs answers without it: --data-dir FOLDER';
    throw new PenstockError(code, message, { where, fix: dataDir === undefined ? `${fix}; ${ask}` : `${fix}`, cause });
  }
  return find(dataDir);
}

/** The running daemon's status, or, when none answers, what the journal remembers. */
export async function readStatus(configFile: string, seams: Seams, dataDir?: string): Promise<StatusReport> {
  const daemon = await daemonOf({ config: configFile, dataDir }, seams);
  if (daemon !== undefined) return (await daemon.status()) as StatusReport;
  const stored = await withStoredJournal(configFile, seams, (journal, loaded) =>
    loaded.journal.database === undefined ? storedStatus(loaded, journal, seams) : sharedStatus(loaded, journal, seams),
  );
  return withGroups(stored);
}

/** The running daemon's status; undefined where none answers, also because there is no such configuration. */
export async function runningStatus(configFile: string, seams: Seams): Promise<StatusReport | undefined> {
  const daemon = await daemonOf({ config: configFile }, seams).catch(() => undefined);
  return daemon === undefined ? undefined : ((await daemon.status()) as StatusReport);
}

/** True when the daemon of this configuration answers on its socket. */
export async function isAlive(configFile: string, seams: Seams, dataDir?: string): Promise<boolean> {
  return (await daemonOf({ config: configFile, dataDir }, seams)) !== undefined;
}
