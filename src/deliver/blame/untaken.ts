import type { Clock } from '../../base/clock.ts';
import { isObject } from '../../base/json.ts';

// More of them are no single events any more.
const most = 50;
// Longer than most troubles of a receiver last.
const restMs = 3_600_000;
const longestRestMs = 14_400_000;

/** As the journal keeps it: times in milliseconds since the epoch. */
interface Noted {
  readonly uids: readonly string[];
  readonly until: number;
  readonly rests: number;
}

/** Which events failed alone since the receiver took anything, it being there, and how long those of them rest that were sent often. */
export class Untaken {
  readonly #uids = new Set<string>();
  #rests = 0;
  /** Monotonic milliseconds. */
  #until = 0;
  /** What it is by the clock that the next process has, too. */
  #untilThen = 0;

  get count(): number {
    return this.#uids.size;
  }

  /** True for one that is not known yet. */
  add(uid: string): boolean {
    if (this.#uids.has(uid) || this.#uids.size >= most) return false;
    this.#uids.add(uid);
    return true;
  }

  /** For an hour, then twice as long each time up to four; true for a rest that begins now. */
  rest(clock: Clock): boolean {
    if (this.isResting(clock.monotonic())) return false;
    const ms = Math.min(longestRestMs, restMs * 2 ** Math.min(this.#rests, 10));
    this.#until = clock.monotonic() + ms;
    this.#untilThen = clock.now() + ms;
    this.#rests += 1;
    return true;
  }

  /** `now`: monotonic milliseconds. */
  isResting(now: number): boolean {
    return now < this.#until;
  }

  /** Takes out all, and gives them. */
  take(): readonly string[] {
    const uids = [...this.#uids];
    this.#uids.clear();
    return uids;
  }

  /** The receiver takes events; true where anything was known to the contrary. */
  clear(): boolean {
    const wasKnown = this.#uids.size > 0 || this.#rests > 0;
    this.#uids.clear();
    this.#rests = 0;
    this.#until = 0;
    this.#untilThen = 0;
    return wasKnown;
  }

  noted(): Noted {
    return { uids: [...this.#uids], until: this.#untilThen, rests: this.#rests };
  }

  /** Goes on with what an earlier process noted; a clock that was set back meanwhile makes no rest longer than the longest. */
  restore(note: unknown, clock: Clock): void {
    if (!isObject(note) || this.#rests > 0) return;
    const { uids, until, rests } = note;
    if (!Array.isArray(uids) || typeof until !== 'number' || typeof rests !== 'number') return;
    for (const uid of uids) if (typeof uid === 'string') this.add(uid);
    const leftMs = Math.min(longestRestMs, Math.max(0, until - clock.now()));
    this.#rests = rests;
    this.#untilThen = clock.now() + leftMs;
    this.#until = clock.monotonic() + leftMs;
  }
}
