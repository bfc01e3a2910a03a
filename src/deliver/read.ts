// Lanes of a kind take turns, first who was given the least. A turn is a few slices of what was read at once, each about as much as a batch takes;
// a lane with little to send goes before the next slice of one with much. So no lane waits long for others, and at most two chunks per kind are
// in memory. A lane found empty is dry until something is appended; one that cannot be read or mapped rests while others go on.
import { explainInLine } from '../base/errors.ts';
import { fullJitterMs } from '../base/random.ts';
import type { LaneKind, StoredPage } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';
import type { LoopContext } from './context.ts';
import { mostOpen } from './endpoints/send-limit.ts';
import type { OpenLane } from './lane.ts';
import type { KnownLane } from './lanes.ts';
import { type NextEvent, PreparedEvent, Preparer, type Unsendable } from './prepare.ts';

/** What was read of a lane at once; it is opened slice by slice, and what was not opened may be forgotten and read again. */
interface Chunk {
  readonly lane: KnownLane;
  readonly pages: StoredPage[];
  /** Of the open slice. */
  events: NextEvent | undefined;
  next: PreparedEvent | Unsendable | undefined;
}

const restBaseMs = 1000;
const restMaxMs = 60_000;
const largestChunk = 1000;
/** Slices that a lane is given more than another before that one has its turn: to read a lane anew costs more than to go on with it. */
const slicesPerTurn = 4;
/** What a record costs at least, bytes: its event is longer than its text. */
const leastPerRecord = 500;

/** The first records of a page, at least one, as far as both limits allow; and what they cost. */
function sliceOf(
  { records }: StoredPage,
  most: { readonly records: number; readonly bytes: number },
): { count: number; bytes: number } {
  let [count, bytes] = [0, 0];
  for (const { json } of records) {
    const cost = Math.max(leastPerRecord, json?.length ?? 0);
    if (count > 0 && (count >= most.records || bytes + cost > most.bytes)) break;
    count += 1;
    bytes += cost;
  }
  return { count, bytes };
}

/** True for a lane that was given so much less than the one whose turn it is that it goes first. */
const goesBefore = (other: KnownLane, current: KnownLane, sliceBytes: number): boolean =>
  other.taken + (other.isLight ? 0 : (slicesPerTurn - 1) * sliceBytes) < current.taken;

/** A part of the page's records. */
function partOf(page: StoredPage, from: number, to?: number): StoredPage {
  const { records, positions, letters } = page;
  const part = { ...page, records: records.slice(from, to), positions: positions.slice(from, to) };
  return letters === undefined ? part : { ...part, letters: letters.slice(from, to) };
}

/** Reads a sink's lanes, those of a kind in turn. */
export class LaneReader {
  readonly #context: LoopContext;
  readonly #preparer: Preparer;
  /** By kind: the chunk of the lane whose turn it is, and behind it that of a lane with little that goes before its next slice. */
  readonly #chunks = new Map<LaneKind, Chunk[]>();
  readonly #routed: ReadonlySet<string> | undefined;
  readonly #slice: { readonly records: number; readonly bytes: number };
  readonly #mostOpen: number;

  constructor(context: LoopContext) {
    const { sources, batch } = context.settings;
    this.#context = context;
    this.#preparer = new Preparer(context);
    this.#routed = sources === undefined ? undefined : new Set(sources);
    this.#slice = { records: Math.min(batch.events, largestChunk), bytes: batch.bytes };
    this.#mostOpen = mostOpen(context.settings);
  }

  /** What is read from now on is for another batch, in this order of kinds. */
  beginBatch(order: readonly LaneKind[]): void {
    const waiting = order.toReversed().map((kind) => this.#chunk(kind)?.next);
    this.#preparer.beginBatch(waiting.filter((next) => next instanceof PreparedEvent));
  }

  /** The next event of the kind's open slice, without taking it; undefined at its end. */
  peek(kind: LaneKind): PreparedEvent | Unsendable | undefined {
    const chunk = this.#chunk(kind);
    if (chunk === undefined || chunk.lane.isGone) return undefined;
    chunk.next ??= chunk.events?.();
    return chunk.next;
  }

  take(kind: LaneKind): void {
    const chunk = this.#chunk(kind);
    if (chunk !== undefined) chunk.next = undefined;
  }

  /** Opens the next slice of the kind; false when there is nothing to read now. */
  async openPage(kind: LaneKind, sink: Sink): Promise<boolean> {
    await this.#endSlice(this.#chunk(kind));
    await this.#context.lanes.refresh();
    for (;;) {
      const chunk = await this.#nextChunk(kind);
      if (chunk === undefined) return false;
      try {
        if (!chunk.lane.isGone && (await this.#advance(chunk, sink))) return true;
      } catch (error) {
        this.#rest(chunk.lane, error);
      }
      this.#leave(kind, chunk);
    }
  }

  #chunk(kind: LaneKind): Chunk | undefined {
    return this.#chunks.get(kind)?.at(-1);
  }

  /** Whose slice is next: of the lane whose turn it is, unless another goes before it. */
  async #nextChunk(kind: LaneKind): Promise<Chunk | undefined> {
    const [current, before] = this.#chunks.get(kind) ?? [];
    // What went before has had its slice.
    if (before !== undefined) this.#leave(kind, before);
    // What comes in meanwhile makes lanes readable again that had nothing a moment ago.
    const empty = new Set<KnownLane>();
    for (let lane = this.#nextLane(kind, empty); lane !== undefined; lane = this.#nextLane(kind, empty)) {
      if (current !== undefined && !goesBefore(lane, current.lane, this.#slice.bytes)) break;
      const chunk = await this.#read(lane);
      if (chunk === undefined) {
        empty.add(lane);
        continue;
      }
      if (current !== undefined && !lane.isLight) this.#leave(kind, current);
      this.#chunks.set(kind, [...(this.#chunks.get(kind) ?? []), chunk]);
      return chunk;
    }
    return current;
  }

  #nextLane(kind: LaneKind, apart: ReadonlySet<KnownLane>): KnownLane | undefined {
    return this.#context.lanes.next(kind, (lane) => !apart.has(lane) && this.#isReadable(lane));
  }

  #isReadable({ isDry, isReading, isResting, progress }: KnownLane): boolean {
    if (isDry || isReading || isResting || progress.open >= this.#mostOpen) return false;
    const { source } = progress.lane;
    const { journal, settler } = this.#context;
    return journal.ownership.owns(source) && this.#context.knowsPastOf(source) && !settler.isHeldUp(progress);
  }

  /** What was not opened of it is read again when its lane has its next turn. */
  #leave(kind: LaneKind, chunk: Chunk): void {
    chunk.lane.isReading = false;
    this.#chunks.set(
      kind,
      (this.#chunks.get(kind) ?? []).filter((one) => one !== chunk),
    );
  }

  async #read(lane: KnownLane): Promise<Chunk | undefined> {
    const { journal, settings, lanes } = this.#context;
    const { progress } = lane;
    lane.isReading = true;
    try {
      const most = Math.min(this.#slice.records, Math.ceil((slicesPerTurn * this.#slice.bytes) / lane.perRecord));
      const pages = [...(await journal.read(settings.name, progress.lane, progress.after, most))];
      lanes.begin(lane);
      const [first] = pages;
      if (first === undefined) lane.isDry = true;
      else {
        const { count, bytes } = sliceOf(first, this.#slice);
        lane.perRecord = Math.max(1, bytes / count);
        lane.isLight = pages.length === 1 && count === first.records.length;
        return { lane, pages, events: undefined, next: undefined };
      }
    } catch (error) {
      this.#rest(lane, error);
    }
    lane.isReading = false;
    return undefined;
  }

  /** Opens the chunk's next slice that has something for the sink; false at its end. */
  async #advance(chunk: Chunk, sink: Sink): Promise<boolean> {
    const { deps } = this.#context;
    const { progress } = chunk.lane;
    for (let page = chunk.pages[0]; page !== undefined; page = chunk.pages[0]) {
      if (this.#routed?.has(page.source) === false) {
        chunk.pages.shift();
        // It had a turn like others, or a long one of these would be read to its end first.
        chunk.lane.taken += leastPerRecord * page.records.length;
        progress.add(page).skip();
        await this.#report(progress);
        continue;
      }
      const mapper = await deps.mapperFor(page.connector, page.source);
      chunk.events = this.#preparer.events(progress, this.#takeSlice(chunk, page), mapper, sink);
      break;
    }
    this.#recover(chunk.lane);
    return chunk.events !== undefined;
  }

  /** Takes the next slice from the chunk, whose first page this is. */
  #takeSlice({ lane, pages }: Chunk, page: StoredPage): StoredPage {
    const { count, bytes } = sliceOf(page, this.#slice);
    lane.taken += bytes;
    const isRest = count >= page.records.length;
    pages.splice(0, 1, ...(isRest ? [] : [partOf(page, count)]));
    return isRest ? page : partOf(page, 0, count);
  }

  async #endSlice(chunk: Chunk | undefined): Promise<void> {
    if (chunk?.events === undefined || chunk.lane.isGone) return;
    chunk.events = undefined;
    await this.#report(chunk.lane.progress);
  }

  async #report(progress: OpenLane): Promise<void> {
    this.#context.settler.add(progress);
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
