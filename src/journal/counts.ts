// The counters of the ledger: every list of them, every sum over them and every column that shows them derives from here. The
// tables' text in schema.ts is history and repeats them: a counter that is added here needs a migration there.

/** What a source counts. fetched = new + duplicate + excluded; unreadable and id_conflict are part of new. */
export const sourceCounters = ['fetched', 'new', 'duplicate', 'excluded', 'unreadable', 'id_conflict'] as const;

/** What became of a record for a sink, each record once: together with `pending` they make up the source's `new`. */
const outcomeCounters = [
  'acknowledged',
  'unconfirmed',
  'dead_lettered',
  'discarded',
  'not_routed',
  'skipped',
  'abandoned',
] as const;

/**
 * What is counted beside the balance: delivered again by a replay; may have arrived more than once, because an answer was lost or a
 * resend window was replayed.
 */
const extraCounters = ['replayed', 'possible_duplicates'] as const;

/** What the journal keeps of a sink and a source; `pending` is not kept, it is what the offsets say. */
export const storedSinkCounters = [...outcomeCounters, ...extraCounters] as const;

/** What the ledger says of a sink and a source, in the order in which it is shown. */
export const sinkCounters = [...outcomeCounters, 'pending', ...extraCounters] as const;

/** Counters by which a settle accounts for the records that it passes; its dead letters are the rest. */
export const settlingCounters = ['acknowledged', 'unconfirmed', 'not_routed'] as const;

export type StoredSinkCounter = (typeof storedSinkCounters)[number];

export type SourceTotals = Readonly<Record<(typeof sourceCounters)[number], number>>;

export type SinkTotals = Readonly<Record<(typeof sinkCounters)[number], number>>;

/** What one settle adds to the counters of a sink and a source. */
export type SettleCounts = Readonly<Partial<Record<(typeof settlingCounters)[number] | (typeof extraCounters)[number], number>>>;

type Counts<Name extends string> = Record<Name, number>;

function zeros<Name extends string>(names: readonly Name[]): Counts<Name> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Counts<Name>;
}

/** A source that has counted nothing; the caller's to change. */
export function zeroCounts(): Counts<keyof SourceTotals> {
  return zeros(sourceCounters);
}

/** A sink that has counted nothing; the caller's to change. */
export function zeroTotals(): Counts<keyof SinkTotals> {
  return zeros(sinkCounters);
}

/** Adds to each counter of `to`; what `more` does not name stays. */
export function addCounts<Name extends string>(to: Counts<Name>, more: Readonly<Partial<Counts<NoInfer<Name>>>>): void {
  for (const name of Object.keys(to) as Name[]) to[name] += more[name] ?? 0;
}

function sum<Name extends string>(counts: Readonly<Partial<Counts<Name>>>, names: readonly Name[]): number {
  return names.reduce((total, name) => total + (counts[name] ?? 0), 0);
}

/** What a source did with what it fetched: equal to `fetched`. */
export function sortedOut(counts: SourceTotals): number {
  return counts.new + counts.duplicate + counts.excluded;
}

/** What a sink accounts for: equal to the source's `new`. */
export function accountedFor(totals: SinkTotals): number {
  return totals.pending + sum(totals, outcomeCounters);
}

/** Records that the counts of a settle account for, without its dead letters. */
export function settledBy(counts: SettleCounts): number {
  return sum(counts, settlingCounters);
}

/** What of a row of the ledger `isBalanced` looks at. */
interface Balance {
  readonly totals: SinkTotals;
  readonly new: number;
  readonly letters: number;
}

/** Counters below zero: others would hide as much. */
export function negativeCounters(totals: SinkTotals): readonly StoredSinkCounter[] {
  return storedSinkCounters.filter((name) => totals[name] < 0);
}

/** Dead letters that are counted, and are not there. */
export const lettersLost = ({ totals, letters }: Balance): number => Math.max(0, totals.dead_lettered - letters);

/** True when a sink's row of the ledger accounts for every record of the source, and each dead letter that it counts is there. */
export function isBalanced(row: Balance): boolean {
  return row.new === accountedFor(row.totals) && negativeCounters(row.totals).length === 0 && lettersLost(row) === 0;
}
