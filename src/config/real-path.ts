import { basename, dirname, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { answerInTime } from '../base/file-turns.ts';
import type { Files } from '../base/seams.ts';

/** A share whose server is away answers never: the rest of the configuration does not wait for it. */
const longestMs = 2000;

/** Follows links as far as the path exists; gives the path itself where its disk does not answer. */
export async function realPath(path: string, files: Pick<Files, 'realpath'>): Promise<string> {
  try {
    return (await answerInTime(path, () => files.realpath(path), systemClock(), longestMs)) ?? path;
  } catch (error) {
    const parent = dirname(path);
    if (parent === path) return path;
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return join(await realPath(parent, files), basename(path));
    throw error;
  }
}
