// Copies of an event while its receiver is found to break with it; and where the sink knows which message got no answer.
const mostCopies = 10;
const mostCopiesOfNamed = 4;
// What was seen must be so many times likelier when the event is the cause than when the receiver fails now and then.
const odds = 1e5;
const oddsOfNamed = 1e4;

/** What an event went through that was sent alone. */
export class Lone {
  /** The first, and those before which others were taken, or the receiver was reached. */
  failures = 0;
  /** How often the receiver was reached between its failures, by other events or by something that delivers nothing. */
  reached = 0;
  /** The sink named it as the one that got no answer. */
  isNamed = false;
  #isReached = false;
  /** Failures in a row with nothing taken between them. */
  #fruitless = 0;

  get mostCopies(): number {
    return this.isNamed ? mostCopiesOfNamed : mostCopies;
  }

  get odds(): number {
    return this.isNamed ? oddsOfNamed : odds;
  }

  /** Most receivers that fail are back before that. */
  get isFruitless(): boolean {
    return this.#fruitless >= (this.isNamed ? 2 : 3);
  }

  /** It failed among others, and was named. */
  named(): void {
    this.isNamed = true;
    this.failures = 1;
  }

  /** The receiver is there. */
  reaches(): void {
    this.reached += 1;
    this.#isReached = true;
  }

  /** It failed; `hasTaken`: others were taken before. True where the receiver was reached since it failed last. */
  failed(hasTaken: boolean, isNamed: boolean): boolean {
    if (hasTaken) this.reaches();
    const wasReached = this.#isReached;
    this.#isReached = false;
    this.isNamed ||= isNamed;
    this.#fruitless = hasTaken ? 1 : this.#fruitless + 1;
    return wasReached;
  }

  /** Counts a failure that counts, which the first does in any case. */
  counts(isReached: boolean): boolean {
    const counts = isReached || this.failures === 0;
    if (counts) this.failures += 1;
    return counts;
  }
}
