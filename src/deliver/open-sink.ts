import type { Log } from '../base/log.ts';
import type { Signal } from '../base/signal.ts';
import type { Sink } from '../sinks/sink.ts';
import type { SinkSettings } from '../sinks/sink-settings.ts';
import type { DeliverDeps } from './deps.ts';
import type { Endpoints } from './endpoints/endpoints.ts';
import type { SendLimit } from './endpoints/send-limit.ts';

/** The sink as it is open now; a use keeps it from being closed under a request. */
export interface SinkUse extends Disposable {
  readonly sink: Sink;
  /** Grows with every opening. */
  readonly generation: number;
}

type Counts = Readonly<Record<string, number>>;

function added(counts: Counts, more: Counts | undefined): Counts {
  if (more === undefined) return counts;
  const sum = { ...counts };
  for (const [name, count] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

interface Opened {
  readonly sink: Sink;
  readonly generation: number;
  users: number;
  isRetired: boolean;
}

/** A sink that can be opened anew with fresh secrets while requests of the old one are under way. */
export class OpenSink implements AsyncDisposable {
  readonly #deps: DeliverDeps;
  readonly #inFlight: number;
  readonly #log: Log;
  readonly #endpoints: Endpoints;
  readonly #limit: SendLimit;
  readonly #changed: Signal;
  /** Openings that are not closed yet, the current one included. */
  readonly #openings = new Set<Opened>();
  /** What sinks counted that are closed by now. */
  #closedCounts: Counts = {};
  #current: Opened | undefined;
  #generation = 0;
  #opening: Promise<void> | undefined;

  constructor(settings: SinkSettings, deps: DeliverDeps, endpoints: Endpoints, limit: SendLimit, changed: Signal) {
    this.#deps = deps;
    this.#inFlight = settings.inFlight;
    this.#log = deps.log;
    this.#endpoints = endpoints;
    this.#limit = limit;
    this.#changed = changed;
  }

  /** Undefined while it could not be opened. */
  get sink(): Sink | undefined {
    return this.#current?.sink;
  }

  /** It names what it writes after its offset; false while it could not be opened. See {@link Sink.settlesFirst}. */
  get settlesFirst(): boolean {
    return this.sink?.settlesFirst === true;
  }

  /** The sink once an opening that is under way has ended; undefined when it cannot be opened. */
  async opened(): Promise<Sink | undefined> {
    await this.#opening?.catch(() => undefined);
    return this.sink;
  }

  get generation(): number {
    return this.#generation;
  }

  /** What the kind of sink counts itself, by name, since the loop started. */
  counts(): Counts {
    let counts = this.#closedCounts;
    for (const { sink } of this.#openings) counts = added(counts, sink.counters?.());
    return counts;
  }

  use(): SinkUse | undefined {
    const opened = this.#current;
    if (opened === undefined) return undefined;
    opened.users += 1;
    let isUsed = true;
    const end = (): void => {
      if (!isUsed) return;
      isUsed = false;
      opened.users -= 1;
      if (opened.users === 0 && opened.isRetired) void this.#close(opened);
    };
    return { sink: opened.sink, generation: opened.generation, [Symbol.dispose]: end };
  }

  /** Opens it with fresh secrets; callers at the same time share one opening. Rejects with what opening threw; the old one stays. */
  reopen(): Promise<void> {
    this.#opening ??= this.#openAnew().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = this.#current;
    this.#current = undefined;
    if (opened === undefined) return;
    opened.isRetired = true;
    await this.#close(opened);
  }

  async #openAnew(): Promise<void> {
    const old = this.#current;
    // A stream or file that nobody uses is closed first, so that two handles never write to one place.
    if (old?.users === 0) {
      this.#current = undefined;
      await this.#retire(old);
    }
    const sink = await this.#deps.openSink();
    this.#generation += 1;
    this.#current = { sink, generation: this.#generation, users: 0, isRetired: false };
    this.#openings.add(this.#current);
    await this.#retire(old);
    this.#endpoints.replace(sink.endpoints);
    this.#limit.setMost(Math.min(this.#inFlight, sink.maxInFlight));
    this.#changed.notify();
  }

  async #retire(opened: Opened | undefined): Promise<void> {
    if (opened === undefined || opened.isRetired) return;
    opened.isRetired = true;
    if (opened.users === 0) await this.#close(opened);
  }

  async #close(opened: Opened): Promise<void> {
    const { sink } = opened;
    this.#openings.delete(opened);
    this.#closedCounts = added(this.#closedCounts, sink.counters?.());
    try {
      await sink[Symbol.asyncDispose]();
    } catch (error) {
      this.#log.warn({ err: error }, 'sink not closed cleanly');
    }
  }
}
