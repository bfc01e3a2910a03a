// What is known of a run from outside: what was handed out, what the journal said it has, what arrived where. Promises that can be checked at
// once are checked here; the oracle judges the rest at the end.
import { isDeepStrictEqual } from 'node:util';
import { canonicalJson, type Json } from '../../src/base/json.ts';
import type { Connector, RecordFacts } from '../../src/connectors/connector.ts';
import type { AppendedPage, Commit, Journal, Lane, NewDeadLetter, SettleCounts, StoredPage } from '../../src/journal/journal.ts';
import type { Entry } from './feed.ts';
import type { Copy } from './receivers.ts';

/** How a source is known to those who check; `entries` grows while the vendor logs. */
export interface KnownSource {
  readonly name: string;
  readonly connector: Connector;
  readonly tenant: string | undefined;
  readonly entries: readonly Entry[];
}

/** Which contents an id may stand for. */
interface Issued {
  readonly conflict: boolean;
  readonly contents: readonly Entry[];
}

/** Everything that was seen of a run. */
export interface Witness {
  /** Violations found so far, in words. */
  readonly problems: string[];
  /** Records that came in pages of which the journal said that it has them, by source; each content once. */
  readonly committed: ReadonlyMap<string, ReadonlyMap<string, Entry>>;
  /** Contents that a sink need not have, by {@link owedKey}: they were deleted before anybody was configured with it. */
  readonly notOwed: Set<string>;
  /** Contents that arrived at a sink, by source. */
  arrived(sink: string, source: string): ReadonlySet<string>;
  /** The content that stands behind a stored record; undefined for one that no vendor has. */
  contentOf(source: string, uid: string, record: Json): string | undefined;
  placeOf(source: string, uid: string): { readonly lane: string; readonly position: number } | undefined;
  onAppending(commit: Commit): void;
  onAppended(commit: Commit, answered: readonly Entry[]): void;
  /** A broker forgot records. */
  onForgotten(source: string, entries: readonly Entry[]): void;
  onRead(lane: Lane, page: StoredPage): void;
  onStored(page: AppendedPage): void;
  onSettled(sink: string, lane: Lane, upTo: number, letters: readonly NewDeadLetter[], counts: SettleCounts): void;
  onArrival(sink: string, copy: Copy, encoded: string): void;
  /** Compares a journal that was opened again with what its earlier process had been told is durable. */
  onReopened(journal: Journal): Promise<void>;
  /** A source was made to begin once more. */
  onReset(source: string, live: Json): void;
  problem(text: string): void;
}

/** Names one content of one record. */
export const contentKey = ({ uid, fingerprint }: RecordFacts): string => `${uid} ${fingerprint}`;

/** Names a content of a source that a sink is to have. */
export const owedKey = (sink: string, source: string, content: string): string => `${sink}\n${source}\n${content}`;

const mostProblems = 20;

/** Ids of all records of a source, with the contents that they may stand for. */
function openIssued(source: KnownSource): (uid: string) => Issued | undefined {
  const byUid = new Map<string, { conflict: boolean; contents: Entry[] }>();
  let indexed = 0;
  const put = (uid: string, conflict: boolean, entry: Entry): void => {
    const known = byUid.get(uid) ?? { conflict, contents: [] };
    known.contents.push(entry);
    byUid.set(uid, known);
  };
  return (uid) => {
    for (; indexed < source.entries.length; indexed += 1) {
      const entry = source.entries[indexed] as Entry;
      put(entry.facts.uid, false, entry);
      put(entry.facts.conflictUid, true, entry);
    }
    return byUid.get(uid);
  };
}

const wordOf = (value: unknown): string => (value === undefined ? 'nothing' : canonicalJson(value));

class Watching implements Witness {
  readonly problems: string[] = [];
  readonly committed: Map<string, Map<string, Entry>>;
  readonly notOwed = new Set<string>();
  readonly #clock: () => number;
  /** How much of what a source was answered last is durable, and how many appends were tried since. */
  readonly #parts = new Map<string, { readonly answered: readonly Entry[]; readonly done: number; appending: number }>();
  readonly #sources: ReadonlyMap<string, KnownSource>;
  readonly #issued: ReadonlyMap<string, (uid: string) => Issued | undefined>;
  readonly #arrived = new Map<string, Set<string>>();
  readonly #copies = new Map<string, Copy[]>();
  /** When the offset behind an event became durable, true time. */
  readonly #settled = new Map<string, number>();
  readonly #offsets = new Map<string, number>();
  readonly #places = new Map<string, Map<number, { readonly uid: string; readonly sure: boolean }>>();
  readonly #placeOf = new Map<string, { lane: string; position: number }>();
  readonly #appended = new Map<string, number>();
  readonly #accounted = new Map<string, number>();
  readonly #checkpoints = new Map<string, Set<string>>();
  readonly #events = new Map<Entry, Map<string, string>>();
  readonly #texts = new Map<Entry, string>();

  constructor(sources: readonly KnownSource[], clock: () => number) {
    this.#clock = clock;
    this.#sources = new Map(sources.map((source) => [source.name, source]));
    this.#issued = new Map(sources.map((source) => [source.name, openIssued(source)]));
    this.committed = new Map(sources.map(({ name }) => [name, new Map<string, Entry>()]));
  }

  problem(text: string): void {
    if (this.problems.length < mostProblems) this.problems.push(`${new Date(this.#clock()).toISOString()} ${text}`);
  }

  arrived(sink: string, source: string): ReadonlySet<string> {
    return this.#arrived.get(`${sink}\n${source}`) ?? new Set();
  }

  contentOf(source: string, uid: string, record: Json): string | undefined {
    const text = canonicalJson(record);
    const entry = this.#issued
      .get(source)?.(uid)
      ?.contents.find((one) => this.#textOf(one) === text);
    return entry === undefined ? undefined : contentKey(entry.facts);
  }

  #textOf(entry: Entry): string {
    const text = this.#texts.get(entry) ?? canonicalJson(entry.facts.record);
    this.#texts.set(entry, text);
    return text;
  }

  placeOf(source: string, uid: string): { readonly lane: string; readonly position: number } | undefined {
    return this.#placeOf.get(`${source}\n${uid}`);
  }

  onAppending({ source, checkpoint }: Commit): void {
    const part = this.#parts.get(source);
    if (part !== undefined) part.appending += 1;
    if (checkpoint === undefined) return;
    const key = `${source}\n${checkpoint.name}`;
    this.#checkpoints.set(key, (this.#checkpoints.get(key) ?? new Set(['nothing'])).add(wordOf(checkpoint.value ?? undefined)));
  }

  onAppended({ source, checkpoint, window, page }: Commit, answered: readonly Entry[]): void {
    if (checkpoint !== undefined)
      this.#checkpoints.set(`${source}\n${checkpoint.name}`, new Set([wordOf(checkpoint.value ?? undefined)]));
    if (window === undefined || window.fetched === 0) return;
    this.#appended.set(source, (this.#appended.get(source) ?? 0) + window.new);
    const stored = page?.records.length ?? 0;
    const durable = this.#partOf(source, answered, window.fetched, checkpoint !== undefined);
    if (stored !== window.new) this.problem(`source ${source}: ${window.new} records counted as new, ${stored} stored`);
    for (const entry of durable) this.committed.get(source)?.set(contentKey(entry.facts), entry);
  }

  /** What a commit made durable of an answer: all of it, or the next part where the disk had no room for more at once. */
  #partOf(source: string, answered: readonly Entry[], fetched: number, moves: boolean): readonly Entry[] {
    const known = this.#parts.get(source);
    const isNext = known?.answered === answered && known.done < answered.length;
    const tell = (done: number, all: number): void =>
      this.problem(`source ${source}: a page of ${all} records was committed as ${done}`);
    // An answer may stay unfinished only where an append failed behind its last part: this one is not the first that was tried since.
    if (known !== undefined && !isNext && known.done < known.answered.length && known.appending < 2)
      tell(known.done, known.answered.length);
    const from = isNext ? known.done : 0;
    const done = from + fetched;
    if (done > answered.length || (moves && done < answered.length)) tell(done, answered.length);
    this.#parts.set(source, { answered, done, appending: 0 });
    return answered.slice(from, done);
  }

  onForgotten(source: string, entries: readonly Entry[]): void {
    const lost = entries.filter(({ facts }) => this.committed.get(source)?.has(contentKey(facts)) !== true);
    if (lost.length > 0)
      this.problem(`source ${source}: ${lost.length} messages were acknowledged to the broker before they were durable`);
  }

  onRead(lane: Lane, { records, positions }: StoredPage): void {
    if (lane.kind !== 'replay')
      for (const [index, { uid }] of records.entries()) this.#place(lane, Number(positions[index]), uid, false);
  }

  onStored({ lane, page: { records, positions } }: AppendedPage): void {
    for (const [index, { uid }] of records.entries()) this.#place(lane, Number(positions[index]), uid, true);
  }

  onSettled(sink: string, lane: Lane, upTo: number, letters: readonly NewDeadLetter[], counts: SettleCounts): void {
    if (lane.kind === 'replay') return;
    const key = `${lane.source}/${lane.kind}`;
    const from = this.#offsets.get(`${sink} ${key}`) ?? 0;
    for (let at = from + 1; at <= upTo; at += 1) {
      const place = this.#places.get(key)?.get(at);
      const settledKey = place === undefined ? undefined : `${sink}\n${lane.source}\n${place.uid}`;
      if (settledKey !== undefined && !this.#settled.has(settledKey)) this.#settled.set(settledKey, this.#clock());
    }
    this.#offsets.set(`${sink} ${key}`, Math.max(from, upTo));
    const { acknowledged = 0, unconfirmed = 0, not_routed = 0 } = counts;
    this.#accounted.set(sink, (this.#accounted.get(sink) ?? 0) + acknowledged + unconfirmed + not_routed + letters.length);
  }

  onArrival(sink: string, copy: Copy, encoded: string): void {
    const key = `${sink}\n${copy.source}\n${copy.uid}`;
    const before = (this.#copies.get(key) ?? []).filter(({ doubt, replay }) => !doubt && !replay);
    this.#copies.set(key, [...(this.#copies.get(key) ?? []), copy]);
    this.#checkContent(sink, copy, encoded);
    if (copy.replay || before.length === 0) return;
    // What a process knew when it sent decides: not what its successor knew when the slow request of the dead one arrived, nor what it knew itself
    // when the octets arrived that it had given up waiting for.
    if (before.some(({ process, leftAt }) => process === copy.process && leftAt <= copy.leftAt))
      this.problem(`sink ${sink}: ${copy.uid} of ${copy.source} was sent again by a process that knew it was taken`);
    else if ((this.#settled.get(key) ?? Number.POSITIVE_INFINITY) <= copy.leftAt)
      this.problem(`sink ${sink}: ${copy.uid} of ${copy.source} was sent again after its offset was durable`);
  }

  async onReopened(journal: Journal): Promise<void> {
    const { sources, rows } = await journal.ledger();
    for (const [source, sure] of this.#appended) {
      const has = sources[source]?.new ?? 0;
      if (has < sure) this.problem(`the journal had confirmed ${sure} records of ${source} and came back with ${has}`);
      this.#appended.set(source, has);
    }
    for (const [sink, sure] of this.#accounted) {
      const totals = rows.filter((row) => row.sink === sink).map((row) => row.totals);
      const has = totals.reduce(
        (sum, t) => sum + t.acknowledged + t.unconfirmed + t.dead_lettered + t.not_routed + t.discarded + t.skipped,
        0,
      );
      // Letters that a retry delivers turn into acknowledged ones: the sum stays.
      if (has < sure) this.problem(`the journal had confirmed ${sure} settled records of ${sink} and came back with ${has}`);
      this.#accounted.set(sink, has);
    }
    await this.#checkCheckpoints(journal);
  }

  onReset(source: string, live: Json): void {
    this.#checkpoints.set(`${source}\nlive`, new Set([wordOf(live)]));
  }

  async #checkCheckpoints(journal: Journal): Promise<void> {
    for (const [key, allowed] of this.#checkpoints) {
      const [source = '', name = ''] = key.split('\n');
      const value = wordOf(await journal.checkpoint(source, name));
      if (!allowed.has(value))
        this.problem(`checkpoint ${name} of ${source} came back as ${value.slice(0, 300)}, which is not what was written last`);
      this.#checkpoints.set(key, new Set([value]));
    }
  }

  #place({ source, kind }: Lane, position: number, uid: string, sure: boolean): void {
    const lane = `${source}/${kind}`;
    const ofLane = this.#places.get(lane) ?? new Map<number, { uid: string; sure: boolean }>();
    this.#places.set(lane, ofLane);
    const known = ofLane.get(position);
    if (known?.sure === true && known.uid !== uid)
      this.problem(`position ${position} of lane ${lane} held ${known.uid}, and holds ${uid} now`);
    ofLane.set(position, { uid, sure: sure || known?.sure === true });
    this.#placeOf.set(`${source}\n${uid}`, { lane, position });
  }

  /** The event that is to be made of a content, without the time at which it is made. */
  #expected({ name, tenant, connector }: KnownSource, entry: Entry, conflict: boolean, replay: boolean): string {
    const { uid, conflictUid, record } = entry.facts;
    const known = this.#events.get(entry) ?? new Map<string, string>();
    this.#events.set(entry, known);
    const text = known.get(`${conflict} ${replay}`);
    if (text !== undefined) return text;
    const envelope = { uid: conflict ? conflictUid : uid, received: 0, record, ...(conflict ? { labels: ['id_conflict'] } : {}) };
    const labels = replay ? ['sim', 'replayed'] : ['sim'];
    const { event } = connector.mapper.map(envelope, { source: name, tenant, labels, processedTime: 0 });
    const made = JSON.stringify(event);
    known.set(`${conflict} ${replay}`, made);
    return made;
  }

  #checkContent(sink: string, { uid, source, replay }: Copy, encoded: string): void {
    const known = this.#sources.get(source);
    const issued = this.#issued.get(source)?.(uid);
    if (known === undefined || issued === undefined) {
      this.problem(`sink ${sink}: ${uid} of ${source} arrived, an id that was never issued`);
      return;
    }
    const got = JSON.parse(encoded) as { metadata: { processed_time: number } };
    got.metadata.processed_time = 0;
    const text = JSON.stringify(got);
    const entry = issued.contents.find((one) => {
      const expected = this.#expected(known, one, issued.conflict, replay);
      return text === expected || isDeepStrictEqual(got, JSON.parse(expected));
    });
    if (entry === undefined) {
      this.problem(`sink ${sink}: ${uid} of ${source} arrived changed: ${encoded.slice(0, 300)}`);
      return;
    }
    const key = `${sink}\n${source}`;
    this.#arrived.set(key, (this.#arrived.get(key) ?? new Set()).add(contentKey(entry.facts)));
  }
}

/** A witness of a run; `clock` gives the time that problems are noted with. */
export function openWitness(sources: readonly KnownSource[], clock: () => number): Witness {
  return new Watching(sources, clock);
}
