// The tables of a journal that both engines have, column by column, in the order in which they can be written. Both name them alike; where a
// column means the same and is kept in another form, it is said how one becomes the other.

import { sourceCounters, storedSinkCounters } from '../counts.ts';
import { letterColumns } from '../records/letter-rows.ts';
import { offsetChecksum } from '../sqlite/delivery/offsets.ts';

/** A row of either engine, by column. */
export type Row = Readonly<Record<string, unknown>>;

export interface Table {
  readonly name: string;
  /** Columns that both have under one name and in one form. */
  readonly columns: readonly string[];
  /** What orders the rows in SQLite, so that a copy can go on after the last one that it read; columns of the key. */
  readonly key: readonly string[];
  /** Columns of PostgreSQL that are made of a row of SQLite, and back. */
  readonly toDatabase?: (row: Row) => Row;
  readonly toFile?: (row: Row) => Row;
}

export const hex = (value: unknown): string => Buffer.from(value as Uint8Array).toString('hex');
const fingerprintOf = (value: unknown): string => BigInt.asIntN(64, BigInt(`0x${hex(value)}`)).toString();
const attemptsOf = (attempt: unknown): readonly unknown[] => (typeof attempt === 'string' ? [attempt] : []);
const lastOf = (attempts: unknown): unknown => (attempts as readonly unknown[]).at(-1) ?? null;
const flag = (value: unknown): number => (value === true ? 1 : 0);

/** Besides these, `sources` with their counters, `seen` and `holds` are copied in ways of their own. */
export const tables: readonly Table[] = [
  {
    name: 'sinks',
    columns: ['id', 'name', 'type', 'when_full', 'created'],
    key: ['id'],
    toDatabase: ({ configured }) => ({ configured: configured === 1 }),
    toFile: ({ configured }) => ({ configured: flag(configured) }),
  },
  { name: 'connectors', columns: ['hash', 'text'], key: ['hash'] },
  { name: 'lanes', columns: ['source', 'kind', 'appended'], key: ['source', 'kind'] },
  {
    name: 'pages',
    columns:
      'id, source, kind, first, count, received, received_last, min_time, max_time, connector_name, connector_hash, tenant, labels, raw_bytes, crc, body'.split(
        ', ',
      ),
    key: ['id'],
  },
  {
    name: 'offsets',
    columns: ['sink', 'source', 'kind', 'position', 'passed'],
    key: ['sink', 'source', 'kind'],
    toDatabase: ({ attempt }) => ({ attempts: attemptsOf(attempt) }),
    toFile: (row) => ({
      attempt: lastOf(row['attempts']),
      crc: offsetChecksum(row as unknown as Parameters<typeof offsetChecksum>[0]),
    }),
  },
  { name: 'totals', columns: ['sink', 'source', ...storedSinkCounters], key: ['sink', 'source'] },
  { name: 'checkpoints', columns: ['source', 'name', 'value', 'crc'], key: ['source', 'name'] },
  { name: 'notes', columns: ['source', 'name', 'value'], key: ['source', 'name'] },
  { name: 'seen_days', columns: ['source', 'day', 'touched'], key: ['source', 'day'] },
  {
    name: 'windows',
    columns: ['source', 'key', 'kind', 'from_time', 'to_time', ...sourceCounters, 'complete', 'updated', 'stamp'],
    key: ['source', 'key', 'kind'],
  },
  { name: 'dead_letters', columns: ['id', ...letterColumns.split(', ')], key: ['id'] },
  { name: 'jobs', columns: 'id, kind, args, state, progress, error, created, started, finished, token'.split(', '), key: ['id'] },
  {
    name: 'replays',
    columns: 'job, source, sink, kind, after, upto, min_time, max_time, filter, remaining'.split(', '),
    key: ['job', 'source'],
    toDatabase: ({ attempt }) => ({ attempts: attemptsOf(attempt) }),
    toFile: ({ attempts }) => ({ attempt: lastOf(attempts) }),
  },
  { name: 'skips', columns: 'id, sink, source, kind, from_time, to_time, records, first_at, last_at'.split(', '), key: ['id'] },
];

/** Columns of `sources` that both engines have; the counters are a table of their own in PostgreSQL. */
export const sourceColumns = ['id', 'name', 'identity', 'registered', 'seen_ttl_ms', 'seen_pinned_ms'] as const;

/** Tables whose ids are counted on where the file stood. */
export const counted = ['sources', 'sinks', 'pages', 'dead_letters', 'jobs', 'skips'] as const;

/** An id and its fingerprint as each engine keeps them. */
export const seenToDatabase = ({ source, day, id, fingerprint }: Row): Row => ({
  source,
  day,
  id: hex(id),
  fingerprint: fingerprintOf(fingerprint),
});

export const seenToFile = ({ source, day, id, fingerprint }: Row): Row => ({
  source,
  day,
  id: Buffer.from(String(id).replaceAll('-', ''), 'hex'),
  fingerprint: Buffer.from(
    BigInt.asUintN(64, BigInt(fingerprint as number | string))
      .toString(16)
      .padStart(16, '0'),
    'hex',
  ),
});
