import type { DatabaseSync } from 'node:sqlite';
import { PenstockError } from '../../base/errors.ts';
import type { JournalOptions, SqliteEngine } from '../contract/open.ts';
import type { Journal } from '../journal.ts';
import { type Core, openNames } from './core.ts';
import { Changes } from './file/changes.ts';
import { isDiskFull, openDatabase, storageError } from './file/database.ts';
import {
  fileExists,
  inspectDirectory,
  type JournalPaths,
  journalPaths,
  prepareDirectory,
  refuseMoved,
  requireJournal,
} from './file/directory.ts';
import { JournalTime } from './file/journal-time.ts';
import { takeLock } from './file/lock.ts';
import { checkVersion, createJournalFile, migrate, schemaVersion } from './file/schema.ts';
import { openWriter } from './file/writer.ts';
import { checkAtOpen } from './repair/check.ts';
import { setCountsRight } from './repair/counts-at-start.ts';
import { finishRepair, reportName } from './repair/put-in-place.ts';
import { journalOf, openStores } from './stores.ts';
import { Ballast, ballastBytes, openLimits, volumeBytes } from './upkeep/room.ts';
import { startUpkeep } from './upkeep/rounds.ts';
import { openTrimmer } from './upkeep/trim.ts';

const defaultLockWaitMs = 60_000;

/** Opens the journal of a data_dir, a new one when there is none; throws as `openJournal` does. */
export async function openSqlite({ dataDir }: SqliteEngine, options: JournalOptions): Promise<Journal> {
  const { seams, log, role = 'worker', lockWaitMs = defaultLockWaitMs, signal } = options;
  const paths = journalPaths(dataDir);
  if (role === 'observer') return openShared(dataDir, paths, options);
  await prepareDirectory(dataDir, seams.files, log);
  const lock = await takeLock(paths, { clock: seams.clock, files: seams.files, waitMs: lockWaitMs, log, signal });
  try {
    const damaged = await finishRepair(paths, seams.files);
    if (damaged !== undefined) log.warn({ damaged, report: reportName(damaged) }, 'a repair that was cut off is finished now');
    if (!(await fileExists(paths.journal, seams.files))) {
      await refuseMoved(paths, seams.files);
      await createJournalFile(paths.journal, seams.files);
    }
    return await assembleOnAnyDisk(paths, options, lock, await volumeBytes(dataDir, seams.files));
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw storageError(error, paths.journal);
  }
}

// A daemon that is restarted on a full disk has to deliver, so that there is something to trim: the ballast makes that possible.
async function assembleOnAnyDisk(
  paths: JournalPaths,
  options: JournalOptions,
  lock: AsyncDisposable,
  volume: number,
): Promise<Journal> {
  try {
    return assemble(paths, options, lock, volume);
  } catch (error) {
    const { maxBytes, seams, log } = options;
    const ballast = new Ballast(paths.ballast, { bytes: ballastBytes(maxBytes, volume), files: seams.files, log });
    if (!isDiskFull(error) || !(await ballast.giveUp())) throw error;
    return assemble(paths, options, lock, volume);
  }
}

async function openShared(dataDir: string, paths: JournalPaths, options: JournalOptions): Promise<Journal> {
  await requireJournal(paths, options.seams.files);
  await inspectDirectory(dataDir, options.seams.files);
  return assemble(paths, options, undefined);
}

function assemble(
  paths: JournalPaths,
  options: JournalOptions,
  lock: AsyncDisposable | undefined,
  volume = Number.POSITIVE_INFINITY,
): Journal {
  const path = paths.journal;
  const version = versionOf(path);
  const db = openDatabase(path);
  try {
    if (lock !== undefined) migrate(db, path, options.log);
    else if (version < schemaVersion) throw tooOld(version, path);
    if (lock !== undefined) checkAtOpen(db, path);
    return start(db, paths, options, lock, volume);
  } catch (error) {
    db.close();
    throw storageError(error, path);
  }
}

function start(
  db: DatabaseSync,
  paths: JournalPaths,
  { seams, log, maxBytes, keepMs }: JournalOptions,
  lock: AsyncDisposable | undefined,
  volume: number,
): Journal {
  const { clock, files } = seams;
  const path = paths.journal;
  const reserve = ballastBytes(maxBytes, volume);
  const ballast = new Ballast(paths.ballast, { bytes: reserve, files, log });
  const writer = openWriter(db, { path, freeReserve: () => ballast.giveUp(), foundFull: () => ballast.foundFull() });
  const time = new JournalTime(db, clock, keepMs);
  const core: Core = { db, path, writer, clock, time, log, names: openNames(db), changes: new Changes(db, clock) };
  if (lock !== undefined)
    for (const what of setCountsRight(db, clock, time)) log.error({ what }, 'counts of the journal disagreed and were set right');
  const limits = openLimits(db, path, { maxBytes, isLean: () => ballast.isLean });
  // The WAL must not outgrow what a full disk leaves it.
  db.exec(`PRAGMA wal_autocheckpoint = ${Math.min(1000, Math.max(16, Math.floor(reserve / 16_384)))}`);
  const stores = openStores(core, limits, lock === undefined ? undefined : { ballast, volume });
  const trimmer = openTrimmer(core, stores.offsets);
  const upkeep = lock === undefined ? undefined : startUpkeep({ core, limits, seen: stores.seen, trimmer, ballast, keepMs });
  const journal = journalOf(stores, async () => {
    await upkeep?.close();
    // A journal that cannot be written to any more keeps the time that was saved before.
    if (lock !== undefined) await writer.write(() => time.save()).catch(() => undefined);
    await writer.close();
    core.changes.close();
    db.close();
    await lock?.[Symbol.asyncDispose]();
  });
  if (upkeep === undefined) return journal;
  return {
    ...journal,
    register: (sources, sinks) => journal.register(sources, sinks).finally(() => upkeep.registered()),
    usage: () => ({ ...journal.usage(), upkeep: upkeep.trouble() }),
  };
}

// Read-only: the settings of a journal are not for a file that turns out to be somebody else's.
function versionOf(path: string): number {
  const db = openDatabase(path, { readOnly: true });
  try {
    return checkVersion(db, path);
  } finally {
    db.close();
  }
}

function tooOld(version: number, path: string): PenstockError {
  return new PenstockError('PEN_JOURNAL_FOREIGN', `the journal is of version ${version}, older than this penstock reads`, {
    where: path,
    fix: 'start the daemon of this version once; it migrates the journal',
  });
}
