// A repair ends with renames: the damaged files go aside, and what was made of them takes their place. Who is killed between the two leaves no journal
// under its name, and a new one there would collect and deliver everything again.
import { dirname, join } from 'node:path';
import type { Files } from '../../../base/seams.ts';
import { besideDatabase, fileExists, isUnfinished, type JournalPaths, repairedName, syncDirectory } from '../file/directory.ts';

/** What a repair says of a file that it wrote, or put aside: it is kept beside that, for who did not see it end. */
export const reportName = (path: string): string => `${path}.json`;

const damagedName = /^journal\.db\.damaged-[\dTZ-]+$/;

/** Puts the journal's files aside as `damaged`, and the repaired one in their place. */
export async function putInPlace({ journal }: JournalPaths, damaged: string, files: Files): Promise<void> {
  for (const suffix of besideDatabase) {
    if (await fileExists(`${journal}${suffix}`, files)) await files.rename(`${journal}${suffix}`, `${damaged}${suffix}`);
  }
  const repaired = repairedName(journal);
  if (await fileExists(reportName(repaired), files)) await files.rename(reportName(repaired), reportName(damaged));
  await files.rename(repaired, journal);
  await syncDirectory(dirname(journal), files);
}

/** Ends a repair that was killed. Needs the lock. Returns where the damaged journal is; undefined where there was nothing to end. */
export async function finishRepair(paths: JournalPaths, files: Files): Promise<string | undefined> {
  if (!(await isUnfinished(paths, files))) return undefined;
  const folder = dirname(paths.journal);
  const names = (await files.readdir(folder)).filter((name) => damagedName.test(name));
  const damaged = join(folder, names.toSorted().at(-1) ?? 'journal.db.damaged');
  await putInPlace(paths, damaged, files);
  return damaged;
}
