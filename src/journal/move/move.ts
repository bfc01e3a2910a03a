// Moves a journal between a file and a database: ids, positions, checksums and counts stay as they are. Where it stands is written where it
// goes: `unfinished` until every row is there and has been compared, `filled` until the old place is out of use; of a move into a file the
// database says `leaving` until that is whole. Asked again, it begins anew or goes on from there; at no moment can both be used.
import { PenstockError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { clearPlace } from '../../base/own-file.ts';
import type { Seams } from '../../base/seams.ts';
import type { PostgresEngine } from '../contract/open.ts';
import { checkPages, type PagesDone } from '../postgres/check.ts';
import { Database } from '../postgres/database.ts';
import { emptySchema, inspectLeaving, readMoved, setAside, writeMoved } from '../postgres/moved.ts';
import { checkServer, leaving, migrate } from '../postgres/schema.ts';
import { openDatabase, storageError } from '../sqlite/file/database.ts';
import {
  besideDatabase,
  fileExists,
  journalPaths,
  movedName,
  movingName,
  prepareDirectory,
  syncDirectory,
} from '../sqlite/file/directory.ts';
import { takeLock } from '../sqlite/file/lock.ts';
import { migrate as migrateFile } from '../sqlite/file/schema.ts';
import { openSqlite } from '../sqlite/open.ts';
import { compare, copyToDatabase, copyToFile, type Moved } from './copy.ts';

interface MoveOptions {
  readonly dataDir: string;
  readonly engine: PostgresEngine;
  readonly seams: Seams;
  readonly log: Log;
  /** Pages that were copied, and of a database that were read back. */
  readonly onProgress?: { readonly copied: PagesDone; readonly read: PagesDone };
}

/** Moves the journal of a data_dir into an empty schema of a database. Throws PEN_JOURNAL_LOCKED while a daemon runs. */
export async function moveToDatabase(options: MoveOptions): Promise<readonly Moved[]> {
  const { dataDir, engine, seams } = options;
  const paths = journalPaths(dataDir);
  const db = new Database({ ...engine, connections: 2 });
  try {
    await checkServer(db);
    const stands = await readMoved(db);
    const isHere = await fileExists(paths.journal, seams.files);
    const wasHere = !isHere && (await fileExists(movedName(paths.journal), seams.files));
    // It ended between the last two steps.
    if (wasHere && stands === 'filled') {
      await retire(dataDir, seams);
      await writeMoved(db, null);
      return [];
    }
    if (!isHere) throw nothingToMove(wasHere ? movedName(paths.journal) : paths.journal, wasHere);
    // What a start of the daemon would set right is set right before.
    await (await openSqlite({ kind: 'sqlite', dataDir }, { ...limits, ...options, engine: { kind: 'sqlite', dataDir } }))[
      Symbol.asyncDispose
    ]();
    await using _lock = await takeLock(paths, { clock: seams.clock, files: seams.files, waitMs: 0 });
    if (stands === 'unfinished' || stands === 'filled') await emptySchema(db);
    const moved = await fill(db, paths.journal, options.onProgress);
    await writeMoved(db, 'filled');
    await retire(dataDir, seams);
    await writeMoved(db, null);
    return moved;
  } finally {
    await db.close();
  }
}

/** Puts a file out of use that is in a database by now, and gives back the room that was kept for it. */
async function retire(dataDir: string, { files }: Seams): Promise<void> {
  const { journal, ballast } = journalPaths(dataDir);
  for (const suffix of besideDatabase)
    if (await fileExists(`${journal}${suffix}`, files))
      await files.rename(`${journal}${suffix}`, `${movedName(journal)}${suffix}`);
  await files.rm(ballast, { force: true });
  await syncDirectory(dataDir, files);
}

function nothingToMove(where: string, wasHere: boolean): PenstockError {
  return wasHere
    ? new PenstockError('PEN_NOT_FOUND', 'the journal of this data_dir was moved before', {
        where,
        fix: 'set journal.url to where it went; to move it again, name the file journal.db',
      })
    : new PenstockError('PEN_NOT_FOUND', 'there is no journal to move', { where, fix: 'see data_dir in the configuration' });
}

// Nothing is appended, so no limit is met.
const limits = { maxBytes: Number.MAX_SAFE_INTEGER, keepMs: Number.MAX_SAFE_INTEGER / 2, lockWaitMs: 0 };

async function fill(db: Database, path: string, onProgress: MoveOptions['onProgress']): Promise<readonly Moved[]> {
  await migrate(db);
  const [used] = await db.query<{ n: number }>(
    `SELECT (SELECT count(*) FROM ${db.s}.sources) + (SELECT count(*) FROM ${db.s}.pages) AS n`,
  );
  if ((used?.n ?? 0) > 0) {
    throw new PenstockError('PEN_OPERATION_FAILED', 'there is a journal in this schema already', {
      where: db.where,
      fix: 'name an empty schema with --schema',
    });
  }
  await writeMoved(db, 'unfinished');
  const file = openDatabase(path, { readOnly: true });
  try {
    await copyToDatabase(file, db, onProgress?.copied);
    const { problems } = await checkPages(db, onProgress?.read);
    const [problem] = problems;
    if (problem !== undefined) throw differs(problem, db.where);
    return await compare(file, db).catch((error: unknown) =>
      Promise.reject(differs(String(error instanceof Error ? error.message : error), db.where)),
    );
  } catch (error) {
    throw storageError(error, path);
  } finally {
    file.close();
  }
}

function differs(what: string, where: string): PenstockError {
  return new PenstockError('PEN_OPERATION_FAILED', `the copy is not what was copied: ${what}`, {
    where,
    fix: 'nothing was changed where the journal is; try again, and report this if it stays',
  });
}

/**
 * Moves the journal of a database into a data_dir that has none. Throws PEN_JOURNAL_LOCKED while a replica runs; what is refused leaves nothing
 * behind.
 */
export async function moveToFile({ dataDir, engine, seams, log, onProgress }: MoveOptions): Promise<readonly Moved[]> {
  const { files, clock } = seams;
  const paths = journalPaths(dataDir);
  const db = new Database({ ...engine, connections: 2 });
  try {
    await checkServer(db);
    const stands = await inspectLeaving(db);
    if (stands !== null && stands !== leaving && stands !== dataDir) throw notWhole(stands, db.where);
    if (await fileExists(paths.journal, files)) {
      // It ended after the last step.
      if (stands === dataDir) return [];
      throw new PenstockError('PEN_OPERATION_FAILED', 'there is a journal in this directory already', {
        where: paths.journal,
        fix: 'name a directory without one',
      });
    }
    await prepareDirectory(dataDir, files, log);
    await using _lock = await takeLock(paths, { clock, files, waitMs: 0 });
    // Before anything is read: a replica that comes back late would write where nobody looks any more.
    await setAside(db);
    const draft = movingName(paths.journal);
    const moved = await newFile(db, draft, seams, onProgress?.copied).catch(async (error: unknown) => {
      // What was copied to this directory before may be in use.
      await writeMoved(db, stands === dataDir ? dataDir : null);
      throw error;
    });
    // From here on the copy may get its name, so no other may be made.
    await writeMoved(db, dataDir);
    await files.rename(draft, paths.journal);
    await syncDirectory(dataDir, files);
    return moved;
  } finally {
    await db.close();
  }
}

/** A whole copy of the journal in a file; what came of one that failed goes. */
async function newFile(db: Database, draft: string, { files }: Seams, copied?: PagesDone): Promise<readonly Moved[]> {
  const clear = async (): Promise<void> => {
    for (const suffix of besideDatabase) await clearPlace(`${draft}${suffix}`, files);
  };
  await clear();
  try {
    await (await files.open(draft, 'wx', 0o600)).close();
    return await draftFrom(db, draft, copied);
  } catch (error) {
    await clear();
    throw error;
  }
}

async function draftFrom(db: Database, draft: string, copied: PagesDone | undefined): Promise<readonly Moved[]> {
  const file = openDatabase(draft);
  try {
    migrateFile(file, draft);
    await copyToFile(db, file, copied);
    return await compare(file, db).catch((error: unknown) =>
      Promise.reject(differs(String(error instanceof Error ? error.message : error), draft)),
    );
  } catch (error) {
    throw storageError(error, draft);
  } finally {
    file.close();
  }
}

function notWhole(stands: string, where: string): PenstockError {
  return new PenstockError('PEN_OPERATION_FAILED', `the journal in this schema is not in use: ${stands}`, {
    where,
    fix: 'go on with the move that was begun, or name another schema',
  });
}
