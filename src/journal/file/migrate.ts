import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { PenstockError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Files } from '../../base/seams.ts';
import { inTransaction, openDatabase, pragma, storageError } from './database.ts';
import { syncDirectory } from './directory.ts';
import { applicationId, migrations, schemaVersion } from './schema.ts';

/** Makes an empty journal under another name and moves it into place, so that a journal file is never half made. */
export async function createJournalFile(path: string, files: Files): Promise<void> {
  const draft = `${path}.new`;
  for (const suffix of ['', '-wal', '-shm']) await files.rm(`${draft}${suffix}`, { force: true });
  const handle = await files.open(draft, 'wx', 0o600);
  await handle.close();
  const db = openDatabase(draft);
  try {
    migrate(db, draft);
  } finally {
    db.close();
  }
  const file = await files.open(draft, 'r+');
  await file.sync();
  await file.close();
  await files.rename(draft, path);
  await syncDirectory(dirname(path), files);
}

/** True when a file stands at the path, whatever it is. */
export async function fileExists(path: string, files: Files): Promise<boolean> {
  try {
    await files.lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Throws PEN_JOURNAL_FOREIGN or PEN_JOURNAL_CORRUPT unless the database is a journal of this version or an older one. Returns its version. */
export function checkVersion(db: DatabaseSync, path: string): number {
  const [id, version, tables] = readHeader(db, path);
  if (id !== applicationId) {
    if (tables === 0) {
      throw new PenstockError('PEN_JOURNAL_CORRUPT', 'the journal file is empty', {
        where: path,
        fix: 'restore it from a backup, or move it away to begin a new journal; sources collect again from their start',
      });
    }
    throw new PenstockError('PEN_JOURNAL_FOREIGN', 'the file is a database of another program', {
      where: path,
      fix: 'let data_dir name a directory of its own',
    });
  }
  if (version > schemaVersion) {
    throw new PenstockError(
      'PEN_JOURNAL_FOREIGN',
      `the journal was written by a newer penstock (version ${version}, this one reads up to ${schemaVersion})`,
      { where: path, fix: 'run the newer penstock, or restore a backup made before the update' },
    );
  }
  return version;
}

function readHeader(db: DatabaseSync, path: string): [number, number, number] {
  try {
    const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
    return [Number(pragma(db, 'application_id')), Number(pragma(db, 'user_version')), Number(tables)];
  } catch (error) {
    throw storageError(error, path);
  }
}

/** Brings a database to the newest shape, one transaction per step. */
export function migrate(db: DatabaseSync, path: string, log?: Log): void {
  const from = Number(pragma(db, 'user_version'));
  for (const [index, sql] of migrations.entries()) {
    if (index < from) continue;
    try {
      inTransaction(db, () => db.exec(`${sql}; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${index + 1}`));
    } catch (error) {
      throw storageError(error, path);
    }
    if (from > 0) log?.info({ path, version: index + 1 }, 'journal migrated');
  }
}
