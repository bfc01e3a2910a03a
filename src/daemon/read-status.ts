import { adminClient } from '../admin/index.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/index.ts';
import type { StatusReport } from '../operate/report/status.ts';
import { storedStatus } from '../operate/report/stored-status.ts';
import { readConfig } from '../runtime/read-config.ts';
import { withStoredJournal } from '../runtime/stored-journal.ts';

function clientOf({ admin, data_dir }: Config, seams: Seams) {
  return adminClient({ dataDir: data_dir, files: seams.files, ...(admin.tls === undefined ? {} : { tls: admin.tls }) });
}

/** The running daemon's status, or, when none answers, what the journal remembers. */
export async function readStatus(configFile: string, seams: Seams): Promise<StatusReport> {
  const config = await readConfig(configFile, seams, { withoutSecrets: true });
  const client = await clientOf(config, seams);
  if (client !== undefined) return (await client.status()) as StatusReport;
  return await withStoredJournal(configFile, seams, (journal, loaded) => storedStatus(loaded, journal, seams));
}

/** True when the daemon of this configuration answers its health path. */
export async function isAlive(configFile: string, seams: Seams): Promise<boolean> {
  const config = await readConfig(configFile, seams, { withoutSecrets: true });
  const client = await clientOf(config, seams);
  return client !== undefined;
}
