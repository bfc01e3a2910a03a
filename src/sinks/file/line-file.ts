// The file that lines are appended to. Its size is known at any time: what a failed write left there is cut off again, so the file
// always ends with a line feed that was synced, or with bytes that the next open cuts off.
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import { makeFolder } from '../../base/make-folder.ts';
import { openOwnFile, unlessGone } from '../../base/own-file.ts';
import type { Files } from '../../base/seams.ts';

/** How far back from its end a file is searched for the last line feed. */
export const longestLineBytes = 64 * 2 ** 20;
const stepBytes = 64 * 1024;

export interface LineFile extends AsyncDisposable {
  /** Bytes, all of them whole lines. */
  readonly size: number;
  /** When the last line before this opening was written, milliseconds; undefined for a new file. */
  readonly lastWritten: number | undefined;
  /** Bytes of a torn line that were cut off at opening. */
  readonly repaired: number;
  /** True after a failed write that could not be taken back: some of its lines may have stayed. */
  readonly mayHoldMore: boolean;
  /** Appends whole lines and syncs them to disk. When that fails, the file is cut back to what it was, and the error is thrown. */
  append(lines: Buffer): Promise<void>;
  /** False when the path leads elsewhere by now, or the file has another size than we left it with: somebody moved, deleted, emptied or wrote it. */
  isCurrent(): Promise<boolean>;
}

const nameAFile = 'give the path of a file that only this sink writes; for a pipe use type: stdout';

/** Root's files are taken as well: an administrator may have made the file, or logrotate. */
const root = 0;

/** Opens the file, or makes it (mode 0600). Follows no link, and throws PEN_FILE_UNREADABLE for what another user may have put there. */
export function openUnlinked(path: string, files: Pick<Files, 'open'>, how: 'append' | 'read' = 'append'): Promise<FileHandle> {
  return openOwnFile(path, files, { for: how, code: 'PEN_FILE_UNREADABLE', fix: nameAFile, owners: [root] });
}

/** Opens or makes the file and cuts off a torn last line; `isRaw`: of records as vendors gave them. Throws what the file system says, or PEN_FILE_UNREADABLE. */
export async function openLineFile(path: string, files: Files, isRaw = false): Promise<LineFile> {
  await makeFolder(dirname(path), files, 0o700);
  const handle = await openUnlinked(path, files);
  try {
    const stat = await handle.stat();
    await refuseForeign(handle, path, isRaw);
    const size = await endOfLastLine(handle, stat.size, path);
    if (size < stat.size) {
      await handle.truncate(size);
      await handle.sync();
    }
    if (stat.size === 0) await syncFolder(dirname(path), files);
    const identity = { dev: stat.dev, ino: stat.ino };
    return lineFile(path, files, handle, {
      size,
      repaired: stat.size - size,
      lastWritten: size === 0 ? undefined : stat.mtimeMs,
      identity,
    });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface Opened {
  readonly size: number;
  readonly repaired: number;
  readonly lastWritten: number | undefined;
  readonly identity: { readonly dev: number; readonly ino: number };
}

function lineFile(
  path: string,
  files: Files,
  handle: FileHandle,
  { size: sizeAtOpen, repaired, lastWritten, identity }: Opened,
): LineFile {
  let size = sizeAtOpen;
  let mayHoldMore = false;
  return {
    repaired,
    lastWritten,
    get size() {
      return size;
    },
    get mayHoldMore() {
      return mayHoldMore;
    },
    async append(lines) {
      try {
        await writeAll(handle, lines);
        await handle.datasync();
      } catch (error) {
        await handle.truncate(size).catch(() => (mayHoldMore = true));
        throw error;
      }
      size += lines.length;
    },
    async isCurrent() {
      const stat = await unlessGone(files.stat(path));
      return stat?.dev === identity.dev && stat.ino === identity.ino && stat.size === size;
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Writes every byte, in as many writes as the file system takes. */
export async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}

/** What lines of each format begin with but those of `raw`; a first line that a power cut tore may be NULs. */
const beginnings = ['{', 'CEF:', 'LEEF:', '\0'];
const headBytes = 4096;

/**
 * Throws PEN_FILE_UNREADABLE for a file that begins as nothing that a file sink writes: its end would be cut off as a torn line. Raw records may
 * begin with anything, but hold no NUL.
 */
export async function refuseForeign(handle: FileHandle, path: string, isRaw = false): Promise<void> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
  const head = buffer.toString('latin1', 0, bytesRead);
  const isOurs = beginnings.some((beginning) => head.startsWith(beginning) || beginning.startsWith(head));
  if (!isOurs && (!isRaw || head.includes('\0'))) throw notAFile(path);
}

/** Position after the last line feed; 0 when there is none. */
async function endOfLastLine(handle: FileHandle, size: number, path: string): Promise<number> {
  const buffer = Buffer.alloc(Math.min(stepBytes, size));
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - stepBytes);
    const { bytesRead } = await handle.read(buffer, 0, end - start, start);
    const at = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (at !== -1) return start + at + 1;
    if (size - start > longestLineBytes) throw notAFile(path);
    end = start;
  }
  return 0;
}

function notAFile(path: string): PenstockError {
  const what = 'the file holds something else than lines of this sink; nothing of it is changed';
  return new PenstockError('PEN_FILE_UNREADABLE', what, { where: path, fix: `move it away, or ${nameAFile}` });
}

/** Makes a new or renamed entry of a folder durable. */
export async function syncFolder(folder: string, files: Pick<Files, 'open'>): Promise<void> {
  await using handle = await files.open(folder, 'r');
  await handle.sync();
}
