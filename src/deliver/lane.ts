// Every record that was read is open until it has an outcome. Outcomes come in any order; the offset moves over the contiguous run of
// records at the front that have one. A settlement that was taken stays the current one until the journal has it.
import type { Lane, LaneKind, NewDeadLetter, Position, StoredPage } from '../journal/journal.ts';

/** What became of a record. */
export type Outcome = 'acknowledged' | 'unconfirmed' | 'not_routed' | NewDeadLetter;

/** What is handed to the journal's `settle`, with the number of records it covers. */
export interface Settlement {
  readonly upTo: Position;
  readonly records: number;
  readonly letters: readonly NewDeadLetter[];
  /** Of `letters`: those that were none before; the others were refused once more. */
  readonly newLetters: number;
  readonly acknowledged: number;
  readonly unconfirmed: number;
  readonly notRouted: number;
  readonly possibleDuplicates: number;
  /** Letters of a lane over dead letters that were delivered at last. */
  readonly resolved: readonly number[];
}

interface PageProgress {
  readonly page: StoredPage;
  readonly outcomes: (Outcome | undefined)[];
  settled: number;
}

/** A place for one record's outcome. */
export interface Slot {
  readonly lane: LaneProgress;
  readonly page: StoredPage;
  readonly index: number;
  /** Sets the outcome, once. */
  settle(outcome: Outcome): void;
}

/** One sink's way through one lane. */
export interface LaneProgress {
  readonly lane: Lane;
  readonly kind: LaneKind;
  /** Reading goes on after it. */
  readonly after: Position;
  /** Records read and not yet settled in the journal. */
  readonly open: number;
  /** Adds a page that was read; gives a slot for each of its records. */
  add(page: StoredPage): (index: number) => Slot;
  /** Events that were sent twice, to be counted with the next settlement. */
  addDuplicates(count: number): void;
  /** What can be settled now; the same again until {@link committed}. */
  take(): Settlement | undefined;
  committed(): void;
  /** Receipt of the oldest record without an outcome, milliseconds. */
  oldestOpen(): number | undefined;
}

interface Draft {
  upTo: Position;
  records: number;
  letters: NewDeadLetter[];
  newLetters: number;
  acknowledged: number;
  unconfirmed: number;
  notRouted: number;
  possibleDuplicates: number;
  resolved: number[];
}

function emptyDraft(upTo: Position, possibleDuplicates: number): Draft {
  return {
    upTo,
    records: 0,
    letters: [],
    newLetters: 0,
    acknowledged: 0,
    unconfirmed: 0,
    notRouted: 0,
    possibleDuplicates,
    resolved: [],
  };
}

function count(draft: Draft, page: StoredPage, index: number, outcome: Outcome): void {
  const letter = page.letters?.[index];
  draft.records += 1;
  draft.upTo = page.positions[index] ?? draft.upTo;
  if (typeof outcome === 'object') {
    draft.letters.push(outcome);
    draft.newLetters += letter === undefined ? 1 : 0;
    return;
  }
  if (outcome === 'acknowledged') draft.acknowledged += 1;
  else if (outcome === 'unconfirmed') draft.unconfirmed += 1;
  else draft.notRouted += 1;
  if (letter !== undefined && outcome !== 'not_routed') draft.resolved.push(letter);
}

class Progress implements LaneProgress {
  readonly lane: Lane;
  readonly #pages: PageProgress[] = [];
  #after: Position;
  #settledUpTo: Position;
  #open = 0;
  #duplicates = 0;
  #current: Settlement | undefined;

  constructor(lane: Lane, offset: Position) {
    this.lane = lane;
    this.#after = offset;
    this.#settledUpTo = offset;
  }

  get kind(): LaneKind {
    return this.lane.kind;
  }

  get after(): Position {
    return this.#after;
  }

  get open(): number {
    return this.#open;
  }

  add(page: StoredPage): (index: number) => Slot {
    const { outcomes } = this.#push(page);
    return (index) => ({
      lane: this,
      page,
      index,
      settle(outcome) {
        outcomes[index] ??= outcome;
      },
    });
  }

  addDuplicates(events: number): void {
    this.#duplicates += events;
  }

  take(): Settlement | undefined {
    this.#current ??= this.#collect();
    return this.#current;
  }

  committed(): void {
    if (this.#current === undefined) return;
    this.#open -= this.#current.records;
    this.#settledUpTo = this.#current.upTo;
    this.#current = undefined;
  }

  oldestOpen(): number | undefined {
    const [front] = this.#pages;
    return front?.page.records[front.settled]?.received;
  }

  #push(page: StoredPage): PageProgress {
    const entry: PageProgress = { page, outcomes: Array.from({ length: page.records.length }), settled: 0 };
    this.#pages.push(entry);
    this.#open += page.records.length;
    this.#after = page.positions.at(-1) ?? this.#after;
    return entry;
  }

  #collect(): Settlement | undefined {
    const draft = emptyDraft(this.#settledUpTo, this.#duplicates);
    for (let front = this.#pages[0]; front !== undefined; front = this.#pages[0]) {
      for (let outcome = front.outcomes[front.settled]; outcome !== undefined; outcome = front.outcomes[front.settled]) {
        count(draft, front.page, front.settled, outcome);
        front.settled += 1;
      }
      if (front.settled < front.page.records.length) break;
      this.#pages.shift();
    }
    if (draft.records === 0) return undefined;
    this.#duplicates = 0;
    return draft;
  }
}

/** Progress that begins after the durable offset. */
export function createLaneProgress(lane: Lane, offset: Position): LaneProgress {
  return new Progress(lane, offset);
}
