// From raw records to one commit: filter, deduplicate, leave out our own traces, count.
import { PenstockError } from '../base/errors.ts';
import type { RawRecord, RecordFacts } from '../connectors/connector.ts';
import { boundDepth } from '../event/index.ts';
import { addCounts, type SourceTotals, zeroCounts } from '../journal/counts.ts';
import type { Commit, NewPage, Seen, StoredRecord } from '../journal/journal.ts';
import type { SourceContext } from './context.ts';

/** Decides which self-made records are left out. One per walk. */
export interface SelfGuard {
  /** True when the record may be left out as our own doing. */
  leavesOut(facts: RecordFacts): boolean;
}

/** Where a run of records belongs. */
export interface Admission {
  readonly lane: 'live' | 'backfill';
  readonly window: { readonly key: string; readonly from: number | null; readonly to: number | null };
  readonly checkpoint?: Commit['checkpoint'];
  /** True for the commit that completes the window. */
  readonly complete?: boolean;
  readonly selfGuard?: SelfGuard;
  /** Windows up to this time were walked before: a new record from there was late. */
  readonly closedUntil?: number;
}

export type AdmissionCounts = SourceTotals;

/** Records per commit; a larger page is cut, and only its last part moves the checkpoint. */
const commitRecords = 5_000;
/** Records examined before other work gets a turn: examining hashes, and the event loop must not stall. */
const examineRecords = 250;
const dayMs = 86_400_000;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Facts of raw records, in order; gives way to other work between slices. */
export async function examineAll(c: SourceContext, raws: readonly RawRecord[]): Promise<RecordFacts[]> {
  const facts: RecordFacts[] = [];
  for (const raw of raws) {
    if (facts.length > 0 && facts.length % examineRecords === 0) await nextTurn();
    facts.push(examine(c, raw));
  }
  return facts;
}

// One record that breaks the rules (nested deeper than the stack, say) must not stop the source: it goes on as what text it has.
function examine({ settings, log }: SourceContext, raw: RawRecord): RecordFacts {
  const { records } = settings.connector;
  try {
    return records.examine(raw, settings.tenant);
  } catch (error) {
    const reason = `the record could not be examined: ${error instanceof Error ? error.message : String(error)}`;
    log.warn({ err: error }, 'a record could not be examined, it is kept as text');
    return records.examine({ ...raw, value: textOf(raw.value), unreadable: raw.unreadable ?? reason }, settings.tenant);
  }
}

function textOf(value: unknown): string {
  try {
    return typeof value === 'string' ? value : JSON.stringify(boundDepth(value));
  } catch (error) {
    return `[${typeof value} without text: ${error instanceof Error ? error.message : String(error)}]`;
  }
}

/** Day of a record's own time, counted from the epoch; 0 without one. */
export const dayOf = (time: number | undefined): number => (time === undefined ? 0 : Math.floor(time / dayMs));

interface Sorted {
  readonly counts: AdmissionCounts;
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
  readonly known: Map<string, Set<string>>;
}

const seenKey = (facts: RecordFacts): string => `${dayOf(facts.time)}:${facts.uid}`;

// The mapper labels both; a missing action is not stored as unreadable, because a repaired connector may find it at replay.
const isUnreadable = ({ unreadable, actionKey }: RecordFacts): boolean => unreadable !== undefined || actionKey === undefined;

function store(facts: RecordFacts, received: number, conflict: boolean): StoredRecord {
  return {
    uid: conflict ? facts.conflictUid : facts.uid,
    received,
    record: facts.record,
    ...(facts.unreadable === undefined ? {} : { unreadable: facts.unreadable }),
    ...(conflict ? { labels: ['id_conflict'] } : {}),
  };
}

function sort(
  c: SourceContext,
  all: readonly RecordFacts[],
  kept: ReadonlySet<RecordFacts>,
  admission: Admission,
  { received, known }: Sorting,
): Sorted {
  const counts = { ...zeroCounts(), fetched: all.length, excluded: all.length - kept.size };
  const records: StoredRecord[] = [];
  const fresh: RecordFacts[] = [];
  const seen: Seen[] = [];
  let [minTime, maxTime] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const facts of kept) {
    const key = seenKey(facts);
    const fingerprints = known.get(key) ?? new Set<string>();
    if (fingerprints.has(facts.fingerprint)) {
      counts.duplicate += 1;
      continue;
    }
    if (admission.selfGuard?.leavesOut(facts) === true) {
      counts.excluded += 1;
      continue;
    }
    const conflict = fingerprints.size > 0;
    known.set(key, fingerprints.add(facts.fingerprint));
    seen.push({ day: dayOf(facts.time), id: facts.uid, fingerprint: facts.fingerprint });
    records.push(store(facts, received, conflict));
    fresh.push(facts);
    counts.new += 1;
    if (conflict) counts.id_conflict += 1;
    if (isUnreadable(facts)) counts.unreadable += 1;
    const time = facts.time ?? received;
    minTime = Math.min(minTime, time);
    maxTime = Math.max(maxTime, time);
    noteLateness(c, facts, received, admission.closedUntil);
  }
  return { counts, records, fresh, seen, minTime, maxTime };
}

function noteLateness({ memory }: SourceContext, facts: RecordFacts, received: number, closedUntil: number | undefined): void {
  if (closedUntil === undefined || facts.time === undefined) return;
  // The record's time is the vendor's: how far the clocks are apart is no lateness.
  const shownAt = received + (memory.skew?.ms ?? 0);
  if (facts.time <= closedUntil) memory.lateness.late(Math.max(1, shownAt - facts.time));
  else memory.lateness.onTime(1);
}

function pageOf({ settings }: SourceContext, lane: NewPage['lane'], { records, minTime, maxTime }: Sorted): { page?: NewPage } {
  if (records.length === 0) return {};
  const { name, hash, text } = settings.connector;
  const tenant = settings.tenant === undefined ? {} : { tenant: settings.tenant };
  return { page: { lane, connector: { name, hash, text }, ...tenant, labels: settings.labels, minTime, maxTime, records } };
}

function notesOf(
  { memory }: SourceContext,
  sorted: Sorted,
  received: number,
  last: boolean,
  lateBefore: unknown,
  unknown: Commit['notes'],
): Pick<Commit, 'notes'> {
  const notes: Record<string, unknown> = { ...unknown };
  if (sorted.counts.new > 0) notes['activity'] = [received, Math.max(memory.newestTime ?? sorted.maxTime, sorted.maxTime)];
  if (last && memory.meetsOwnRecords) notes['requests'] = memory.requests.toJson();
  if (last && lateBefore !== undefined) notes['lateness'] = memory.lateness.toJson();
  return Object.keys(notes).length === 0 ? {} : { notes };
}

async function lookUp({ deps, settings }: SourceContext, kept: ReadonlySet<RecordFacts>): Promise<Map<string, Set<string>>> {
  const facts = [...kept];
  if (facts.length === 0) return new Map();
  const found = await deps.journal.seen(
    settings.name,
    facts.map(({ time, uid }) => ({ day: dayOf(time), id: uid })),
  );
  return new Map(facts.map((item, i) => [seenKey(item), new Set(found[i])]));
}

async function commitSlice(
  c: SourceContext,
  facts: readonly RecordFacts[],
  admission: Admission,
  last: boolean,
): Promise<AdmissionCounts> {
  const { deps, settings, memory } = c;
  const kept = new Set(facts.filter((item) => !c.isFiltered(item)));
  return memory.lock.run(async () => {
    const known = await lookUp(c, kept);
    const received = deps.seams.clock.now();
    const sorted = sort(c, facts, kept, admission, { received, known });
    const unknown = memory.unknown.stage(sorted.fresh, settings.connector, received);
    await deps.journal.append({
      source: settings.name,
      ...pageOf(c, admission.lane, sorted),
      ...(last && admission.checkpoint !== undefined ? { checkpoint: admission.checkpoint } : {}),
      ...(sorted.seen.length > 0 ? { seen: sorted.seen } : {}),
      window: {
        ...admission.window,
        lane: admission.lane,
        ...sorted.counts,
        ...(last && admission.complete === true ? { complete: true } : {}),
      },
      ...notesOf(c, sorted, received, last, memory.lateness.report(), unknown?.notes),
    });
    unknown?.apply();
    remember(c, sorted, received);
    return sorted.counts;
  });
}

function remember({ counts, memory }: SourceContext, sorted: Sorted, received: number): void {
  addCounts(counts, sorted.counts);
  if (sorted.counts.new === 0) return;
  memory.lastEvent = received;
  memory.newestTime = Math.max(memory.newestTime ?? sorted.maxTime, sorted.maxTime);
}

/**
 * Commits examined records with the checkpoint behind them. A part that finds no room is cut in halves, so that a page larger than the
 * journal's free space goes in as far as it can. Rejects with the journal's error; then nothing of the last part is durable and the
 * checkpoint stands where it stood.
 */
export async function admit(c: SourceContext, facts: readonly RecordFacts[], admission: Admission): Promise<AdmissionCounts> {
  const total = zeroCounts();
  let size = commitRecords;
  for (let start = 0; start === 0 || start < facts.length; ) {
    const part = facts.slice(start, start + size);
    try {
      const counts = await commitSlice(c, part, admission, start + part.length >= facts.length);
      addCounts(total, counts);
      start += Math.max(1, part.length);
    } catch (error) {
      if (part.length < 2 || !(error instanceof PenstockError && error.code === 'PEN_JOURNAL_FULL')) throw error;
      size = Math.ceil(part.length / 2);
    }
  }
  return total;
}
