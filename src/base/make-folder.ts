import { dirname } from 'node:path';
import type { Files } from './seams.ts';

/**
 * Makes a folder and those above it where they are missing. Returns the topmost one made; undefined when all were there.
 *
 * Step by step, because Node's recursive mkdir never returns where making a folder says ENOENT below one that exists, as /proc does: it
 * spins in a thread that nothing can stop (measured with Node 24.21 on Linux).
 */
export async function makeFolder(path: string, files: Pick<Files, 'mkdir' | 'stat'>, mode = 0o777): Promise<string | undefined> {
  try {
    await files.mkdir(path, { mode });
    return path;
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) return ifFolder(path, files, error);
    const made = await makeFolder(parent, files, mode);
    // Another process may have made it meanwhile.
    await files.mkdir(path, { mode }).catch((again: unknown) => ifFolder(path, files, again));
    return made ?? path;
  }
}

async function ifFolder(path: string, files: Pick<Files, 'stat'>, error: unknown): Promise<undefined> {
  const isFolder = await files.stat(path).then(
    (stat) => stat.isDirectory(),
    () => false,
  );
  if (!isFolder) throw error;
}
