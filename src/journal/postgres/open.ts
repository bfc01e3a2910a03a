import { hostname } from 'node:os';
import type { Log } from '../../base/log.ts';
import type { Seams } from '../../base/seams.ts';
import type { Journal } from '../journal.ts';
import { openAppend } from './append.ts';
import { Changes, type Core, JournalTime, Names } from './core.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { readLedger, windowsOf } from './ledger.ts';
import { countLetters, discardLetters, listLetters } from './letters.ts';
import { Membership } from './membership.ts';
import { readLane, settle, storedLanes } from './offsets.ts';
import { openRegistration } from './registration.ts';
import { closeReplay, openReplay, readReplay, replayLanes } from './replays.ts';
import { Room } from './room.ts';
import { checkServer, inspectSchema, migrate } from './schema.ts';
import { openSeen } from './seen.ts';
import { openHolds, openJobs, readCheckpoint, readNote, setNote, setNoteIfAbsent } from './state.ts';
import { Upkeep } from './upkeep.ts';

export interface PostgresOptions extends DatabaseOptions {
  /** Bound of collection, bytes, for all replicas together. */
  readonly maxBytes: number;
  /** How long delivered records stay for replay, milliseconds. */
  readonly keepMs: number;
  readonly seams: Seams;
  readonly log: Log;
  /** A `worker` collects and delivers; an `observer` reads and leaves jobs beside it. */
  readonly role: 'worker' | 'observer';
  /** How people know this process. Absent: the host's name. */
  readonly name?: string | undefined;
  readonly version?: string;
  /** How long to wait for another worker to go, milliseconds. */
  readonly lockWaitMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Stands in for the server's clock, in tests. */
  readonly wall?: () => number;
}

const defaultLockWaitMs = 60_000;

/**
 * Opens a journal in PostgreSQL; a worker makes a new one when there is none.
 *
 * Throws PEN_JOURNAL_LOCKED, PEN_JOURNAL_FOREIGN, PEN_JOURNAL_UNWRITABLE, PEN_JOURNAL_UNAVAILABLE; an observer PEN_NOT_FOUND where there is no
 * journal yet.
 */
export async function openPostgresJournal(options: PostgresOptions): Promise<Journal> {
  const db = new Database(options);
  try {
    await checkServer(db);
    await (options.role === 'worker' ? migrate(db) : inspectSchema(db));
    return await assemble(db, options);
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function assemble(db: Database, options: PostgresOptions): Promise<Journal> {
  const { seams, log, leaseMs, lockWaitMs = defaultLockWaitMs, signal, name = hostname(), version = '' } = options;
  const { clock } = seams;
  const names = new Names(db);
  const joining = { name, version, leaseMs, waitMs: lockWaitMs, signal };
  const member = options.role === 'worker' ? await Membership.join(db, clock, log, joining, () => names.forget()) : undefined;
  try {
    const changes = new Changes(db, clock, () => names.forget());
    const core: Core = { db, clock, time: await JournalTime.resume(db, clock, options.wall), log, changes, names, member };
    const room = new Room(core, options.maxBytes);
    await room.start();
    const seen = openSeen(core);
    const upkeep = member === undefined ? undefined : new Upkeep({ core, room, seen, keepMs: options.keepMs });
    return journalOf(core, room, seen, upkeep);
  } catch (error) {
    await member?.leave();
    throw error;
  }
}

function journalOf(core: Core, room: Room, seen: ReturnType<typeof openSeen>, upkeep: Upkeep | undefined): Journal {
  const registration = openRegistration(core);
  let closing: Promise<void> | undefined;
  return {
    ...openAppend(core, seen, room),
    ...registration,
    register: (sources, sinks) => registration.register(sources, sinks).finally(() => upkeep?.registered()),
    ...openJobs(core),
    ...openHolds(core),
    ...delivery(core),
    seen: (source, entries) => seen.lookup(source, entries),
    checkpoint: (source, name) => readCheckpoint(core, source, name),
    note: (source, name) => readNote(core, source, name),
    setNote: (source, name, value) => setNote(core, source, name, value),
    setNoteIfAbsent: (source, name, value) => setNoteIfAbsent(core, source, name, value),
    windows: (source, from, to) => windowsOf(core, source, from, to),
    ledger: () => readLedger(core),
    hasRoom: () => room.hasRoom(),
    usage: () => room.usage(),
    changed: (signal) => core.changes.wait(signal),
    [Symbol.asyncDispose]: () => (closing ??= close(core, room, upkeep)),
  };
}

function delivery(
  core: Core,
): Pick<
  Journal,
  | 'lanes'
  | 'read'
  | 'settle'
  | 'connectorText'
  | 'deadLetters'
  | 'countDeadLetters'
  | 'discardDeadLetters'
  | 'openReplay'
  | 'closeReplay'
> {
  const { db, names } = core;
  return {
    lanes: async (sink) => [...(await storedLanes(core, sink)), ...(await replayLanes(core, sink))],
    read: async (sink, lane, after, limit) => {
      await names.requireSink(sink);
      return lane.kind === 'replay' ? readReplay(core, lane, after, limit) : readLane(core, lane, after, limit);
    },
    settle: (sink, lane, upTo, letters, counts, resolved = [], attempt) =>
      settle(core, sink, { lane, upTo, letters, counts, resolved, attempt }),
    async connectorText(hash) {
      const [row] = await db.query<{ text: string }>(`SELECT text FROM ${db.s}.connectors WHERE hash = $1`, [hash]);
      return row?.text;
    },
    deadLetters: (filter, limit, after = 0) => listLetters(core, filter, limit, { after }),
    countDeadLetters: (filter) => countLetters(core, filter),
    discardDeadLetters: (filter) => discardLetters(core, filter),
    openReplay: (job, sink, what) => openReplay(core, job, sink, what),
    closeReplay: (job) => closeReplay(core, job),
  };
}

async function close({ db, changes, member, time, log }: Core, room: Room, upkeep: Upkeep | undefined): Promise<void> {
  room.close();
  changes.close();
  await upkeep?.close();
  // Without the database others take over when the lease has run out.
  if (member !== undefined)
    await db
      .transaction((sql) => time.save(sql, db.s))
      .then(() => member.leave())
      .catch((error: unknown) => log.warn({ err: error }, 'the database was not told that this replica leaves'));
  await db.close();
}
