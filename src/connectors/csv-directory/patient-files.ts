// Calls on a folder that end, whatever its disk does: on a share whose server is away a call takes for ever, and no signal reaches it.
import type { FileHandle } from 'node:fs/promises';
import { unlessCutOff } from '../../base/abort.ts';
import { type Clock, deadline } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import { isBusy, takeFileTurn } from '../../base/file-turns.ts';
import type { Files } from '../../base/seams.ts';

export type FolderFiles = Pick<Files, 'lstat' | 'open' | 'readdir'>;

const longestMs = 30_000;

/** Undefined for what the file system says of a call; throws what ended it before. */
export function fileFault(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) throw error;
}

/**
 * Calls on what lies in a folder, one at a time. Each rejects after 30 s with PEN_SOURCE_UNAVAILABLE, or with the signal's reason; where the disk
 * still keeps it, those that follow begin nothing.
 */
export function patientFiles(folder: string, files: FolderFiles, clock: Clock, signal: AbortSignal): FolderFiles {
  const call = async <T>(work: () => Promise<T>, late?: (value: T) => unknown): Promise<T> =>
    patiently(folder, clock, signal, work, late);
  return {
    lstat: ((path: string) => call(() => files.lstat(path))) as Files['lstat'],
    readdir: ((path: string) => call(() => files.readdir(path))) as Files['readdir'],
    async open(...args) {
      const handle = await call(
        () => files.open(...args),
        (late) => late.close(),
      );
      return patientHandle(folder, handle, call);
    },
  };
}

type Call = <T>(work: () => Promise<T>) => Promise<T>;

function patientHandle(folder: string, handle: FileHandle, call: Call): FileHandle {
  const [stat, read, close] = [handle.stat.bind(handle), handle.read.bind(handle), handle.close.bind(handle)];
  let isLost = false;
  const tried = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await call(work);
    } catch (error) {
      isLost = true;
      throw error;
    }
  };
  let isClosing = false;
  const begin = (): Promise<void> => {
    isClosing = true;
    return close();
  };
  // Nobody waits for what the disk keeps; it is closed once that has come back.
  const closeLate = async (): Promise<void> => {
    using _turn = await takeFileTurn(folder);
    await begin();
  };
  const closed = async (): Promise<void> => {
    try {
      if (!isLost) await tried(begin);
    } finally {
      if (!isClosing) closeLate().catch(() => undefined);
    }
  };
  return Object.assign(handle, {
    stat: (() => tried(() => stat())) as FileHandle['stat'],
    read: (...args: Parameters<typeof read>) => tried(() => read(...args)),
    close: closed,
  });
}

async function patiently<T>(
  folder: string,
  clock: Clock,
  signal: AbortSignal,
  work: () => Promise<T>,
  late: (value: T) => unknown = () => undefined,
): Promise<T> {
  using limit = deadline(clock, longestMs, signal);
  const turn = await takeFileTurn(folder, limit.signal).catch((error: unknown) => {
    throw limit.expired ? unanswered(folder, isBusy(folder)) : error;
  });
  const begun = work().finally(() => turn[Symbol.dispose]());
  const done = await unlessCutOff(
    begun.then((value) => ({ value })),
    limit.signal,
  );
  if (done !== undefined) return done.value;
  begun.then(late).catch(() => undefined);
  throw limit.expired ? unanswered(folder, true) : signal.reason;
}

function unanswered(folder: string, isOwn: boolean): PenstockError {
  const why = isOwn ? 'a call has not ended' : 'it waits for calls on other folders and files, which have not ended either';
  return new PenstockError('PEN_SOURCE_UNAVAILABLE', `no answer of the folder "${folder}" within 30 s: ${why}`, {
    fix: 'see why its disk, or the server of its share, stands still; collection goes on by itself once it answers',
  });
}
