// A lane is read in chunks; a chunk is walked to its end before another lane of its kind has its turn, so at most one chunk per kind
// is in memory. A lane found empty is dry until something is appended; one that cannot be read or mapped rests while others go on.
import type { Clock } from '../base/clock.ts';
import { explain } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { fullJitterMs, type Random } from '../base/random.ts';
import type { Secrets } from '../base/secrets.ts';
import type { Signal } from '../base/signal.ts';
import type { Mapper } from '../event/event.ts';
import type { Journal, Lane, LaneKind, LaneState, StoredPage } from '../journal/journal.ts';
import type { Sink } from '../sinks/sink.ts';
import { createLaneProgress, type LaneProgress } from './lane.ts';
import type { Item, PageWalk, Unsendable } from './prepare.ts';

/** Reads a sink's lanes, each kind in turn. */
export interface LaneReader {
  /** Something may have been appended. */
  stale(): void;
  /** The next event of the kind's open chunk, without taking it; undefined at its end. */
  peek(kind: LaneKind): Item | Unsendable | undefined;
  take(kind: LaneKind): void;
  /** Opens the next page of the kind; false when there is nothing to read now. */
  open(kind: LaneKind, sink: Sink): Promise<boolean>;
  /** Asks the journal for the lanes; rejects as it does. */
  refresh(): Promise<void>;
  forget(lane: LaneProgress): void;
  /** Records in memory that are not settled. */
  openRecords(): number;
  /** Records of live and backfill lanes, and of replays, that wait: listed at the last refresh, less what was settled since. */
  pending(): number;
  /** A lane's settlement of `records` is durable. */
  settled(lane: LaneProgress, records: number): void;
  /** Receipt of the oldest live record that is not settled, milliseconds, as far as it was read or listed. */
  oldestLive(): number | undefined;
  /** Lanes that cannot be read at the moment, with the reason. */
  troubles(): readonly string[];
}

export interface LaneReaderDeps {
  readonly sink: string;
  readonly journal: Pick<Journal, 'lanes' | 'read'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly changed: Signal;
  readonly secrets: Secrets;
  /** Records per read. */
  readonly chunk: number;
  /** Most records of one lane in memory. */
  readonly laneCap: number;
  readonly routes: (source: string) => boolean;
  readonly mapperFor: (page: StoredPage) => Promise<Mapper>;
  readonly walk: (lane: LaneProgress, page: StoredPage, mapper: Mapper, sink: Sink) => PageWalk;
  /** A page was walked to its end. */
  readonly onPageEnd: (lane: LaneProgress) => Promise<void>;
}

interface Track {
  progress: LaneProgress;
  dry: boolean;
  failures: number;
  isResting: boolean;
  trouble: string | undefined;
}

interface Chunk {
  readonly track: Track;
  readonly pages: StoredPage[];
  walk: PageWalk | undefined;
  next: Item | Unsendable | undefined;
}

const restBaseMs = 1000;
const restMaxMs = 60_000;

function keyOf({ kind, source, job }: Lane): string {
  return `${kind}\n${job ?? ''}\n${source}`;
}

class Reader implements LaneReader {
  readonly #deps: LaneReaderDeps;
  // A Map keeps the order of insertion: a lane that had its turn goes to the end.
  readonly #tracks = new Map<string, Track>();
  readonly #chunks = new Map<LaneKind, Chunk>();
  #listed: readonly LaneState[] = [];
  #pending = new Map<string, number>();
  #isStale = true;

  constructor(deps: LaneReaderDeps) {
    this.#deps = deps;
  }

  stale(): void {
    this.#isStale = true;
    for (const track of this.#tracks.values()) track.dry = false;
  }

  peek(kind: LaneKind): Item | Unsendable | undefined {
    const chunk = this.#chunks.get(kind);
    if (chunk === undefined) return undefined;
    chunk.next ??= chunk.walk?.();
    return chunk.next;
  }

  take(kind: LaneKind): void {
    const chunk = this.#chunks.get(kind);
    if (chunk !== undefined) chunk.next = undefined;
  }

  async open(kind: LaneKind, sink: Sink): Promise<boolean> {
    if (this.#isStale) await this.refresh();
    for (;;) {
      const chunk = this.#chunks.get(kind) ?? (await this.#nextChunk(kind));
      if (chunk === undefined) return false;
      this.#chunks.set(kind, chunk);
      try {
        if (await this.#advance(chunk, sink)) return true;
      } catch (error) {
        this.#rest(chunk.track, error);
      }
      this.#chunks.delete(kind);
    }
  }

  async refresh(): Promise<void> {
    this.#isStale = false;
    try {
      this.#adopt(await this.#deps.journal.lanes(this.#deps.sink));
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  forget(lane: LaneProgress): void {
    for (const [key, track] of this.#tracks) if (track.progress === lane) this.#tracks.delete(key);
    const chunk = this.#chunks.get(lane.kind);
    if (chunk?.track.progress === lane) this.#chunks.delete(lane.kind);
  }

  openRecords(): number {
    return [...this.#tracks.values()].reduce((sum, { progress }) => sum + progress.open, 0);
  }

  pending(): number {
    return [...this.#pending.values()].reduce((sum, records) => sum + records, 0);
  }

  settled({ lane }: LaneProgress, records: number): void {
    const key = keyOf(lane);
    this.#pending.set(key, Math.max(0, (this.#pending.get(key) ?? 0) - records));
  }

  oldestLive(): number | undefined {
    const times = [...this.#tracks.values()]
      .filter(({ progress }) => progress.kind === 'live')
      .map(({ progress }) => progress.oldestOpen());
    for (const { lane, oldestReceived } of this.#listed) {
      const track = this.#tracks.get(keyOf(lane));
      if (lane.kind === 'live' && track?.dry !== true && (track?.progress.open ?? 0) === 0) times.push(oldestReceived);
    }
    const known = times.filter((received) => received !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  troubles(): readonly string[] {
    const troubled = [...this.#tracks.values()].filter(({ trouble }) => trouble !== undefined);
    return troubled.map(
      ({ trouble, progress }) => `${progress.kind} records of ${progress.lane.source} cannot be read: ${trouble}`,
    );
  }

  #isIdle(track: Track): boolean {
    return track.progress.open === 0 && ![...this.#chunks.values()].some((chunk) => chunk.track === track);
  }

  #adopt(states: readonly LaneState[]): void {
    this.#listed = states;
    this.#pending = new Map(states.map(({ lane, pending }) => [keyOf(lane), pending]));
    for (const { lane, offset } of states) {
      const track = this.#tracks.get(keyOf(lane));
      if (track === undefined)
        this.#tracks.set(keyOf(lane), {
          progress: createLaneProgress(lane, offset),
          dry: false,
          failures: 0,
          isResting: false,
          trouble: undefined,
        });
      else if (offset > track.progress.after && this.#isIdle(track)) track.progress = createLaneProgress(lane, offset);
    }
    for (const [key, track] of this.#tracks) if (!this.#pending.has(key) && this.#isIdle(track)) this.#tracks.delete(key);
  }

  #rest(track: Track, error: unknown): void {
    const { clock, random, log, changed, secrets } = this.#deps;
    const { lane, kind } = track.progress;
    const ms = 1 + fullJitterMs(random, track.failures, restBaseMs, restMaxMs);
    if (track.failures === 0)
      log.error({ err: error, source: lane.source, lane: kind }, 'lane cannot be read; other lanes go on');
    track.failures += 1;
    track.trouble = secrets.scrub(explain(error));
    track.isResting = true;
    clock.timer(ms, () => {
      track.isResting = false;
      changed.notify();
    });
  }

  #recover(track: Track): void {
    if (track.failures > 0)
      this.#deps.log.info({ source: track.progress.lane.source, lane: track.progress.kind }, 'lane is read again');
    track.failures = 0;
    track.trouble = undefined;
  }

  async #nextChunk(kind: LaneKind): Promise<Chunk | undefined> {
    for (const [key, track] of [...this.#tracks].filter(([, track]) => this.#isReadable(track, kind))) {
      try {
        const chunk = await this.#read(key, track);
        if (chunk !== undefined) return chunk;
      } catch (error) {
        this.#rest(track, error);
      }
    }
    return undefined;
  }

  #isReadable({ progress, dry, isResting }: Track, kind: LaneKind): boolean {
    return progress.kind === kind && !dry && progress.open < this.#deps.laneCap && !isResting;
  }

  async #read(key: string, track: Track): Promise<Chunk | undefined> {
    const { journal, sink, chunk } = this.#deps;
    const { lane, after } = track.progress;
    const pages = await journal.read(sink, lane, after, chunk);
    this.#tracks.delete(key);
    this.#tracks.set(key, track);
    track.dry = pages.length === 0;
    return track.dry ? undefined : { track, pages: [...pages], walk: undefined, next: undefined };
  }

  /** Moves the chunk on to its next page that has something for the sink; false at its end. */
  async #advance(chunk: Chunk, sink: Sink): Promise<boolean> {
    const { onPageEnd, routes, mapperFor, walk } = this.#deps;
    const { progress } = chunk.track;
    if (chunk.walk !== undefined) await onPageEnd(progress);
    chunk.walk = undefined;
    for (let page = chunk.pages[0]; page !== undefined; page = chunk.pages[0]) {
      if (routes(page.source)) {
        const mapper = await mapperFor(page);
        chunk.pages.shift();
        chunk.walk = walk(progress, page, mapper, sink);
        this.#recover(chunk.track);
        return true;
      }
      chunk.pages.shift();
      skip(progress, page);
      await onPageEnd(progress);
    }
    this.#recover(chunk.track);
    return false;
  }
}

function skip(lane: LaneProgress, page: StoredPage): void {
  const slotAt = lane.add(page);
  for (const index of page.records.keys()) slotAt(index).settle('not_routed');
}

/** A reader that knows no lanes yet. */
export function createLaneReader(deps: LaneReaderDeps): LaneReader {
  return new Reader(deps);
}
