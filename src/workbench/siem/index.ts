import { dirname, join } from 'node:path';
import { makeFolder } from '../../base/make-folder.ts';
import type { Files } from '../../base/seams.ts';
import { knownTables } from '../known-actions.ts';
import { readDetections } from './detections.ts';
import { elasticFiles, opensearchFiles } from './elastic.ts';
import { sentinelFiles } from './sentinel.ts';
import { sigmaFiles } from './sigma.ts';
import { splunkFiles } from './splunk.ts';

/** SIEMs that a package can be made for. */
export const siems = ['splunk', 'elastic', 'opensearch', 'sentinel', 'sigma'] as const;
type Siem = (typeof siems)[number];

/**
 * What a SIEM has to know of Penstock's events, made from the action tables: text by path, the first folder of which is the SIEM's. `dirs` are
 * looked up before the shipped connectors.
 */
export async function siemFiles(siem: Siem, files: Files, dirs: readonly string[] = []): Promise<Record<string, string>> {
  if (siem === 'elastic') return elasticFiles();
  if (siem === 'opensearch') return opensearchFiles();
  if (siem === 'sentinel') return sentinelFiles();
  const tables = await knownTables(files, dirs);
  return siem === 'splunk' ? splunkFiles(tables) : sigmaFiles(await readDetections(tables, files));
}

/** Writes the files below a folder; returns their paths. */
export async function writeSiem(siem: Siem, folder: string, files: Files, dirs: readonly string[]): Promise<string[]> {
  const made = Object.entries(await siemFiles(siem, files, dirs));
  for (const [path, text] of made) {
    await makeFolder(dirname(join(folder, path)), files);
    await files.writeFile(join(folder, path), text);
  }
  return made.map(([path]) => join(folder, path));
}
