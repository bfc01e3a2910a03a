// What a power cut leaves of a journal.
//
// SQLite's own calls run inside one turn of JavaScript, so between two steps of a process the files are never in the middle of a write. What
// can be missing after a cut is what the connection had not synced: with `synchronous = FULL` in WAL mode nothing that COMMIT returned for,
// with NORMAL everything since the last checkpoint, with OFF everything since the file was opened. Which of the three holds is not assumed: it
// is asked of the very connection that made the commit, after each commit. So a journal that stops syncing loses its commits here as it
// would on a machine whose plug is pulled. A cut in the middle of a COMMIT leaves the new WAL torn at a drawn byte.
// A name in a directory that was not synced after a rename is forgotten too.
//
// The one thing this trusts is that SQLite syncs when its setting says so, and that the disk does not lie.
import fs, { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Files } from '../../src/base/seams.ts';

/** What happens at a commit of the journal. */
export type CommitFault =
  | { readonly kind: 'none' }
  /** SQLite answers with an error of this code, and nothing is written. */
  | { readonly kind: 'error'; readonly errcode: 10 | 13 }
  /** The power goes: before the commit, in the middle of it (torn at this share of the written bytes), or right behind it. */
  | { readonly kind: 'cut'; readonly when: 'before' | 'during' | 'after'; readonly share: number };

/** The disk of one process. */
export interface Disk {
  readonly dir: string;
  /** Commits so far. */
  readonly commits: number;
  /** What the journal's connection said about its last commit: 2 or more is synced. */
  readonly synchronous: number | undefined;
  /** Writes what would be found after a power cut now into another directory. */
  leaveTo(dir: string): void;
}

export interface DiskHooks {
  /** Asked before each commit. */
  onCommit(number: number): CommitFault;
  /** Called when the power goes at a commit; the files in `dir` are what is left. */
  onCut(dir: string): void;
  /** Where a cut leaves its files. */
  readonly nextDir: string;
}

interface Image {
  readonly db: Buffer | undefined;
  readonly wal: Buffer | undefined;
}

interface Watched {
  readonly hooks: DiskHooks;
  readonly dir: string;
  commits: number;
  synchronous: number | undefined;
  /** What is surely on the disk while commits are not synced; undefined: the files as they are. */
  weak: Image | undefined;
  dbStamp: string;
  unsyncedName: boolean;
}

const watched = new Map<string, Watched>();
const dbOf = (dir: string): string => join(dir, 'journal.db');
const readIf = (path: string): Buffer | undefined => (existsSync(path) ? readFileSync(path) : undefined);
const imageOf = (dir: string): Image => ({ db: readIf(dbOf(dir)), wal: readIf(`${dbOf(dir)}-wal`) });

function stampOf(dir: string): string {
  if (!existsSync(dbOf(dir))) return '';
  const { size, mtimeNs } = statSync(dbOf(dir), { bigint: true });
  return `${size} ${mtimeNs}`;
}

function put(dir: string, { db, wal }: Image): void {
  mkdirSync(dir, { recursive: true });
  if (db !== undefined) writeFileSync(dbOf(dir), db);
  if (wal !== undefined) writeFileSync(`${dbOf(dir)}-wal`, wal);
}

function leave(disk: Watched, to: string): void {
  mkdirSync(to, { recursive: true });
  if (disk.unsyncedName) return;
  if (disk.weak !== undefined) {
    put(to, disk.weak);
    return;
  }
  for (const suffix of ['', '-wal'])
    if (existsSync(`${dbOf(disk.dir)}${suffix}`)) copyFileSync(`${dbOf(disk.dir)}${suffix}`, `${dbOf(to)}${suffix}`);
}

/** The bytes of a WAL whose last write was cut: the new ones up to a place, the old ones behind it. */
function torn(before: Buffer | undefined, after: Buffer | undefined, share: number): Buffer | undefined {
  if (after === undefined) return undefined;
  const old = before ?? Buffer.alloc(0);
  let first = 0;
  while (first < after.length && first < old.length && after[first] === old[first]) first += 1;
  const at = first + Math.floor((after.length - first) * share);
  return Buffer.concat([after.subarray(0, at), old.subarray(at)]);
}

const unpatched = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, 'exec')?.value as (
  this: DatabaseSync,
  sql: string,
) => void;
const exec = (db: DatabaseSync, sql: string): void => Reflect.apply(unpatched, db, [sql]);
const disks = new WeakMap<DatabaseSync, Watched | null>();

function diskOf(db: DatabaseSync): Watched | null {
  const known = disks.get(db);
  if (known !== undefined) return known;
  const path = db.location();
  const found = path === null || !path.endsWith('journal.db') ? null : (watched.get(resolve(dirname(path))) ?? null);
  disks.set(db, found);
  return found;
}

function sqliteError(errcode: number): Error {
  const text = errcode === 13 ? 'database or disk is full' : 'disk I/O error';
  return Object.assign(new Error(text), { code: 'ERR_SQLITE_ERROR', errcode, errstr: text });
}

function noteDurability(db: DatabaseSync, disk: Watched): void {
  const level = Number(Object.values(db.prepare('PRAGMA synchronous').get() ?? {})[0]);
  disk.synchronous = level;
  if (level >= 2) {
    disk.weak = undefined;
    return;
  }
  // A checkpoint syncs the WAL before and the file after it, unless nothing is ever synced.
  const stamp = stampOf(disk.dir);
  if (level === 1 && stamp !== disk.dbStamp) disk.weak = imageOf(disk.dir);
  disk.dbStamp = stamp;
}

function commit(db: DatabaseSync, disk: Watched): void {
  disk.commits += 1;
  // Nothing is known yet of what this process syncs: until it is, what stood here before its first commit is all that is sure.
  if (disk.commits === 1) disk.weak ??= imageOf(disk.dir);
  const fault = disk.hooks.onCommit(disk.commits);
  if (fault.kind === 'error') throw sqliteError(fault.errcode);
  if (fault.kind === 'none') {
    exec(db, 'COMMIT');
    noteDurability(db, disk);
    return;
  }
  const { nextDir } = disk.hooks;
  if (fault.when === 'before') leave(disk, nextDir);
  const before = imageOf(disk.dir);
  exec(db, 'COMMIT');
  noteDurability(db, disk);
  if (fault.when === 'after') leave(disk, nextDir);
  if (fault.when === 'during') {
    const after = imageOf(disk.dir);
    // A checkpoint rode along with the commit: the WAL was whole and synced before it.
    const checkpointed = before.db === undefined || after.db === undefined || !before.db.equals(after.db);
    if (checkpointed || disk.weak !== undefined) leave(disk, nextDir);
    else put(nextDir, { db: after.db, wal: torn(before.wal, after.wal, fault.share) });
  }
  disk.hooks.onCut(nextDir);
}

// Patched once: the journal opens its databases itself, and this is the only place where a test can stand between it and the disk.
DatabaseSync.prototype.exec = function observed(this: DatabaseSync, sql: string): void {
  const disk = sql === 'COMMIT' ? diskOf(this) : null;
  if (disk === null) exec(this, sql);
  else commit(this, disk);
};

/** Watches the journal in a directory until disposed. */
export function watchDisk(dir: string, hooks: DiskHooks): Disk & Disposable {
  const key = resolve(dir);
  const disk: Watched = {
    hooks,
    dir: key,
    commits: 0,
    synchronous: undefined,
    weak: undefined,
    dbStamp: stampOf(key),
    unsyncedName: false,
  };
  watched.set(key, disk);
  return {
    dir: key,
    get commits() {
      return disk.commits;
    },
    get synchronous() {
      return disk.synchronous;
    },
    leaveTo: (to) => leave(disk, to),
    [Symbol.dispose]: () => void watched.delete(key),
  };
}

type Handle = Awaited<ReturnType<Files['open']>>;
type Call = (...args: unknown[]) => unknown;

const later =
  (work: Call): Call =>
  (...args) => {
    try {
      return Promise.resolve(work(...args));
    } catch (error) {
      return Promise.reject(error);
    }
  };

function syncHandle(fd: number, path: string): Handle {
  const handle = {
    write: later((data, offset, length) => ({
      bytesWritten: fs.writeSync(fd, data as Buffer, offset as number, length as number),
    })),
    sync: later(() => {
      fs.fsyncSync(fd);
      noteSync(path);
    }),
    stat: later(() => fs.fstatSync(fd)),
    chmod: later((mode) => fs.fchmodSync(fd, mode as number)),
    truncate: later((length) => fs.ftruncateSync(fd, length as number)),
    close: later(() => fs.closeSync(fd)),
  };
  return handle as unknown as Handle;
}

/**
 * Files that answer within the turn, so that a run waits for no thread and a seed gives the same history under any load; they remember a
 * name in a directory that was not synced. Only what the journal uses of a handle is there.
 */
export function watchFiles(): Files {
  const special: Record<string, Call> = {
    open: later((path, flags, mode) =>
      syncHandle(fs.openSync(String(path), flags as string | number, mode as number | undefined), String(path)),
    ),
    rename: later((from, to) => {
      fs.renameSync(String(from), String(to));
      noteRename(String(to));
    }),
  };
  const all = fs as unknown as Record<string, Call | undefined>;
  return new Proxy({} as Files, {
    get: (_target, name) => special[String(name)] ?? later((...args) => all[`${String(name)}Sync`]?.(...args)),
  });
}

function noteRename(to: string): void {
  const disk = watched.get(resolve(dirname(to)));
  if (disk !== undefined && to.endsWith('journal.db')) disk.unsyncedName = true;
}

function noteSync(path: string): void {
  const disk = watched.get(resolve(path));
  if (disk !== undefined) disk.unsyncedName = false;
}
