import type { Clock } from '../base/clock.ts';
import { explainInLine, PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Outage } from '../base/outage.ts';
import { dayMs, hourMs } from '../base/quantity.ts';
import type { UpkeepTrouble } from './contract/operate.ts';

const everyMs = 10_000;

/** How long a window stays in the ledger. */
export const windowsKeptMs = 400 * dayMs;

/** Skipping goes on for as long as the sink is away; one row of the ledger grows instead of one per batch. */
export const sameSkipMs = hourMs;

/** Of making room when there is none. */
export const roomOutage = {
  begins: 'no room can be made in the journal; it is tried again each time that room is asked for',
  ends: 'room can be made in the journal again',
};

/**
 * Milliseconds by which a pause in which no process had the journal ages what is in it, at most, where delivered pages are kept for so long: a
 * clock that was wrong for once must not end the time of all of them.
 */
export const longestPauseMs = (keepMs: number): number => Math.min(dayMs, keepMs / 7);

interface RoundsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly round: () => Promise<void>;
  /** True while a round fails for a reason that has a line of its own. */
  readonly isExplained?: () => boolean;
}

/** What a journal does beside its callers, one round after the other: every ten seconds, and whenever it is asked for. */
export class UpkeepRounds {
  readonly #options: RoundsOptions;
  readonly #outage: Outage;
  #trouble: UpkeepTrouble | undefined;
  #isClosed = false;
  #timer: Disposable | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: RoundsOptions) {
    this.#options = options;
    this.#outage = new Outage(options.log, {
      begins: 'journal upkeep fails: nothing is deleted until it works again; it is tried every ten seconds',
      ends: 'journal upkeep works again',
    });
    this.#schedule();
    void this.run();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Why rounds fail; undefined while they do not. */
  get trouble(): UpkeepTrouble | undefined {
    return this.#trouble;
  }

  run(): Promise<void> {
    this.#running = this.#running.then(() => this.#round());
    return this.#running;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#running;
  }

  async #round(): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#options.round();
      this.#outage.worked();
      this.#trouble = undefined;
    } catch (error) {
      if (!this.#isClosed) this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const { clock, isExplained } = this.#options;
    const passes = error instanceof PenstockError && error.code === 'PEN_JOURNAL_UNAVAILABLE';
    this.#outage.failed(error, isExplained?.() === true ? 'debug' : passes ? 'warn' : 'error');
    this.#trouble = { since: this.#trouble?.since ?? clock.now(), error: explainInLine(error), passes };
  }

  #schedule(): void {
    if (!this.#isClosed) this.#timer = this.#options.clock.timer(everyMs, () => void this.run().then(() => this.#schedule()));
  }
}
