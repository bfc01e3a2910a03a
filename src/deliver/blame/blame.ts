// A batch that fails may be the cause itself, or the receiver fails with any: what endpoints did with others meanwhile tells the two apart.
import type { EndpointRecord, Endpoints, EndpointUse } from '../endpoints/endpoints.ts';

// One failure is daily business. A part of what has failed already needs no second one.
const patience = 2;
// After so many answers that are meant for all of it its first event goes alone, to show whether they are.
const asksAfter = 6;
// Of batches, while single events are taken: a receiver that is busy, and takes one in three, hardly comes so far.
const mostBatchesInVain = 24;
// To be sent in smaller batches costs little, since nothing was stored; what is given up has to be shown by more.
const oddsOfRefusals = 300;

/** What is held against a batch. Unless said otherwise a count holds that of the batch it was cut from. */
export class Blame {
  /** Cut from a batch that had failed for a reason that may lie in it. */
  isPart = false;
  /** Its failure, twice or by one that the sink names, may lie in any of what it was cut from, or in it: others go before it. */
  isNarrowed = false;
  /** Failures whose cause may lie in it; its own. */
  failures = 0;
  /** How often others were taken between two of its failures. */
  turns = 0;
  /** Failures that were counted against the endpoint. */
  #surprises = 0;
  /** Answers that were meant for all, or for what is in it. */
  #refusals = 0;
  /** Times that it was asked for once more at once, so that nothing was to blame. */
  #hastyCopies = 0;
  /** Its failures as a single event, and refusals, counted against the endpoint only once it is taken: until then it may itself be the cause. */
  #withheld = 0;
  #asksAt = asksAfter;
  /** By endpoint: its record at the first and the last failure, or refusal. */
  #failedAt = new Map<string, { readonly first: EndpointRecord; readonly last: EndpointRecord }>();
  readonly #endpoints: Endpoints;
  readonly #isLone: boolean;

  constructor(endpoints: Endpoints, isLone: boolean) {
    this.#endpoints = endpoints;
    this.#isLone = isLone;
  }

  /** What is held against a part that is cut from the batch. */
  ofPart(isLone: boolean): Blame {
    const part = new Blame(this.#endpoints, isLone);
    part.isPart = this.isSuspect;
    part.isNarrowed = this.isNarrowed;
    part.turns = this.turns;
    part.#surprises = this.#surprises;
    part.#refusals = this.#refusals;
    part.#hastyCopies = this.#hastyCopies;
    part.#failedAt = new Map(this.#failedAt);
    return part;
  }

  /** It, or what it was cut from, failed for a reason that may lie in it. */
  get isSuspect(): boolean {
    return this.isPart || this.failures > 0;
  }

  /** It is not sent once more as it is. */
  get hasFailedOften(): boolean {
    return this.isPart || this.failures >= patience;
  }

  /** Times that it was sent and not answered, alone or among others. */
  get copies(): number {
    return this.#surprises + this.failures + this.#hastyCopies;
  }

  /** It failed; `isNamed`: by one of its events that the sink knows. True when the endpoint took others since it failed there last. */
  failed(use: EndpointUse, isNamed: boolean): boolean {
    const hasTaken = this.#note(use);
    this.failures += 1;
    if (hasTaken) this.turns += 1;
    if (this.#isLone) this.#withheld += 1;
    else if (!isNamed) {
      this.#surprises += 1;
      this.#endpoints.surprise(use, 1);
    }
    return hasTaken;
  }

  /** It failed as the one event that the sink knows, and was cut off from the others. */
  named(): void {
    this.failures = 1;
    this.#withheld = 1;
  }

  /** It is sent once more at once. */
  repeated(): void {
    this.#hastyCopies += 1;
  }

  narrowed(): void {
    this.isNarrowed = true;
  }

  /** An answer came that is meant for all, or for what is in it; true where it is likelier meant for that, if not for `isBelieved`. */
  refused(use: EndpointUse, isBelieved: boolean, isInTheWay: boolean): boolean {
    // Where it keeps others from being read, those that were taken behind it have to do.
    const hasTaken = isInTheWay || (this.takenSince(use) ?? 0) > 0;
    const isShown = this.isSuspect || this.#isBatchOfMany(use) || this.isCause(this.#refusals + 1, oddsOfRefusals);
    if (hasTaken && !isBelieved && isShown) {
      // It was sent whole often enough.
      this.failures = Math.max(this.failures, 1);
      return true;
    }
    this.isNarrowed ||= hasTaken && this.#isLone;
    this.#note(use);
    this.#refusals += 1;
    // The first counts at once: later ones may be its own doing.
    if (this.#refusals === 1) this.#endpoints.surprise(use, 1);
    else this.#withheld += 1;
    return false;
  }

  /** Single events are taken, and batches never are: in each of these there may be one that is not. */
  #isBatchOfMany(use: EndpointUse): boolean {
    return !this.#isLone && this.#endpoints.recordOf(use).vainBatches >= mostBatchesInVain;
  }

  /** Events of it were taken: if it is a single one, it was not the cause of its failures. */
  taken(use: EndpointUse): void {
    if (this.#withheld > 0) this.#endpoints.clearedAt = use.startedAt;
    this.#endpoints.surprise(use, this.#withheld);
    this.#withheld = 0;
  }

  /** True for a batch that was refused whole, and nothing else was sent since: its first event shows whether that is meant for all of it. */
  asksFirst(use: EndpointUse): boolean {
    return !this.#isLone && this.#isRefusedOften(use) && (this.takenSince(use) ?? 1) <= 0;
  }

  /** Its first event went alone: what is left asks so again after twice as many. */
  askedFirst(use: EndpointUse): void {
    if (!this.#isLone) this.#asksAt = Math.max(asksAfter, this.#timesInVain(use) * 2);
  }

  /** True for an event that was refused alone as often: what was cut from it would show as well whether others are. */
  isRefusedAlone(use: EndpointUse): boolean {
    return this.#isLone && this.#isRefusedOften(use);
  }

  #isRefusedOften(use: EndpointUse): boolean {
    return this.#refusals > 0 && this.#timesInVain(use) >= this.#asksAt;
  }

  /** What others met meanwhile shows as much. */
  #timesInVain(use: EndpointUse): number {
    return Math.max(this.#refusals, this.#endpoints.recordOf(use).vain);
  }

  /** Of what had failed nothing was taken since then: endpoints that fail with whatever there is look otherwise. */
  isSingledOut(since: number): boolean {
    return this.isSuspect && this.#endpoints.clearedAt < since;
  }

  /** Events that the endpoint took since the batch failed there last; undefined where it never did. */
  takenSince(use: EndpointUse): number | undefined {
    const last = this.#failedAt.get(use.endpoint)?.last;
    return last === undefined ? undefined : this.#endpoints.recordOf(use).taken - last.taken;
  }

  /**
   * True when the batch is the cause if it failed so often, and not a receiver that fails with others, too: compares how likely all that
   * happened since its first failure is if the receiver fails with every batch alike, with how likely it is if this one always fails.
   */
  isCause(failures: number, odds: number): boolean {
    const { failed, passed } = this.othersSince();
    return logLikelihood(failed, passed) - logLikelihood(failed + failures, passed) >= Math.log(odds);
  }

  /** What became of others since it first failed, at all endpoints where it did: its own failures count wherever they were. */
  othersSince(): { readonly failed: number; readonly passed: number } {
    let failed = -this.#surprises - Math.min(1, this.#refusals);
    let passed = 0;
    for (const [endpoint, { first }] of this.#failedAt) {
      const record = this.#endpoints.recordOf({ endpoint });
      failed += record.failed - first.failed;
      passed += record.passed - first.passed;
    }
    return { failed: Math.max(0, failed), passed };
  }

  /** Before it counts against the endpoint; true when that took others since. */
  #note(use: EndpointUse): boolean {
    const hasTaken = (this.takenSince(use) ?? 0) > 0;
    const last = { ...this.#endpoints.recordOf(use) };
    this.#failedAt.set(use.endpoint, { first: this.#failedAt.get(use.endpoint)?.first ?? last, last });
    return hasTaken;
  }
}

/** Of so many failures and passes, at the rate that makes them likeliest. */
function logLikelihood(failed: number, passed: number): number {
  if (failed === 0 || passed === 0) return 0;
  const all = failed + passed;
  return failed * Math.log(failed / all) + passed * Math.log(passed / all);
}
