import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Clock, sleep } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { openOwnFile } from '../base/own-file.ts';
import type { Seams } from '../base/seams.ts';
import type { TokenStore } from '../connectors/index.ts';

const fileName = 'credentials.db';
const pollMs = 100;
/** Longer than an issuer may take to answer. */
const patienceMs = 60_000;

/**
 * Refresh tokens of this machine's sources, in one file of `data_dir` that only its user can read (0600). A change holds the file to itself,
 * whatever the process; kill -9 frees it. What a change returns is on disk before it resolves.
 */
export function openTokenStore(dataDir: string, source: string, { files, clock }: Pick<Seams, 'files' | 'clock'>): TokenStore {
  const path = join(dataDir, fileName);
  return {
    async update(change) {
      await makeOwn(path, files);
      // Closing it gives up what was not committed.
      using db = new DatabaseSync(path, { timeout: 0 });
      await begin(db, clock);
      const row = db.prepare('SELECT token FROM refresh_tokens WHERE source = ?').get(source);
      const { keep, result } = await change(typeof row?.['token'] === 'string' ? row['token'] : undefined);
      if (keep !== undefined) db.prepare('INSERT OR REPLACE INTO refresh_tokens (source, token) VALUES (?, ?)').run(source, keep);
      db.exec('COMMIT');
      return result;
    },
  };
}

async function makeOwn(path: string, files: Seams['files']): Promise<void> {
  const handle = await openOwnFile(path, files, { for: 'write', code: 'PEN_DATA_DIR_UNSAFE' });
  try {
    await handle.chmod(0o600);
  } finally {
    await handle.close();
  }
}

async function begin(db: DatabaseSync, clock: Clock): Promise<void> {
  const since = clock.monotonic();
  for (;;) {
    try {
      db.exec('PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA');
      db.exec('BEGIN EXCLUSIVE');
      db.exec('CREATE TABLE IF NOT EXISTS refresh_tokens (source TEXT PRIMARY KEY, token TEXT NOT NULL)');
      return;
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== 5) throw error;
      if (clock.monotonic() - since > patienceMs)
        throw new PenstockError('PEN_SOURCE_UNAVAILABLE', 'another process holds the refresh token of this source', {
          fix: 'nothing needs to be done: it is tried again',
          cause: error,
        });
      await sleep(clock, pollMs);
    }
  }
}
