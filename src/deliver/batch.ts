import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Signal } from '../base/signal.ts';
import type { LaneKind } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';
import { turnOrder } from './lane-turns.ts';
import { createPart, type Part } from './part.ts';
import type { Item, Unsendable } from './prepare.ts';
import type { LaneReader } from './read.ts';

export interface BatchFormerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly changed: Signal;
  readonly reader: LaneReader;
  readonly batch: { readonly events: number; readonly bytes: number; readonly waitMs: number };
  /** The open sink, waiting for it; undefined when the loop stops. */
  readonly sink: (signal: AbortSignal) => Promise<Sink | undefined>;
  /** True when what there is must not wait for more. */
  readonly hurry: () => boolean;
  /** Makes a dead letter of what cannot be sent; waits for room. */
  readonly bury: (unsendable: Unsendable, signal: AbortSignal) => Promise<void>;
  /** The journal could not be asked. */
  readonly onError: (error: unknown) => void;
}

interface Draft {
  readonly items: Item[];
  readonly order: readonly LaneKind[];
  bytes: number;
  replay: boolean;
  full: boolean;
}

// After the journal could not be asked.
const pauseMs = 1000;

/** Forms batches: by turn over the kinds of lanes, up to the limits of events, bytes and time. */
export interface BatchFormer {
  /** The next batch; undefined when the loop stops first. */
  form(signal: AbortSignal): Promise<Part | undefined>;
}

class Former implements BatchFormer {
  readonly #deps: BatchFormerDeps;
  #turn = 0;

  constructor(deps: BatchFormerDeps) {
    this.#deps = deps;
  }

  async form(signal: AbortSignal): Promise<Part | undefined> {
    const draft: Draft = { items: [], order: turnOrder(this.#turn), bytes: 0, replay: false, full: false };
    this.#turn += 1;
    await this.#gather(draft, signal);
    if (signal.aborted || draft.items.length === 0) return undefined;
    return createPart(this.#deps.random, draft.items, draft.replay);
  }

  async #gather(draft: Draft, signal: AbortSignal): Promise<void> {
    const { clock, changed, batch } = this.#deps;
    let since = clock.monotonic();
    while (!signal.aborted) {
      await this.#fill(draft, signal);
      if (draft.full) return;
      if (draft.items.length === 0) {
        if (signal.aborted) return;
        await changed.wait(signal);
        since = clock.monotonic();
        continue;
      }
      const left = batch.waitMs - (clock.monotonic() - since);
      if (left <= 0 || this.#deps.hurry()) return;
      await this.#pause(left, signal);
    }
  }

  async #fill(draft: Draft, signal: AbortSignal): Promise<void> {
    const sink = await this.#deps.sink(signal);
    if (sink === undefined) return;
    try {
      for (const kind of draft.order) if (accepts(draft, kind)) await this.#fillFrom(draft, kind, sink, signal);
    } catch (error) {
      this.#deps.onError(error);
      await this.#pause(pauseMs, signal);
    }
  }

  async #fillFrom(draft: Draft, kind: LaneKind, sink: Sink, signal: AbortSignal): Promise<void> {
    const { reader, bury } = this.#deps;
    while (!draft.full && !signal.aborted) {
      const item = reader.peek(kind);
      if (item === undefined) {
        if (await reader.open(kind, sink)) continue;
        return;
      }
      if (!('letter' in item)) {
        if (this.#put(draft, item, kind, sink)) reader.take(kind);
        continue;
      }
      await bury(item, signal);
      // A hold that outlives the loop leaves it unsettled, and the next process reads it again.
      if (!signal.aborted) reader.take(kind);
    }
  }

  /** False when the item has to wait for the next batch. */
  #put(draft: Draft, item: Item, kind: LaneKind, sink: Sink): boolean {
    const mostBytes = Math.min(this.#deps.batch.bytes, sink.maxBatchBytes ?? Number.POSITIVE_INFINITY);
    if (draft.items.length > 0 && draft.bytes + item.bytes > mostBytes) {
      draft.full = true;
      return false;
    }
    draft.items.push(item);
    draft.bytes += item.bytes;
    draft.replay = kind === 'replay';
    draft.full = draft.items.length >= Math.min(this.#deps.batch.events, sink.maxBatchEvents ?? Number.POSITIVE_INFINITY);
    return true;
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await this.#deps.changed.waitAtMost(this.#deps.clock, ms, signal);
  }
}

// `replay` belongs to a whole batch, so replayed events travel by themselves.
function accepts({ items, replay }: Draft, kind: LaneKind): boolean {
  return items.length === 0 || replay === (kind === 'replay');
}

/** A former for one sink. */
export function createBatchFormer(deps: BatchFormerDeps): BatchFormer {
  return new Former(deps);
}
