import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, sleep } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { makeFolder } from '../base/make-folder.ts';
import { inspectOwnFile, openOwnFile } from '../base/own-file.ts';
import { inspectFolder } from '../base/own-folder.ts';
import type { Seams } from '../base/seams.ts';
import type { TokenChange, TokenStore } from '../connectors/index.ts';

const fileName = 'credentials.db';
const pollMs = 100;
/** Longer than an issuer may take to answer. */
const patienceMs = 60_000;

/** A token that an issuer gave and the disk did not take, with what is on disk in its place. */
interface Unsaved {
  readonly stored: string | undefined;
  readonly token: string;
}

/**
 * What this process knows of one file, however often it is opened. Locks on a file belong to the process, and closing it once drops them all;
 * so its changes take turns.
 */
interface Shared {
  isBusy: boolean;
  readonly unsaved: Map<string, Unsaved>;
}

const known = new Map<string, Shared>();

/**
 * Refresh tokens of this machine's sources, in one file of `data_dir` that only its user can read (0600). A change holds the file to itself,
 * whatever the process; kill -9 frees it. What a change returns is on disk before it resolves; what the disk does not take is written before
 * the next change of this process.
 */
export function openTokenStore(dataDir: string, { files, clock }: Pick<Seams, 'files' | 'clock'>): TokenStore {
  const path = resolve(dataDir, fileName);
  const shared = known.get(path) ?? { isBusy: false, unsaved: new Map<string, Unsaved>() };
  known.set(path, shared);
  return {
    async update(credential, change, signal) {
      const wait = (isOurs: () => boolean): Promise<void> => waitUntil(isOurs, clock, signal);
      await wait(() => takeTurn(shared));
      try {
        await makeOwn(path, files);
        // Closing it gives up what was not committed.
        using db = new DatabaseSync(path, { timeout: 0 });
        const begin = (): Promise<void> => wait(() => beginAlone(db));
        await begin();
        await saveLate(db, credential, shared.unsaved, begin);
        await using _held = holdSignals();
        return await changeIn(db, credential, change, shared.unsaved);
      } finally {
        shared.isBusy = false;
      }
    },
  };
}

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Until it is disposed, a first signal that would end this process waits, because the answer under way holds the only token that the issuer
 * still takes; a second one ends it at once. Signals that somebody else listens to are left to him.
 */
function holdSignals(): AsyncDisposable {
  const held = new Set<NodeJS.Signals>();
  const release = (): void => {
    for (const signal of endings) process.off(signal, hold);
    for (const signal of held) if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const hold = (signal: NodeJS.Signals): void => {
    if (held.has(signal)) release();
    held.add(signal);
  };
  for (const signal of endings) process.on(signal, hold);
  return {
    async [Symbol.asyncDispose]() {
      // One that has arrived and is not told yet would be lost with its listener. It may have come after this turn's events were gathered,
      // as the answer was: then the next turn tells it.
      await turn();
      await turn();
      release();
    },
  };
}

function takeTurn(shared: Shared): boolean {
  if (shared.isBusy) return false;
  shared.isBusy = true;
  return true;
}

async function saveLate(
  db: DatabaseSync,
  credential: string,
  unsaved: Map<string, Unsaved>,
  begin: () => Promise<void>,
): Promise<void> {
  const late = unsaved.get(credential);
  // Where another one stands on disk meanwhile, that is newer.
  if (late !== undefined && late.stored === read(db, credential)) {
    save(db, credential, late.token);
    await begin();
  }
  unsaved.delete(credential);
}

async function changeIn<T>(
  db: DatabaseSync,
  credential: string,
  change: (kept: string | undefined) => Promise<TokenChange<T>>,
  unsaved: Map<string, Unsaved>,
): Promise<T> {
  const stored = read(db, credential);
  const { keep, result } = await change(stored);
  if (keep === undefined) return result;
  unsaved.set(credential, { stored, token: keep });
  save(db, credential, keep);
  unsaved.delete(credential);
  return result;
}

function read(db: DatabaseSync, credential: string): string | undefined {
  const token = db.prepare('SELECT token FROM tokens WHERE credential = ?').get(credential)?.['token'];
  return typeof token === 'string' ? token : undefined;
}

function save(db: DatabaseSync, credential: string, token: string): void {
  try {
    db.prepare('INSERT OR REPLACE INTO tokens (credential, token) VALUES (?, ?)').run(credential, token);
    db.exec('COMMIT');
  } catch (error) {
    throw new PenstockError('PEN_SOURCE_UNAVAILABLE', `a new refresh token could not be written into ${fileName}`, {
      fix: 'make room on the disk of data_dir, and do not restart before: the token is kept in memory and written at the next poll',
      cause: error,
    });
  }
}

async function makeOwn(path: string, files: Seams['files']): Promise<void> {
  // A command may come before the daemon has made it.
  await makeFolder(dirname(path), files, 0o700);
  await inspectFolder(dirname(path), files);
  // SQLite rolls a journal back into the database that lies beside it, whoever put it there, and writes into it.
  for (const suffix of ['-journal', '-wal', '-shm']) await inspectOwnFile(`${path}${suffix}`, files, 'PEN_DATA_DIR_UNSAFE');
  const handle = await openOwnFile(path, files, { for: 'write', code: 'PEN_DATA_DIR_UNSAFE' });
  try {
    await handle.chmod(0o600);
  } finally {
    await handle.close();
  }
}

/** Begins a change that no other process may make; false while one does. */
function beginAlone(db: DatabaseSync): boolean {
  try {
    db.exec('PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA');
    db.exec('BEGIN EXCLUSIVE');
    db.exec('CREATE TABLE IF NOT EXISTS tokens (credential TEXT PRIMARY KEY, token TEXT NOT NULL)');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== 5) throw error;
    return false;
  }
}

async function waitUntil(isOurs: () => boolean, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const since = clock.monotonic();
  for (;;) {
    signal?.throwIfAborted();
    if (isOurs()) return;
    if (clock.monotonic() - since > patienceMs)
      throw new PenstockError('PEN_SOURCE_UNAVAILABLE', 'another source or process holds the file of refresh tokens', {
        fix: 'nothing needs to be done: it is tried again',
      });
    await sleep(clock, pollMs, signal);
  }
}
