import type { AppendedPage, Journal, Lane, Position, StoredPage } from '../journal.ts';

interface Entry extends AppendedPage {
  /** Of its lane. */
  readonly key: string;
  readonly last: Position;
}

/** Record text that the daemon keeps parsed, bytes: some pages, for sinks that keep up; parsed they take several times that. */
export const pageCacheBytes = 8 * 2 ** 20;

/**
 * Keeps pages that were just appended parsed, so that a sink that keeps up reads no bytes. Holds at most about `maxBytes` of record text
 * (the objects take a few times that), oldest go first, and a page goes as soon as every sink that asked for lanes has settled it. What is
 * kept of a source goes when its owner changes: the journal may say something else at these positions by then.
 *
 * An engine without `onAppend` is returned as it is.
 */
export function withPageCache(journal: Journal, maxBytes: number): Journal {
  if (journal.onAppend === undefined) return journal;
  const cache = createCache(maxBytes);
  const listening = journal.onAppend((page) => cache.add(page));
  const forget = (sources: readonly string[]): void => cache.forget(sources);
  const watching = journal.ownership.watch({ gained: forget, lost: forget });
  return {
    ...journal,
    lanes(sink) {
      cache.watch(sink);
      return journal.lanes(sink);
    },
    read(sink, lane, after, limit) {
      const pages = cache.read(lane, after, limit);
      return pages.length > 0 ? Promise.resolve(pages) : journal.read(sink, lane, after, limit);
    },
    async settle(sink, lane, upTo, ...what) {
      await journal.settle(sink, lane, upTo, ...what);
      cache.settled(sink, lane, upTo);
    },
    async renameSource(from, to) {
      // Cached pages say the old name.
      cache.clear();
      await journal.renameSource(from, to);
    },
    [Symbol.asyncDispose]() {
      listening[Symbol.dispose]();
      watching[Symbol.dispose]();
      cache.clear();
      return journal[Symbol.asyncDispose]();
    },
  };
}

function createCache(maxBytes: number) {
  // Oldest first, as is what a lane has; a lane without any is not in it.
  const lanes = new Map<string, readonly Entry[]>();
  const order = new Set<Entry>();
  const progress = createProgress();
  let bytes = 0;

  // Looks at the lanes of what goes only: there may be thousands of others.
  function drop(gone: ReadonlySet<Entry>): void {
    for (const key of new Set(Array.from(gone, (entry) => entry.key))) {
      const left = lanes.get(key)?.filter((entry) => !gone.has(entry)) ?? [];
      if (left.length > 0) lanes.set(key, left);
      else lanes.delete(key);
    }
    for (const entry of gone) if (order.delete(entry)) bytes -= entry.textBytes;
  }
  return {
    add(page: AppendedPage): void {
      const last = page.page.positions.at(-1);
      if (last === undefined) return;
      const key = keyOf(page.lane);
      const known = lanes.get(key) ?? [];
      // A database that failed over may give the same positions once more.
      if (page.before < (known.at(-1)?.last ?? 0)) drop(new Set(known));
      if (page.textBytes > maxBytes) return;
      const entry = { ...page, key, last };
      lanes.set(key, [...(lanes.get(key) ?? []), entry]);
      order.add(entry);
      bytes += page.textBytes;
      drop(oldestBeyond(order, bytes - maxBytes));
    },
    watch: (sink: string): void => progress.watch(sink),
    read: (lane: Lane, after: Position, limit: number): StoredPage[] => readEntries(lanes.get(keyOf(lane)) ?? [], after, limit),
    settled(sink: string, lane: Lane, upTo: Position): void {
      const key = keyOf(lane);
      const all = progress.settled(sink, key, upTo);
      drop(new Set((lanes.get(key) ?? []).filter(({ last }) => last <= all)));
    },
    forget: (sources: readonly string[]): void => drop(new Set([...order].filter(({ lane }) => sources.includes(lane.source)))),
    clear: (): void => drop(new Set(order)),
  };
}

/** The oldest entries that together hold at least `excess` bytes. */
function oldestBeyond(order: Iterable<Entry>, excess: number): Set<Entry> {
  const gone = new Set<Entry>();
  let left = excess;
  for (const entry of order) {
    if (left <= 0) break;
    gone.add(entry);
    left -= entry.textBytes;
  }
  return gone;
}

/** How far every sink that asked has settled each lane. */
function createProgress() {
  const sinks = new Map<string, Map<string, number>>();
  return {
    watch(sink: string): void {
      if (!sinks.has(sink)) sinks.set(sink, new Map());
    },
    /** Returns what all of them have settled. */
    settled(sink: string, key: string, upTo: number): number {
      sinks.get(sink)?.set(key, upTo);
      return Math.min(...[...sinks.values()].map((offsets) => offsets.get(key) ?? 0));
    },
  };
}

function keyOf({ kind, source, job = 0 }: Lane): string {
  return `${kind}/${job}/${source}`;
}

function readEntries(entries: readonly Entry[], after: Position, limit: number): StoredPage[] {
  const pages: StoredPage[] = [];
  let at = after;
  let records = 0;
  for (const { before, last, page } of entries) {
    // An entry is of use when nothing lies between the place and its first record: what is missing has to be read.
    if (records >= limit || before > at) break;
    if (last <= at) continue;
    const rest = pageAfter(page, at);
    pages.push(rest);
    records += rest.records.length;
    at = last;
  }
  return pages;
}

function pageAfter(page: StoredPage, after: Position): StoredPage {
  const from = page.positions.findIndex((position) => position > after);
  return from <= 0 ? page : { ...page, records: page.records.slice(from), positions: page.positions.slice(from) };
}
