// A lane is read in chunks; a chunk is used up before another lane of its kind has its turn, so at most one chunk per kind
// is in memory. A lane found empty is dry until something is appended; one that cannot be read or mapped rests while others go on.
import { explainInLine } from '../base/errors.ts';
import { fullJitterMs } from '../base/random.ts';
import type { LaneKind, StoredPage } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';
import type { LoopContext } from './context.ts';
import type { KnownLane } from './lanes.ts';
import { type NextEvent, PreparedEvent, Preparer, type Unsendable } from './prepare.ts';
import { mostPending } from './send-limit.ts';

/** What was read of a lane at once; its pages are opened one by one. */
interface Chunk {
  readonly lane: KnownLane;
  readonly pages: StoredPage[];
  /** Of the open page. */
  events: NextEvent | undefined;
  next: PreparedEvent | Unsendable | undefined;
}

const restBaseMs = 1000;
const restMaxMs = 60_000;
const largestChunk = 1000;

/** Reads a sink's lanes, those of a kind in turn. */
export class LaneReader {
  readonly #context: LoopContext;
  readonly #preparer: Preparer;
  readonly #chunks = new Map<LaneKind, Chunk>();
  readonly #routed: ReadonlySet<string> | undefined;
  readonly #chunkRecords: number;
  /** As many records of a lane may be open as fit into all requests and pending batches: more could not be sent anyway. */
  readonly #mostOpen: number;

  constructor(context: LoopContext) {
    const { sources, batch, inFlight } = context.settings;
    this.#context = context;
    this.#preparer = new Preparer(context);
    this.#routed = sources === undefined ? undefined : new Set(sources);
    this.#chunkRecords = Math.min(batch.events, largestChunk);
    this.#mostOpen = batch.events * (mostPending + 2 * inFlight);
  }

  /** What is read from now on is for another batch, in this order of kinds. */
  beginBatch(order: readonly LaneKind[]): void {
    const waiting = order.toReversed().map((kind) => this.#chunks.get(kind)?.next);
    this.#preparer.beginBatch(waiting.filter((next) => next instanceof PreparedEvent));
  }

  /** The next event of the kind's open page, without taking it; undefined at its end. */
  peek(kind: LaneKind): PreparedEvent | Unsendable | undefined {
    const chunk = this.#chunks.get(kind);
    if (chunk === undefined || chunk.lane.isGone) return undefined;
    chunk.next ??= chunk.events?.();
    return chunk.next;
  }

  take(kind: LaneKind): void {
    const chunk = this.#chunks.get(kind);
    if (chunk !== undefined) chunk.next = undefined;
  }

  /** Opens the next page of the kind; false when there is nothing to read now. */
  async openPage(kind: LaneKind, sink: Sink): Promise<boolean> {
    await this.#context.lanes.refresh();
    for (;;) {
      const chunk = this.#chunks.get(kind) ?? (await this.#readChunk(kind));
      if (chunk === undefined) return false;
      this.#chunks.set(kind, chunk);
      try {
        if (!chunk.lane.isGone && (await this.#advance(chunk, sink))) return true;
      } catch (error) {
        this.#rest(chunk.lane, error);
      }
      this.#chunks.delete(kind);
      chunk.lane.isReading = false;
    }
  }

  async #readChunk(kind: LaneKind): Promise<Chunk | undefined> {
    const { lanes, journal } = this.#context;
    for (const lane of lanes.of(kind)) {
      const { open, lane: of } = lane.progress;
      if (lane.isDry || lane.isResting || open >= this.#mostOpen || !journal.ownership.owns(of.source)) continue;
      lane.isReading = true;
      try {
        const pages = await this.#read(lane);
        if (pages.length > 0) return { lane, pages, events: undefined, next: undefined };
        lane.isDry = true;
      } catch (error) {
        this.#rest(lane, error);
      }
      lane.isReading = false;
    }
    return undefined;
  }

  async #read(lane: KnownLane): Promise<StoredPage[]> {
    const { journal, settings, lanes } = this.#context;
    const pages = await journal.read(settings.name, lane.progress.lane, lane.progress.after, this.#chunkRecords);
    lanes.toEnd(lane);
    return [...pages];
  }

  /** Moves the chunk on to its next page that has something for the sink; false at its end. */
  async #advance(chunk: Chunk, sink: Sink): Promise<boolean> {
    const { deps } = this.#context;
    const { progress } = chunk.lane;
    if (chunk.events !== undefined) await this.#endPage(chunk);
    chunk.events = undefined;
    for (let page = chunk.pages[0]; page !== undefined; page = chunk.pages[0]) {
      if (this.#routed?.has(page.source) === false) {
        chunk.pages.shift();
        progress.add(page).skip();
        await this.#endPage(chunk);
        continue;
      }
      const mapper = await deps.mapperFor(page.connector, page.source);
      chunk.pages.shift();
      chunk.events = this.#preparer.events(progress, page, mapper, sink);
      break;
    }
    this.#recover(chunk.lane);
    return chunk.events !== undefined;
  }

  async #endPage({ lane }: Chunk): Promise<void> {
    this.#context.settler.add(lane.progress);
    await this.#context.unknownActions.report();
    await this.#context.largest.report();
  }

  #rest(known: KnownLane, error: unknown): void {
    const { clock, random, log, changed, secrets } = this.#context;
    const { lane, kind } = known.progress;
    const ms = 1 + fullJitterMs(random, known.failures, restBaseMs, restMaxMs);
    if (known.failures === 0)
      log.error({ err: error, source: lane.source, lane: kind }, 'lane cannot be read; other lanes go on');
    known.failures += 1;
    known.trouble = secrets.tell(explainInLine(error));
    known.isResting = true;
    clock.timer(ms, () => {
      known.isResting = false;
      changed.notify();
    });
  }

  #recover(known: KnownLane): void {
    const { lane, kind } = known.progress;
    if (known.failures > 0) this.#context.log.info({ source: lane.source, lane: kind }, 'lane is read again');
    known.failures = 0;
    known.trouble = undefined;
  }
}

const everyOther: readonly (readonly LaneKind[])[] = [
  ['live', 'replay', 'backfill'],
  ['live', 'backfill', 'replay'],
];
const reserved: readonly (readonly LaneKind[])[] = [
  ['backfill', 'replay', 'live'],
  ['replay', 'backfill', 'live'],
];
// One batch in eight is first offered to old records, so that a flood of live ones never starves them.
const round = 8;

/** In which order the kinds of lanes fill the batch of this turn, counted from 0. */
export function turnOrder(turn: number): readonly LaneKind[] {
  const orders = turn % round === round - 1 ? reserved : everyOther;
  const pick = orders === reserved ? Math.floor(turn / round) : turn;
  return orders[pick % orders.length] ?? ['live', 'replay', 'backfill'];
}
