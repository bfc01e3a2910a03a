// Moves a journal between a file and a database: ids, positions, checksums and counts stay as they are. Where it stands is written where it
// goes: `unfinished` until every row is there and has been compared, `filled` until the old place is out of use. Asked again, it begins anew
// or goes on from there; at no moment can both be used.
import { PenstockError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { clearPlace } from '../../base/own-file.ts';
import type { Seams } from '../../base/seams.ts';
import type { PostgresEngine } from '../contract/open.ts';
import { checkPages } from '../postgres/check.ts';
import { Database } from '../postgres/database.ts';
import { checkServer, dropSchema, migrate, readMoved, setAside, writeMoved } from '../postgres/schema.ts';
import { openDatabase } from '../sqlite/file/database.ts';
import {
  besideDatabase,
  fileExists,
  journalPaths,
  movedName,
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
    // It ended between the last two steps.
    if (!isHere && stands === 'filled' && (await fileExists(movedName(paths.journal), seams.files))) {
      await writeMoved(db, null);
      return [];
    }
    if (!isHere)
      throw new PenstockError('PEN_NOT_FOUND', 'there is no journal to move', {
        where: paths.journal,
        fix: 'see data_dir in the configuration',
      });
    // What a start of the daemon would set right is set right before.
    await (await openSqlite({ kind: 'sqlite', dataDir }, { ...limits, ...options, engine: { kind: 'sqlite', dataDir } }))[
      Symbol.asyncDispose
    ]();
    await using _lock = await takeLock(paths, { clock: seams.clock, files: seams.files, waitMs: 0 });
    if (stands === 'unfinished' || stands === 'filled') await dropSchema(db);
    const moved = await fill(db, paths.journal);
    await writeMoved(db, 'filled');
    for (const suffix of besideDatabase)
      if (await fileExists(`${paths.journal}${suffix}`, seams.files))
        await seams.files.rename(`${paths.journal}${suffix}`, `${movedName(paths.journal)}${suffix}`);
    await syncDirectory(dataDir, seams.files);
    await writeMoved(db, null);
    return moved;
  } finally {
    await db.close();
  }
}

// Nothing is appended, so no limit is met.
const limits = { maxBytes: Number.MAX_SAFE_INTEGER, keepMs: Number.MAX_SAFE_INTEGER / 2, lockWaitMs: 0 };

async function fill(db: Database, path: string): Promise<readonly Moved[]> {
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
    await copyToDatabase(file, db);
    const { problems } = await checkPages(db);
    const [problem] = problems;
    if (problem !== undefined) throw differs(problem, db.where);
    return await compare(file, db).catch((error: unknown) =>
      Promise.reject(differs(String(error instanceof Error ? error.message : error), db.where)),
    );
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

/** Moves the journal of a database into a data_dir that has none. Throws PEN_JOURNAL_LOCKED while a replica runs. */
export async function moveToFile({ dataDir, engine, seams, log }: MoveOptions): Promise<readonly Moved[]> {
  const { files, clock } = seams;
  const paths = journalPaths(dataDir);
  const draft = `${paths.journal}.new`;
  await prepareDirectory(dataDir, files, log);
  const db = new Database({ ...engine, connections: 2 });
  try {
    await checkServer(db);
    const stands = await readMoved(db);
    await using _lock = await takeLock(paths, { clock, files, waitMs: 0 });
    if (await fileExists(paths.journal, files)) {
      throw new PenstockError('PEN_OPERATION_FAILED', 'there is a journal in this directory already', {
        where: paths.journal,
        fix: 'name a directory without one',
      });
    }
    if (stands !== null && stands !== dataDir) throw notWhole(stands, db.where);
    for (const suffix of besideDatabase) await clearPlace(`${draft}${suffix}`, files);
    await (await files.open(draft, 'wx', 0o600)).close();
    // Before anything is read: a replica that comes back late would write where nobody looks any more.
    await setAside(db, dataDir);
    const moved = await draftFrom(db, draft).catch(async (error: unknown) => {
      await writeMoved(db, stands);
      throw error;
    });
    await files.rename(draft, paths.journal);
    await syncDirectory(dataDir, files);
    return moved;
  } finally {
    await db.close();
  }
}

async function draftFrom(db: Database, draft: string): Promise<readonly Moved[]> {
  const file = openDatabase(draft);
  try {
    migrateFile(file, draft);
    await copyToFile(db, file);
    return await compare(file, db).catch((error: unknown) =>
      Promise.reject(differs(String(error instanceof Error ? error.message : error), draft)),
    );
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
