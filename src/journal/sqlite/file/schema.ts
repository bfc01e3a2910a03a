// The journal's tables. A released version never changes: a new one is appended, and carries what is needed to come from the one before.
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { PenstockError } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import { clearPlace } from '../../../base/own-file.ts';
import type { Files } from '../../../base/seams.ts';
import { inTransaction, openDatabase, pragma, storageError } from './database.ts';
import { besideDatabase, syncDirectory } from './directory.ts';

/** Marks a file as ours: "PenS". */
export const applicationId = 0x50656e53;

const version1 = `
CREATE TABLE sources (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, configured INTEGER NOT NULL DEFAULT 0,
  identity TEXT, registered TEXT, seen_ttl_ms INTEGER, seen_pinned_ms INTEGER,
  fetched INTEGER NOT NULL DEFAULT 0, new INTEGER NOT NULL DEFAULT 0, duplicate INTEGER NOT NULL DEFAULT 0,
  excluded INTEGER NOT NULL DEFAULT 0, unreadable INTEGER NOT NULL DEFAULT 0, id_conflict INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE sinks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, when_full TEXT NOT NULL,
  configured INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL
) STRICT;
CREATE TABLE connectors (hash TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE lanes (source INTEGER NOT NULL, kind INTEGER NOT NULL, appended INTEGER NOT NULL, PRIMARY KEY (source, kind)) STRICT, WITHOUT ROWID;
CREATE TABLE pages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL, kind INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
  received INTEGER NOT NULL, received_last INTEGER NOT NULL, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL,
  connector_name TEXT NOT NULL, connector_hash TEXT NOT NULL, tenant TEXT, labels TEXT NOT NULL,
  raw_bytes INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX pages_by_lane ON pages (source, kind, first, count, received, received_last);
CREATE TABLE offsets (
  sink INTEGER NOT NULL, source INTEGER NOT NULL, kind INTEGER NOT NULL, position INTEGER NOT NULL, passed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (sink, source, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE totals (
  sink INTEGER NOT NULL, source INTEGER NOT NULL, acknowledged INTEGER NOT NULL DEFAULT 0, unconfirmed INTEGER NOT NULL DEFAULT 0,
  dead_lettered INTEGER NOT NULL DEFAULT 0, discarded INTEGER NOT NULL DEFAULT 0, not_routed INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0, abandoned INTEGER NOT NULL DEFAULT 0, replayed INTEGER NOT NULL DEFAULT 0,
  possible_duplicates INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (sink, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (source INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (source, name)) STRICT, WITHOUT ROWID;
CREATE TABLE notes (source INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (source, name)) STRICT, WITHOUT ROWID;
CREATE TABLE seen (
  source INTEGER NOT NULL, day INTEGER NOT NULL, id BLOB NOT NULL, fingerprint BLOB NOT NULL, PRIMARY KEY (source, day, id, fingerprint)
) STRICT, WITHOUT ROWID;
CREATE TABLE seen_days (source INTEGER NOT NULL, day INTEGER NOT NULL, touched INTEGER NOT NULL, PRIMARY KEY (source, day)) STRICT, WITHOUT ROWID;
CREATE TABLE windows (
  source INTEGER NOT NULL, key TEXT NOT NULL, kind INTEGER NOT NULL, from_time INTEGER, to_time INTEGER, fetched INTEGER NOT NULL,
  new INTEGER NOT NULL, duplicate INTEGER NOT NULL, excluded INTEGER NOT NULL, unreadable INTEGER NOT NULL, id_conflict INTEGER NOT NULL,
  complete INTEGER NOT NULL, updated INTEGER NOT NULL, PRIMARY KEY (source, key, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX windows_by_time ON windows (source, to_time);
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT, sink INTEGER NOT NULL, source INTEGER NOT NULL, uid TEXT NOT NULL, received INTEGER NOT NULL,
  unreadable TEXT, record_labels TEXT, connector_name TEXT NOT NULL, connector_hash TEXT NOT NULL, tenant TEXT, labels TEXT NOT NULL,
  event_time INTEGER NOT NULL, action TEXT, code TEXT NOT NULL, text TEXT NOT NULL, attempts INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, counted INTEGER NOT NULL, record TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letters_by_sink ON dead_letters (sink, source, code);
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, args TEXT NOT NULL, state TEXT NOT NULL, progress TEXT NOT NULL, error TEXT,
  created INTEGER NOT NULL, started INTEGER, finished INTEGER
) STRICT;
CREATE TABLE replays (
  job INTEGER NOT NULL, source INTEGER NOT NULL, sink INTEGER NOT NULL, kind TEXT NOT NULL, after INTEGER NOT NULL, upto INTEGER NOT NULL,
  min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, filter TEXT NOT NULL, remaining INTEGER NOT NULL, PRIMARY KEY (job, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE holds (kind TEXT NOT NULL, name TEXT NOT NULL, since INTEGER NOT NULL, reason TEXT NOT NULL, fix TEXT, PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
`;

// Ranges that a sink with `when_full: skip` left out, so that they can be replayed.
const version2 = `
CREATE TABLE skips (
  id INTEGER PRIMARY KEY AUTOINCREMENT, sink INTEGER NOT NULL, source INTEGER NOT NULL, kind INTEGER NOT NULL, from_time INTEGER NOT NULL,
  to_time INTEGER NOT NULL, records INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL
) STRICT;
`;

// A replay looks for the letters of the events that it delivers.
const version3 = `
CREATE INDEX dead_letters_by_uid ON dead_letters (sink, source, uid);
`;

// Ages count by the journal's own time from here on: `received_last` of a page and `touched` of a day of ids keep their names. An offset
// carries a checksum, so that a counter that disagrees is known from an offset that was damaged; it is absent until the next start.
const version4 = `
ALTER TABLE windows ADD COLUMN stamp INTEGER NOT NULL DEFAULT 0;
UPDATE windows SET stamp = updated;
ALTER TABLE offsets ADD COLUMN crc INTEGER;
`;

// Among a million letters, those of a sink and an action are found and counted without looking at the others.
const version5 = `
DROP INDEX dead_letters_by_sink;
CREATE INDEX dead_letters_by_group ON dead_letters (sink, source, code, ifnull(action, ''));
CREATE TABLE letter_counts (
  sink INTEGER NOT NULL, source INTEGER NOT NULL, code TEXT NOT NULL, action TEXT NOT NULL, letters INTEGER NOT NULL,
  PRIMARY KEY (sink, source, code, action)
) STRICT, WITHOUT ROWID;
INSERT INTO letter_counts SELECT sink, source, code, ifnull(action, ''), count(*) FROM dead_letters GROUP BY 1, 2, 3, 4;
CREATE TRIGGER letter_in AFTER INSERT ON dead_letters BEGIN
  INSERT INTO letter_counts VALUES (new.sink, new.source, new.code, ifnull(new.action, ''), 1) ON CONFLICT DO UPDATE SET letters = letters + 1;
END;
CREATE TRIGGER letter_out AFTER DELETE ON dead_letters BEGIN
  UPDATE letter_counts SET letters = letters - 1 WHERE (sink, source, code, action) = (old.sink, old.source, old.code, ifnull(old.action, ''));
  DELETE FROM letter_counts WHERE (sink, source, code, action) = (old.sink, old.source, old.code, ifnull(old.action, '')) AND letters <= 0;
END;
CREATE TRIGGER letter_changed AFTER UPDATE OF code ON dead_letters WHEN old.code <> new.code BEGIN
  UPDATE letter_counts SET letters = letters - 1 WHERE (sink, source, code, action) = (old.sink, old.source, old.code, ifnull(old.action, ''));
  DELETE FROM letter_counts WHERE (sink, source, code, action) = (old.sink, old.source, old.code, ifnull(old.action, '')) AND letters <= 0;
  INSERT INTO letter_counts VALUES (new.sink, new.source, new.code, ifnull(new.action, ''), 1) ON CONFLICT DO UPDATE SET letters = letters + 1;
END;
`;

// What was asked for twice, because the first answer was lost, is done once: the last attempt is known of each source, offset and replay.
const version6 = `
ALTER TABLE sources ADD COLUMN attempt TEXT;
ALTER TABLE offsets ADD COLUMN attempt TEXT;
ALTER TABLE replays ADD COLUMN attempt TEXT;
ALTER TABLE jobs ADD COLUMN token TEXT;
CREATE UNIQUE INDEX jobs_by_token ON jobs (token) WHERE token IS NOT NULL;
`;

// New ids wait in blocks until many of a day go into `seen` at once: see records/id-blocks.ts.
const version7 = `
CREATE TABLE seen_blocks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL, day INTEGER NOT NULL, count INTEGER NOT NULL, crc INTEGER NOT NULL,
  ids BLOB NOT NULL
) STRICT;
CREATE INDEX seen_blocks_by_day ON seen_blocks (source, day, id, count);
`;

/** Steps from an empty file to the newest shape: step n leads to `user_version` n + 1. */
export const migrations: readonly string[] = [version1, version2, version3, version4, version5, version6, version7];

/** The shape that this program reads and writes. */
export const schemaVersion = migrations.length;

/** Makes an empty journal under another name and moves it into place, so that a journal file is never half made. */
export async function createJournalFile(path: string, files: Files): Promise<void> {
  const draft = `${path}.new`;
  for (const suffix of besideDatabase) await clearPlace(`${draft}${suffix}`, files);
  const handle = await files.open(draft, 'wx', 0o600);
  await handle.close();
  const db = openDatabase(draft);
  try {
    migrate(db, draft);
  } finally {
    db.close();
  }
  const file = await files.open(draft, 'r+');
  await file.sync();
  await file.close();
  await files.rename(draft, path);
  await syncDirectory(dirname(path), files);
}

/** Throws PEN_JOURNAL_FOREIGN or PEN_JOURNAL_CORRUPT unless the database is a journal of this version or an older one. Returns its version. */
export function checkVersion(db: DatabaseSync, path: string): number {
  const [id, version, tables] = readHeader(db, path);
  if (id !== applicationId) {
    if (tables === 0) {
      throw new PenstockError('PEN_JOURNAL_CORRUPT', 'the journal file is empty', {
        where: path,
        fix: 'restore it from a backup, or move it away to begin a new journal; sources collect again from their start',
      });
    }
    throw new PenstockError('PEN_JOURNAL_FOREIGN', 'the file is a database of another program', {
      where: path,
      fix: 'let data_dir name a directory of its own',
    });
  }
  if (version > schemaVersion) {
    throw new PenstockError(
      'PEN_JOURNAL_FOREIGN',
      `the journal was written by a newer penstock (version ${version}, this one reads up to ${schemaVersion})`,
      { where: path, fix: 'run the newer penstock, or restore a backup made before the update' },
    );
  }
  return version;
}

function readHeader(db: DatabaseSync, path: string): [number, number, number] {
  try {
    const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
    return [Number(pragma(db, 'application_id')), Number(pragma(db, 'user_version')), Number(tables)];
  } catch (error) {
    throw storageError(error, path);
  }
}

/** Brings a database to the newest shape, one transaction per step; an empty one in a single transaction. */
export function migrate(db: DatabaseSync, path: string, log?: Log): void {
  const from = Number(pragma(db, 'user_version'));
  const missing = migrations.map((sql, index) => ({ sql, version: index + 1 })).slice(from);
  for (const steps of from === 0 ? [missing] : missing.map((step) => [step])) {
    const version = steps.at(-1)?.version ?? schemaVersion;
    const sql = steps.map((step) => step.sql).join(';');
    try {
      inTransaction(db, () => db.exec(`${sql}; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version}`));
    } catch (error) {
      throw storageError(error, path);
    }
    if (from > 0) log?.info({ path, version }, 'journal migrated');
  }
}
