import { type Clock, steadyTime } from '../base/clock.ts';
import { Durations, type Histogram } from '../base/histogram.ts';
import type { Log } from '../base/log.ts';
import { Outage } from '../base/outage.ts';
import type { Random } from '../base/random.ts';
import type { Secrets } from '../base/secrets.ts';
import { Signal } from '../base/signal.ts';
import type { Journal } from '../journal/journal.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import { SizeLimits } from './blame/size-limits.ts';
import { Suspects, untilOthersCode } from './blame/suspects.ts';
import { DeadLetters } from './dead-letters.ts';
import type { DeliverDeps } from './deps.ts';
import { Endpoints } from './endpoints/endpoints.ts';
import { SendLimit } from './endpoints/send-limit.ts';
import { Turns } from './endpoints/turns.ts';
import { SinkHold } from './hold/hold.ts';
import { RefusalRate } from './hold/refusal-rate.ts';
import type { OpenLane } from './lane.ts';
import { Lanes } from './lanes.ts';
import { OpenSink } from './open-sink.ts';
import { InvalidEventCounts } from './report/invalid-events.ts';
import { LargestEvent } from './report/largest-event.ts';
import { Stall } from './report/stall.ts';
import { Tally } from './report/tally.ts';
import { UnknownActions } from './report/unknown-actions.ts';
import { Settler } from './settle.ts';
import { SendPlan } from './settles-first/send-plan.ts';
import { Withdrawals } from './settles-first/withdrawals.ts';

// As many as a note names.
const mostAdopted = 500;
/** Of what is shown in logs and status; a dead letter keeps more. */
const longestReason = 500;

/** What the stages of one loop share. */
export class LoopContext {
  readonly settings: SinkSettings;
  readonly deps: DeliverDeps;
  readonly journal: Journal;
  readonly clock: Clock;
  /** For what is noted and has to rest: milliseconds since the epoch, without the steps that the clock makes. */
  readonly steadyNow: () => number;
  readonly random: Random;
  readonly log: Log;
  readonly secrets: Secrets;
  /** Something changed that a stage may wait for: records, room, an endpoint, a hold, an outcome. */
  readonly changed = new Signal();
  readonly tally = new Tally();
  /** How long sends took until their answer, and batches from their receipt until they were taken. */
  readonly requests: Histogram;
  readonly deliveries: Histogram;
  /** Aborts when nothing more is read, and sent only what others overtook. */
  readonly ending = new AbortController();
  /** Aborts when nothing is to be sent any more. */
  readonly stopping = new AbortController();
  /** Aborts when requests under way are cut off. */
  readonly cutOff = new AbortController();
  readonly endpoints: Endpoints;
  readonly turns = new Turns();
  readonly limit: SendLimit;
  readonly limits: SizeLimits;
  readonly plan: SendPlan;
  readonly suspects: Suspects;
  readonly withdrawals: Withdrawals;
  readonly sink: OpenSink;
  readonly refusals = new RefusalRate();
  readonly deadLetters: DeadLetters;
  readonly hold: SinkHold;
  readonly lanes: Lanes;
  readonly settler: Settler;
  readonly stall: Stall;
  readonly unknownActions: UnknownActions;
  readonly largest: LargestEvent;
  readonly invalidEvents: InvalidEventCounts;
  /** Callers who wait until all is delivered: what there is must not wait for more. */
  draining = 0;
  /** What earlier processes noted was read. */
  #hasRecalled = false;
  /** Sources that came since from other replicas, whose notes are to be read, or are being read. */
  #gained: ReadonlySet<string> = new Set<string>();
  #reading: ReadonlySet<string> = new Set<string>();
  #isRecalling = false;
  readonly #recalling: Outage;

  constructor(settings: SinkSettings, deps: DeliverDeps) {
    const { journal, log, secrets, durations = new Durations() } = deps;
    const { clock, random } = deps.seams;
    const { name } = settings;
    this.settings = settings;
    this.deps = deps;
    this.journal = journal;
    this.clock = clock;
    this.steadyNow = steadyTime(clock);
    this.random = random;
    this.log = log;
    this.secrets = secrets;
    this.requests = durations.sinkRequests.of(name);
    this.deliveries = durations.deliveries.of(name);
    this.endpoints = new Endpoints(clock, random, settings.backoffMaxMs);
    this.limits = new SizeLimits(clock);
    this.plan = new SendPlan(journal, name);
    this.suspects = new Suspects(journal, log, name, this.limits);
    this.withdrawals = new Withdrawals(journal, name);
    this.limit = new SendLimit(settings.inFlight);
    this.sink = new OpenSink(settings, deps, this.endpoints, this.limit, this.changed);
    this.deadLetters = new DeadLetters(journal, log, name, settings.maxDeadLetters);
    this.hold = new SinkHold(settings, deps, this.changed, this.refusals, this.deadLetters);
    this.lanes = new Lanes(journal, name);
    this.stall = new Stall(clock, settings.stalledAfterMs);
    this.settler = new Settler(name, deps, this.changed, this.tally, this.deadLetters, this.lanes, this.stall);
    this.unknownActions = new UnknownActions(journal, log, clock);
    this.largest = new LargestEvent(journal, log, settings);
    this.invalidEvents = new InvalidEventCounts(journal, log);
    this.#recalling = new Outage(log, {
      begins:
        'what was under way or given up before cannot be read: nothing of those sources is sent until it was; it is asked for again',
      ends: 'what was under way or given up before was read',
    });
  }

  /** True when it is known what was under way or given up of the source before: nothing of it is sent until then. */
  knowsPastOf(source: string): boolean {
    return this.#hasRecalled && !this.#gained.has(source) && !this.#reading.has(source);
  }

  /** Reads what was noted before, here or by replicas whose sources are this one's by now; what the journal does not tell is asked for again with the next refresh. */
  async recall(): Promise<void> {
    if (this.#isRecalling || (this.#hasRecalled && this.#gained.size === 0)) return;
    this.#isRecalling = true;
    try {
      while (!this.#hasRecalled || this.#gained.size > 0) {
        this.#reading = this.#gained;
        this.#gained = new Set();
        await this.#readNoted();
        this.#hasRecalled = true;
      }
      this.#recalling.worked();
    } catch (error) {
      this.#gained = new Set([...this.#gained, ...this.#reading]);
      this.#recalling.failed(error);
    } finally {
      this.#reading = new Set();
      this.#isRecalling = false;
      this.changed.notify();
    }
  }

  async #readNoted(): Promise<void> {
    const { suspects, plan, withdrawals, journal, settings } = this;
    await plan.recall();
    await withdrawals.recall();
    await suspects.recall(this.clock);
    const letters = await journal.deadLetters({ sink: settings.name, code: untilOthersCode }, mostAdopted);
    for (const { record, last, source } of letters) suspects.adopt(record.uid, last, source);
  }

  /** Lets go of lanes whose source another process owns, or is about to own. */
  watchOwnership(): Disposable {
    const { lanes, changed, suspects } = this;
    const look = (): void => {
      lanes.stale();
      changed.notify();
    };
    return this.journal.ownership.watch({
      gained: (sources) => {
        this.#gained = new Set([...this.#gained, ...sources]);
        void this.recall();
        look();
      },
      lost: (sources) => {
        lanes.lose(sources);
        suspects.lose(sources);
        look();
      },
      releasing: (sources, signal) => this.#finish(sources, signal),
    });
  }

  /** Waits until nothing of the sources is under way, and what was taken is settled; the next owner repeats what is behind a gap then. */
  async #finish(sources: readonly string[], signal: AbortSignal): Promise<void> {
    const { lanes, settler, changed, stopping } = this;
    const isOpen = (lane: OpenLane): boolean => lane.hasGap && !stopping.signal.aborted;
    const isBusy = (): boolean =>
      lanes.ofSources(sources).some((lane) => lane.underWay > 0 || settler.hasToWrite(lane) || isOpen(lane));
    const end = async (): Promise<void> => {
      while (isBusy() && !signal.aborted) await changed.wait(signal);
    };
    await end();
    for (const lane of lanes.ofSources(sources)) {
      lane.countOvertaken();
      settler.add(lane);
    }
    await end();
  }

  /** Notes what went wrong last; gives the reason without secrets. */
  trouble(kind: string, reason: string): string {
    const scrubbed = this.secrets.tell(reason, longestReason);
    this.tally.lastError = { at: this.clock.now(), kind, reason: scrubbed };
    return scrubbed;
  }
}
