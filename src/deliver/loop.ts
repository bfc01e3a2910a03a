// starting (notes read, sink opened) -> running (batches formed, sent, settled) -> stopping (nothing new begins, requests under way get
// their grace, what is pending is flushed) -> stopped. A hold is a part of running: see hold/hold.ts.
import { deadline } from '../base/clock.ts';
import { explainInLine } from '../base/errors.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import { takesNothingFix } from './blame/judge.ts';
import { LoopContext } from './context.ts';
import type { DeliverDeps } from './deps.ts';
import { Dispatcher } from './dispatch.ts';
import { batches } from './form.ts';
import { reopen } from './hold/probe.ts';
import { type Phase, readStatus, type SinkStatus } from './report/status.ts';
import { sharedEvents } from './shared-events.ts';

// Keeps pending and lag true while nothing is read, and finds what a wake-up missed.
const refreshEveryMs = 5000;
const drainLookMs = 250;

/** The loop that delivers to one sink. Nothing it does throws; what goes wrong shows in its status and in the log. */
export class SinkLoop implements AsyncDisposable {
  readonly #context: LoopContext;
  readonly #dispatcher: Dispatcher;
  #phase: Phase = 'starting';
  #nextRefresh: Disposable | undefined;
  #running: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(settings: SinkSettings, deps: DeliverDeps) {
    this.#context = new LoopContext(settings, deps);
    this.#dispatcher = new Dispatcher(this.#context);
  }

  get name(): string {
    return this.#context.settings.name;
  }

  status(): SinkStatus {
    return readStatus(this.#context, this.#phase);
  }

  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => this.#context.log.fatal({ err: error }, 'sink loop ended'));
  }

  /** Ends a hold by hand: probes at once. */
  release(): void {
    const { endpoints, hold, suspects } = this.#context;
    endpoints.wake();
    if (hold.note?.fix === takesNothingFix) suspects.accuse();
    hold.release();
  }

  /** Resolves true when nothing is pending in any lane, false when the signal aborts first. Flushes the sink. */
  async drained(signal: AbortSignal): Promise<boolean> {
    const { lanes, changed, clock } = this.#context;
    this.#context.draining += 1;
    try {
      lanes.stale();
      changed.notify();
      while (!signal.aborted && this.#phase !== 'stopped') {
        if (this.#phase === 'running' && (await this.#isEmpty())) return true;
        if (this.#dispatcher.busy === 0 && this.#dispatcher.pending > 0) await this.#flush(signal);
        await changed.waitAtMost(clock, drainLookMs, signal);
      }
      return false;
    } finally {
      this.#context.draining -= 1;
    }
  }

  /** Stops reading, gives requests in flight `graceMs`, settles what was answered. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop(0);
  }

  async #run(): Promise<void> {
    using _shared = sharedEvents.use(this.#context.settings);
    await this.#recall();
    await reopen(this.#context);
    if (this.#context.stopping.signal.aborted) return;
    this.#phase = 'running';
    this.#keepFresh();
    using _owned = this.#context.watchOwnership();
    await Promise.all([this.#deliver(), this.#dispatcher.run(), this.#watchJournal()]);
  }

  async #deliver(): Promise<void> {
    for await (const batch of batches(this.#context)) {
      await this.#dispatcher.start(batch);
      // Its batches are large: the next one is filled when this one is gone.
      if (this.#context.sink.settlesFirst) await this.#dispatcher.settledDown();
    }
  }

  /** What an earlier process left: a hold, and how many dead letters there are. */
  async #recall(): Promise<void> {
    const { journal, settings, hold, deadLetters, log, tally, secrets } = this.#context;
    try {
      const held = (await journal.holds()).find(({ kind, name }) => kind === 'sink' && name === settings.name);
      if (held !== undefined) hold.restore(held.hold);
      await deadLetters.recount();
    } catch (error) {
      log.warn({ err: error }, 'state of the sink could not be read from the journal');
      tally.journalTrouble = secrets.tell(explainInLine(error));
    }
    await this.#context.recall();
  }

  async #watchJournal(): Promise<void> {
    const { journal, lanes, changed, stopping } = this.#context;
    const { signal } = stopping;
    let appended = journal.changed(signal);
    while (!signal.aborted) {
      await appended;
      // Asked again before anything is read, so that no append falls between the two.
      appended = journal.changed(signal);
      lanes.stale();
      changed.notify();
    }
    await appended;
  }

  #keepFresh(): void {
    const { clock, ending } = this.#context;
    if (ending.signal.aborted) return;
    // All sinks at the same moment: a journal in a database answers them together.
    this.#nextRefresh = clock.timer(refreshEveryMs - (clock.monotonic() % refreshEveryMs), () => {
      void this.#refresh().finally(() => this.#keepFresh());
    });
  }

  async #refresh(): Promise<void> {
    const { lanes, deadLetters, log, changed, stall } = this.#context;
    await this.#context.recall();
    try {
      lanes.stale();
      await lanes.refresh();
      if (lanes.pending() === 0) stall.moved();
      await deadLetters.recount();
    } catch (error) {
      log.debug({ err: error }, 'lanes not refreshed');
    }
    changed.notify();
  }

  /** True when neither memory nor journal has anything for the sink. */
  async #isEmpty(): Promise<boolean> {
    const { lanes, settler, journal } = this.#context;
    if (this.#dispatcher.busy > 0 || this.#dispatcher.pending > 0 || lanes.openRecords() > 0 || !settler.isIdle) return false;
    return (await journal.lanes(this.name)).every(({ pending }) => pending === 0);
  }

  async #flush(signal: AbortSignal): Promise<void> {
    if (this.#dispatcher.pending === 0) return;
    using use = this.#context.sink.use();
    try {
      await use?.sink.flush?.(signal);
    } catch (error) {
      this.#context.log.warn({ err: error }, 'sink not flushed; what is pending is sent again later');
    }
  }

  /**
   * Waits for what is under way. What others overtook goes on until it is taken: the offset stands before it, and the next process would send
   * all that was taken behind it again.
   */
  async #closeGaps(signal: AbortSignal): Promise<void> {
    const { lanes, changed, clock } = this.#context;
    while (!signal.aborted && lanes.all().some(({ hasGap, underWay }) => hasGap || underWay > 0)) {
      if (this.#dispatcher.busy === 0) await this.#flush(signal);
      await changed.waitAtMost(clock, drainLookMs, signal);
    }
  }

  async #stop(graceMs: number): Promise<void> {
    const { ending, stopping, cutOff, clock, settler, sink, changed, lanes } = this.#context;
    using grace = deadline(clock, graceMs);
    ending.abort(new DOMException('the sink loop stops', 'AbortError'));
    this.#nextRefresh?.[Symbol.dispose]();
    await this.#closeGaps(grace.signal);
    stopping.abort(new DOMException('the sink loop stops', 'AbortError'));
    const cut = (): void => cutOff.abort(new DOMException('the sink loop stops', 'AbortError'));
    if (grace.signal.aborted) cut();
    else grace.signal.addEventListener('abort', cut, { once: true });
    await this.#dispatcher.settledDown();
    await this.#flush(grace.signal);
    await this.#dispatcher.pendingDone(grace.signal);
    this.#dispatcher.countPending();
    for (const lane of lanes.all()) {
      lane.countOvertaken();
      settler.add(lane);
    }
    await settler.stop();
    // An opening that was under way ends first, so that no sink is left open.
    await this.#running;
    await sink[Symbol.asyncDispose]();
    this.#phase = 'stopped';
    changed.notify();
  }
}
