// Files that are ours alone: opened without following a link, and looked at before a byte is read or written.
import { constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { type ErrorCode, PenstockError } from './errors.ts';
import type { Files } from './seams.ts';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

// Without O_NONBLOCK, opening a FIFO waits for its other end.
const safely = O_NOFOLLOW | O_NONBLOCK;
const flagsOf = {
  read: O_RDONLY | safely,
  write: O_RDWR | O_CREAT | safely,
  append: O_RDWR | O_APPEND | O_CREAT | safely,
} as const;

interface OwnFileOptions {
  /** `write` and `append` make the file, mode 0600, when it is missing; neither cuts off what it holds. */
  readonly for: keyof typeof flagsOf;
  /** Code of the error when something else than a file of our own stands there. */
  readonly code: ErrorCode;
  /** What its reader is to do; by default to move what stands there away. */
  readonly fix?: string;
  /** Whose the file may be besides ours; nobody's unless given. */
  readonly owners?: readonly number[];
}

/** The user that this process acts as; undefined where the system has no such numbers. */
export function ownUser(): number | undefined {
  return process.geteuid?.();
}

/** What makes that something is not a file of one's own; undefined when it is one. */
function foreignness(stat: Stats, owners: readonly number[] = []): string | undefined {
  const user = ownUser();
  if (stat.isSymbolicLink()) return 'is a symbolic link';
  if (!stat.isFile()) return 'is not a regular file';
  if (user !== undefined && stat.uid !== user && !owners.includes(stat.uid))
    return `belongs to user ${stat.uid}, not to user ${user}`;
  return stat.nlink > 1 ? `is a hard link: the same file has ${stat.nlink} names` : undefined;
}

const moveAway =
  'find out who put it there, and move it away; what you put there yourself has to be a copy that belongs to the user who runs penstock';

/** What a call on a path gives; undefined where nothing is there. Another process may remove a file at any time. */
export async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The error for something that is not a file of one's own. */
export function foreignFile(path: string, what: string, code: ErrorCode, fix = moveAway): PenstockError {
  return new PenstockError(code, `the file ${what}; it is not used`, { where: path, fix });
}

/**
 * Opens a regular file that belongs to this process's user and has one name. Throws what the file system says, or an error of the given
 * code for a link, a pipe, a device and a file of somebody else.
 */
export async function openOwnFile(path: string, files: Pick<Files, 'open'>, options: OwnFileOptions): Promise<FileHandle> {
  const handle = await openUnfollowed(path, files, options);
  try {
    const what = foreignness(await handle.stat(), options.owners);
    if (what !== undefined) throw foreignFile(path, what, options.code, options.fix);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openUnfollowed(path: string, files: Pick<Files, 'open'>, options: OwnFileOptions): Promise<FileHandle> {
  try {
    return await files.open(path, flagsOf[options.for], 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw foreignFile(path, 'is a symbolic link', options.code, options.fix);
    if (code === 'ENXIO' || code === 'EISDIR') throw foreignFile(path, 'is not a regular file', options.code, options.fix);
    throw error;
  }
}

/**
 * Looks at what stands at a path and opens nothing: for files that a library opens by their names. Returns the mode; undefined when nothing
 * is there. Throws an error of the given code for what is not a file of one's own.
 */
export async function inspectOwnFile(
  path: string,
  files: Pick<Files, 'lstat'>,
  code: ErrorCode,
  owners: readonly number[] = [],
): Promise<number | undefined> {
  const stat = await unlessGone(files.lstat(path));
  const what = stat === undefined ? undefined : foreignness(stat, owners);
  if (what !== undefined) throw foreignFile(path, what, code);
  return stat?.mode;
}

/** Takes away what stands where a file is about to be made; a link there, and not what it leads to. Throws PEN_DATA_DIR_UNSAFE for a folder. */
export async function clearPlace(path: string, files: Pick<Files, 'rm'>): Promise<void> {
  try {
    await files.rm(path, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_FS_EISDIR') throw error;
    throw foreignFile(path, 'is a folder', 'PEN_DATA_DIR_UNSAFE');
  }
}

/** Writes a text as the whole content of a file of our own, readable by nobody else. */
export async function writeOwnFile(path: string, text: string, files: Pick<Files, 'open'>, code: ErrorCode): Promise<void> {
  const handle = await openOwnFile(path, files, { for: 'write', code });
  try {
    await handle.chmod(0o600);
    await handle.truncate(0);
    await handle.write(Buffer.from(text), 0);
  } finally {
    await handle.close();
  }
}
