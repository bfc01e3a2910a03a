import { dirname } from 'node:path';
import type { Log } from '../base/log.ts';
import type { Files } from '../base/seams.ts';
import { syncDirectory } from './directory.ts';

/**
 * A file of dead weight in data_dir. States: `absent` (not made yet, or no space for it) -> `standing` -> given up on a full disk, which
 * is `absent` again. While it stands, a full disk leaves room for offsets and dead letters.
 */
export interface Ballast {
  /** Removes the file; false when there was none to give. */
  giveUp(): Promise<boolean>;
  /** Makes the file when it is absent and the disk has room for it and as much again. */
  restore(): Promise<void>;
}

const mebibyte = 1024 * 1024;

/** Size of the ballast of a journal, bytes: 64 MiB, at most an eighth of max_bytes. */
export function ballastBytes(maxBytes: number): number {
  return Math.min(64 * mebibyte, Math.floor(maxBytes / 8));
}

/** Finds or later makes the ballast at a path. */
export function openBallast(
  path: string,
  { bytes, files, log }: { readonly bytes: number; readonly files: Files; readonly log: Log },
): Ballast {
  let busy: Promise<void> | undefined;

  async function make(): Promise<void> {
    const size = await sizeOf(path, files);
    if (size === bytes) return;
    const { bavail, bsize } = await files.statfs(dirname(path));
    if (bavail * bsize < 2 * bytes) return;
    try {
      await fill(path, bytes, files);
      await syncDirectory(dirname(path), files);
    } catch (error) {
      // It is tried again with the next upkeep; until then a full disk finds no reserve.
      log.warn({ err: error, path }, 'the ballast could not be made');
      await files.rm(path, { force: true });
    }
  }
  return {
    async giveUp() {
      await busy;
      const size = await sizeOf(path, files);
      if (size === undefined) return false;
      await files.rm(path, { force: true });
      log.error(
        { path, bytes: size },
        'the disk is full: gave up the ballast so that offsets can be kept; free space on the disk',
      );
      return true;
    },
    restore() {
      busy ??= make().finally(() => {
        busy = undefined;
      });
      return busy;
    },
  };
}

async function sizeOf(path: string, files: Files): Promise<number | undefined> {
  try {
    return (await files.lstat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

// Written, not set by length: a hole in a file keeps no space. Not zeros: some file systems compress.
async function fill(path: string, bytes: number, files: Files): Promise<void> {
  const chunk = Buffer.alloc(mebibyte);
  for (let at = 0; at < chunk.length; at += 4) chunk.writeUInt32LE(Math.imul(at + 1, 0x9e3779b1) >>> 0, at);
  const handle = await files.open(path, 'w', 0o600);
  try {
    for (let left = bytes; left > 0; left -= chunk.length) await handle.write(chunk, 0, Math.min(left, chunk.length));
    await handle.sync();
  } finally {
    await handle.close();
  }
}
