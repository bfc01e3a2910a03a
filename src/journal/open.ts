import { PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Seams } from '../base/seams.ts';
import { type Core, openNames } from './core.ts';
import { openDatabase, storageError } from './database.ts';
import { type JournalPaths, journalPaths, prepareDirectory } from './directory.ts';
import type { Journal } from './journal.ts';
import { openLimits } from './limits.ts';
import { type Lock, takeLock } from './lock.ts';
import { checkVersion, createJournalFile, fileExists, migrate } from './migrate.ts';
import { journalOf, openParts } from './parts.ts';
import { schemaVersion } from './schema.ts';
import { openWake } from './wake.ts';
import { openWriter } from './writer.ts';

export interface JournalOptions {
  /** Directory of the journal's files; made when missing. */
  readonly dataDir: string;
  /** Bound of collection, bytes; at least 8 MiB. */
  readonly maxBytes: number;
  /** How long delivered records stay for replay, milliseconds. */
  readonly keepMs: number;
  readonly seams: Seams;
  readonly log: Log;
  /** `exclusive` collects and delivers; `shared` reads and leaves jobs beside a running daemon. */
  readonly lock?: 'exclusive' | 'shared';
  /** How long to wait for another holder of the lock, milliseconds. */
  readonly lockWaitMs?: number;
  readonly signal?: AbortSignal;
}

const defaultLockWaitMs = 60_000;

/**
 * Opens the journal of a data_dir, a new one when there is none.
 *
 * Throws PEN_JOURNAL_LOCKED, PEN_JOURNAL_CORRUPT, PEN_JOURNAL_FOREIGN, PEN_JOURNAL_UNWRITABLE; `shared` throws PEN_NOT_FOUND where there is no journal yet.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dataDir, seams, log, lock: mode = 'exclusive', lockWaitMs = defaultLockWaitMs, signal } = options;
  const paths = journalPaths(dataDir);
  if (mode === 'shared') return openShared(paths, options);
  await prepareDirectory(dataDir, seams.files, log);
  const lock = await takeLock(paths, { clock: seams.clock, files: seams.files, waitMs: lockWaitMs, signal });
  try {
    if (!(await fileExists(paths.journal, seams.files))) await createJournalFile(paths.journal, seams.files);
    return assemble(paths, options, lock);
  } catch (error) {
    await lock.release();
    throw storageError(error, paths.journal);
  }
}

async function openShared(paths: JournalPaths, options: JournalOptions): Promise<Journal> {
  if (!(await fileExists(paths.journal, options.seams.files))) {
    throw new PenstockError('PEN_NOT_FOUND', 'there is no journal yet', {
      where: paths.journal,
      fix: 'start the daemon once with "penstock run"',
    });
  }
  return assemble(paths, options, undefined);
}

function assemble(paths: JournalPaths, options: JournalOptions, lock: Lock | undefined): Journal {
  const { seams, log } = options;
  const path = paths.journal;
  const db = openDatabase(path);
  try {
    const version = checkVersion(db, path);
    if (lock !== undefined) migrate(db, path, log);
    else if (version < schemaVersion) throw tooOld(version, path);
    const limits = openLimits(db, path, options.maxBytes);
    const writer = openWriter(db, { path, freeReserve: () => Promise.resolve(false) });
    const core: Core = { db, path, writer, clock: seams.clock, log, names: openNames(db), wake: openWake(db, seams.clock) };
    return journalOf(openParts(core, limits), async () => {
      await writer.close();
      core.wake.close();
      db.close();
      await lock?.release();
    });
  } catch (error) {
    db.close();
    throw storageError(error, path);
  }
}

function tooOld(version: number, path: string): PenstockError {
  return new PenstockError('PEN_JOURNAL_FOREIGN', `the journal is of version ${version}, older than this penstock reads`, {
    where: path,
    fix: 'start the daemon of this version once; it migrates the journal',
  });
}
