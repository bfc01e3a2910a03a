import { sleep } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import { packageVersion } from '../../base/package.ts';
import type { JournalOptions, PostgresEngine } from '../contract/open.ts';
import type { Journal, Ownership } from '../journal.ts';
import { openAppend } from './append.ts';
import { Changes, type Core } from './core.ts';
import { Database } from './database.ts';
import { JournalTime } from './journal-time.ts';
import { LaneReads } from './lane-reads.ts';
import { readLedger, sinkStarts, storedRecords, windowsOf } from './ledger.ts';
import { discardLetters, listLetters, openLetterCounts } from './letters.ts';
import { isNamed, readMissing, readReplicas } from './members.ts';
import { Membership } from './membership.ts';
import { Names } from './names.ts';
import { openLanes, settle } from './offsets.ts';
import { openRegistration } from './registration.ts';
import { closeReplay, openReplay, readReplay, replayPending } from './replays.ts';
import { Room } from './room.ts';
import { checkServer, inspectSchema, migrate } from './schema.ts';
import { openSeen } from './seen.ts';
import { openHolds, openJobs, openMemos, openNoteWriters, readGivenUp, readNoteOfAll, setNoteIfAbsent } from './state.ts';
import { Upkeep } from './upkeep.ts';

const defaultLockWaitMs = 60_000;
const retryMs = 500;

/** Opens a journal in PostgreSQL; throws as `openJournal` does. `wall` stands in for the server's clock, in tests. */
export async function openPostgres(engine: PostgresEngine, options: JournalOptions, wall?: () => number): Promise<Journal> {
  const { seams, role = 'worker', lockWaitMs = defaultLockWaitMs, signal } = options;
  const db = new Database(engine);
  signal?.addEventListener('abort', () => db.cutOff(), { once: true });
  if (signal?.aborted === true) db.cutOff();
  const end = seams.clock.monotonic() + lockWaitMs;
  for (;;) {
    try {
      await checkServer(db);
      await (role === 'worker' ? migrate(db) : inspectSchema(db));
      return await assemble(db, engine, options, wall);
    } catch (error) {
      const isAway = error instanceof PenstockError && error.code === 'PEN_JOURNAL_UNAVAILABLE';
      if (!isAway || signal?.aborted === true || seams.clock.monotonic() >= end) {
        await db.close();
        throw error;
      }
      // Where it aborts, the database is asked no more.
      await sleep(seams.clock, retryMs, signal).catch(() => undefined);
    }
  }
}

async function assemble(
  db: Database,
  engine: PostgresEngine,
  options: JournalOptions,
  wall: (() => number) | undefined,
): Promise<Journal> {
  const { seams, log, role = 'worker', maxBytes, keepMs } = options;
  const { clock } = seams;
  const changes: Changes = new Changes(db, clock, () => names.forget());
  const names: Names = new Names(db, () => member?.id);
  const member =
    role === 'worker'
      ? new Membership(db, clock, log, { ...engine.replica, version: packageVersion, leaseMs: engine.leaseMs, changes })
      : undefined;
  await member?.join();
  try {
    const core: Core = { db, clock, time: await JournalTime.resume(db, clock, keepMs, wall), log, changes, names, member };
    const forget = (sources: readonly string[]): void => {
      for (const source of sources) names.forgetOwned(source);
      changes.notify();
    };
    member?.watch({ gained: forget, lost: forget });
    const room = new Room(core, maxBytes);
    await room.start();
    const seen = openSeen(core);
    const upkeep = member === undefined ? undefined : new Upkeep({ core, room, seen, keepMs });
    return journalOf(core, room, seen, upkeep);
  } catch (error) {
    // What is wrong has been said already.
    await member?.leave().catch(() => undefined);
    throw error;
  }
}

/** Who only looks owns nothing, and sees who does. */
const ownsNothing = (db: Database): Ownership => ({
  owns: () => false,
  mayFinish: () => false,
  watch: () => ({ [Symbol.dispose]: () => undefined }),
  leave: () => Promise.resolve(),
  replicas: (how) => readReplicas(db, '', how),
  missing: () => readMissing(db),
  isNamed: (kind, name) => isNamed(db, kind, name),
  report: () => Promise.resolve(),
});

function journalOf(core: Core, room: Room, seen: ReturnType<typeof openSeen>, upkeep: Upkeep | undefined): Journal {
  const registration = openRegistration(core);
  let closing: Promise<void> | undefined;
  return {
    ownership: core.member ?? ownsNothing(core.db),
    ...openAppend(core, seen, room),
    ...registration,
    async register(sources, sinks) {
      const report = await registration.register(sources, sinks);
      upkeep?.registered();
      // What is this replica's is known when it has registered, not only after a while.
      // Where it fails, the next beat tells: what was registered is durable.
      await core.member
        ?.tick()
        .catch((error: unknown) => core.log.warn({ err: error }, 'what this replica owns is not known yet'));
      return report;
    },
    ...openJobs(core),
    ...openHolds(core),
    ...openMemos(core),
    ...delivery(core),
    seen: (source, entries) => seen.lookup(source, entries),
    noteOfAll: (name) => readNoteOfAll(core, name),
    ...openNoteWriters(core),
    setNoteIfAbsent: (source, name, value) => setNoteIfAbsent(core, source, name, value),
    windows: (source, from, to) => windowsOf(core, source, from, to),
    ledger: () => readLedger(core),
    stored: () => storedRecords(core),
    sinkStarts: () => sinkStarts(core),
    hasRoom: () => room.hasRoom(),
    usage: () => ({ ...room.usage(), upkeep: upkeep?.trouble }),
    skewMs: () => core.member?.skew.ms ?? 0,
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
  | 'givenUp'
  | 'openReplay'
  | 'replayPending'
  | 'closeReplay'
> {
  const { db, names } = core;
  const stored = new LaneReads(core);
  return {
    lanes: openLanes(core),
    read: async (sink, lane, after, limit) => {
      await names.requireSink(sink);
      return lane.kind === 'replay' ? readReplay(core, lane, after, limit) : stored.read(sink, lane, after, limit);
    },
    settle: (sink, lane, upTo, letters, counts, resolved = [], attempt) =>
      settle(core, sink, { lane, upTo, letters, counts, resolved, attempt }),
    async connectorText(hash) {
      const [row] = await db.query<{ text: string }>(`SELECT text FROM ${db.s}.connectors WHERE hash = $1`, [hash]);
      return row?.text;
    },
    deadLetters: (filter, limit, after = 0) => listLetters(core, filter, limit, { after }),
    countDeadLetters: openLetterCounts(core),
    discardDeadLetters: (filter) => db.transaction((sql) => discardLetters(core, sql, filter)),
    givenUp: () => readGivenUp(core),
    openReplay: (job, sink, what) => openReplay(core, job, sink, what),
    replayPending: (job) => replayPending(core, job),
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
