import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { notFound } from '../records/rows.ts';
import type { Changes } from './file/changes.ts';
import { one } from './file/database.ts';
import type { JournalTime } from './file/journal-time.ts';
import type { Writer } from './file/writer.ts';

/** What every concern of the journal works with. */
export interface Core {
  readonly db: DatabaseSync;
  /** Path of the file, for errors. */
  readonly path: string;
  readonly writer: Writer;
  readonly clock: Clock;
  /** What ages are measured by; `clock` is for what people read. */
  readonly time: JournalTime;
  readonly log: Log;
  readonly changes: Changes;
  readonly names: ReturnType<typeof openNames>;
}

/** Names to row ids: everything stored refers to the id, so that a rename touches one row. */
export function openNames(db: DatabaseSync) {
  const bySource = db.prepare('SELECT id FROM sources WHERE name = ?');
  const bySink = db.prepare('SELECT id FROM sinks WHERE name = ?');
  const insert = db.prepare('INSERT INTO sources (name) VALUES (?)');
  const source = (name: string): number | undefined => one<{ id: number }>(bySource, name)?.id;
  const sink = (name: string): number | undefined => one<{ id: number }>(bySink, name)?.id;
  return {
    source,
    sink,
    /** The id of a source, which appears with its first commit when it was not registered. Only inside a write. */
    ensureSource: (name: string): number => source(name) ?? Number(insert.run(name).lastInsertRowid),
    /** Throws PEN_NOT_FOUND. */
    requireSink: (name: string): number => sink(name) ?? notFound('sink', name),
    /** Throws PEN_NOT_FOUND. */
    requireSource: (name: string): number => source(name) ?? notFound('source', name),
  };
}
