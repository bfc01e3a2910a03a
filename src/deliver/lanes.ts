import type { Journal, Lane, LaneKind, LaneState } from '../journal/journal.ts';
import { OpenLane } from './lane.ts';

/** A lane as the loop knows it. */
export interface KnownLane {
  readonly progress: OpenLane;
  /** Receipt of the oldest record that waited when the journal was asked last, milliseconds. */
  oldestReceived: number | undefined;
  /** Nothing was there to read; until something is appended. */
  isDry: boolean;
  /** It is asked for records, or a chunk of it is not at its end. */
  isReading: boolean;
  /** It could not be read and waits for its next try. */
  isResting: boolean;
  /** The journal does not have it any more. */
  isGone: boolean;
  /** What it was given of the sink, bytes; counted up to the others of its kind where it had nothing for a while. */
  taken: number;
  /** What was read of it last was little, or nothing was read yet. */
  isLight: boolean;
  /** Bytes of its records, as far as they were looked at when it was read last. */
  perRecord: number;
  failures: number;
  /** Why it could not be read, scrubbed. */
  trouble: string | undefined;
}

function keyOf({ kind, source, job }: Lane): string {
  return `${kind}\n${job ?? ''}\n${source}`;
}

function isIdle({ progress, isReading }: KnownLane): boolean {
  return progress.open === 0 && !isReading;
}

/** The lanes of one sink: what the journal lists, and how far each was read and settled. */
export class Lanes {
  readonly #journal: Pick<Journal, 'lanes' | 'ownership'>;
  readonly #sink: string;
  // A Map keeps the order of insertion: of lanes that were given the same the one that was read longest ago is the first.
  readonly #lanes = new Map<string, KnownLane>();
  /** By kind: what the lane had been given that was chosen last. Nobody saves up for later what was not needed. */
  readonly #least = new Map<LaneKind, number>();
  #isStale = true;
  #asking: Promise<void> | undefined;
  /** Listings that the journal was asked for, and which of them was answered last. */
  asked = 0;
  answered = 0;
  /** Keys of lanes that were forgotten since the listing under way was asked for: it may still have them. */
  readonly #forgotten = new Set<string>();

  constructor(journal: Pick<Journal, 'lanes' | 'ownership'>, sink: string) {
    this.#journal = journal;
    this.#sink = sink;
  }

  /** Something may have been appended. */
  stale(): void {
    this.#isStale = true;
    for (const lane of this.#lanes.values()) lane.isDry = false;
  }

  /**
   * Asks the journal for the lanes where something may have been appended; rejects as it does. One listing at a time: an older one that
   * came after a newer one would bring back a lane that is gone, at an offset that was settled long ago.
   */
  async refresh(): Promise<void> {
    while (this.#asking !== undefined) await this.#asking.catch(() => undefined);
    if (!this.#isStale) return;
    this.#asking = this.#ask();
    try {
      await this.#asking;
    } finally {
      this.#asking = undefined;
    }
  }

  of(kind: LaneKind): KnownLane[] {
    return [...this.#lanes.values()].filter(({ progress }) => progress.kind === kind);
  }

  /** Of the lanes of a kind that may have a turn the one that was given the least. */
  next(kind: LaneKind, mayHave: (lane: KnownLane) => boolean): KnownLane | undefined {
    const least = this.#least.get(kind) ?? 0;
    let next: KnownLane | undefined;
    for (const lane of this.#lanes.values()) {
      if (lane.progress.kind !== kind) continue;
      lane.taken = Math.max(lane.taken, least);
      if (lane.taken < (next?.taken ?? Number.POSITIVE_INFINITY) && mayHave(lane)) next = lane;
    }
    return next;
  }

  /** It is the lane's turn. */
  begin(lane: KnownLane): void {
    this.#least.set(lane.progress.kind, lane.taken);
    if (lane.isGone) return;
    const key = keyOf(lane.progress.lane);
    this.#lanes.delete(key);
    this.#lanes.set(key, lane);
  }

  /** Lanes of sources that another process may own: what was read of them is dropped, and read anew where they come back. */
  lose(sources: readonly string[]): void {
    for (const progress of this.ofSources(sources)) {
      progress.lose();
      this.forget(progress);
    }
  }

  ofSources(sources: readonly string[]): OpenLane[] {
    const names = new Set(sources);
    return [...this.#lanes.values()].map(({ progress }) => progress).filter(({ lane }) => names.has(lane.source));
  }

  /** All of them. */
  all(): OpenLane[] {
    return Array.from(this.#lanes.values(), ({ progress }) => progress);
  }

  /** The lane's replay was closed, or its source lost. */
  forget(progress: OpenLane): void {
    const key = keyOf(progress.lane);
    const known = this.#lanes.get(key);
    if (known?.progress !== progress) return;
    known.isGone = true;
    this.#lanes.delete(key);
    this.#forgotten.add(key);
  }

  /** Records in memory that are not settled. */
  openRecords(): number {
    let open = 0;
    for (const { progress } of this.#lanes.values()) open += progress.open;
    return open;
  }

  /** Records that wait, as listed at the last refresh, less what was settled since. */
  pending(): number {
    let pending = 0;
    for (const { progress } of this.#lanes.values()) pending += progress.pending;
    return pending;
  }

  /** Receipt of the oldest live record that is not settled, milliseconds, as far as it was read or listed. */
  oldestLive(): number | undefined {
    const times = this.of('live').map(({ progress, isDry, oldestReceived }) => {
      if (progress.open > 0) return progress.oldestOpen();
      return isDry ? undefined : oldestReceived;
    });
    const known = times.filter((received) => received !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** One line for each lane that cannot be read at the moment. */
  troubles(): readonly string[] {
    const troubled = [...this.#lanes.values()].filter(({ trouble }) => trouble !== undefined);
    return troubled.map(
      ({ trouble, progress }) => `${progress.kind} records of ${progress.lane.source} cannot be read: ${trouble}`,
    );
  }

  async #ask(): Promise<void> {
    this.#isStale = false;
    this.#forgotten.clear();
    this.asked += 1;
    const listing = this.asked;
    try {
      this.#adopt(await this.#journal.lanes(this.#sink));
      this.answered = listing;
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  #adopt(states: readonly LaneState[]): void {
    const listed = new Set<string>();
    for (const state of states) {
      const key = keyOf(state.lane);
      if (this.#forgotten.has(key) || !this.#journal.ownership.owns(state.lane.source)) continue;
      listed.add(key);
      const known = this.#lanes.get(key) ?? newLane(state);
      this.#lanes.set(key, known);
      known.progress.pending = state.pending;
      known.oldestReceived = state.oldestReceived;
      if (state.offset > known.progress.after && isIdle(known)) known.progress.moveTo(state.offset);
      // All that it has is read and waits for its outcome: of thousands of lanes only those are read that have more.
      if (!this.#isStale && state.lane.kind !== 'replay' && state.offset + state.pending <= known.progress.after)
        known.isDry = true;
    }
    for (const [key, lane] of this.#lanes) {
      if (listed.has(key)) continue;
      lane.progress.pending = 0;
      lane.oldestReceived = undefined;
      if (isIdle(lane)) this.#lanes.delete(key);
    }
  }
}

function newLane({ lane, offset }: LaneState): KnownLane {
  const untouched = { isDry: false, isReading: false, isResting: false, isGone: false, failures: 0, trouble: undefined };
  return { progress: new OpenLane(lane, offset), oldestReceived: undefined, taken: 0, isLight: true, perRecord: 1, ...untouched };
}
