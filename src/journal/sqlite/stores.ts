import { ownsEverything } from '../contract/ownership.ts';
import type { Journal, JournalUsage } from '../journal.ts';
import { givenUpOf, isGivenUp, type NamedNote } from '../records/given-up.ts';
import type { Core } from './core.ts';
import { openLetters } from './delivery/dead-letters.ts';
import { openLedger } from './delivery/ledger.ts';
import { openIsMade, openOffsets } from './delivery/offsets.ts';
import { openReplays } from './delivery/replays.ts';
import { all, one } from './file/database.ts';
import { openJobs } from './jobs.ts';
import { openAppend } from './records/append.ts';
import { openSeen } from './records/seen.ts';
import { openState } from './records/state.ts';
import { openRegistration } from './registration.ts';
import { recentCorrections } from './repair/counts-at-start.ts';
import type { Ballast, Limits } from './upkeep/room.ts';

type Stores = ReturnType<typeof openStores>;

/** What the process that writes knows of the disk. */
interface Disk {
  readonly ballast: Ballast;
  /** Bytes; without bound where the file system does not tell. */
  readonly volume: number;
}

/** What an open journal is made of, over one database. */
export function openStores(core: Core, limits: Limits, disk?: Disk) {
  const ledger = openLedger(core);
  const letters = openLetters(core, ledger);
  const offsets = openOffsets(core, ledger, letters);
  return {
    core,
    limits,
    disk,
    state: openState(core),
    seen: openSeen(core),
    ledger,
    letters,
    offsets,
    replays: openReplays(core, ledger, letters),
  };
}

/** The contract over its stores. `close` ends it. */
export function journalOf(stores: Stores, close: () => Promise<void>): Journal {
  const { core, limits, disk, state, replays } = stores;
  let closing: Promise<void> | undefined;
  return {
    ownership: ownsEverything,
    ...openAppend(core, stores),
    ...openRegistration(core, stores),
    ...openJobs(core),
    ...reading(stores),
    ...delivery(stores),
    ...deadLetters(stores),
    hasRoom: () => limits.hasRoom(),
    usage: openUsage(core, limits, disk),
    setNote: state.setNote,
    setNoteIfAbsent: state.setNoteIfAbsent,
    changeNote: state.changeNote,
    setHold: state.setHold,
    holds: state.holds,
    openReplay: (job, sink, what) => replays.open(job, sink, what),
    replayPending: async (job) => replays.pending(job),
    closeReplay: (job) => replays.close(job),
    changed: (signal) => core.changes.wait(signal),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

function reading({
  core,
  seen,
  state,
  ledger,
}: Stores): Pick<
  Journal,
  'seen' | 'checkpoint' | 'note' | 'noteOfAll' | 'windows' | 'connectorText' | 'ledger' | 'stored' | 'sinkStarts'
> {
  const connector = core.db.prepare('SELECT text FROM connectors WHERE hash = ?');
  return {
    seen: async (source, entries) => seen.lookup(source, entries),
    checkpoint: async (source, name) => state.checkpoint(source, name),
    note: async (source, name) => state.note(source, name),
    noteOfAll: async (name) => state.noteOfAll(name),
    windows: async (source, from, to) => ledger.windows(source, from, to),
    connectorText: async (hash) => one<{ text: string }>(connector, hash)?.text,
    ledger: async () => ledger.ledger(),
    stored: async () => ledger.stored(),
    sinkStarts: async () => ledger.sinkStarts(),
  };
}

function delivery({ core, letters, ledger, offsets, replays }: Stores): Pick<Journal, 'lanes' | 'read' | 'settle'> {
  const { names, writer } = core;
  const isMade = openIsMade(core);
  return {
    lanes: async (sink) => {
      const id = names.requireSink(sink);
      return [...offsets.lanes(id), ...replays.lanes(id)];
    },
    read: async (sink, lane, after, limit) => {
      names.requireSink(sink);
      return lane.kind === 'replay' ? replays.read(lane, after, limit) : offsets.read(lane, after, limit);
    },
    settle: (sinkName, lane, upTo, refused, counts, resolved = [], attempt) =>
      writer.write(() => {
        const sink = names.requireSink(sinkName);
        const store = lane.kind === 'replay' ? replays : offsets;
        if (attempt !== undefined && isMade(sink, lane, attempt)) return;
        letters.resolve(sink, resolved, counts.unconfirmed ?? 0);
        store.settle(sink, lane, upTo, refused, counts);
        ledger.add(sink, names.requireSource(lane.source), 'possible_duplicates', counts.possible_duplicates ?? 0);
      }),
  };
}

function deadLetters({
  core: { db, writer },
  letters,
}: Stores): Pick<Journal, 'deadLetters' | 'countDeadLetters' | 'discardDeadLetters' | 'givenUp'> {
  const notes = db.prepare(`SELECT name, value FROM notes WHERE source = 0 AND (${isGivenUp})`);
  return {
    deadLetters: async (filter, limit, after) => letters.list(filter, limit, after),
    countDeadLetters: async (filter) => letters.count(filter),
    discardDeadLetters: (filter) => writer.write(() => letters.discard(filter)),
    givenUp: async () => givenUpOf(all<NamedNote>(notes)),
  };
}

function openUsage(core: Core, limits: Limits, disk: Disk | undefined): () => JournalUsage {
  const { db } = core;
  const corrections = recentCorrections(db, core.time);
  const select = db.prepare('SELECT count(*) AS pages, ifnull(sum(count), 0) AS records, min(received) AS oldest FROM pages');
  return () => {
    const [row] = all<{ pages: number; records: number; oldest: number | null }>(select);
    const { pages = 0, records = 0, oldest = null } = row ?? {};
    return {
      usedBytes: limits.usedBytes(),
      maxBytes: limits.maxBytes,
      pages,
      records,
      oldestReceived: oldest ?? undefined,
      hasRoom: limits.hasRoom(),
      corrections,
      ...(disk === undefined ? {} : { disk: diskUsage(disk) }),
    };
  };
}

function diskUsage({ ballast, volume }: Disk): JournalUsage['disk'] {
  return {
    isFull: ballast.isLean,
    lacksBallast: ballast.isMissing,
    neededBytes: ballast.neededBytes,
    ...(Number.isFinite(volume) ? { volumeBytes: volume } : {}),
  };
}
