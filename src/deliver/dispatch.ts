import { sleep } from '../base/clock.ts';
import type { Verdicts } from '../sinks/sink.ts';
import { countDuplicates } from './apply.ts';
import type { Batch } from './batch.ts';
import { isAtRest } from './blame/judge.ts';
import type { LoopContext } from './context.ts';
import { isOvertaken } from './endpoints/order.ts';
import { mostPending } from './endpoints/send-limit.ts';
import { verdictOf } from './exchange.ts';
import { applyLate, type PendingBatch, send } from './send.ts';

const mostPendingBytes = 64 * 2 ** 20;
const pauseMs = 1000;
// Full batches, or at least so many events: in an outage what is new fails, too, and must not all be read.
const mostOvertaken = { batches: 4, events: 10_000 };
/** Where there are more of them, what is new has its turn after so many. */
const oldBetweenNew = 8;

const isKnownLone = ({ size, wasSent }: Batch): boolean => size === 1 && wasSent;

/**
 * Keeps as many batches under way as the send limit allows. Batches that come back from a late verdict go before the one that waits in
 * `start`, which was formed ahead, so that mapping and encoding overlap with sending.
 */
export class Dispatcher {
  readonly #context: LoopContext;
  readonly #active = new Set<Promise<void>>();
  readonly #pending = new Set<PendingBatch>();
  readonly #again: Batch[] = [];
  /** What failed as a part of a larger batch, or alone; others go before it. */
  readonly #overtaken: Batch[] = [];
  #isOvertaking = false;
  /** The one of them that went last was an event that had failed alone. */
  #wasLone = false;
  #isTurnOfSmallest = false;
  /** How many of them went since the last new one. */
  #oldSinceNew = 0;
  #ready: Batch | undefined;
  #pendingBytes = 0;

  constructor(context: LoopContext) {
    this.#context = context;
  }

  /** Batches under way, formed ahead or to be sent again. */
  get busy(): number {
    return this.#active.size + this.#again.length + this.#overtaken.length + (this.#ready === undefined ? 0 : 1);
  }

  /** Batches that wait for a late verdict. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Sends the batch as soon as there is room for it; resolves then, or when the loop stops. */
  async start(batch: Batch): Promise<void> {
    const { changed, stopping } = this.#context;
    this.#ready = batch;
    this.#noteReady();
    this.#startWaiting();
    while (this.#ready !== undefined && !stopping.signal.aborted) {
      await changed.wait(stopping.signal);
      this.#startWaiting();
    }
  }

  /**
   * Sends what failed before where no new batch waits in `start`, until the loop stops: offsets that were written make room, too, and where nothing
   * new comes nobody else would look.
   */
  async run(): Promise<void> {
    const { changed, stopping } = this.#context;
    while (!stopping.signal.aborted) {
      await changed.wait(stopping.signal);
      const waits = this.#ready === undefined && this.#again.length + this.#overtaken.length > 0;
      if (waits && this.#hasRoom()) this.#startWaiting();
    }
  }

  /** Resolves when no batch is under way any more. */
  async settledDown(): Promise<void> {
    while (this.#active.size > 0) await Promise.allSettled(this.#active);
  }

  /** Resolves when nothing is pending or the signal aborts. */
  async pendingDone(signal: AbortSignal): Promise<void> {
    while (this.#pending.size > 0 && !signal.aborted) await this.#context.changed.wait(signal);
  }

  /** The loop ends: what is pending is sent once more by the next process. */
  countPending(): void {
    for (const { batch } of this.#pending) countDuplicates(this.#context, batch, [...batch.prepared.keys()]);
  }

  #hasRoom(): boolean {
    const { stopping, limit, settler, settings } = this.#context;
    if (stopping.signal.aborted || this.#active.size >= limit.current) return false;
    if (!settler.mayBegin(this.#active.size, settings.inFlight)) return false;
    return this.#pending.size < mostPending && this.#pendingBytes < mostPendingBytes;
  }

  #startWaiting(): void {
    while (this.#hasRoom()) {
      const batch = this.#again.shift() ?? this.#next();
      if (batch === undefined) break;
      const working: Promise<void> = this.#work(batch).finally(() => {
        this.#active.delete(working);
        this.#startWaiting();
      });
      this.#active.add(working);
    }
    this.#context.changed.notify();
  }

  /** The one that waits in `start`, and after each of them one that was overtaken; of too many of these several. */
  #next(): Batch | undefined {
    const ready = this.#ready;
    const at = this.#nextOvertaken();
    const overtaken = this.#overtaken[at];
    const comesFirst = this.#noteReady();
    if (overtaken !== undefined && (ready === undefined || !this.#isOvertaking || !comesFirst)) {
      this.#isOvertaking = true;
      this.#oldSinceNew += 1;
      this.#wasLone = isKnownLone(overtaken);
      overtaken.isLast = ready === undefined && this.#active.size === 0;
      return this.#overtaken.splice(at, 1)[0];
    }
    this.#isOvertaking = false;
    this.#oldSinceNew = 0;
    this.#ready = undefined;
    if (ready !== undefined) this.#context.turns.entered(ready);
    return ready;
  }

  /**
   * The first, or after an event that had failed alone one that may hold good ones: these must not wait for all that failed alone. Where nothing
   * was taken for long every other one is the smallest of these, which is the likeliest to be taken and so to show that others are to blame.
   */
  #nextOvertaken(): number {
    const may = (batch: Batch): boolean => !this.#rests(batch);
    this.#isTurnOfSmallest = !this.#isTurnOfSmallest && this.#context.endpoints.areInVain;
    const smallest = this.#isTurnOfSmallest ? this.#smallest(may) : undefined;
    if (smallest !== undefined) return this.#overtaken.indexOf(smallest);
    const hopeful = this.#wasLone ? this.#overtaken.findIndex((batch) => !isKnownLone(batch) && may(batch)) : -1;
    return hopeful === -1 ? this.#overtaken.findIndex(may) : hopeful;
  }

  #smallest(may: (batch: Batch) => boolean): Batch | undefined {
    let smallest: Batch | undefined;
    for (const batch of this.#overtaken)
      if (!isKnownLone(batch) && batch.size < (smallest?.size ?? Number.POSITIVE_INFINITY) && may(batch)) smallest = batch;
    return smallest;
  }

  /** In a hold the probes decide when such a one goes. */
  #rests(batch: Batch): boolean {
    return this.#context.hold.note === undefined && isAtRest(this.#context, batch);
  }

  /** True where what failed gives way to the batch that waits in `start`: always, or seldom where too much of it piles up. */
  #noteReady(): boolean {
    const comesFirst = !this.#isFull() || (this.#oldSinceNew >= oldBetweenNew && !this.#isHeavy());
    if (this.#ready !== undefined) this.#context.turns.waits(this.#ready, comesFirst);
    return comesFirst;
  }

  #isFull(): boolean {
    const { events } = this.#context.settings.batch;
    const failed = this.#overtaken.reduce((sum, { size }) => sum + size, 0);
    return failed > Math.max(mostOvertaken.batches * events, mostOvertaken.events) || this.#isHeavy();
  }

  /** What failed takes as much memory as it may. */
  #isHeavy(): boolean {
    return this.#overtaken.reduce((sum, { bytes }) => sum + bytes, 0) > mostPendingBytes;
  }

  async #work(batch: Batch): Promise<void> {
    try {
      for await (const next of send(this.#context, batch)) {
        if ('overtaken' in next) this.#letOvertake(next.overtaken);
        else this.#await(next);
      }
    } catch (error) {
      this.#context.log.error({ err: error }, 'delivery of a batch broke off; it is sent again');
      await this.#sendLater(batch);
    } finally {
      this.#context.turns.left(batch);
    }
  }

  #letOvertake(batch: Batch): void {
    this.#overtaken.push(batch);
    this.#isOvertaking = true;
  }

  #await(pending: PendingBatch): void {
    const { bytes } = pending.batch;
    const { tally, clock } = this.#context;
    const sent = { at: clock.monotonic() };
    tally.waitingSince.add(sent);
    this.#pending.add(pending);
    this.#pendingBytes += bytes;
    void this.#late(pending).finally(() => {
      pending.use[Symbol.dispose]();
      this.#pending.delete(pending);
      tally.waitingSince.delete(sent);
      pending.batch.underWay(false);
      this.#pendingBytes -= bytes;
      this.#startWaiting();
    });
  }

  async #late(pending: PendingBatch): Promise<void> {
    try {
      const verdicts = await pending.verdicts.catch((error: unknown): Verdicts => ({ all: verdictOf(error) }));
      const again = await applyLate(this.#context, pending, verdicts);
      for (const batch of again) {
        if (isOvertaken(this.#context, batch)) this.#letOvertake(batch);
        else this.#again.push(batch);
      }
    } catch (error) {
      this.#context.log.error({ err: error }, 'late answer to a batch could not be used; it is sent again');
      await this.#sendLater(pending.batch);
    }
  }

  /** A fault of our own must not turn into a storm. */
  async #sendLater(batch: Batch): Promise<void> {
    const { clock, stopping } = this.#context;
    await sleep(clock, pauseMs, stopping.signal).catch(() => undefined);
    this.#again.push(batch);
  }
}
