import type { Log } from '../base/log.ts';
import type { Sink } from '../sinks/sink.ts';

/** The sink as it is open now; a use keeps it from being closed under a request. */
export interface SinkUse extends Disposable {
  readonly sink: Sink;
  /** Grows with every opening. */
  readonly generation: number;
}

/** Holds a sink that can be opened anew with fresh secrets while requests of the old one are under way. */
export interface SinkSlot extends AsyncDisposable {
  /** Undefined while it could not be opened. */
  readonly sink: Sink | undefined;
  readonly generation: number;
  use(): SinkUse | undefined;
  /** Opens it with fresh secrets; callers at the same time share one opening. Rejects with what opening threw; the old one stays. */
  reopen(): Promise<void>;
}

interface Opened {
  readonly sink: Sink;
  readonly generation: number;
  users: number;
  retired: boolean;
}

class Slot implements SinkSlot {
  readonly #open: () => Promise<Sink>;
  readonly #log: Log;
  readonly #onOpen: (sink: Sink) => void;
  #current: Opened | undefined;
  #generation = 0;
  #opening: Promise<void> | undefined;

  constructor(open: () => Promise<Sink>, log: Log, onOpen: (sink: Sink) => void) {
    this.#open = open;
    this.#log = log;
    this.#onOpen = onOpen;
  }

  get sink(): Sink | undefined {
    return this.#current?.sink;
  }

  get generation(): number {
    return this.#generation;
  }

  use(): SinkUse | undefined {
    const opened = this.#current;
    if (opened === undefined) return undefined;
    opened.users += 1;
    let used = true;
    const end = (): void => {
      if (!used) return;
      used = false;
      opened.users -= 1;
      if (opened.users === 0 && opened.retired) void this.#close(opened);
    };
    return { sink: opened.sink, generation: opened.generation, [Symbol.dispose]: end };
  }

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
    opened.retired = true;
    await this.#close(opened);
  }

  async #openAnew(): Promise<void> {
    const old = this.#current;
    // A stream or file that nobody uses is closed first, so that two handles never write to one place.
    if (old?.users === 0) {
      this.#current = undefined;
      await this.#retire(old);
    }
    const sink = await this.#open();
    this.#generation += 1;
    this.#current = { sink, generation: this.#generation, users: 0, retired: false };
    await this.#retire(old);
    this.#onOpen(sink);
  }

  async #retire(opened: Opened | undefined): Promise<void> {
    if (opened === undefined || opened.retired) return;
    opened.retired = true;
    if (opened.users === 0) await this.#close(opened);
  }

  async #close({ sink }: Opened): Promise<void> {
    try {
      await sink[Symbol.asyncDispose]();
    } catch (error) {
      this.#log.warn({ err: error }, 'sink not closed cleanly');
    }
  }
}

/** An empty slot; `onOpen` hears of every sink that was opened. */
export function createSinkSlot(open: () => Promise<Sink>, log: Log, onOpen: (sink: Sink) => void): SinkSlot {
  return new Slot(open, log, onOpen);
}
