// free -> held (a person must act; the note is kept for commands and for the next process) -> probed after the first wait, then after twice
// as long each time up to five minutes -> free. `release` makes the next probe due at once.
import type { Clock } from './clock.ts';

/** Why a source or sink waits for a person; `since` in milliseconds since the epoch. */
export interface HoldNote {
  readonly since: number;
  readonly reason: string;
  readonly fix: string | undefined;
}

const longestMs = 300_000;

/** The hold of one source or sink. `keep` makes the note durable, or ends it with null; what it rejects with reaches the caller. */
export class Hold {
  readonly #clock: Clock;
  readonly #firstMs: number;
  readonly #keep: (note: HoldNote | null) => Promise<void>;
  #note: HoldNote | undefined;
  #kept: HoldNote | undefined;
  #waitMs = 0;
  #probeAt = 0;
  #askedAt = 0;

  constructor(clock: Clock, firstMs: number, keep: (note: HoldNote | null) => Promise<void>) {
    this.#clock = clock;
    this.#firstMs = firstMs;
    this.#keep = keep;
  }

  /** Undefined while it is free. */
  get note(): HoldNote | undefined {
    return this.#note;
  }

  /** Milliseconds until the next probe is due; infinite where only `release` ends the hold. */
  get probeInMs(): number {
    return Math.max(0, this.#probeAt - this.#clock.monotonic());
  }

  /** As {@link probeInMs}, but no longer than the first wait: for what has not been tried yet. */
  get firstProbeInMs(): number {
    // Only a person ends it.
    if (this.#probeAt === Number.POSITIVE_INFINITY) return this.#probeAt;
    return Math.max(0, Math.min(this.#probeAt, this.#askedAt + this.#firstMs) - this.#clock.monotonic());
  }

  /** Takes over what an earlier process kept; the first probe is due at once. */
  restore(note: HoldNote): void {
    this.#note = note;
    this.#kept = note;
  }

  /** Begins the hold, or changes what it says. A note that could not be kept is tried again with the next call. */
  async begin(reason: string, fix: string | undefined): Promise<void> {
    const known = this.#note;
    if (known === undefined) this.postpone('unclear');
    if (known?.reason !== reason || known.fix !== fix) this.#note = { since: known?.since ?? this.#clock.now(), reason, fix };
    await this.#save();
  }

  /** After a probe: `refused` doubles the wait, `unclear` waits as long as at first, `forever` waits for `release`. */
  postpone(answer: 'refused' | 'unclear' | 'forever'): void {
    const longer = this.#waitMs === 0 ? this.#firstMs : Math.min(longestMs, this.#waitMs * 2);
    this.#waitMs = answer === 'refused' ? longer : this.#firstMs;
    this.#askedAt = this.#clock.monotonic();
    this.#probeAt = answer === 'forever' ? Number.POSITIVE_INFINITY : this.#askedAt + this.#waitMs;
  }

  release(): void {
    this.#probeAt = 0;
  }

  /** Ends it, or tries again to end its note; gives how long it lasted, in milliseconds, when it ended now. */
  async end(): Promise<number | undefined> {
    const ended = this.#note;
    this.#note = undefined;
    this.#waitMs = 0;
    this.#probeAt = 0;
    await this.#save();
    return ended === undefined ? undefined : this.#clock.now() - ended.since;
  }

  async #save(): Promise<void> {
    const note = this.#note;
    if (note === this.#kept) return;
    await this.#keep(note ?? null);
    this.#kept = note;
  }
}
