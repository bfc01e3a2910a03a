import { dirname, join } from 'node:path';
import { PenstockError } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import { makeFolder } from '../../../base/make-folder.ts';
import { inspectOwnFile, ownUser, unlessGone } from '../../../base/own-file.ts';
import { claimFolder, inspectFolder } from '../../../base/own-folder.ts';
import type { Files } from '../../../base/seams.ts';

/** Names of the journal's files in data_dir. SQLite adds `-wal` and `-shm` beside the first. */
export interface JournalPaths {
  readonly journal: string;
  readonly lock: string;
  readonly holder: string;
  readonly ballast: string;
}

/** The journal's files in a directory. */
export function journalPaths(dataDir: string): JournalPaths {
  return {
    journal: join(dataDir, 'journal.db'),
    lock: join(dataDir, 'journal.lock'),
    holder: join(dataDir, 'journal.holder'),
    ballast: join(dataDir, 'journal.ballast'),
  };
}

/** What SQLite puts beside a database, under its name. */
export const besideDatabase = ['', '-wal', '-shm', '-journal'] as const;

/** What a journal's file is called once it has been moved to a database. */
export const movedName = (journal: string): string => `${journal}.moved`;

/** Where a move from a database writes the journal before it gets its name. */
export const movingName = (journal: string): string => `${journal}.moving`;

/** Where a repair writes the journal that takes the place of the damaged one. */
export const repairedName = (journal: string): string => `${journal}.repaired`;

const ourNames = /^(journal\.(db|lock|holder|ballast)\b.*|credentials\.db(-.*)?|admin\.(token|url)|penstock\.sock|\.probe-\d+)$/;

// Magic numbers of statfs(2), from linux/magic.h. On these, locks or shared memory between processes do not hold what SQLite needs.
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB2'],
  [0xff534d42, 'CIFS'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
]);

// 9p and FUSE are what sandboxes and desktop containers show for a local disk as well: used, with a warning.
const doubtfulFileSystems: ReadonlyMap<number, string> = new Map([
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
]);

/**
 * Makes data_dir when it is missing (mode 0700) and sees that a journal can live there. Throws PEN_DATA_DIR_UNSAFE where others can write it or
 * have put something into it, PEN_JOURNAL_UNWRITABLE for a network file system, for a directory without write access and for something that is
 * no directory.
 */
export async function prepareDirectory(dataDir: string, files: Files, log: Log): Promise<void> {
  try {
    const made = await makeFolder(dataDir, files, 0o700);
    if (made !== undefined) await syncDirectory(dirname(made), files);
    const { repaired, warnings } = await claimFolder(dataDir, files, (name) => ourNames.test(name));
    if (repaired !== undefined) log.warn({ dataDir }, repaired);
    for (const warning of warnings) log.warn({ dataDir }, warning);
    await claimFiles(dataDir, files);
    await probeWrite(dataDir, files);
  } catch (error) {
    throw unwritable(error, dataDir);
  }
  await refuseNetwork(dataDir, files, log);
}

/** What the file system says where data_dir cannot be written, with the way out; an error that has one passes. */
export function unwritable(error: unknown, dataDir: string): PenstockError {
  if (error instanceof PenstockError) return error;
  const what = error instanceof Error ? error.message : String(error);
  return new PenstockError('PEN_JOURNAL_UNWRITABLE', `data_dir cannot be written (${what})`, {
    where: dataDir,
    cause: error,
    fix: 'let data_dir name a directory on a local disk that the user who runs penstock may write to',
  });
}

/** Throws PEN_DATA_DIR_UNSAFE where others can write data_dir, or something else than a file of its owner has the name of one of ours. */
export async function inspectDirectory(dataDir: string, files: Files): Promise<void> {
  await inspectFolder(dataDir, files);
  if (!(await fileExists(dataDir, files))) return;
  // Root looks into the folder of any user.
  const owners = ownUser() === 0 ? [(await files.stat(dataDir)).uid] : [];
  for (const path of pathsIn(dataDir)) await inspectOwnFile(path, files, 'PEN_DATA_DIR_UNSAFE', owners);
}

/** A new journal beside the one that was moved away would collect again what that one knows; one in the place of what is still to come would be taken for it. */
export async function refuseMoved({ journal }: JournalPaths, files: Files): Promise<void> {
  const [moved, moving] = [movedName(journal), movingName(journal)];
  if (await fileExists(moving, files))
    throw new PenstockError('PEN_JOURNAL_FOREIGN', 'a move of the journal from a database to this data_dir was cut off', {
      where: moving,
      fix: 'run the same "penstock journal move" again; to begin anew here, delete this file',
    });
  if (!(await fileExists(moved, files))) return;
  throw new PenstockError('PEN_JOURNAL_FOREIGN', 'the journal of this data_dir was moved to a database', {
    where: moved,
    fix: 'set journal.url to where it went; to begin anew here, delete this file',
  });
}

/** True where a repair was killed as it put its journal in place: only when all was written is the damaged one put aside. */
export async function isUnfinished({ journal }: JournalPaths, files: Files): Promise<boolean> {
  return !(await fileExists(journal, files)) && (await fileExists(repairedName(journal), files));
}

/** Throws PEN_NOT_FOUND where there is no journal to read, and as {@link refuseMoved} does. */
export async function requireJournal(paths: JournalPaths, files: Files): Promise<void> {
  if (await fileExists(paths.journal, files)) return;
  await refuseMoved(paths, files);
  if (await isUnfinished(paths, files))
    throw new PenstockError('PEN_NOT_FOUND', 'a repair of the journal was killed before it put the repaired one in place', {
      where: repairedName(paths.journal),
      fix: 'start the daemon, or run "penstock journal repair": either finishes it',
    });
  throw new PenstockError('PEN_NOT_FOUND', 'there is no journal yet', {
    where: paths.journal,
    fix: 'start the daemon once with "penstock run"',
  });
}

/** The same for whoever writes there; what a volume opened to its group (`fsGroup`) is closed again. */
async function claimFiles(dataDir: string, files: Files): Promise<void> {
  for (const path of pathsIn(dataDir)) {
    const mode = await inspectOwnFile(path, files, 'PEN_DATA_DIR_UNSAFE');
    if (mode !== undefined && (mode & 0o077) !== 0) await unlessGone(files.chmod(path, 0o600));
  }
}

function pathsIn(dataDir: string): string[] {
  const { journal, lock, holder, ballast } = journalPaths(dataDir);
  const databases = [journal, lock, join(dataDir, 'credentials.db')];
  return [...databases.flatMap((path) => besideDatabase.map((suffix) => `${path}${suffix}`)), holder, ballast];
}

async function probeWrite(dataDir: string, files: Files): Promise<void> {
  const probe = join(dataDir, `.probe-${process.pid}`);
  await files.rm(probe, { force: true });
  const handle = await files.open(probe, 'wx', 0o600);
  await handle.close();
  await files.unlink(probe);
}

async function refuseNetwork(dataDir: string, files: Files, log: Log): Promise<void> {
  const { type } = await files.statfs(dataDir);
  const name = networkFileSystems.get(type >>> 0);
  if (name !== undefined) {
    throw new PenstockError('PEN_JOURNAL_UNWRITABLE', `data_dir is on ${name}, a network file system`, {
      where: dataDir,
      fix: 'put data_dir on a local disk or a block volume: locks and syncs do not hold across the network',
    });
  }
  const doubtful = doubtfulFileSystems.get(type >>> 0);
  if (doubtful !== undefined)
    log.warn({ dataDir, fileSystem: doubtful }, 'data_dir is on a file system that may be remote; it must be a local disk');
}

/** True when a file stands at the path, whatever it is. */
export async function fileExists(path: string, files: Pick<Files, 'lstat'>): Promise<boolean> {
  return (await unlessGone(files.lstat(path))) !== undefined;
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string, files: Files): Promise<void> {
  const handle = await files.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
