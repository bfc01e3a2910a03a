import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { LaneKind, Position } from '../journal.ts';
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

function notFound(kind: 'source' | 'sink', name: string): never {
  throw new PenstockError('PEN_NOT_FOUND', `the journal knows no ${kind} "${name}"`, {
    fix: `see "penstock ${kind}s" for the names`,
  });
}

const kinds = ['live', 'backfill'] as const;

/** How a stored lane's kind is written in a row. */
export function kindNumber(kind: LaneKind): number {
  return kind === 'live' ? 0 : 1;
}

/** The kind that a row's number stands for. */
export function kindName(number: number): 'live' | 'backfill' {
  return kinds[number] ?? 'live';
}

/**
 * Brands a number as a position. In a stored lane it is the ordinal of a record in its lane, counted from 1 and never used again; in a
 * replay of stored pages it is {@link packPosition}; in a replay of dead letters the letter's id. 0 stands before everything.
 */
export function position(value: number): Position {
  return value as Position;
}

// 2^17 is more than a row's records; ids below 2^36 stay exact in a double.
const recordsPerId = 131_072;

/** A place among stored pages of both kinds: page id and 1-based index of the record. */
export function packPosition(pageId: number, index: number): number {
  return pageId * recordsPerId + index;
}

/** Page id and number of records of that page that lie at or before the position. */
export function unpackPosition(packed: number): { readonly pageId: number; readonly index: number } {
  return { pageId: Math.floor(packed / recordsPerId), index: packed % recordsPerId };
}
