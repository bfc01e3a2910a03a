import type { Clock } from '../../base/clock.ts';
import { Queue } from '../../base/queue.ts';
import type { Journal } from '../../journal/journal.ts';
import { Lateness } from './lateness.ts';
import { OwnRequests } from './own-requests.ts';
import { parseShortfalls, type Shortfall, shortfallsNote } from './shortfalls.ts';
import { UnknownActions, unknownActionsNote } from './unknown-actions.ts';
import { VendorClock } from './vendor-clock.ts';

/** A time in which no poll looked though one should have: the daemon was down, or polls failed. Milliseconds since the epoch, and how many. */
export interface Idle {
  readonly from: number;
  readonly ms: number;
}

/** What one process knows of a source beside its checkpoint; shared by its live loop and its jobs. */
export class SourceMemory {
  /** From looking ids up until they are committed, so that two lanes never both take a record for new. */
  readonly commits = new Queue();
  readonly requests = new OwnRequests();
  readonly lateness = new Lateness();
  readonly unknown = new UnknownActions();
  /** New records since the start of this process. */
  fresh = 0;
  /** Those of them that could not be read. */
  unreadable = 0;
  /** Those of them that have no time. */
  untimed = 0;
  /** Those of them whose time could not be read. */
  unreadableTimes = 0;
  /** Those of them, and what was taken for a copy of one, that have the id of another record in the same reply. */
  sharedIds = 0;
  /** New records since the start of this process whose time is more than a day ahead of this machine. */
  ahead = 0;
  /** Records since the start of this process that came again as they were. */
  known = 0;
  /** New records since the start of this process that lie in time which had been read. */
  late = 0;
  /** Those of them that came under a known id with other content. */
  changed = 0;
  /** Records since the start of this process that the vendor returned for a window which they are far from. */
  outsideWindow = 0;
  /** New records since the start of this process whose detail could not be had. */
  withoutDetail = 0;
  /** Most records of one reply since the start of this process. */
  largestReply = 0;
  /** Full replies without a next page since the start of this process, while no reply named one. */
  unpaged = 0;
  /** Most records of one window by offset or number since the start of this process. */
  longestWalk = 0;
  /** When the last poll of this process began that read a window, milliseconds since the epoch. */
  lookedAt: number | undefined;
  /** The last one before a poll of this process. */
  idle: Idle | undefined;
  readonly vendorClock = new VendorClock();
  /** When the newest new record was received, on the monotonic clock of this process. */
  lastEvent: number | undefined;
  /** Time of the newest record itself, milliseconds since the epoch. */
  newestTime: number | undefined;
  /** Replaced by each commit that changes them. */
  shortfalls: readonly Shortfall[] = [];
  #restored: Promise<void> | undefined;

  /** Reads what earlier processes noted, once per process; rejects with the journal's error and tries again next time. */
  async restore(journal: Journal, source: string, clock: Clock): Promise<void> {
    this.#restored ??= this.#load(journal, source, clock);
    try {
      await this.#restored;
    } catch (error) {
      this.#restored = undefined;
      throw error;
    }
  }

  async #load(journal: Journal, source: string, clock: Clock): Promise<void> {
    const names = ['requests', 'lateness', unknownActionsNote, shortfallsNote, 'activity'];
    const [requests, lateness, unknown, shortfalls, activity] = await Promise.all(
      names.map((name) => journal.note(source, name)),
    );
    this.requests.load(requests);
    this.lateness.load(lateness);
    this.unknown.load(unknown);
    this.shortfalls = parseShortfalls(shortfalls);
    if (Array.isArray(activity) && typeof activity[0] === 'number' && typeof activity[1] === 'number') {
      // A receipt in the future comes from a clock that was wrong; it counts as received now.
      this.lastEvent = clock.monotonic() - Math.max(0, clock.now() - activity[0]);
      this.newestTime = activity[1];
    }
  }
}

const memories = new WeakMap<Journal, Map<string, SourceMemory>>();

/** Drops what this process knows of a source: another one may have worked on it meanwhile, and `restore` reads what that one noted. */
export function forgetMemory(journal: Journal, source: string): void {
  memories.get(journal)?.delete(source);
}

/** The memory of a source in this process: one per journal and name, whoever asks. */
export function memoryOf(journal: Journal, source: string): SourceMemory {
  const bySource = memories.get(journal) ?? new Map<string, SourceMemory>();
  memories.set(journal, bySource);
  const memory = bySource.get(source) ?? new SourceMemory();
  bySource.set(source, memory);
  return memory;
}
