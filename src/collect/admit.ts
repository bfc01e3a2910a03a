// From examined records to one commit: filter, deduplicate, leave out our own traces, count.

import { PenstockError } from '../base/errors.ts';
import type { Json, JsonText } from '../base/json.ts';
import { dayMs } from '../base/quantity.ts';
import { uuid } from '../base/random.ts';
import type { RecordFacts } from '../connectors/connector.ts';
import { addCounts, type SourceTotals, zeroCounts } from '../journal/counts.ts';
import type { Commit, NewPage, Seen, StoredRecord, WindowDelta } from '../journal/journal.ts';
import { untilAnswered } from '../journal/until-answered.ts';
import { isFiltered, type SourceContext } from './context.ts';
import { type ReadWindow, shortfallsAfter, shortfallsNote } from './memory/shortfalls.ts';
import type { Idle } from './memory/source-memory.ts';
import type { OwnRecords } from './own-records.ts';
import { remember } from './remember.ts';

/** Where a run of records belongs. */
export interface Place {
  readonly lane: 'live' | 'backfill';
  /** The ledger's row that counts them. Undefined: nothing is counted, only the checkpoint moves. */
  readonly row: Pick<WindowDelta, 'key' | 'from' | 'to' | 'complete'> | undefined;
  /** The checkpoint after them. */
  readonly checkpoint?: Commit['checkpoint'];
  /** The checkpoint after so many of them, for a part of them that is committed alone; without it the checkpoint stays meanwhile. */
  readonly partly?: (count: number) => Commit['checkpoint'];
  /** Windows up to this time were read before, milliseconds: a new record from there was late. */
  readonly closedUntil?: number | undefined;
  /** When nobody looked, before this look: what lies before it may have been there all the while. */
  readonly idle?: Idle | undefined;
  /** The window that they complete. */
  readonly read?: ReadWindow | undefined;
  /** Decides which records of our own making are left out. */
  readonly ownRecords?: Pick<OwnRecords, 'leavesOut'>;
}

/** Records per commit; a larger page is cut, and only its last part moves the checkpoint. */
const commitRecords = 5_000;
/** How long a commit is asked for again when its answer is lost; then the poll fails, and the next one goes on from what is durable. */
const answerWithinMs = 5_000;

/** Day of a record's own time, counted from the epoch; 0 without one. */
export const dayOf = (time: number | undefined): number => (time === undefined ? 0 : Math.floor(time / dayMs));

/**
 * Commits examined records with the checkpoint after them. A part that finds no room is cut in halves, so that a page larger than the
 * journal's free space goes in as far as it can. Rejects with the journal's error; then nothing of the last part is durable and the
 * checkpoint stands where it stood.
 */
export async function admit(context: SourceContext, facts: readonly RecordFacts[], place: Place): Promise<SourceTotals> {
  const total = zeroCounts();
  let size = commitRecords;
  for (let start = 0; start === 0 || start < facts.length; ) {
    const part = facts.slice(start, start + size);
    try {
      addCounts(total, await commitPart(context, part, placeOf(place, start + part.length, facts.length)));
      start += Math.max(1, part.length);
    } catch (error) {
      if (part.length < 2 || !(error instanceof PenstockError && error.code === 'PEN_JOURNAL_FULL')) throw error;
      size = Math.ceil(part.length / 2);
    }
  }
  return total;
}

interface PartPlace extends Place {
  readonly isLast: boolean;
}

/** The place of a part that ends after so many of all records. */
function placeOf({ checkpoint, partly, ...place }: Place, count: number, all: number): PartPlace {
  const isLast = count >= all;
  const after = isLast ? checkpoint : partly?.(count);
  return { ...place, isLast, ...(after === undefined ? {} : { checkpoint: after }) };
}

async function commitPart(
  context: SourceContext,
  facts: readonly RecordFacts[],
  { isLast, ...place }: PartPlace,
): Promise<SourceTotals> {
  const { journal, seams, settings, memory } = context;
  const kept = facts.filter((item) => !isFiltered(context, item));
  return memory.commits.run(async () => {
    const known = await lookUp(context, kept);
    const received = seams.clock.now();
    const sorted = sort(context, facts, kept, place, { received, known });
    const shortfalls =
      isLast && place.read !== undefined ? shortfallsAfter(memory.shortfalls, place.read, received) : memory.shortfalls;
    const unknown = memory.unknown.count(sorted.fresh, settings.connector, received);
    const notes = { ...unknown?.notes, ...(shortfalls === memory.shortfalls ? {} : { [shortfallsNote]: shortfalls }) };
    const commit = commitOf(context, sorted, place, { received, isLast, notes });
    await untilAnswered(() => journal.append(commit), seams, answerWithinMs);
    if (unknown !== undefined) memory.unknown.take(unknown);
    memory.shortfalls = shortfalls;
    remember(context, { ...sorted, kept, received });
    return sorted.counts;
  });
}

/** The attempt is made here, once, so that the commit can be asked for again. */
function commitOf(
  context: SourceContext,
  sorted: Sorted,
  place: Place,
  { received, isLast, notes }: { readonly received: number; readonly isLast: boolean; readonly notes: Commit['notes'] },
): Commit {
  return {
    source: context.settings.name,
    attempt: uuid(context.seams.random),
    ...pageOf(context, place.lane, sorted),
    ...(place.checkpoint === undefined ? {} : { checkpoint: place.checkpoint }),
    ...(sorted.seen.length > 0 ? { seen: sorted.seen } : {}),
    ...windowOf(place, sorted.counts, isLast),
    ...notesOf(context, sorted, received, isLast, notes),
  };
}

/** Fingerprints that are known of an id: nearly always one, but a vendor may give all records the same id. */
type Known = string | Set<string>;

const isKnown = (known: Known | undefined, fingerprint: string): boolean =>
  typeof known === 'string' ? known === fingerprint : known?.has(fingerprint) === true;

function withOneMore(known: Known | undefined, fingerprint: string): Known {
  if (known === undefined) return fingerprint;
  return typeof known === 'string' ? new Set([known, fingerprint]) : known.add(fingerprint);
}

/** Fingerprints that are known of the facts' ids, those ids only of which any is. */
async function lookUp({ journal, settings }: SourceContext, facts: readonly RecordFacts[]): Promise<Map<string, Known>> {
  if (facts.length === 0) return new Map();
  const found = await journal.seen(
    settings.name,
    facts.map(({ time, uid }) => ({ day: dayOf(time), id: uid })),
  );
  const known = new Map<string, Known>();
  for (const [index, item] of facts.entries()) {
    const fingerprints = found[index] ?? [];
    const [first] = fingerprints;
    if (first === undefined) continue;
    const key = seenKey(item);
    if (!known.has(key)) known.set(key, fingerprints.length === 1 ? first : new Set(fingerprints));
  }
  return known;
}

const seenKey = (facts: RecordFacts): string => `${dayOf(facts.time)}:${facts.uid}`;

interface Sorted {
  readonly counts: SourceTotals;
  readonly records: StoredRecord[];
  /** Facts of the records, in their order. */
  readonly fresh: RecordFacts[];
  readonly seen: Seen[];
  readonly minTime: number;
  readonly maxTime: number;
}

interface Sorting {
  readonly received: number;
  /** Fingerprints known per (day, id), those of this commit included as they are met. */
  readonly known: Map<string, Known>;
}

function sort(
  context: SourceContext,
  all: readonly RecordFacts[],
  kept: readonly RecordFacts[],
  place: Place,
  { received, known }: Sorting,
): Sorted {
  const counts = { ...zeroCounts(), fetched: all.length, excluded: all.length - kept.length };
  const records: StoredRecord[] = [];
  const fresh: RecordFacts[] = [];
  const seen: Seen[] = [];
  let [minTime, maxTime] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const facts of kept) {
    const key = seenKey(facts);
    const fingerprints = known.get(key);
    if (isKnown(fingerprints, facts.fingerprint)) {
      counts.duplicate += 1;
      continue;
    }
    if (place.ownRecords?.leavesOut(facts) === true) {
      counts.excluded += 1;
      continue;
    }
    const isConflict = fingerprints !== undefined;
    known.set(key, withOneMore(fingerprints, facts.fingerprint));
    seen.push({ day: dayOf(facts.time), id: facts.uid, fingerprint: facts.fingerprint });
    records.push(new FreshRecord(facts, received, isConflict));
    fresh.push(facts);
    counts.new += 1;
    if (isConflict) counts.id_conflict += 1;
    if (isUnreadable(facts)) counts.unreadable += 1;
    const time = facts.time ?? received;
    minTime = Math.min(minTime, time);
    maxTime = Math.max(maxTime, time);
    noteLateness(context, facts, { received, place, isConflict });
  }
  return { counts, records, fresh, seen, minTime, maxTime };
}

// The mapper labels both; a missing action is not stored as unreadable, because a repaired connector may find it at replay.
const isUnreadable = ({ unreadable, actionKey }: RecordFacts): boolean => unreadable !== undefined || actionKey === undefined;

/** A new record on its way into the journal. */
class FreshRecord implements StoredRecord {
  readonly uid: string;
  readonly received: number;
  declare readonly unreadable?: string;
  declare readonly labels?: readonly string[];
  readonly #facts: RecordFacts;

  constructor(facts: RecordFacts, received: number, isConflict: boolean) {
    const labels = isConflict ? [...(facts.labels ?? []), 'id_conflict'] : facts.labels;
    this.uid = isConflict ? facts.conflictUid : facts.uid;
    this.received = received;
    if (facts.unreadable !== undefined) this.unreadable = facts.unreadable;
    if (labels !== undefined && labels.length > 0) this.labels = labels;
    this.#facts = facts;
  }

  get json(): JsonText | undefined {
    return this.#facts.json;
  }

  get record(): Json {
    return this.#facts.record;
  }
}

function noteLateness(
  { memory }: SourceContext,
  facts: RecordFacts,
  { received, place, isConflict }: { received: number; place: Pick<Place, 'closedUntil' | 'idle'>; isConflict: boolean },
): void {
  const { closedUntil, idle } = place;
  if (closedUntil === undefined || facts.time === undefined) return;
  // The record's time is the vendor's: how far the clocks are apart is no lateness.
  const shownAt = received + (memory.vendorClock.skewMs ?? 0);
  if (facts.time > closedUntil) {
    memory.lateness.onTime();
    return;
  }
  memory.late += 1;
  if (isConflict) memory.changed += 1;
  const idleMs = idle !== undefined && facts.time <= idle.from ? idle.ms : 0;
  memory.lateness.late(Math.max(1, shownAt - idleMs - facts.time));
}

function pageOf({ settings }: SourceContext, lane: NewPage['lane'], { records, minTime, maxTime }: Sorted): { page?: NewPage } {
  if (records.length === 0) return {};
  const { name, hash, text } = settings.connector;
  const tenant = settings.tenant === undefined ? {} : { tenant: settings.tenant };
  return { page: { lane, connector: { name, hash, text }, ...tenant, labels: settings.labels, minTime, maxTime, records } };
}

function windowOf({ lane, row }: Place, counts: SourceTotals, isLast: boolean): Pick<Commit, 'window'> {
  if (row === undefined) return {};
  const { complete, ...range } = row;
  return { window: { ...range, lane, ...counts, ...(isLast && complete === true ? { complete } : {}) } };
}

function notesOf(
  { memory, settings }: SourceContext,
  { counts, maxTime }: Sorted,
  received: number,
  isLast: boolean,
  unknown: Commit['notes'],
): Pick<Commit, 'notes'> {
  const notes: Record<string, unknown> = { ...unknown };
  const lateness = memory.lateness.report();
  if (counts.new > 0) notes['activity'] = [received, Math.max(memory.newestTime ?? maxTime, maxTime)];
  // With each page, from the first on: the vendor shows what these requests left behind later, maybe to a process after this one.
  if (settings.connector.records.tellSelfMade === true) notes['requests'] = memory.requests.toJson();
  if (isLast && lateness !== undefined) notes['lateness'] = lateness;
  return Object.keys(notes).length === 0 ? {} : { notes };
}
