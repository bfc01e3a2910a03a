import fs from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { PenstockError } from '../../../base/errors.ts';
import { counted } from '../../../base/quantity.ts';
import { openLaneSteps, type PageRow, pageColumns, readWhole } from '../../records/page-rows.ts';
import { pageChecksum, textChecksum } from '../../records/pages.ts';
import { type JournalCheck } from '../../records/rows.ts';
import { offsetChecksum } from '../delivery/offsets.ts';
import { all, one, openDatabase, pragma, storageError } from '../file/database.ts';
import { inspectDirectory, journalPaths, requireJournal } from '../file/directory.ts';
import { checkVersion, schemaVersion } from '../file/schema.ts';
import { damagedBlocks } from '../records/id-blocks.ts';
import { disagreements, imbalances, laneEnds, offsetsOf, type StoredOffset } from './counts-at-start.ts';

/**
 * Reads a journal from end to end, also beside a running daemon, and changes nothing.
 *
 * Throws PEN_JOURNAL_CORRUPT or PEN_JOURNAL_FOREIGN when not even its first page can be read, and PEN_NOT_FOUND when there is none. `onProgress` hears of pages.
 */
export async function checkJournal(
  dataDir: string,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<JournalCheck> {
  const paths = journalPaths(dataDir);
  const path = paths.journal;
  await requireJournal(paths, fs);
  await inspectDirectory(dataDir, fs);
  const db = openDatabase(path, { readOnly: true });
  try {
    const version = checkVersion(db, path);
    const { pages, records, problems } = await checkPages(db, path, { onProgress });
    // The tables of an older version are checked once the daemon has migrated them.
    const small = version === schemaVersion ? [...smallProblems(db), ...idProblems(db), ...disagreements(db)] : [];
    return {
      path,
      version,
      pages,
      records,
      bytes: bytesOf(db),
      problems: [...structureProblems(db, 'integrity_check', 100), ...small, ...problems],
    };
  } catch (error) {
    throw storageError(error, path);
  } finally {
    db.close();
  }
}

/** What was seen of a journal in the time that there was. */
interface JournalLook {
  /** Pages that were read, and that there are. */
  readonly pages: number;
  readonly stored: number;
  /** False where the time was over before the last page. */
  readonly isWhole: boolean;
  /** One sentence each; empty when nothing is damaged in what was read. */
  readonly problems: readonly string[];
}

/**
 * Looks for damage until `isOver`, also beside a running daemon: first what a start looks at, then the pages, the newest first, as those are what
 * sinks wait for. Throws as {@link checkJournal} does.
 */
export async function lookAtJournal(dataDir: string, isOver: () => boolean): Promise<JournalLook> {
  const path = journalPaths(dataDir).journal;
  const db = openDatabase(path, { readOnly: true });
  try {
    const small = checkVersion(db, path) === schemaVersion ? smallProblems(db) : [];
    const structure = isSmall(db) ? structureProblems(db, 'quick_check', 1) : [];
    const { pages, stored, isWhole, problems } = await checkPages(db, path, { isOver });
    return { pages, stored, isWhole, problems: [...structure, ...small, ...problems] };
  } catch (error) {
    throw storageError(error, path);
  } finally {
    db.close();
  }
}

/** What can be seen of a journal at once. */
interface JournalGlance {
  /** undefined: there is none yet. */
  readonly version: number | undefined;
  /** The version that this program reads and writes; it brings older ones there when the daemon starts. */
  readonly ownVersion: number;
  /** With its WAL. */
  readonly bytes: number;
  /** undefined: the file is not there. */
  readonly ballastBytes: number | undefined;
}

/** Looks at a journal without reading it, also beside a running daemon. Throws as {@link checkJournal} does. */
export async function glanceAtJournal(dataDir: string): Promise<JournalGlance> {
  const { journal, ballast } = journalPaths(dataDir);
  const sizeOf = (path: string): Promise<number | undefined> =>
    fs
      .stat(path)
      .then(({ size }) => size)
      .catch(() => undefined);
  const [bytes, wal, ballastBytes] = await Promise.all([sizeOf(journal), sizeOf(`${journal}-wal`), sizeOf(ballast)]);
  if (bytes === undefined) return { version: undefined, ownVersion: schemaVersion, bytes: 0, ballastBytes };
  await inspectDirectory(dataDir, fs);
  const db = openDatabase(journal, { readOnly: true });
  try {
    return { version: checkVersion(db, journal), ownVersion: schemaVersion, bytes: bytes + (wal ?? 0), ballastBytes };
  } finally {
    db.close();
  }
}

interface PageReading {
  readonly onProgress?: (done: number, total: number) => void;
  readonly isOver?: () => boolean;
}

/** Reads pages, the newest first. */
async function checkPages(
  db: DatabaseSync,
  path: string,
  { onProgress, isOver = () => false }: PageReading,
): Promise<JournalLook & { readonly records: number }> {
  const next = db.prepare(`SELECT ${pageColumns} FROM pages WHERE id < ? ORDER BY id DESC LIMIT 1`);
  const problems: string[] = [];
  let pages = 0;
  let stored = 0;
  let records = 0;
  let isWhole = false;
  try {
    stored = one<{ stored: number }>(db.prepare('SELECT count(*) AS stored FROM pages'))?.stored ?? 0;
    let row = one<PageRow>(next, Number.MAX_SAFE_INTEGER);
    for (; row !== undefined && !isOver(); row = one<PageRow>(next, row.id)) {
      pages++;
      records += row.count;
      const problem = await pageProblem(row, path);
      if (problem !== undefined) problems.push(problem);
      onProgress?.(pages, stored);
    }
    isWhole = row === undefined;
  } catch (error) {
    problems.push(`pages cannot be read after number ${pages}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { pages, stored, isWhole, records, problems };
}

async function pageProblem(row: PageRow, path: string): Promise<string | undefined> {
  try {
    await readWhole(row, path);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function structureProblems(db: DatabaseSync, how: 'integrity_check' | 'quick_check', limit: number): string[] {
  try {
    const rows = all<Record<string, string>>(db.prepare(`PRAGMA ${how}(${limit})`)).map((row) => Object.values(row)[0] ?? '');
    return rows.join() === 'ok' ? [] : rows.map((text) => `structure: ${text}`);
  } catch (error) {
    return [`structure: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Faults of small tables that put records at risk: a flipped byte there would be a wrong place to go on from, and not an error. */
function smallProblems(db: DatabaseSync): string[] {
  try {
    const offsets = offsetsOf(db);
    return [...checkpointProblems(db), ...offsetProblems(offsets), ...gapProblems(db), ...unsureBalanceProblems(db, offsets)];
  } catch (error) {
    return [`small tables: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function idProblems(db: DatabaseSync): string[] {
  try {
    return damagedBlocks(db).map(({ id, count }) => `block ${id} with ${counted(count, 'id')} is damaged`);
  } catch (error) {
    return [`ids: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function checkpointProblems(db: DatabaseSync): string[] {
  const rows = all<{ source: string; name: string; value: string; crc: number }>(
    db.prepare('SELECT s.name AS source, c.name AS name, value, crc FROM checkpoints c JOIN sources s ON s.id = c.source'),
  );
  return rows
    .filter(({ value, crc }) => textChecksum(value) !== crc)
    .map(({ source, name }) => `checkpoint "${name}" of source "${source}" is damaged`);
}

function offsetProblems(offsets: readonly StoredOffset[]): string[] {
  return offsets.flatMap((row) => {
    const name = `offset ${row.position} of sink "${row.sinkName}" in source "${row.sourceName}"`;
    if (row.crc !== null && row.crc !== offsetChecksum(row)) return [`${name} is damaged`];
    return row.position < 0 || row.position > row.last ? [`${name} lies beyond the last record ${row.last}`] : [];
  });
}

/** Records that a sink has not settled and that no page holds. */
function gapProblems(db: DatabaseSync): string[] {
  const lanes = all<{ source: number; name: string; kind: number; settled: number; last: number }>(
    db.prepare(`SELECT e.source AS source, s.name AS name, e.kind AS kind, max(e.counted, e.stored) AS last,
      (SELECT ifnull(min(ifnull(o.position, 0)), max(e.counted, e.stored)) FROM sinks k LEFT JOIN offsets o ON o.sink = k.id AND o.source = e.source AND o.kind = e.kind) AS settled
      FROM (${laneEnds}) e JOIN sources s ON s.id = e.source`),
  );
  const runs = db.prepare(`SELECT first, count FROM pages WHERE source = ?1 AND kind = ?2
    AND first >= ifnull((SELECT max(first) FROM pages WHERE source = ?1 AND kind = ?2 AND first <= ?3 + 1), 0) ORDER BY first`);
  return lanes.flatMap(({ source, name, kind, settled, last }) => {
    let expected = settled + 1;
    if (expected > last) return [];
    for (const { first, count } of all<{ first: number; count: number }>(runs, source, kind, settled)) {
      if (first > expected) break;
      expected = Math.max(expected, first + count);
    }
    return expected > last ? [] : [`records ${expected} and after of source "${name}" are missing, and not every sink has them`];
  });
}

/** A balance that is off while an offset has no checksum yet: which of the two is wrong cannot be told. */
function unsureBalanceProblems(db: DatabaseSync, offsets: readonly StoredOffset[]): string[] {
  const unsure = new Set(
    offsets.flatMap(({ crc, sinkName, sourceName }) => (crc === null ? [`${sinkName}\n${sourceName}`] : [])),
  );
  return imbalances(db)
    .filter(({ sink, source }) => unsure.has(`${sink}\n${source}`))
    .map(({ sink, source }) => `the ledger of sink "${sink}" and source "${source}" does not balance`);
}

// Reading all of a large journal would take longer than a restart may: beyond these sizes the rest is checked as it is read.
const structureBytes = 128 * 1024 * 1024;
const pendingBytes = 64 * 1024 * 1024;

const bytesOf = (db: DatabaseSync): number => Number(pragma(db, 'page_count')) * Number(pragma(db, 'page_size'));
const isSmall = (db: DatabaseSync): boolean => bytesOf(db) <= structureBytes;

/**
 * Looks at a journal before anything is polled: structure, cursors, offsets, and the records that are still to be delivered. Throws
 * PEN_JOURNAL_CORRUPT where one of them is damaged. Counts that disagree beside records that are all there are no reason to stay down: see
 * `setCountsRight`.
 */
export function checkAtOpen(db: DatabaseSync, path: string): void {
  const problems = [
    ...(isSmall(db) ? structureProblems(db, 'quick_check', 1) : []),
    ...smallProblems(db),
    ...pendingProblems(db),
  ];
  const [problem] = problems;
  if (problem === undefined) return;
  throw new PenstockError('PEN_JOURNAL_CORRUPT', `the journal is damaged: ${problem}`, {
    where: path,
    fix: 'run "penstock journal check", then "penstock journal repair"; nothing was collected or delivered meanwhile',
  });
}

function pendingProblems(db: DatabaseSync): string[] {
  const steps = openLaneSteps(db);
  const lanes = db.prepare(`SELECT l.source AS source, l.kind AS kind, (SELECT ifnull(min(ifnull(o.position, 0)), 0) FROM sinks k
    LEFT JOIN offsets o ON o.sink = k.id AND o.source = l.source AND o.kind = l.kind) AS settled FROM lanes l`);
  try {
    let bytes = 0;
    for (const { source, kind, settled } of all<{ source: number; kind: number; settled: number }>(lanes)) {
      const { first, next } = steps(source, kind, settled);
      for (let row = first(); row !== undefined && bytes < pendingBytes; row = next(row)) {
        if (pageChecksum(row, row.body) !== row.crc) return [`page ${row.id} with ${counted(row.count, 'record')} is damaged`];
        bytes += row.body.length;
      }
    }
    return [];
  } catch (error) {
    return [`pages: ${error instanceof Error ? error.message : String(error)}`];
  }
}
