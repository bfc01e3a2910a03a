import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Clock, sleep } from '../../../base/clock.ts';
import { PenstockError } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import { openOwnFile, writeOwnFile } from '../../../base/own-file.ts';
import type { Files } from '../../../base/seams.ts';
import { storageError } from './database.ts';
import { type JournalPaths, journalPaths, unwritable } from './directory.ts';

const retryMs = 250;
const tellAfterMs = 1000;
const mostHolderBytes = 4096;

const words = {
  journal: ['another penstock uses this journal', 'waiting for another daemon to release the journal'],
  data_dir: ['another penstock uses this data_dir', 'waiting for another daemon to release the data_dir'],
} as const;

interface LockOptions {
  readonly clock: Clock;
  readonly files: Files;
  /** How long to wait for another holder, milliseconds. */
  readonly waitMs: number;
  /** What there is to be had; the journal when absent. */
  readonly what?: keyof typeof words;
  /** Told once of a wait that lasts. */
  readonly log?: Log;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes the lock of a data_dir, the right to be the one process that collects and delivers: an exclusive transaction on a small database
 * of its own, which the system frees even after kill -9. Throws PEN_JOURNAL_LOCKED, naming the holder as far as it is known.
 */
export async function takeLock(
  paths: JournalPaths,
  { clock, files, waitMs, what = 'journal', log, signal }: LockOptions,
): Promise<AsyncDisposable> {
  await touch(paths.lock, files);
  const end = clock.monotonic() + waitMs;
  using _waiting = clock.timer(tellAfterMs, () => log?.warn({ data_dir: dirname(paths.lock), waitMs }, words[what][1]));
  for (;;) {
    const db = tryLock(paths.lock);
    if (db !== undefined) {
      await nameHolder(paths.holder, clock, files);
      return {
        async [Symbol.asyncDispose]() {
          await files.rm(paths.holder, { force: true });
          db.close();
        },
      };
    }
    if (clock.monotonic() >= end) throw await lockedError(paths, files, words[what][0]);
    await sleep(clock, Math.min(retryMs, Math.max(1, end - clock.monotonic())), signal);
  }
}

/** The same for a replica, whose journal is elsewhere: data_dir has its socket and its token, which two processes would take from each other. */
export function takeDataDir(dataDir: string, options: Omit<LockOptions, 'what'>): Promise<AsyncDisposable> {
  return takeLock(journalPaths(dataDir), { ...options, what: 'data_dir' });
}

async function nameHolder(path: string, clock: Clock, files: Files): Promise<void> {
  const holder = { pid: process.pid, host: hostname(), since: new Date(clock.now()).toISOString() };
  try {
    await writeOwnFile(path, JSON.stringify(holder), files, 'PEN_DATA_DIR_UNSAFE');
  } catch (error) {
    // A full disk must not keep the daemon from starting: what it delivers is what makes room.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

// SQLite would make the file readable to all.
async function touch(path: string, files: Files): Promise<void> {
  try {
    const handle = await openOwnFile(path, files, { for: 'append', code: 'PEN_DATA_DIR_UNSAFE' });
    await handle.close();
  } catch (error) {
    throw unwritable(error, dirname(path));
  }
}

function tryLock(path: string): DatabaseSync | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 0 });
    // Nothing is ever written, so no rollback journal either: on a full disk there would be no space for it.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    if (isBusy(error)) return undefined;
    throw storageError(error, path);
  }
}

function isBusy(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    (error.errcode & 0xff) === 5
  );
}

async function lockedError(paths: JournalPaths, files: Files, what: string): Promise<PenstockError> {
  const holder = await describeHolder(paths.holder, files);
  return new PenstockError('PEN_JOURNAL_LOCKED', `${what}${holder}`, {
    where: paths.lock,
    fix: 'stop it, or give this one a data_dir of its own',
  });
}

async function readHolder(path: string, files: Files): Promise<string> {
  const handle = await openOwnFile(path, files, { for: 'read', code: 'PEN_DATA_DIR_UNSAFE' });
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(mostHolderBytes), 0, mostHolderBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function describeHolder(path: string, files: Files): Promise<string> {
  try {
    const { pid, host, since } = JSON.parse(await readHolder(path, files)) as {
      pid?: unknown;
      host?: unknown;
      since?: unknown;
    };
    return ` (process ${String(pid)} on ${String(host)}, since ${String(since)})`;
  } catch (error) {
    // The holder wrote nothing, or is writing at this moment: the message does without.
    return error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT' ? '' : ` (${String(error)})`;
  }
}
