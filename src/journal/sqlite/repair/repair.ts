import { DatabaseSync } from 'node:sqlite';
import { PenstockError } from '../../../base/errors.ts';
import { clearPlace, openOwnFile, writeOwnFile } from '../../../base/own-file.ts';
import { counted, iso } from '../../../base/quantity.ts';
import type { Seams } from '../../../base/seams.ts';
import { decodeChecked, type PageRow, pageColumns } from '../../records/page-rows.ts';
import { all, one, openDatabase, pragma, storageError } from '../file/database.ts';
import {
  besideDatabase,
  fileExists,
  inspectDirectory,
  isUnfinished,
  journalPaths,
  repairedName,
  requireJournal,
} from '../file/directory.ts';
import { takeLock } from '../file/lock.ts';
import { checkVersion, createJournalFile } from '../file/schema.ts';
import { unpackBlocks } from '../records/id-blocks.ts';
import { closeGaps, type LostRange, settleBalance } from './gaps.ts';
import { finishRepair, putInPlace, reportName } from './put-in-place.ts';
import { copyPages, copyTables } from './salvage.ts';

/** What a repair kept and what it could not; a copy of it lies beside the damaged file, under its name and `.json`. */
interface JournalRepair {
  /** The repaired journal. */
  readonly path: string;
  /** Where the damaged file was put. */
  readonly damaged: string;
  readonly pages: number;
  readonly records: number;
  /** Records that at least one sink had not settled and that are gone; counted as abandoned for those sinks. */
  readonly lost: readonly LostRange[];
  /** What else was lost, one sentence each, with what to do. */
  readonly notes: readonly string[];
}

interface RepairOptions {
  readonly seams: Seams;
  /** How long to wait for a daemon that ends, milliseconds. */
  readonly lockWaitMs?: number;
  /** Called as pages are copied. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Copies what can be read of a damaged journal into a new one and puts the damaged file aside. Needs the lock: no daemon may run. One that was
 * killed at its end is finished, and says what that one would have said.
 *
 * Throws PEN_JOURNAL_LOCKED, PEN_JOURNAL_FOREIGN for a file that is not ours, PEN_NOT_FOUND.
 */
export async function repairJournal(
  dataDir: string,
  { seams, lockWaitMs = 5000, onProgress = () => undefined }: RepairOptions,
): Promise<JournalRepair> {
  const { clock, files } = seams;
  const paths = journalPaths(dataDir);
  if (!(await isUnfinished(paths, files))) await requireJournal(paths, files);
  await inspectDirectory(dataDir, files);
  await using _lock = await takeLock(paths, { clock, files, waitMs: lockWaitMs });
  const finished = await finishRepair(paths, files);
  const said = finished === undefined ? undefined : await readReport(reportName(finished), files);
  if (said !== undefined) return said;
  const repaired = repairedName(paths.journal);
  const clear = async (): Promise<void> => {
    for (const suffix of [...besideDatabase, '.json']) await clearPlace(`${repaired}${suffix}`, files);
  };
  await clear();
  const damaged = `${paths.journal}.damaged-${new Date(clock.now()).toISOString().replace(/[:.]/g, '-')}`;
  try {
    await createJournalFile(repaired, files);
    const report = { path: paths.journal, damaged, ...(await salvage(paths.journal, repaired, onProgress)) };
    await writeOwnFile(reportName(repaired), `${JSON.stringify(report, null, 2)}\n`, files, 'PEN_DATA_DIR_UNSAFE');
    await putInPlace(paths, damaged, files);
    return report;
  } catch (error) {
    // It takes space that may be what was missing.
    if (await fileExists(paths.journal, files)) await clear();
    throw error;
  }
}

/** Undefined where nothing was said, or where a machine that failed has left a part of it: what was put in place is then repaired anew. */
async function readReport(path: string, files: Seams['files']): Promise<JournalRepair | undefined> {
  if (!(await fileExists(path, files))) return undefined;
  const handle = await openOwnFile(path, files, { for: 'read', code: 'PEN_DATA_DIR_UNSAFE' });
  try {
    return JSON.parse(await handle.readFile('utf8')) as JournalRepair;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  } finally {
    await handle.close();
  }
}

const nothingRead =
  'nothing could be read: the new journal is empty; restore a backup, or let the sources collect again from their start';

async function salvage(
  from: string,
  to: string,
  onProgress: (done: number, total: number) => void,
): Promise<Omit<JournalRepair, 'path' | 'damaged'>> {
  const target = openDatabase(to);
  try {
    const source = openDamaged(from);
    if (source === undefined) return { pages: 0, records: 0, lost: [], notes: [nothingRead] };
    try {
      target.exec('BEGIN');
      const notes = copyTables(source, target);
      const { pages, records, unreadable } = await copyPages(source, target, to, onProgress);
      if (unreadable > 0) notes.push(`${counted(unreadable, 'page')} could not be read`);
      const lost = closeGaps(target);
      const lostIds = unpackBlocks(target);
      if (lostIds > 0)
        notes.push(
          `${counted(lostIds, 'id was', 'ids were')} damaged: events collected again from the overlap may be delivered twice`,
        );
      notes.push(...(await forgetLost(target, lost, to)));
      notes.push(...settleBalance(target));
      target.exec('COMMIT');
      return { pages, records, lost, notes };
    } finally {
      source.close();
    }
  } catch (error) {
    throw storageError(error, to);
  } finally {
    target.close();
  }
}

// undefined when not even the first page can be read; a file of another program is refused.
function openDamaged(path: string): DatabaseSync | undefined {
  const db = new DatabaseSync(path, { readOnly: true, defensive: false });
  try {
    // SQLite refuses a file that is shorter than it says, unless the schema is writable; nothing is written here.
    db.exec('PRAGMA writable_schema = ON');
    checkVersion(db, path);
    pragma(db, 'schema_version');
    return db;
  } catch (error) {
    db.close();
    if (error instanceof PenstockError && error.code === 'PEN_JOURNAL_CORRUPT') return undefined;
    throw error;
  }
}

/**
 * Forgets the ids of sources that lost records, except of records that are still stored or lie in the dead letters: what is gone has to
 * count as new when it is collected again. What was delivered and trimmed before may then arrive twice, with the same id.
 * Returns a sentence for each source, with the command that collects again. Call it inside a transaction.
 */
async function forgetLost(db: DatabaseSync, lost: readonly LostRange[], path: string): Promise<string[]> {
  db.exec('CREATE TEMP TABLE kept (id BLOB PRIMARY KEY) WITHOUT ROWID');
  const forget = db.prepare('DELETE FROM seen WHERE source = ? AND id NOT IN (SELECT id FROM kept)');
  const sentences: string[] = [];
  for (const name of new Set(lost.map(({ source }) => source))) {
    const source = one<{ id: number }>(db.prepare('SELECT id FROM sources WHERE name = ?'), name)?.id;
    if (source === undefined) continue;
    db.exec('DELETE FROM kept');
    await keepStored(db, source, path);
    forget.run(source);
    sentences.push(adviceFor(db, name, source));
  }
  db.exec('DROP TABLE kept');
  return sentences;
}

async function keepStored(db: DatabaseSync, source: number, path: string): Promise<void> {
  const insert = db.prepare('INSERT OR IGNORE INTO kept (id) VALUES (?)');
  const keep = (uid: string): void => void insert.run(Buffer.from(uid, 'hex'));
  const next = db.prepare(`SELECT ${pageColumns} FROM pages WHERE source = ? AND id > ? ORDER BY id LIMIT 1`);
  for (let row = one<PageRow>(next, source, 0); row !== undefined; row = one<PageRow>(next, source, row.id))
    for (const { uid } of await decodeChecked(row, path)) keep(uid);
  for (const { uid } of all<{ uid: string }>(db.prepare('SELECT uid FROM dead_letters WHERE source = ?'), source)) keep(uid);
}

function adviceFor(db: DatabaseSync, name: string, source: number): string {
  const range = db.prepare('SELECT min(from_time) AS "from", max(to_time) AS "to" FROM windows WHERE source = ?');
  const { from = null, to = null } = one<{ from: number | null; to: number | null }>(range, source) ?? {};
  if (from === null || to === null) return `collect what source "${name}" lost again: penstock import ${name} FILE...`;
  const [first, last] = [from, to].map((at) => iso(at));
  return `collect what source "${name}" lost again, with the daemon running or not: penstock verify ${name} --from ${first} --to ${last} --repair`;
}
