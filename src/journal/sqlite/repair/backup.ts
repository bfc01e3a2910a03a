import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { backup } from 'node:sqlite';
import { PenstockError } from '../../../base/errors.ts';
import { unlessGone } from '../../../base/own-file.ts';
import { isOfWhatIsRead, openDatabase, storageError } from '../file/database.ts';
import { inspectDirectory, journalPaths, requireJournal, syncDirectory } from '../file/directory.ts';
import { checkVersion } from '../file/schema.ts';

interface BackupOptions {
  /** Called as pages of the file are copied. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Copies the journal of a data_dir to a file, also while the daemon runs: the copy is the journal at one moment.
 *
 * Throws PEN_OPERATION_FAILED when something stands at `to` or nothing can be written there, and PEN_NOT_FOUND when there is no journal.
 */
export async function backupJournal(
  dataDir: string,
  to: string,
  { onProgress }: BackupOptions = {},
): Promise<{ readonly bytes: number }> {
  const paths = journalPaths(dataDir);
  const path = paths.journal;
  await requireJournal(paths, fs);
  await refuseExisting(to);
  await inspectDirectory(dataDir, fs);
  const db = openDatabase(path, { readOnly: true });
  try {
    checkVersion(db, path);
    // A reading transaction keeps the copy at one moment; without it, every commit of the daemon would begin the copy anew.
    db.exec('BEGIN');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return await copyTo(to, async (draft) => {
      await backup(db, draft, {
        rate: 2048,
        progress: ({ totalPages, remainingPages }) => onProgress?.(totalPages - remainingPages, totalPages),
      });
    });
  } catch (error) {
    throw storageError(error, path);
  } finally {
    db.close();
  }
}

/** Makes a file under another name, which gets its own once it is whole. Throws PEN_OPERATION_FAILED where it cannot be written. */
async function copyTo(to: string, fill: (draft: string) => Promise<void>): Promise<{ bytes: number }> {
  const draft = `${to}.${randomBytes(4).toString('hex')}.part`;
  try {
    await (await fs.open(draft, 'wx', 0o600)).close();
    await fill(draft);
    return await publish(draft, to);
  } catch (error) {
    await fs.rm(draft, { force: true });
    throw isOfWhatIsRead(error) ? error : unwritableCopy(error as Error, to);
  }
}

function unwritableCopy(error: Error, to: string): PenstockError {
  return new PenstockError('PEN_OPERATION_FAILED', `the copy cannot be written (${error.message})`, {
    where: to,
    cause: error,
    fix: 'free space there, or name a file in a folder that can be written',
  });
}

async function publish(draft: string, to: string): Promise<{ bytes: number }> {
  const handle = await fs.open(draft, 'r+');
  await handle.sync();
  const { size } = await handle.stat();
  await handle.close();
  await fs.rename(draft, to);
  await syncDirectory(dirname(to), fs);
  return { bytes: size };
}

async function refuseExisting(to: string): Promise<void> {
  const standing = await unlessGone(fs.lstat(to)).catch((error: Error) => Promise.reject(unwritableCopy(error, to)));
  if (standing !== undefined)
    throw new PenstockError('PEN_OPERATION_FAILED', 'a file stands there already', {
      where: to,
      fix: 'name a file that does not exist',
    });
}
