import { join } from 'node:path';
import { packageRoot } from '../base/package.ts';
import type { Seams } from '../base/seams.ts';
import { type Config, loadConfig } from '../config/index.ts';

/** Folder of the connectors that come with Penstock. */
export const shippedConnectors: string = join(packageRoot, 'connectors');

/** Loads a configuration of this machine with its connectors; throws PEN_CONFIG_INVALID with every fault. */
export function readConfig(
  path: string,
  { files, clock }: Seams,
  { withoutSecrets = false }: { withoutSecrets?: boolean } = {},
): Promise<Config> {
  return loadConfig(path, {
    env: process.env,
    files,
    withoutSecrets,
    connectorDirs: [shippedConnectors],
    now: () => clock.now(),
  });
}
