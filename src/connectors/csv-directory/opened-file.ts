import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import type { Files } from '../../base/seams.ts';
import type { FileIdentity } from '../connector.ts';

// A link in the last place is refused, and opening a pipe does not wait for its other end.
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const pieceBytes = 262_144;

/** A file that is what was listed, open for reading. */
export interface OpenedFile extends AsyncDisposable {
  /** The first bytes. */
  head(length: number): Promise<Buffer>;
  /** All bytes up to the listed size: what is appended meanwhile belongs to the next reading. */
  bytes(signal: AbortSignal): AsyncGenerator<Buffer>;
  /** Throws PEN_FILE_UNREADABLE when it changed, was replaced or went away since it was opened. */
  verify(): Promise<void>;
}

/** Opens a listed file; throws PEN_FILE_UNREADABLE when it is gone, is no regular file or is not what was listed. */
export async function openListed(
  directory: string,
  file: FileIdentity,
  files: Pick<Files, 'open' | 'lstat'>,
): Promise<OpenedFile> {
  if (basename(file.path) !== file.path)
    throw new PenstockError('PEN_FILE_UNREADABLE', `"${file.path}" does not lie in the folder itself`);
  const path = join(directory, file.path);
  let handle: FileHandle;
  try {
    handle = await files.open(path, flags);
  } catch (error) {
    throw new PenstockError(
      'PEN_FILE_UNREADABLE',
      `cannot open it: ${(error as NodeJS.ErrnoException).code ?? 'unknown fault'}`,
      { where: path, cause: error },
    );
  }
  try {
    const opened = await handle.stat();
    if (!opened.isFile() || opened.size !== file.size || opened.mtimeMs !== file.mtimeMs) throw changed(path);
    return {
      head: (length) => readAt(handle, 0, length),
      bytes: (signal) => readTo(handle, file.size, signal),
      async verify() {
        const [now, named] = await Promise.all([handle.stat(), files.lstat(path).catch(() => undefined)]);
        if (now.size !== file.size || now.mtimeMs !== file.mtimeMs || named?.ino !== opened.ino) throw changed(path);
      },
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function changed(path: string): PenstockError {
  return new PenstockError('PEN_FILE_UNREADABLE', 'it changed while it was read', {
    where: path,
    fix: 'nothing needs to be done: it is read again once it stops changing',
  });
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

async function* readTo(handle: FileHandle, size: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let position = 0; position < size; ) {
    signal.throwIfAborted();
    const chunk = await readAt(handle, position, Math.min(pieceBytes, size - position));
    if (chunk.length === 0) return;
    position += chunk.length;
    yield chunk;
  }
}
