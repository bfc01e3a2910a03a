// How a journal is opened, whatever keeps it.
import type { Log } from '../../base/log.ts';
import type { Seams } from '../../base/seams.ts';

/** A file of this machine, which one process works on. */
export interface SqliteEngine {
  readonly kind: 'sqlite';
  /** Directory of the journal's files; made when missing. */
  readonly dataDir: string;
}

/** A schema of a PostgreSQL database, which replicas share. */
export interface PostgresEngine {
  readonly kind: 'postgres';
  /** `postgres://user@host:port/database`, without a password. */
  readonly url: string;
  /** Asked for each new connection, so that a password may change at any time. */
  readonly password?: () => Promise<string>;
  /** Certificates to trust, PEM, asked for each new connection; those of the system when absent. */
  readonly ca?: () => Promise<string>;
  readonly schema: string;
  /** After this long without a word a replica's sources are the others', milliseconds. */
  readonly leaseMs: number;
  /** At most so many connections at a time, and one for the membership. */
  readonly connections: number;
  /** How people know this process, and what it is labelled with: both stand in the status. */
  readonly replica: { readonly name: string; readonly labels: readonly string[] };
}

type JournalEngine = SqliteEngine | PostgresEngine;

export interface JournalOptions {
  readonly engine: JournalEngine;
  /** Bound of collection, bytes; at least 8 MiB. */
  readonly maxBytes: number;
  /** How long delivered records stay for replay, milliseconds. */
  readonly keepMs: number;
  readonly seams: Seams;
  readonly log: Log;
  /** A `worker` collects and delivers; an `observer` reads and leaves jobs beside workers. Default: worker. */
  readonly role?: 'worker' | 'observer';
  /** How long to wait for a process that stands in the way, or for an engine that does not answer, milliseconds. */
  readonly lockWaitMs?: number;
  /** Ends the wait for a process that stands in the way; a database is cut off, also later: every call rejects at once from then on. */
  readonly signal?: AbortSignal;
}
