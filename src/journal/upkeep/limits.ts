import type { DatabaseSync } from 'node:sqlite';
import { PenstockError } from '../../base/errors.ts';
import { formatSize } from '../../base/quantity.ts';
import { diskFullError, pragma } from '../file/database.ts';

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
