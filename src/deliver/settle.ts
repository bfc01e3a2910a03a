import { sleep } from '../base/clock.ts';
import { consequenceOf, explainInLine, PenstockError } from '../base/errors.ts';
import { Outage } from '../base/outage.ts';
import { fullJitterMs, uuid } from '../base/random.ts';
import { Signal } from '../base/signal.ts';
import type { SettleCounts } from '../journal/journal.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { DeliverDeps } from './deps.ts';
import { type Answered, JournalLag } from './journal-lag.ts';
import type { OpenLane, Settlement } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { Stall } from './report/stall.ts';
import type { Tally } from './report/tally.ts';

const retryBaseMs = 1000;
const retryMaxMs = 30_000;
// At most a fifth of the time goes into settling on a slow disk; on a fast one nothing waits.
const restFactor = 4;
const longestRestMs = 250;
/** A batch may hold records of hundreds of lanes: one after the other, each with its rest, would take half a minute. */
const mostAtOnce = 100;

/** What the ledger is given: a replay's deliveries are counted apart; `unconfirmed` says there how letters were delivered at last. */
function countsOf(lane: OpenLane, settlement: Settlement): SettleCounts {
  const { acknowledged, unconfirmed, notRouted, possibleDuplicates } = settlement;
  const doubtful = possibleDuplicates === 0 ? {} : { possible_duplicates: possibleDuplicates };
  if (lane.kind === 'replay') return { replayed: acknowledged + unconfirmed, unconfirmed, ...doubtful };
  return { acknowledged, unconfirmed, not_routed: notRouted, ...doubtful };
}

/** Writes offsets, dead letters and counts: one transaction for all that gathered in a lane meanwhile. */
export class Settler {
  readonly #sink: string;
  readonly #deps: DeliverDeps;
  readonly #changed: Signal;
  readonly #tally: Tally;
  readonly #deadLetters: DeadLetters;
  readonly #lanes: Lanes;
  readonly #stall: Stall;
  readonly #settleable = new Signal();
  readonly #stopping = new AbortController();
  readonly #waiting = new Set<OpenLane>();
  /** Lanes that were not written when it was tried last: they are tried apart, so that those of others do not wait for them. */
  readonly #failed = new Set<OpenLane>();
  /** Nothing more is sent before something is written. */
  readonly #awaited = new Signal();
  readonly #attempts = new WeakMap<Settlement, string>();
  readonly #outage: Outage;
  readonly #lag: JournalLag;
  readonly #running: Promise<unknown>;
  #isBusy = false;
  #failures = 0;

  /** Starts settling; `changed` is notified of all that was settled. */
  constructor(
    sink: string,
    deps: DeliverDeps,
    changed: Signal,
    tally: Tally,
    deadLetters: DeadLetters,
    lanes: Lanes,
    stall: Stall,
  ) {
    this.#sink = sink;
    this.#deps = deps;
    this.#changed = changed;
    this.#tally = tally;
    this.#deadLetters = deadLetters;
    this.#lanes = lanes;
    this.#stall = stall;
    this.#outage = new Outage(deps.log, {
      begins: 'offsets are not written: what was delivered is kept, and written when the journal takes it',
      ends: 'offsets are written again',
    });
    this.#lag = new JournalLag(deps.journal, deps.seams.clock, lanes, (lane) => this.#failed.has(lane));
    this.#running = Promise.all([this.#run(), this.#runFailed()]);
  }

  /** Records of the lane have an outcome. */
  add(lane: OpenLane): void {
    if (!this.#failed.has(lane)) this.#waiting.add(lane);
    this.#settleable.notify();
  }

  /** Records of the batch have an outcome. */
  answered(batch: Answered): void {
    for (const lane of batch.lanes.keys()) this.add(lane);
    this.#lag.answered(batch);
  }

  /** True where one more batch may be sent beside those that are under way; where not, what keeps it is written at once. */
  mayBegin(underWay: number, inFlight: number): boolean {
    const mayBegin = this.#lag.mayBegin(underWay, inFlight);
    if (!mayBegin) this.#awaited.notify();
    return mayBegin;
  }

  /** True where the journal is shared and does not take what was sent of the lane: nothing more of it is sent meanwhile. */
  isHeldUp(lane: OpenLane): boolean {
    return this.#lag.isShared && this.#failed.has(lane);
  }

  /** True while something of the lane that has an outcome is not written. */
  hasToWrite(lane: OpenLane): boolean {
    return !lane.isLost && lane.take() !== undefined;
  }

  /** True when nothing that has an outcome waits to be written. */
  get isIdle(): boolean {
    return !this.#isBusy && this.#waiting.size + this.#failed.size === 0;
  }

  /** True where the journal is shared and does not take offsets: what is sent meanwhile is sent again by who takes over. */
  get isCutOff(): boolean {
    return this.#lag.isCutOff;
  }

  /** Ends after everything that can be settled was tried once more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    const left = [...this.#waiting, ...this.#failed];
    const settleAll = async (lane: OpenLane): Promise<void> => {
      while (!lane.isLost && lane.take() !== undefined && (await this.#settle(lane)));
    };
    await Promise.all(left.map(settleAll));
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const lanes = [...this.#waiting].slice(0, mostAtOnce);
      if (lanes.length === 0) {
        this.#isBusy = false;
        this.#changed.notify();
        await this.#settleable.wait(this.#stopping.signal);
        continue;
      }
      this.#isBusy = true;
      for (const lane of lanes) this.#waiting.delete(lane);
      const restMs = await this.#settleTimed(lanes);
      if (restMs > 0) await this.#awaited.waitAtMost(this.#deps.seams.clock, restMs, this.#stopping.signal);
    }
  }

  async #runFailed(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const lanes = [...this.#failed].slice(0, mostAtOnce);
      const areDone = await Promise.all(lanes.map((lane) => this.#settle(lane)));
      if (lanes.length === 0) await this.#settleable.wait(this.#stopping.signal);
      else await this.#rest(this.#restAfter(areDone, this.#failures));
    }
  }

  /** How long to rest after some lanes were not written, milliseconds. */
  #restAfter(areDone: readonly boolean[], failures: number): number {
    // Where others were written the journal answers: a lane that is refused holds them up no longer than a first failure does.
    const before = areDone.includes(true) ? 0 : failures;
    this.#failures = before + 1;
    return 1 + fullJitterMs(this.#deps.seams.random, before, retryBaseMs, retryMaxMs);
  }

  /** Settles lanes together, which the journal writes together, then says how long to rest. */
  async #settleTimed(lanes: readonly OpenLane[]): Promise<number> {
    const failures = this.#failures;
    const { isDone, tookMs, isSlow } = await this.#lag.timed(() => Promise.all(lanes.map((lane) => this.#settle(lane))));
    // Who waits for the answer looked before it was here as a whole.
    if (isSlow) this.#changed.notify();
    if (isDone.includes(false)) return this.#restAfter(isDone, failures);
    this.#lag.wrote(tookMs);
    return tookMs < 1 ? 0 : Math.min(longestRestMs, tookMs * restFactor);
  }

  async #settle(lane: OpenLane): Promise<boolean> {
    const settlement = lane.isLost ? undefined : lane.take();
    if (settlement === undefined) {
      // What could not be written is another's by now.
      if (lane.isLost) this.#tally.journalTrouble = undefined;
      this.#failed.delete(lane);
      return true;
    }
    const { upTo, letters, resolved } = settlement;
    try {
      const attempt = this.#attemptOf(settlement);
      await this.#deps.journal.settle(this.#sink, lane.lane, upTo, letters, countsOf(lane, settlement), resolved, attempt);
    } catch (error) {
      return this.#onFailed(lane, error);
    }
    this.#lag.reached(true);
    this.#failed.delete(lane);
    lane.committed();
    this.#onSettled(settlement);
    // What gathered while a settlement had to be tried again.
    this.add(lane);
    return true;
  }

  /** Made once: an answer that was lost must not make the journal settle twice. */
  #attemptOf(settlement: Settlement): string {
    const attempt = this.#attempts.get(settlement) ?? uuid(this.#deps.seams.random);
    this.#attempts.set(settlement, attempt);
    return attempt;
  }

  #onSettled({ records, acknowledged, unconfirmed, letters, newLetters, resolved }: Settlement): void {
    this.#failures = 0;
    const tally = this.#tally;
    // Lanes that are refused while others are written are the same trouble still.
    if (this.#failed.size === 0) {
      this.#outage.worked();
      tally.journalTrouble = undefined;
    }
    if (records > 0) this.#stall.moved();
    tally.acknowledged += acknowledged;
    tally.unconfirmed += unconfirmed;
    if (acknowledged > 0) tally.lastAcknowledged = this.#deps.seams.clock.now();
    this.#deadLetters.written(letters, newLetters, resolved.length);
    this.#changed.notify();
  }

  #onFailed(lane: OpenLane, error: unknown): boolean {
    const isAway = error instanceof PenstockError && error.code === 'PEN_JOURNAL_UNAVAILABLE';
    this.#lag.reached(!isAway);
    if (consequenceOf(error).source === 'end') {
      this.#lanes.lose([lane.lane.source]);
      this.#failed.delete(lane);
      this.#changed.notify();
      return true;
    }
    if (lane.kind === 'replay' && error instanceof PenstockError && error.code === 'PEN_NOT_FOUND') {
      this.#lanes.forget(lane);
      this.#failed.delete(lane);
      return true;
    }
    this.#outage.failed(error, isAway ? 'warn' : 'error');
    this.#failures += 1;
    this.#tally.journalTrouble = this.#deps.secrets.tell(explainInLine(error));
    this.#waiting.delete(lane);
    this.#failed.add(lane);
    this.#settleable.notify();
    return false;
  }

  async #rest(ms: number): Promise<void> {
    // Stopping ends the rest.
    if (ms > 0) await sleep(this.#deps.seams.clock, ms, this.#stopping.signal).catch(() => undefined);
  }
}
