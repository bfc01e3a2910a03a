// Every record that was read is open until it has an outcome. Outcomes come in any order; the offset moves over the contiguous run of
// records at the front that have one. A settlement that was taken stays the current one until the journal has it.
import type { Lane, LaneKind, NewDeadLetter, Position, StoredPage, StoredRecord } from '../journal/journal.ts';
import type { Place } from '../sinks/sink.ts';

/** What became of a record. */
type Outcome = 'acknowledged' | 'unconfirmed' | 'not_routed' | NewDeadLetter;

const isTaken = (outcome: Outcome | undefined): boolean => outcome === 'acknowledged' || outcome === 'unconfirmed';

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

/** A page that was read, with what became of its records. */
class OpenPage {
  readonly lane: OpenLane;
  readonly page: StoredPage;
  readonly #outcomes: (Outcome | undefined)[];

  constructor(lane: OpenLane, page: StoredPage) {
    this.lane = lane;
    this.page = page;
    this.#outcomes = Array.from({ length: page.records.length });
  }

  outcome(index: number): Outcome | undefined {
    return this.#outcomes[index];
  }

  /** Sets a record's outcome, once. */
  settle(index: number, outcome: Outcome): void {
    this.#outcomes[index] ??= outcome;
    if (isTaken(outcome)) this.lane.taken(this.page.positions[index]);
  }

  /** The sink takes nothing of the page. */
  skip(): void {
    this.#outcomes.fill('not_routed');
  }
}

/** A record on its way. */
export class OpenRecord {
  readonly #page: OpenPage;
  readonly #index: number;
  readonly record: StoredRecord;

  constructor(page: OpenPage, index: number, record: StoredRecord) {
    this.#page = page;
    this.#index = index;
    this.record = record;
  }

  get lane(): OpenLane {
    return this.#page.lane;
  }

  get page(): StoredPage {
    return this.#page.page;
  }

  get place(): Place {
    const { name } = this.#page.lane;
    return { lane: name, position: this.position, received: this.record.received };
  }

  get position(): number {
    return this.page.positions[this.#index] ?? 0;
  }

  /** What came after it was taken, or may be at this moment: until it has an outcome no offset covers that. */
  get isOvertaken(): boolean {
    return this.lane.isOvertaken(this.position);
  }

  /** What came after it was taken. */
  get isPassed(): boolean {
    return this.lane.isPassed(this.position);
  }

  /** True for a record that is a dead letter already and is tried again. */
  get isLetter(): boolean {
    return this.page.letters?.[this.#index] !== undefined;
  }

  /** Sets the outcome, once. */
  settle(outcome: Outcome): void {
    this.#page.settle(this.#index, outcome);
  }
}

type Sum = {
  -readonly [Field in keyof Settlement]: Settlement[Field] extends readonly (infer Each)[] ? Each[] : Settlement[Field];
};

function count(sum: Sum, page: StoredPage, index: number, outcome: Outcome): void {
  const letter = page.letters?.[index];
  sum.records += 1;
  sum.upTo = page.positions[index] ?? sum.upTo;
  if (typeof outcome === 'object') {
    sum.letters.push(outcome);
    sum.newLetters += letter === undefined ? 1 : 0;
    return;
  }
  if (outcome === 'acknowledged') sum.acknowledged += 1;
  else if (outcome === 'unconfirmed') sum.unconfirmed += 1;
  else sum.notRouted += 1;
  if (letter !== undefined && outcome !== 'not_routed') sum.resolved.push(letter);
}

/** One sink's way through one lane. */
export class OpenLane {
  readonly lane: Lane;
  /** `live`, `replay-7`. */
  readonly name: string;
  /** Records that wait: what the journal listed, less what was settled since. */
  pending = 0;
  readonly #pages: OpenPage[] = [];
  /** Records at the front of the first page that are part of a settlement. */
  #settledInFront = 0;
  #after: Position;
  #settledUpTo: Position;
  #open = 0;
  /** By batch that is under way: the position of its last record of this lane. */
  readonly #underWay = new Map<object, number>();
  #takenUpTo = 0;
  #isLost = false;
  #duplicates = 0;
  #current: Settlement | undefined;

  constructor(lane: Lane, offset: Position) {
    this.lane = lane;
    this.name = lane.job === undefined ? lane.kind : `${lane.kind}-${lane.job}`;
    this.#after = offset;
    this.#settledUpTo = offset;
  }

  get kind(): LaneKind {
    return this.lane.kind;
  }

  /** Reading goes on after it. */
  get after(): Position {
    return this.#after;
  }

  /** Batches with records of it that are being sent, or wait for a late verdict. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** A batch begins to be under way, its last record of the lane at this position; or ends to be. */
  sending(batch: object, last: number | undefined): void {
    if (last === undefined) this.#underWay.delete(batch);
    else this.#underWay.set(batch, last);
  }

  /** The receiver has the record at this position. */
  taken(position: number | undefined): void {
    this.#takenUpTo = Math.max(this.#takenUpTo, position ?? 0);
  }

  isPassed(position: number): boolean {
    return position < this.#takenUpTo;
  }

  isOvertaken(position: number): boolean {
    return position < Math.max(this.#takenUpTo, ...this.#underWay.values());
  }

  /** Something was taken behind a record without an outcome: no offset covers it. */
  get hasGap(): boolean {
    for (const [position, outcome] of this.#unsettled()) if (outcome === undefined) return position < this.#takenUpTo;
    return false;
  }

  /** Another process may deliver it by now: nothing of it is sent or settled here any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  lose(): void {
    this.#isLost = true;
  }

  /** The journal has the outcomes of all up to it. */
  get settledUpTo(): Position {
    return this.#settledUpTo;
  }

  /** True when the first record that the journal has no outcome of has one. */
  get isSettleable(): boolean {
    return this.#current !== undefined || this.#pages[0]?.outcome(this.#settledInFront) !== undefined;
  }

  /** Records read and not yet settled in the journal. */
  get open(): number {
    return this.#open;
  }

  /** The journal moved the offset itself, with nothing open here. */
  moveTo(offset: Position): void {
    this.#after = offset;
    this.#settledUpTo = offset;
  }

  /** Adds a page that was read. */
  add(page: StoredPage): OpenPage {
    const open = new OpenPage(this, page);
    this.#pages.push(open);
    this.#open += page.records.length;
    this.#after = page.positions.at(-1) ?? this.#after;
    return open;
  }

  /** Events that may have been stored twice, to be counted with the next settlement. */
  addDuplicates(events: number): void {
    this.#duplicates += events;
  }

  /** What can be settled now; the same again until {@link committed}. */
  take(): Settlement | undefined {
    this.#current ??= this.#collect();
    return this.#current;
  }

  /** The journal has what was taken. */
  committed(): void {
    if (this.#current === undefined) return;
    this.#open -= this.#current.records;
    this.pending = Math.max(0, this.pending - this.#current.records);
    this.#settledUpTo = this.#current.upTo;
    this.#current = undefined;
  }

  /** Receipt of the oldest record without an outcome, milliseconds. */
  oldestOpen(): number | undefined {
    return this.#pages[0]?.page.records[this.#settledInFront]?.received;
  }

  /** The process ends: counts events that were taken behind one that was not. The next process sends them again, for the offset stands before them. */
  countOvertaken(): void {
    let isBehind = false;
    for (const [, outcome] of this.#unsettled()) {
      isBehind ||= outcome === undefined;
      if (isBehind && isTaken(outcome)) this.#duplicates += 1;
    }
  }

  /** Position and outcome of each record that is part of no settlement, in order. */
  *#unsettled(): Generator<readonly [position: number, Outcome | undefined]> {
    for (const [at, open] of this.#pages.entries())
      for (let index = at === 0 ? this.#settledInFront : 0; index < open.page.records.length; index += 1)
        yield [open.page.positions[index] ?? 0, open.outcome(index)];
  }

  #collect(): Settlement | undefined {
    const none = { records: 0, newLetters: 0, acknowledged: 0, unconfirmed: 0, notRouted: 0 };
    const sum: Sum = { ...none, upTo: this.#settledUpTo, possibleDuplicates: this.#duplicates, letters: [], resolved: [] };
    for (let front = this.#pages[0]; front !== undefined; front = this.#pages[0]) {
      if (!this.#collectFrom(front, sum)) break;
      this.#pages.shift();
      this.#settledInFront = 0;
    }
    if (sum.records === 0 && sum.possibleDuplicates === 0) return undefined;
    this.#duplicates = 0;
    return sum;
  }

  /** True when every record of the page has its outcome. */
  #collectFrom(front: OpenPage, sum: Sum): boolean {
    let index = this.#settledInFront;
    for (let outcome = front.outcome(index); outcome !== undefined; outcome = front.outcome(index)) {
      count(sum, front.page, index, outcome);
      index += 1;
    }
    this.#settledInFront = index;
    return index >= front.page.records.length;
  }
}
