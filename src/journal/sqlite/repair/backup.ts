import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { backup } from 'node:sqlite';
import { PenstockError } from '../../../base/errors.ts';
import { openDatabase, storageError } from '../file/database.ts';
import { inspectDirectory, journalPaths, requireJournal, syncDirectory } from '../file/directory.ts';
import { checkVersion } from '../file/schema.ts';

interface BackupOptions {
  /** Called as pages of the file are copied. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Copies the journal of a data_dir to a file, also while the daemon runs: the copy is the journal at one moment.
 *
 * Throws PEN_OPERATION_FAILED when something stands at `to`, and PEN_NOT_FOUND when there is no journal.
 */
export async function backupJournal(
  dataDir: string,
  to: string,
  { onProgress }: BackupOptions = {},
): Promise<{ readonly bytes: number }> {
  const paths = journalPaths(dataDir);
  const path = paths.journal;
  const draft = `${to}.${randomBytes(4).toString('hex')}.part`;
  await requireJournal(paths, fs);
  await refuseExisting(to);
  await inspectDirectory(dataDir, fs);
  const db = openDatabase(path, { readOnly: true });
  try {
    checkVersion(db, path);
    // A reading transaction keeps the copy at one moment; without it, every commit of the daemon would begin the copy anew.
    db.exec('BEGIN');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    await (await fs.open(draft, 'wx', 0o600)).close();
    await backup(db, draft, {
      rate: 2048,
      progress: ({ totalPages, remainingPages }) => onProgress?.(totalPages - remainingPages, totalPages),
    });
    return await publish(draft, to);
  } catch (error) {
    await fs.rm(draft, { force: true });
    throw storageError(error, path);
  } finally {
    db.close();
  }
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
  const standing = await fs.lstat(to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  if (standing)
    throw new PenstockError('PEN_OPERATION_FAILED', 'a file stands there already', {
      where: to,
      fix: 'name a file that does not exist',
    });
}
