import { basename, dirname, join } from 'node:path';
import { deadline, systemClock } from '../base/clock.ts';
import { unlessCutOff } from '../base/cut-off.ts';
import { takeFileTurn } from '../base/file-turns.ts';
import type { Files } from '../base/seams.ts';

/** A share whose server is away answers never: the rest of the configuration does not wait for it. */
const longestMs = 2000;

/** Follows links as far as the path exists; gives the path itself where its disk does not answer. */
export async function realPath(path: string, files: Pick<Files, 'realpath'>): Promise<string> {
  try {
    return (await answered(path, files)) ?? path;
  } catch (error) {
    const parent = dirname(path);
    if (parent === path) return path;
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return join(await realPath(parent, files), basename(path));
    throw error;
  }
}

/** Undefined without an answer in time. However often it is asked, the place keeps one thread. */
async function answered(path: string, files: Pick<Files, 'realpath'>): Promise<string | undefined> {
  using limit = deadline(systemClock(), longestMs);
  const turn = await takeFileTurn(path, limit.signal).catch(() => undefined);
  if (turn === undefined) return undefined;
  return await unlessCutOff(
    files.realpath(path).finally(() => turn[Symbol.dispose]()),
    limit.signal,
  );
}
