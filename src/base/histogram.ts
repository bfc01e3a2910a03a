/** How often something took how long: a count per bucket, so that an observation costs a few comparisons whatever it is shown to. */
export class Histogram {
  /** Upper bounds in seconds, rising; one more bucket is open. */
  readonly bounds: readonly number[];
  readonly counts: number[];
  /** Of all that was observed, seconds. */
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(seconds: number): void {
    const found = this.bounds.findIndex((bound) => seconds <= bound);
    const index = found === -1 ? this.bounds.length : found;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += seconds;
  }
}

/** Histograms of one kind by what they are about; one is made when it is asked for. */
class Histograms {
  readonly all = new Map<string, Histogram>();
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  of(name: string): Histogram {
    const known = this.all.get(name) ?? new Histogram(this.#bounds);
    this.all.set(name, known);
    return known;
  }
}

const workBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const deliveryBounds = [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400];

/** What a process has measured since it started: observed per request, per commit and per batch, never per event. */
export class Durations {
  /** Requests to vendors, by connector. */
  readonly sourceRequests = new Histograms(workBounds);
  /** Sends to receivers until their answer, by sink. */
  readonly sinkRequests = new Histograms(workBounds);
  /** From the receipt of a batch's first record until the receiver took the batch, by sink. */
  readonly deliveries = new Histograms(deliveryBounds);
  /** Commits to the journal: `append` and `settle`. */
  readonly commits = new Histograms(workBounds);
}
