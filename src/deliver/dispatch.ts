// Slots: as many parts are under way as the send limit allows. Parts that come back from a late verdict go before the batch that was formed
// ahead; one batch is formed ahead, so that mapping and encoding overlap with sending.
import { setImmediate as turn } from 'node:timers/promises';
import { sleep } from '../base/clock.ts';
import type { Verdicts } from '../sinks/sink.ts';
import { type LoopBasics, mostPending } from './context.ts';
import type { Claim } from './endpoints.ts';
import { verdictOf } from './exchange.ts';
import type { SinkUse } from './open-sink.ts';
import type { Part } from './part.ts';
import type { PartDelivery } from './send.ts';

export interface Dispatcher {
  /** Forms and sends until `waiting` aborts. */
  run(): Promise<void>;
  addPending(part: Part, pending: Promise<Verdicts>, claim: Claim, use: SinkUse): void;
  /** Parts under way, formed ahead or to be sent again. */
  readonly busy: number;
  readonly pending: number;
  /** Resolves when no part is under way any more. */
  settledDown(): Promise<void>;
  /** Resolves when nothing is pending or the signal aborts. */
  pendingDone(signal: AbortSignal): Promise<void>;
}

export interface DispatcherDeps {
  readonly basics: LoopBasics;
  readonly waiting: AbortSignal;
  readonly form: (signal: AbortSignal) => Promise<Part | undefined>;
  readonly delivery: () => PartDelivery;
}

const mostPendingBytes = 64 * 2 ** 20;
const pauseMs = 1000;
const longestRunMs = 5;

class Dispatching implements Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #active = new Set<Promise<void>>();
  readonly #pendings = new Set<Part>();
  readonly #again: Part[] = [];
  #ready: Part | undefined;
  #pendingBytes = 0;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
  }

  get busy(): number {
    return this.#active.size + this.#again.length + (this.#ready === undefined ? 0 : 1);
  }

  get pending(): number {
    return this.#pendings.size;
  }

  async run(): Promise<void> {
    const { waiting, form, basics } = this.#deps;
    const { clock } = basics.deps.seams;
    let since = clock.monotonic();
    while (!waiting.aborted) {
      this.#ready = await form(waiting);
      await this.#untilTaken();
      if (clock.monotonic() - since < longestRunMs) continue;
      // A sink that answers without I/O must not keep timers and sockets of others waiting.
      await turn();
      since = clock.monotonic();
    }
  }

  addPending(part: Part, pending: Promise<Verdicts>, claim: Claim, use: SinkUse): void {
    this.#pendings.add(part);
    this.#pendingBytes += part.bytes;
    void this.#onLate(part, claim, pending).finally(() => {
      use[Symbol.dispose]();
      this.#pendings.delete(part);
      this.#pendingBytes -= part.bytes;
      this.#pump();
    });
  }

  async settledDown(): Promise<void> {
    while (this.#active.size > 0) await Promise.allSettled(this.#active);
  }

  async pendingDone(signal: AbortSignal): Promise<void> {
    while (this.#pendings.size > 0 && !signal.aborted) await this.#deps.basics.changed.wait(signal);
  }

  async #untilTaken(): Promise<void> {
    const { waiting, basics } = this.#deps;
    this.#pump();
    while (this.#ready !== undefined && !waiting.aborted) {
      await basics.changed.wait(waiting);
      this.#pump();
    }
  }

  #hasSlot(): boolean {
    const { waiting, basics } = this.#deps;
    if (waiting.aborted || this.#active.size >= basics.limit.current()) return false;
    return this.#pendings.size < mostPending && this.#pendingBytes < mostPendingBytes;
  }

  #pump(): void {
    while (this.#hasSlot()) {
      const part = this.#again.shift() ?? this.#ready;
      if (part === undefined) break;
      if (part === this.#ready) this.#ready = undefined;
      this.#start(part);
    }
    this.#deps.basics.changed.notify();
  }

  #start(part: Part): void {
    const working: Promise<void> = this.#work(part).finally(() => {
      this.#active.delete(working);
      this.#pump();
    });
    this.#active.add(working);
  }

  async #work(part: Part): Promise<void> {
    try {
      await this.#deps.delivery().deliver(part);
    } catch (error) {
      this.#deps.basics.log.error({ err: error }, 'delivery of a batch broke off; it is sent again');
      await this.#sendLater(part);
    }
  }

  async #onLate(part: Part, claim: Claim, answer: Promise<Verdicts>): Promise<void> {
    try {
      const verdicts = await answer.catch((error: unknown): Verdicts => ({ all: verdictOf(error) }));
      this.#again.push(...(await this.#deps.delivery().late(part, claim, verdicts)));
    } catch (error) {
      this.#deps.basics.log.error({ err: error }, 'late answer to a batch could not be used; it is sent again');
      await this.#sendLater(part);
    }
  }

  /** A fault of our own must not turn into a storm. */
  async #sendLater(part: Part): Promise<void> {
    const { basics, waiting } = this.#deps;
    await sleep(basics.deps.seams.clock, pauseMs, waiting).catch(() => undefined);
    this.#again.push(part);
  }
}

/** Dispatches parts into slots. */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  return new Dispatching(deps);
}
