// States: idle -> draining (a group of changes waits for its transaction) -> idle; closed after the last drain. A group that fails as a
// whole is run again change by change, so that only the one at fault is refused.
import type { DatabaseSync } from 'node:sqlite';
import { PenstockError } from '../../../base/errors.ts';
import { diskFullError, inTransaction, isDiskFull, storageError } from './database.ts';

/** What a change may use up: an append ends where the disk ends, everything else may fall back on the reserve. */
type Urgency = 'append' | 'reserve';

interface Change {
  readonly work: () => unknown;
  readonly urgency: Urgency;
  readonly done: (result: unknown) => void;
  readonly failed: (error: unknown) => void;
}

interface WriterOptions {
  readonly path: string;
  /** Frees space for a change that must not fail; false when there is none to free. */
  readonly freeReserve: () => Promise<boolean>;
  /** Called when an append found the disk full. */
  readonly foundFull: () => void;
}

export type Writer = ReturnType<typeof openWriter>;

/** The journal's one way to write. Changes that arrive together share one transaction, and so one sync. */
export function openWriter(db: DatabaseSync, options: WriterOptions) {
  let queue: Change[] = [];
  let running: Promise<void> | undefined;
  let closed = false;

  async function drain(): Promise<void> {
    // One turn of the event loop, so that whatever settles in it shares the sync.
    await new Promise((resolve) => setImmediate(resolve));
    while (queue.length > 0) {
      const group = queue;
      queue = [];
      if (!together(db, group)) for (const change of group) await alone(db, change, options);
    }
    running = undefined;
  }

  return {
    /** Runs `work` in the next transaction; resolves when that is durable. `work` may run twice: it must only speak to the database. */
    write<T>(work: () => T, urgency: Urgency = 'reserve'): Promise<T> {
      if (closed) return Promise.reject(new PenstockError('PEN_ABORTED', 'the journal is closed'));
      return new Promise<T>((resolve, reject) => {
        queue.push({ work, urgency, done: (result) => resolve(result as T), failed: reject });
        running ??= drain();
      });
    },
    /** Waits for what was asked so far and refuses the rest. */
    async close(): Promise<void> {
      closed = true;
      await running;
    },
  };
}

/** Commits a group in one transaction; false when something in it failed and nothing was written. */
function together(db: DatabaseSync, group: readonly Change[]): boolean {
  const results: unknown[] = [];
  try {
    inTransaction(db, () => {
      for (const change of group) results.push(change.work());
    });
  } catch {
    // Which change failed shows when each runs alone.
    return false;
  }
  for (const [index, change] of group.entries()) change.done(results[index]);
  return true;
}

async function alone(db: DatabaseSync, change: Change, { path, freeReserve, foundFull }: WriterOptions): Promise<void> {
  try {
    change.done(inTransaction(db, change.work));
    return;
  } catch (error) {
    const full = isDiskFull(error);
    if (full && change.urgency === 'append') foundFull();
    if (!full || change.urgency === 'append' || !(await freeReserve())) {
      change.failed(full && change.urgency === 'append' ? diskFullError(path, error) : storageError(error, path));
      return;
    }
  }
  try {
    change.done(inTransaction(db, change.work));
  } catch (error) {
    change.failed(storageError(error, path));
  }
}
