import type { Clock } from '../base/clock.ts';
import type { Journal } from '../journal/journal.ts';
import type { OpenLane } from './lane.ts';
import type { Lanes } from './lanes.ts';

/** A shared journal that takes longer than this, and than twice as long as it did lately, may not be there any more; or than the second. */
const answerMs = 250;
const longestAnswerMs = 2000;
/** Batches that may have been answered, beside as many as may be under way, before a shared journal has the offsets of the first of them. */
const mostAhead = 2;

/** What is asked of a batch: its lanes, with the position of its last record of each. */
export interface Answered {
  readonly lanes: ReadonlyMap<OpenLane, number>;
}

/** How far a shared journal is behind what was sent, and whether it answers: what it has no offsets of is sent again by who takes over. */
export class JournalLag {
  readonly #journal: Pick<Journal, 'skewMs'>;
  readonly #clock: Clock;
  readonly #lanes: Pick<Lanes, 'asked' | 'answered'>;
  /** True of a lane that was refused and waits for another try. */
  readonly #isRefused: (lane: OpenLane) => boolean;
  /** Batches with an answer whose offsets are not all written. */
  readonly #answered = new Set<Answered>();
  /** When what is being settled was asked for. */
  #askedAt: number | undefined;
  /** How long the last two took, where they were written. */
  #took: readonly [before: number, last: number] = [0, 0];
  /** The journal was asked, and did not answer; as many listings of lanes had been asked for by then. */
  #awaySince: number | undefined;

  constructor(
    journal: Pick<Journal, 'skewMs'>,
    clock: Clock,
    lanes: Pick<Lanes, 'asked' | 'answered'>,
    isRefused: (lane: OpenLane) => boolean,
  ) {
    this.#journal = journal;
    this.#clock = clock;
    this.#lanes = lanes;
    this.#isRefused = isRefused;
  }

  get isShared(): boolean {
    return this.#journal.skewMs !== undefined;
  }

  /** Records of the batch have an outcome. */
  answered(batch: Answered): void {
    if (this.isShared) this.#answered.add(batch);
  }

  /** False where the journal has yet to take the offsets of as many batches as may be sent again; unless it is far away: then more is sent until it answers. */
  mayBegin(underWay: number, inFlight: number): boolean {
    const isSlow = Math.min(...this.#took) > answerMs;
    return isSlow || underWay + this.#unwritten() < inFlight + mostAhead;
  }

  /** Batches with an answer whose offsets can be written. What stands behind a gap waits for another batch, and what was refused for another try. */
  #unwritten(): number {
    let count = 0;
    for (const batch of this.#answered) {
      const isWritable = this.#isWritable(batch);
      if (isWritable === undefined) this.#answered.delete(batch);
      if (isWritable === true) count += 1;
    }
    return count;
  }

  /** Undefined where all of it is written. */
  #isWritable({ lanes }: Answered): boolean | undefined {
    let isOpen = false;
    for (const [lane, last] of lanes) {
      if (lane.isLost || lane.settledUpTo >= last) continue;
      if (lane.isSettleable && !this.#isRefused(lane)) return true;
      isOpen = true;
    }
    return isOpen ? false : undefined;
  }

  /** True where the journal is shared and does not take offsets. */
  get isCutOff(): boolean {
    if (!this.isShared) return false;
    // One that is far away, or slow, is no reason to send less: twice as long as it takes.
    const patienceMs = Math.min(longestAnswerMs, Math.max(answerMs, 2 * Math.min(...this.#took)));
    // Where it told of lanes since, it is there, and another only holds what was to be written.
    const isAway = this.#awaySince !== undefined && this.#lanes.answered <= this.#awaySince;
    return isAway || (this.#askedAt !== undefined && this.#clock.monotonic() - this.#askedAt > patienceMs);
  }

  /** Asks the journal to settle, and says how long that took; `isSlow` where it may have been taken for away meanwhile. */
  async timed<T>(settle: () => Promise<T>): Promise<{ readonly isDone: T; readonly tookMs: number; readonly isSlow: boolean }> {
    const began = this.#clock.monotonic();
    this.#askedAt = began;
    const isDone = await settle();
    this.#askedAt = undefined;
    const tookMs = this.#clock.monotonic() - began;
    return { isDone, tookMs, isSlow: tookMs > answerMs };
  }

  /** It has written all that it was asked for. */
  wrote(tookMs: number): void {
    this.#took = [this.#took[1], tookMs];
  }

  /** It answered, or, with false, could not be reached. */
  reached(isThere: boolean): void {
    this.#awaySince = isThere ? undefined : this.#lanes.asked;
  }
}
