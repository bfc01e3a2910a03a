// The daemon's socket in data_dir. Who may use it is said by the permissions of the folder and of the socket: nothing has to be proven.
import { once } from 'node:events';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { PenstockError } from '../base/errors.ts';
import type { Files } from '../base/seams.ts';

const socketName = 'penstock.sock';
/** Linux takes 108 bytes with the zero at the end, other systems as few as 104. */
const longestPath = 103;

/** A name for the socket that the system takes, for as long as it is not disposed. */
interface SocketPlace extends AsyncDisposable {
  readonly path: string;
}

/** Where the socket of a data_dir is, as people know it. */
export function socketPath(dataDir: string): string {
  return join(dataDir, socketName);
}

/** The same as the system takes it: a long path leads over an open folder. Throws PEN_OPERATION_FAILED where that is not possible. */
export async function openPlace(dataDir: string, files: Pick<Files, 'open'>): Promise<SocketPlace> {
  const path = socketPath(dataDir);
  const bytes = Buffer.byteLength(path);
  if (bytes <= longestPath) return { path, [Symbol.asyncDispose]: () => Promise.resolve() };
  if (process.platform !== 'linux')
    throw new PenstockError(
      'PEN_OPERATION_FAILED',
      `the path of the daemon's socket has ${bytes} bytes, more than ${longestPath}`,
      {
        where: path,
        fix: 'let data_dir name a folder with a shorter path',
      },
    );
  const folder = await files.open(dataDir, 'r');
  return { path: `/proc/self/fd/${folder.fd}/${socketName}`, [Symbol.asyncDispose]: () => folder.close() };
}

/**
 * Listens on the socket, which nobody but this process's user can connect to. One that a killed daemon left is replaced: the caller holds the
 * lock of data_dir, so no other daemon answers on it.
 */
export async function listenOnSocket(server: Server, { path }: SocketPlace, files: Pick<Files, 'rm'>): Promise<void> {
  await files.rm(path, { force: true });
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
}
