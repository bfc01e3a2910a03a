import { openAppender } from './append.ts';
import type { Core } from './core.ts';
import { recentCorrections } from './counts-at-start.ts';
import { all, one } from './database.ts';
import { type LetterStore, openLetters } from './dead-letters.ts';
import { openJobs } from './jobs.ts';
import type { Journal, JournalUsage } from './journal.ts';
import { type LedgerStore, openLedger } from './ledger.ts';
import type { Limits } from './limits.ts';
import { openMoves } from './moves.ts';
import { type OffsetStore, openOffsets } from './offsets.ts';
import { openRegistry } from './registry.ts';
import { openReplays, type ReplayStore } from './replays.ts';
import { openSeen, type SeenIndex } from './seen.ts';
import { openState, type StateStore } from './state.ts';

/** The concerns of an open journal. */
export interface Parts {
  readonly core: Core;
  readonly limits: Limits;
  readonly state: StateStore;
  readonly seen: SeenIndex;
  readonly ledger: LedgerStore;
  readonly letters: LetterStore;
  readonly offsets: OffsetStore;
  readonly replays: ReplayStore;
}

/** Prepares every concern on one database. */
export function openParts(core: Core, limits: Limits): Parts {
  const ledger = openLedger(core);
  const letters = openLetters(core, ledger);
  const offsets = openOffsets(core, ledger, letters);
  return {
    core,
    limits,
    state: openState(core),
    seen: openSeen(core),
    ledger,
    letters,
    offsets,
    replays: openReplays(core, ledger, letters),
  };
}

/** The journal's contract over its parts. `close` ends it. */
export function journalOf(parts: Parts, close: () => Promise<void>): Journal {
  const { core, limits, state, offsets, replays } = parts;
  let closing: Promise<void> | undefined;
  return {
    ...openAppender(core, parts),
    ...openRegistry(core, offsets),
    ...openMoves(core, offsets, state),
    ...reading(parts),
    ...delivery(parts),
    ...letterOperations(parts),
    ...jobOperations(core),
    hasRoom: () => limits.hasRoom(),
    usage: openUsage(core, limits),
    setNote: (source, name, value) => state.setNote(source, name, value),
    setHold: (kind, name, hold) => state.setHold(kind, name, hold),
    openReplay: (job, sink, what) => replays.open(job, sink, what),
    closeReplay: (job) => replays.close(job),
    changed: (signal) => core.wake.wait(signal),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

function reading({
  core,
  seen,
  state,
  ledger,
}: Parts): Pick<Journal, 'seen' | 'checkpoint' | 'note' | 'windows' | 'connectorText' | 'ledger' | 'holds'> {
  const connector = core.db.prepare('SELECT text FROM connectors WHERE hash = ?');
  return {
    seen: async (source, entries) => seen.lookup(source, entries),
    checkpoint: async (source, name) => state.checkpoint(source, name),
    note: async (source, name) => state.note(source, name),
    windows: async (source, from, to) => ledger.windows(source, from, to),
    connectorText: async (hash) => one<{ text: string }>(connector, hash)?.text,
    ledger: async () => ledger.ledger(),
    holds: async () => state.holds(),
  };
}

function delivery({ core, letters, ledger, offsets, replays }: Parts): Pick<Journal, 'lanes' | 'read' | 'settle'> {
  const { names, writer } = core;
  return {
    lanes: async (sink) => {
      const id = names.requireSink(sink);
      return [...offsets.lanes(id), ...replays.lanes(id)];
    },
    read: async (sink, lane, after, limit) => {
      names.requireSink(sink);
      return lane.kind === 'replay' ? replays.read(lane, after, limit) : offsets.read(lane, after, limit);
    },
    settle: (sinkName, lane, upTo, refused, counts, resolved = []) =>
      writer.write(() => {
        const sink = names.requireSink(sinkName);
        const store = lane.kind === 'replay' ? replays : offsets;
        letters.resolve(sink, resolved, counts.unconfirmed ?? 0);
        store.settle(sink, lane, upTo, refused, counts);
        ledger.add(sink, names.requireSource(lane.source), 'possible_duplicates', counts.possible_duplicates ?? 0);
      }),
  };
}

function letterOperations({ letters }: Parts): Pick<Journal, 'deadLetters' | 'countDeadLetters' | 'discardDeadLetters'> {
  return {
    deadLetters: async (filter, limit, after) => letters.list(filter, limit, after),
    countDeadLetters: async (filter) => letters.count(filter),
    discardDeadLetters: (filter) => letters.discard(filter),
  };
}

function jobOperations(core: Core): Pick<Journal, 'insertJob' | 'jobs' | 'updateJob'> {
  const jobs = openJobs(core);
  return {
    insertJob: (kind, args) => jobs.insert(kind, args),
    updateJob: (id, change) => jobs.update(id, change),
    jobs: async (filter) => jobs.list(filter),
  };
}

function openUsage(core: Core, limits: Limits): () => JournalUsage {
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
    };
  };
}
