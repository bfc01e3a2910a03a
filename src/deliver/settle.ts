import { type Clock, sleep } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { fullJitterMs, type Random } from '../base/random.ts';
import { Signal } from '../base/signal.ts';
import type { Journal, SettleCounts } from '../journal/journal.ts';
import type { LaneProgress, Settlement } from './lane.ts';

/** Writes offsets, dead letters and counts: one transaction for all that gathered in a lane meanwhile. */
export interface Settler {
  /** Outcomes were set in the lane. */
  poke(lane: LaneProgress): void;
  /** True when nothing that has an outcome waits to be written. */
  readonly idle: boolean;
  /** Ends after everything that can be settled was tried once more. */
  stop(): Promise<void>;
}

export interface SettlerDeps {
  readonly sink: string;
  readonly journal: Pick<Journal, 'settle'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly changed: Signal;
  onSettled(lane: LaneProgress, settlement: Settlement): void;
  /** The lane is gone from the journal (its replay was closed). */
  onGone(lane: LaneProgress): void;
  onError(error: unknown): void;
}

const retryBaseMs = 1000;
const retryMaxMs = 30_000;
// At most a fifth of the time goes into settling on a slow disk; on a fast one nothing waits.
const restFactor = 4;
const longestRestMs = 250;

/** What the ledger is told: a replay's deliveries are counted apart; `unconfirmed` says there how letters were delivered at last. */
export function countsOf(lane: LaneProgress, settlement: Settlement): SettleCounts {
  const { acknowledged, unconfirmed, notRouted, possibleDuplicates } = settlement;
  const doubtful = possibleDuplicates === 0 ? {} : { possible_duplicates: possibleDuplicates };
  if (lane.kind === 'replay') return { replayed: acknowledged + unconfirmed, unconfirmed, ...doubtful };
  return { acknowledged, unconfirmed, not_routed: notRouted, ...doubtful };
}

class Settling implements Settler {
  readonly #deps: SettlerDeps;
  readonly #wake = new Signal();
  readonly #stopping = new AbortController();
  readonly #dirty = new Set<LaneProgress>();
  readonly #running: Promise<void>;
  #busy = false;
  #failures = 0;

  constructor(deps: SettlerDeps) {
    this.#deps = deps;
    this.#running = this.#run();
  }

  poke(lane: LaneProgress): void {
    this.#dirty.add(lane);
    this.#wake.notify();
  }

  get idle(): boolean {
    return !this.#busy && this.#dirty.size === 0;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    const left = Array.from(this.#dirty);
    for (const lane of left) while (lane.take() !== undefined && (await this.#settle(lane)));
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const [lane] = this.#dirty;
      if (lane === undefined) {
        this.#busy = false;
        this.#deps.changed.notify();
        await this.#wake.wait(this.#stopping.signal);
        continue;
      }
      this.#busy = true;
      this.#dirty.delete(lane);
      await this.#rest(await this.#settleTimed(lane));
    }
  }

  /** Settles, then says how long to rest. */
  async #settleTimed(lane: LaneProgress): Promise<number> {
    const { clock, random } = this.#deps;
    const began = clock.monotonic();
    if (!(await this.#settle(lane))) return 1 + fullJitterMs(random, this.#failures - 1, retryBaseMs, retryMaxMs);
    const tookMs = clock.monotonic() - began;
    return tookMs < 1 ? 0 : Math.min(longestRestMs, tookMs * restFactor);
  }

  async #settle(lane: LaneProgress): Promise<boolean> {
    const settlement = lane.take();
    if (settlement === undefined) return true;
    const { journal, sink } = this.#deps;
    try {
      await journal.settle(sink, lane.lane, settlement.upTo, settlement.letters, countsOf(lane, settlement), settlement.resolved);
    } catch (error) {
      return this.#onFailed(lane, error);
    }
    if (this.#failures > 0) this.#deps.log.info({ failures: this.#failures }, 'offsets are written again');
    this.#failures = 0;
    lane.committed();
    this.#deps.onSettled(lane, settlement);
    // What gathered behind a settlement that had to be tried again.
    this.#dirty.add(lane);
    return true;
  }

  #onFailed(lane: LaneProgress, error: unknown): boolean {
    if (lane.kind === 'replay' && error instanceof PenstockError && error.code === 'PEN_NOT_FOUND') {
      this.#deps.onGone(lane);
      return true;
    }
    if (this.#failures === 0)
      this.#deps.log.error({ err: error }, 'offset not written; what was delivered is kept and written later');
    this.#failures += 1;
    this.#deps.onError(error);
    this.#dirty.add(lane);
    return false;
  }

  async #rest(ms: number): Promise<void> {
    // Stopping ends the rest.
    if (ms > 0) await sleep(this.#deps.clock, ms, this.#stopping.signal).catch(() => undefined);
  }
}

/** Starts settling. */
export function startSettler(deps: SettlerDeps): Settler {
  return new Settling(deps);
}
