import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PenstockError } from '../../base/errors.ts';
import { firstOddByte } from '../../base/file-text.ts';
import type { FileIdentity } from '../connector.ts';
import type { Writing } from './header.ts';
import { type FolderFiles, fileFault } from './patient-files.ts';

// A link in the last place is refused, and opening a pipe does not wait for its other end.
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const pieceBytes = 262_144;

/** A file that is what was listed, open for reading. */
export interface OpenedFile extends AsyncDisposable {
  /** The first bytes. */
  head(length: number): Promise<Buffer>;
  /** All bytes from `start` up to the listed size: what is appended meanwhile belongs to the next reading. */
  bytes(signal: AbortSignal, start?: number): AsyncGenerator<Buffer>;
  /** Bytes from a place on. */
  at(start: number, length: number): Promise<Buffer>;
  /** The first byte after the line end that follows a place; the listed size when there is none. */
  lineAfter(start: number, lineEnd: Writing['lineEnd'], signal: AbortSignal): Promise<number>;
  /** Throws PEN_FILE_UNREADABLE when it changed, was replaced or went away since it was opened. */
  verify(): Promise<void>;
}

/** Opens a listed file; throws PEN_FILE_UNREADABLE when it is gone, is no regular file or is not what was listed. */
export async function openListed(
  directory: string,
  file: FileIdentity,
  files: Pick<FolderFiles, 'open' | 'lstat'>,
): Promise<OpenedFile> {
  if (basename(file.path) !== file.path)
    throw new PenstockError('PEN_FILE_UNREADABLE', `"${file.path}" does not lie in the folder itself`);
  const path = join(directory, file.path);
  let handle: FileHandle;
  try {
    handle = await files.open(path, flags);
  } catch (error) {
    fileFault(error);
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
      bytes: (signal, start = 0) => readTo(handle, start, file.size, signal),
      at: (start, length) => readAt(handle, start, length),
      lineAfter: (start, lineEnd, signal) => lineAfter(handle, { start, size: file.size, lineEnd }, signal),
      async verify() {
        const [now, named] = await Promise.all([handle.stat(), files.lstat(path).catch(fileFault)]);
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

async function lineAfter(
  handle: FileHandle,
  { start, size, lineEnd }: Pick<Writing, 'lineEnd'> & { readonly start: number; readonly size: number },
  signal: AbortSignal,
): Promise<number> {
  let position = start;
  for await (const piece of readTo(handle, start, size, signal)) {
    const end = piece.indexOf(lineEnd);
    if (end !== -1) return position + end + 1;
    position += piece.length;
  }
  return size;
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

async function* readTo(handle: FileHandle, start: number, size: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let position = start; position < size; ) {
    signal.throwIfAborted();
    const chunk = await readAt(handle, position, Math.min(pieceBytes, size - position));
    if (chunk.length === 0) return;
    position += chunk.length;
    yield chunk;
  }
}

/** Passes bytes on and sees whether they are UTF-8, also where a character lies across two pieces. */
export class Utf8Watch {
  /** Where in the file the first byte stands that is none of UTF-8; undefined while all of them are. */
  oddAt: number | undefined;
  #rest: Buffer = Buffer.alloc(0);

  /** `start` is where in the file the pieces begin. */
  async *pass(pieces: AsyncIterable<Buffer>, start: number): AsyncGenerator<Buffer> {
    this.#rest = Buffer.alloc(0);
    let position = start;
    for await (const piece of pieces) {
      if (this.oddAt === undefined) this.#look(piece, position);
      position += piece.length;
      yield piece;
    }
    if (this.#rest.length > 0) this.oddAt ??= position - this.#rest.length;
  }

  #look(piece: Buffer, position: number): void {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    // A character has at most four bytes: three of them may be all that has come.
    const ends = [0, 1, 2, 3].map((left) => bytes.length - left).filter((end) => end >= 0);
    const end = ends.find((one) => isUtf8(bytes.subarray(0, one)));
    if (end === undefined) this.oddAt = position - this.#rest.length + firstOddByte(bytes);
    this.#rest = end === undefined ? Buffer.alloc(0) : bytes.subarray(end);
  }
}
