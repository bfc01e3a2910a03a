// Actions that no row of the table knows, counted where records are counted: once per new record, in the commit that makes it durable.
import { isObject, type Json } from '../../base/json.ts';
import type { Connector, RecordFacts } from '../../connectors/connector.ts';

/** One unknown action of a source. */
interface UnknownAction {
  /** Normalised, as rows are found by. */
  readonly key: string;
  /** As the vendor spells it. */
  readonly action: string;
  readonly count: number;
  /** Times of the first and the last record, milliseconds: their own, or of receipt. */
  readonly first: number;
  readonly last: number;
}

/** What was counted of a source, as its note in the journal keeps it. */
interface UnknownCounts {
  readonly actions: readonly UnknownAction[];
  /** Records of further actions, which are only counted. */
  readonly others: number;
}

/** Name of the note with the counts. */
export const unknownActionsNote = 'unknown_actions';

/** Name of the note with the text of one record of the action at `index` of its actions, redacted and cut. */
export function unknownSampleNote(index: number): string {
  return `unknown_sample:${index}`;
}

// Whoever writes a vendor's records could otherwise fill memory and journal with invented actions.
const mostActions = 200;
const longestAction = 200;
const longestSample = 4_000;

const knownKeys = new WeakMap<Connector, ReadonlySet<string>>();

function keysOf(connector: Connector): ReadonlySet<string> {
  const known = knownKeys.get(connector) ?? new Set(connector.actions.flatMap(({ key, aliases = [] }) => [key, ...aliases]));
  knownKeys.set(connector, known);
  return known;
}

/** Reads a note; what is not of its shape is left out. */
export function parseUnknownCounts(value: Json): UnknownCounts {
  if (!isObject(value) || !Array.isArray(value['actions'])) return { actions: [], others: 0 };
  const actions = value['actions'].filter(isUnknownAction);
  return { actions, others: Number(value['others']) || 0 };
}

function isUnknownAction(value: unknown): value is UnknownAction {
  if (!isObject(value)) return false;
  const { key, action, count, first, last } = value;
  return typeof key === 'string' && typeof action === 'string' && [count, first, last].every((part) => typeof part === 'number');
}

/** What the status says of a source's unknown actions. */
export interface UnknownSummary {
  /** New records with such an action since the start. */
  readonly records: number;
  /** The most frequent ones, in all, as the vendor spells them. */
  readonly actions: readonly { readonly action: string; readonly count: number }[];
}

const mostTold = 10;

/** The unknown actions of one source. */
export class UnknownActions {
  #counts: UnknownCounts = { actions: [], others: 0 };
  #records = 0;

  /** What is to be noted once the new records are in: hand the counts to `take` when they are durable. Undefined when every action is known. */
  count(records: readonly RecordFacts[], connector: Connector, received: number): CountedActions | undefined {
    const known = keysOf(connector);
    const unknown = records.filter(({ actionKey }) => actionKey !== undefined && !known.has(actionKey));
    if (unknown.length === 0) return undefined;
    const { counts, samples } = countAll(this.#counts, unknown, known, received);
    return { counts, records: unknown.length, notes: { [unknownActionsNote]: counts, ...samples } };
  }

  take({ counts, records }: CountedActions): void {
    this.#counts = counts;
    this.#records += records;
  }

  /** Undefined when there are none. */
  summary(connector: Connector): UnknownSummary | undefined {
    const known = keysOf(connector);
    const unknown = this.#counts.actions.filter(({ key }) => !known.has(key));
    if (unknown.length === 0 && this.#records === 0) return undefined;
    const most = unknown.toSorted((a, b) => b.count - a.count).slice(0, mostTold);
    return { records: this.#records, actions: most.map(({ action, count }) => ({ action, count })) };
  }

  load(value: Json): void {
    this.#counts = parseUnknownCounts(value);
  }
}

interface CountedActions {
  readonly counts: UnknownCounts;
  readonly records: number;
  /** What makes them durable: {@link unknownActionsNote} and the samples. */
  readonly notes: Readonly<Record<string, Json>>;
}

function countAll(before: UnknownCounts, records: readonly RecordFacts[], known: ReadonlySet<string>, received: number) {
  const actions = [...before.actions];
  const places = new Map(actions.map(({ key }, index) => [key, index]));
  const samples: Record<string, Json> = {};
  let { others } = before;
  // Once there is no place, none becomes free: looked for once, however many actions a vendor makes up.
  let isFull = false;
  for (const facts of records) {
    const key = (facts.actionKey ?? '').slice(0, longestAction);
    const time = facts.time ?? received;
    const index = places.get(key);
    const entry = index === undefined ? undefined : actions[index];
    if (index !== undefined && entry !== undefined) {
      const { count, first, last } = entry;
      actions[index] = { ...entry, count: count + 1, first: Math.min(first, time), last: Math.max(last, time) };
      continue;
    }
    const free = isFull ? undefined : placeFor(actions, known);
    if (free === undefined) {
      isFull = true;
      others += 1;
      continue;
    }
    places.set(key, free);
    actions[free] = { key, action: (facts.action ?? key).slice(0, longestAction), count: 1, first: time, last: time };
    samples[unknownSampleNote(free)] = JSON.stringify(facts.record).slice(0, longestSample);
  }
  return { counts: { actions, others }, samples };
}

/** A free place, or that of an action which has got a row meanwhile. */
function placeFor(actions: readonly UnknownAction[], known: ReadonlySet<string>): number | undefined {
  if (actions.length < mostActions) return actions.length;
  const learned = actions.findIndex(({ key }) => known.has(key));
  return learned === -1 ? undefined : learned;
}
