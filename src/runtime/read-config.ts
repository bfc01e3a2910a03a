import { join } from 'node:path';
import { packageRoot } from '../base/package.ts';
import type { Seams } from '../base/seams.ts';
import type { Secrets } from '../base/secrets.ts';
import {
  type Config,
  loadConfig,
  readConnectorsDir as readConnectorsDirOf,
  readDatabase as readDatabaseOf,
  readDataDir as readDataDirOf,
} from '../config/index.ts';

/** Folder of the connectors that come with Penstock. */
export const shippedConnectors: string = join(packageRoot, 'connectors');

/** Loads a configuration of this machine with its connectors; throws PEN_CONFIG_INVALID with every fault. */
export function readConfig(
  path: string,
  seams: Seams,
  how: { withoutSecrets?: boolean; secrets?: Secrets } = {},
): Promise<Config> {
  return loadConfig(path, { ...loading(seams), ...how });
}

const loading = ({ files, clock }: Seams) => ({
  env: process.env,
  files,
  connectorDirs: [shippedConnectors],
  now: () => clock.now(),
});

/** Where the journal of a configuration is, if that is a database; undefined where it is elsewhere, or only the whole file tells. */
export function readDatabase(path: string, seams: Seams): ReturnType<typeof readDatabaseOf> {
  return readDatabaseOf(path, { ...loading(seams), withoutSecrets: true });
}

/**
 * `connectors_dir` of a configuration, however faulty it is; undefined where it names none. Throws PEN_CONFIG_INVALID where there is no such
 * file.
 */
export function readConnectorsDir(path: string, { files }: Pick<Seams, 'files'>): Promise<string | undefined> {
  return readConnectorsDirOf(path, { env: process.env, files });
}

/** Where the daemon of a configuration has its journal, however faulty the file is. Throws PEN_CONFIG_INVALID where there is no such file. */
export function readDataDir(path: string, { files }: Pick<Seams, 'files'>): Promise<string> {
  return readDataDirOf(path, { env: process.env, files });
}
