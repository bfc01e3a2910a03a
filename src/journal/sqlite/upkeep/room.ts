import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { PenstockError } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import { Outage } from '../../../base/outage.ts';
import { formatSize } from '../../../base/quantity.ts';
import type { Files } from '../../../base/seams.ts';
import { diskFullError, pragma } from '../file/database.ts';
import { syncDirectory } from '../file/directory.ts';

interface LimitsOptions {
  readonly maxBytes: number;
  /** True while the disk is full, whatever max_bytes allows. */
  readonly isLean: () => boolean;
}

export type Limits = ReturnType<typeof openLimits>;

/** How full the journal is, and whether more may come in. Only appends are bound by it. */
export function openLimits(db: DatabaseSync, path: string, { maxBytes, isLean }: LimitsOptions) {
  const pageCount = db.prepare('PRAGMA page_count');
  const freeCount = db.prepare('PRAGMA freelist_count');
  const walFrames = db.prepare('PRAGMA wal_checkpoint(NOOP)');
  const pageSize = Number(pragma(db, 'page_size'));
  const worstPage = Math.min(maxBytes / 8, 32 * 1024 * 1024);
  let relieve: (bytes: number) => Promise<void> = () => Promise.resolve();
  let walBytes = 0;
  let room = true;

  function usedBytes(): number {
    // Inside a transaction the WAL cannot be asked; what it held before is close enough there.
    if (!db.isTransaction) walBytes = Math.max(0, Number(walFrames.get()?.['log'] ?? 0)) * (pageSize + 24);
    const pages = Number(pageCount.get()?.['page_count'] ?? 0) - Number(freeCount.get()?.['freelist_count'] ?? 0);
    return pages * pageSize + walBytes;
  }
  /** True when `bytes` more fit below max_bytes. */
  const fits = (bytes: number): boolean => usedBytes() + bytes <= maxBytes;
  return {
    maxBytes,
    usedBytes,
    fits,
    isLean,
    /** False from the moment that one more large page would not fit until a tenth of the journal is free again. */
    hasRoom(): boolean {
      room = !isLean() && fits(room ? worstPage : worstPage + maxBytes / 10);
      // No append will come to make room while there is none, so what may go has to go from here.
      if (!room && !isLean()) void relieve(worstPage + maxBytes / 10);
      return room;
    },
    /** Deletes what may go when `bytes` do not fit; does not promise that they do afterwards. */
    async makeRoom(bytes: number): Promise<void> {
      if (!isLean() && !fits(bytes)) await relieve(bytes);
    },
    /** Throws PEN_JOURNAL_FULL when `bytes` do not fit. */
    assertRoom(bytes: number): void {
      if (isLean()) throw diskFullError(path);
      if (fits(bytes)) return;
      room = false;
      throw fullError(path, usedBytes(), maxBytes);
    },
    /** Sets what frees space: called with the bytes that are wanted. */
    relieveWith(how: (bytes: number) => Promise<void>): void {
      relieve = how;
    },
  };
}

function fullError(path: string, usedBytes: number, maxBytes: number): PenstockError {
  const what = `the journal is full: ${formatSize(usedBytes)} of ${formatSize(maxBytes)} hold events that a sink has not taken yet`;
  const fix =
    'see "penstock status" for the sink that does not take them, or raise journal.max_bytes; collection resumes by itself';
  return new PenstockError('PEN_JOURNAL_FULL', what, { where: path, fix });
}

const mebibyte = 1024 * 1024;

/**
 * Size of the ballast of a journal, bytes: 64 MiB, at most an eighth of max_bytes and a sixteenth of the volume: on a small one it would take
 * the space that it is to keep.
 */
export function ballastBytes(maxBytes: number, volumeBytes: number): number {
  return Math.floor(Math.min(64 * mebibyte, maxBytes / 8, volumeBytes / 16));
}

/** Size of the volume that a folder lies on, bytes; without bound where the file system does not tell. */
export async function volumeBytes(folder: string, files: Pick<Files, 'statfs'>): Promise<number> {
  const { blocks, bsize } = await files.statfs(folder);
  const size = blocks * bsize;
  return size > 0 ? size : Number.POSITIVE_INFINITY;
}

interface BallastOptions {
  readonly bytes: number;
  readonly files: Files;
  readonly log: Log;
}

/**
 * A file of dead weight in data_dir. States: `absent` (not made yet, or no space for it) -> `standing` -> given up on a full disk, which
 * is `absent` again. While it stands, a full disk leaves room for offsets and dead letters.
 */
export class Ballast {
  readonly #path: string;
  readonly #options: BallastOptions;
  readonly #outage: Outage;
  #busy: Promise<void> | undefined;
  #isLean = false;
  // Before it was looked for, nothing is missed.
  #isMissing = false;

  constructor(path: string, options: BallastOptions) {
    this.#path = path;
    this.#options = options;
    this.#outage = new Outage(options.log.child({ path }), {
      begins: 'the ballast cannot be made: a full disk would find no reserve; it is tried again with each upkeep',
      ends: 'the ballast stands again',
    });
  }

  /** True from the moment the disk was found full until it has space and the ballast stands: what is free until then is for settling. */
  get isLean(): boolean {
    return this.#isLean;
  }

  /** True while there is no reserve, because the disk has no room for it. */
  get isMissing(): boolean {
    return this.#isMissing;
  }

  /** How much has to be free for collection to go on after a full disk. */
  get neededBytes(): number {
    const { bytes } = this.#options;
    return this.#isMissing ? 2 * bytes : bytes;
  }

  /** Remembers that the disk was found full. */
  foundFull(): void {
    const facts = { path: this.#path, neededBytes: this.neededBytes };
    if (!this.#isLean) this.#options.log.error(facts, 'the disk is full: collection waits until it has space again');
    this.#isLean = true;
  }

  /** Removes the file; false when there was none. */
  async giveUp(): Promise<boolean> {
    const { files, log } = this.#options;
    this.#isLean = true;
    await this.#busy;
    const size = await sizeOf(this.#path, files);
    this.#isMissing = true;
    if (size === undefined) return false;
    await files.rm(this.#path, { force: true });
    log.error(
      { path: this.#path, bytes: size },
      'the disk is full: deleted the ballast so that offsets can be written; free space on the disk',
    );
    return true;
  }

  /** Makes the file when it is absent and the disk has room for it and as much again; looks whether a full disk has space again. */
  restore(): Promise<void> {
    this.#busy ??= this.#make().finally(() => {
      this.#busy = undefined;
    });
    return this.#busy;
  }

  async #make(): Promise<void> {
    const { bytes, files, log } = this.#options;
    const stands = (await sizeOf(this.#path, files)) === bytes;
    if (stands && !this.#isLean) {
      this.#isMissing = false;
      return;
    }
    const { bavail, bsize } = await files.statfs(dirname(this.#path));
    // Missed only once it is known that it cannot be made: while it is written nothing is wrong.
    this.#isMissing = !stands && (bavail * bsize < 2 * bytes || !(await this.#build()));
    if (this.#isMissing || bavail * bsize < bytes) return;
    if (this.#isLean) log.info({ path: this.#path }, 'the disk has space again');
    this.#isLean = false;
  }

  async #build(): Promise<boolean> {
    const path = this.#path;
    const { bytes, files } = this.#options;
    try {
      await fill(path, bytes, files);
      await syncDirectory(dirname(path), files);
      this.#outage.worked();
      return true;
    } catch (error) {
      this.#outage.failed(error);
      await files.rm(path, { force: true });
      return false;
    }
  }
}

async function sizeOf(path: string, files: Files): Promise<number | undefined> {
  try {
    return (await files.lstat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

// Written, not set by length: a hole in a file keeps no space. Not zeros: some file systems compress.
async function fill(path: string, bytes: number, files: Files): Promise<void> {
  const words = new Uint32Array(mebibyte / 4);
  for (let at = 0; at < words.length; at += 1) words[at] = Math.imul(at + 1, 0x9e3779b1);
  const chunk = Buffer.from(words.buffer);
  // What stands there is of another size, or not ours to fill.
  await files.rm(path, { force: true });
  const handle = await files.open(path, 'wx', 0o600);
  try {
    for (let left = bytes; left > 0; left -= chunk.length) await handle.write(chunk, 0, Math.min(left, chunk.length));
    await handle.sync();
  } finally {
    await handle.close();
  }
}
