import { sleep } from '../../../base/clock.ts';
import { PenstockError } from '../../../base/errors.ts';
import { Outage } from '../../../base/outage.ts';
import { roomOutage, UpkeepRounds, windowsKeptMs } from '../../upkeep-rounds.ts';
import type { Core } from '../core.ts';
import { one, truncateWal } from '../file/database.ts';
import type { SeenIndex } from '../records/seen.ts';
import type { Ballast, Limits } from './room.ts';
import type { Trimmer } from './trim.ts';

interface UpkeepOptions {
  readonly core: Core;
  readonly limits: Limits;
  readonly seen: SeenIndex;
  readonly trimmer: Trimmer;
  readonly ballast: Ballast;
  readonly keepMs: number;
}

const expireIds = 5000;
// Pages given back to the file system in one step, so that a step stays short, and how many free ones wait for the next round's.
const vacuumPages = 1024;
const freePagesKept = 16_384;
const pauseMs = 20;
// What a process that is killed has not saved of the journal's time makes what it keeps that much younger.
const saveTimeEveryMs = 60_000;

/** What the journal does beside its callers: it deletes what is old, and when space is short, more. */
export function startUpkeep(options: UpkeepOptions) {
  const { core, limits } = options;
  let registered = false;
  limits.relieveWith(openRelieve(options, () => registered));
  const round = openRound(options, { isClosed: () => rounds.isClosed, isRegistered: () => registered });
  // The first is not waited for: a start must not wait for 64 MiB to be written. A full disk has its own line.
  const rounds = new UpkeepRounds({ clock: core.clock, log: core.log, round, isExplained: limits.isLean });
  return {
    /** Says that the journal knows now which sinks are configured: only then can one be an orphan. */
    registered(): void {
      registered = true;
      void rounds.run();
    },
    /** Why rounds fail; undefined while they do not. */
    trouble: () => rounds.trouble,
    close: () => rounds.close(),
  };
}

interface Progress {
  readonly isClosed: () => boolean;
  readonly isRegistered: () => boolean;
}

function openRound(
  { core, seen, trimmer, ballast, limits, keepMs }: UpkeepOptions,
  { isClosed, isRegistered }: Progress,
): () => Promise<void> {
  const { db, writer, time } = core;
  const oldWindows = db.prepare('DELETE FROM windows WHERE stamp < ?');
  const endedReplays = db.prepare(
    "DELETE FROM replays WHERE job IN (SELECT id FROM jobs WHERE state IN ('done', 'failed', 'cancelled'))",
  );
  const unusedConnectors = openUnusedConnectors(core);
  let savedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    await ballast.restore();
    const before = time.now() - keepMs;
    if (isRegistered()) await trimmer.abandon(before);
    let trimmed = 0;
    for (let pages = 1; pages !== 0 && !isClosed(); trimmed += pages) pages = await trimmer.delivered(before);
    while (!isClosed() && (await writer.write(() => seen.expire(expireIds, false))) > 0);
    if (!limits.isLean()) await seen.moveBlocks(isClosed).catch(laterWhenFull);
    await writer.write(() => {
      oldWindows.run(time.now() - windowsKeptMs);
      endedReplays.run();
      if (time.now() - savedAt < saveTimeEveryMs) return;
      time.save();
      savedAt = time.now();
    });
    if (trimmed > 0) await writer.write(unusedConnectors);
    await giveBack(core, isClosed);
  };
}

// The rest of a round makes room.
function laterWhenFull(error: unknown): void {
  if (!(error instanceof PenstockError && error.code === 'PEN_JOURNAL_FULL')) throw error;
}

function openUnusedConnectors({ db }: Core): () => void {
  const remove = db.prepare(`DELETE FROM connectors WHERE NOT EXISTS (SELECT 1 FROM pages WHERE connector_hash = connectors.hash)
    AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE connector_hash = connectors.hash)`);
  return () => void remove.run();
}

// A step a round, so that what is trimmed and collected at the same rate does not shrink and grow the file; more of them while much is free, with
// pauses in which everybody else writes.
async function giveBack({ db, clock }: Core, isClosed: () => boolean): Promise<void> {
  const free = db.prepare('PRAGMA freelist_count');
  const freePages = (): number => one<{ freelist_count: number }>(free)?.freelist_count ?? 0;
  db.exec(`PRAGMA incremental_vacuum(${vacuumPages})`);
  while (freePages() > freePagesKept && !isClosed()) {
    await sleep(clock, pauseMs);
    if (!isClosed()) db.exec(`PRAGMA incremental_vacuum(${vacuumPages})`);
  }
  if (!isClosed()) truncateWal(db);
}

// Delivered pages go first, then ids beyond overlap and sweep; only then do sinks that may skip pay for it.
function openRelieve(
  { core, limits, seen, trimmer, keepMs }: UpkeepOptions,
  isRegistered: () => boolean,
): (bytes: number) => Promise<void> {
  const { db, writer, time, log } = core;
  const outage = new Outage(log, roomOutage);
  let running: Promise<void> | undefined;
  const steps: (() => Promise<number>)[] = [
    () => trimmer.delivered(Number.MAX_SAFE_INTEGER),
    () => writer.write(() => seen.expire(expireIds, true)),
    () => trimmer.skip(),
  ];
  async function relieve(bytes: number): Promise<void> {
    truncateWal(db);
    if (isRegistered()) await trimmer.abandon(time.now() - keepMs);
    for (const step of steps) {
      while (!limits.fits(bytes) && (await step()) > 0) truncateWal(db);
      if (limits.fits(bytes)) return;
    }
  }
  return (bytes) => {
    running ??= relieve(bytes)
      .then(() => outage.worked())
      .catch((error: unknown) => outage.failed(error, 'error'))
      .finally(() => {
        running = undefined;
      });
    return running;
  };
}
