import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { PenstockError } from '../../../base/errors.ts';

/** How long a statement waits for another process that writes, milliseconds. */
const busyTimeoutMs = 5000;

/**
 * Opens a SQLite file the way the journal needs it: WAL, every commit synced before it returns, space given back in steps.
 * Throws a PenstockError when the file cannot be used; the settings are read back, because SQLite ignores what it cannot do.
 */
export function openDatabase(path: string, { readOnly = false }: { readonly readOnly?: boolean } = {}): DatabaseSync {
  try {
    const db = new DatabaseSync(path, { timeout: busyTimeoutMs, readOnly, enableForeignKeyConstraints: false });
    if (readOnly) return db;
    // auto_vacuum has to be set before the first table; on a file that has tables it changes nothing.
    db.exec(
      'PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 8388608',
    );
    db.exec('PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
    const inEffect = [pragma(db, 'journal_mode'), pragma(db, 'synchronous'), pragma(db, 'auto_vacuum')];
    if (inEffect.join() !== 'wal,2,2') {
      db.close();
      throw new PenstockError(
        'PEN_JOURNAL_UNWRITABLE',
        `SQLite refused durable settings (journal_mode, synchronous, auto_vacuum = ${inEffect.join()})`,
        { where: path, fix: 'put data_dir on a local disk' },
      );
    }
    return db;
  } catch (error) {
    throw storageError(error, path);
  }
}

/** The value of a pragma that answers with one row of one column. */
export function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/** First row of a statement. The tables are STRICT and written only by this room, so the caller names the row's shape. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the row's shape is the caller's to name
export function one<Row>(statement: StatementSync, ...values: SQLInputValue[]): Row | undefined {
  const [row] = all<Row>(statement, ...values);
  return row;
}

/** All rows of a statement; see {@link one}. */
export function all<Row>(statement: StatementSync, ...values: SQLInputValue[]): Row[] {
  return statement.all(...values) as unknown as Row[];
}

/** Runs `work` in a transaction of its own and commits it; whatever it throws undoes all of it. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

const primaryCodes: Readonly<Record<number, readonly ['PEN_JOURNAL_CORRUPT' | 'PEN_JOURNAL_UNWRITABLE', string]>> = {
  // Our statements do not change, so it is what they name that did.
  1: ['PEN_JOURNAL_CORRUPT', 'a table of the journal is not as it was made'],
  5: ['PEN_JOURNAL_UNWRITABLE', 'another process is writing to the journal'],
  6: ['PEN_JOURNAL_UNWRITABLE', 'another process is writing to the journal'],
  8: ['PEN_JOURNAL_UNWRITABLE', 'the journal is read-only'],
  10: ['PEN_JOURNAL_UNWRITABLE', 'the disk answered with an I/O error'],
  11: ['PEN_JOURNAL_CORRUPT', 'the journal is damaged'],
  13: ['PEN_JOURNAL_UNWRITABLE', 'the disk is full'],
  14: ['PEN_JOURNAL_UNWRITABLE', 'the journal cannot be opened'],
  23: ['PEN_JOURNAL_UNWRITABLE', 'access to the journal was denied'],
  26: ['PEN_JOURNAL_CORRUPT', 'the file is not a journal, or its first page is damaged'],
};

function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode;
}

/** True when SQLite found no space, whether by its own limit or the disk's. */
export function isDiskFull(error: unknown): boolean {
  const code = sqliteCode(error instanceof PenstockError ? error.cause : error);
  // 4874 and 6410: the shared memory beside the WAL could not grow (SHMSIZE) or be opened; on a full disk that is the same news.
  return code !== undefined && ((code & 0xff) === 13 || code === 4618 || code === 4874);
}

/** Of a copy from one file to another: true when SQLite could not read the first, false when it could not write the other. */
export function isOfWhatIsRead(error: unknown): boolean {
  const code = sqliteCode(error);
  // Damaged, no database, and IOERR_READ.
  return code !== undefined && ((code & 0xff) === 11 || (code & 0xff) === 26 || code === 266);
}

/** Turns an error of SQLite into a PenstockError that names the file and the way out; other errors pass unchanged. */
export function storageError(error: unknown, where: string): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  const [name, what] = primaryCodes[code & 0xff] ?? (['PEN_INTERNAL', 'the journal refused a statement'] as const);
  const detail = error instanceof Error ? error.message : String(error);
  return new PenstockError(name, `${what} (SQLite ${code}: ${detail})`, { where, cause: error, fix: fixes[name] });
}

const fixes = {
  PEN_JOURNAL_CORRUPT: 'stop the daemon and run "penstock journal check", then "penstock journal repair"',
  PEN_JOURNAL_UNWRITABLE: 'free space on the disk, and see that data_dir is writable for the user that runs penstock',
  PEN_INTERNAL: 'report this with the log; the journal is unchanged',
} as const;

/** The error of an append that finds the disk full. */
export function diskFullError(path: string, cause?: unknown): PenstockError {
  const fix = 'free space on the disk; collection resumes by itself';
  return new PenstockError('PEN_JOURNAL_FULL', 'the disk is full', { where: path, cause, fix });
}

/** Brings the WAL into the database and empties it, unless a reader is in the way: then it stays for the next time. */
export function truncateWal(db: DatabaseSync): void {
  // Waiting for a reader would stall the event loop: a backup may read for minutes.
  db.exec('PRAGMA busy_timeout = 0');
  db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
}
