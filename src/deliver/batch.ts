import { type Random, uuid } from '../base/random.ts';
import { Encoded } from '../sinks/encoded.ts';
import type { Batch as SinkBatch } from '../sinks/sink.ts';
import type { EndpointRecord } from './endpoints.ts';
import type { OpenLane } from './lane.ts';
import type { PreparedEvent } from './prepare.ts';

/** Events on their way together. Retries keep it; what it is split into are new ones. */
export class Batch {
  readonly id: string;
  readonly prepared: readonly PreparedEvent[];
  readonly bytes: number;
  readonly isReplay: boolean;
  readonly #encoded: Encoded;
  #lanes: ReadonlyMap<OpenLane, number> | undefined;
  /** Attempts so far, those of the batch it was split from included. */
  attempts: number;
  /** First attempt, milliseconds; undefined before it. */
  first: number | undefined;
  /** Sent once more at once after the sink was opened with fresh secrets. */
  wasReopenedFor = false;
  /** Immediate retries in a row. */
  hasty = 0;
  /** Times that it was asked for once more at once, so that nothing was to blame; those of what it was cut from included. */
  hastyCopies = 0;
  /** Failures whose cause may lie in the batch, those of the batch it was cut from not included. */
  failures = 0;
  /** Cut from a batch that had failed so. */
  isPart = false;
  /** Its failure, twice or by one that the sink names, may lie in any of what it was cut from, or in it: others go before it. */
  isNarrowed = false;
  /** Failures of a single event that count: with others taken between them, or the receiver reached. */
  lonelyFailures = 0;
  /** Of a single event: the sink named it as the one that got no answer. */
  isNamed = false;
  /** Failures of a single event in a row with nothing taken between them. */
  fruitless = 0;
  /** There was nothing else to send. */
  isLast = false;
  /** How often the receiver was reached between its failures, by other events or by something that delivers nothing. */
  reached = 0;
  reachedBefore = 0;
  /** How often others were taken between two of its failures, those of what it was cut from included. */
  turns = 0;
  /** Its last answer put the sink on hold, or keeps it there, and it may have been stored all the same. */
  isInDoubt = false;
  /** How often that was so with the probe of a hold, that of what it was cut from included. */
  doubts = 0;
  /** The receiver was there when it was asked last. */
  wasThere = true;
  /** It was handed over, and not acknowledged. */
  isUnacknowledged = false;
  /** Probes of a hold in a row for which it was not sent, and how many there may be. */
  spared = 0;
  mostSpared = 1;
  /** Refused as the probe of a hold that many refusals caused: the next probe asks with others. */
  standsBack = false;
  /** Failures that were counted against the endpoint, those of what it was cut from included. */
  surprises = 0;
  /** Failures of a single event, counted against the endpoint only once it is taken: until then it may itself be the cause. */
  withheld = 0;
  /** Answers that were meant for all, or for what is in it; they count against the endpoint, too. Those of what it was cut from included. */
  refusals = 0;
  /** After so many its first event goes alone, to show whether they are meant for all. */
  asksAt = 6;
  /** By endpoint: its record at the first and the last failure whose cause may lie in the batch, or in what it was cut from. */
  readonly failedAt = new Map<string, { readonly first: EndpointRecord; readonly last: EndpointRecord }>();

  /** `from` hands down attempts. */
  constructor(random: Random, prepared: readonly PreparedEvent[], isReplay: boolean, from?: Batch) {
    this.id = uuid(random);
    this.prepared = prepared;
    this.isReplay = isReplay;
    this.#encoded = new Encoded(prepared);
    this.bytes = prepared.reduce((sum, { bytes }) => sum + bytes, 0);
    this.attempts = from?.attempts ?? 0;
    this.first = from?.first;
  }

  get size(): number {
    return this.prepared.length;
  }

  get extent(): { readonly events: number; readonly bytes: number } {
    return { events: this.size, bytes: this.bytes };
  }

  /** What the batch is sent as in several: `groups` of its indexes in order. */
  cut(random: Random, groups: readonly (readonly number[])[]): Batch[] {
    return groups.map((group) => {
      const prepared = group.map((index) => this.prepared[index]).filter((each) => each !== undefined);
      const part = new Batch(random, prepared, this.isReplay, this);
      part.isPart = this.isSuspect;
      const { isNarrowed, surprises, refusals, hastyCopies, turns, isInDoubt, doubts, wasThere, mostSpared } = this;
      Object.assign(part, { isNarrowed, surprises, refusals, hastyCopies, turns, isInDoubt, doubts, wasThere, mostSpared });
      for (const [endpoint, records] of this.failedAt) part.failedAt.set(endpoint, records);
      return part;
    });
  }

  /** It, or what it was cut from, failed for a reason that may lie in it. */
  get isSuspect(): boolean {
    return this.isPart || this.failures > 0;
  }

  /** With the position of the last record of each. */
  get lanes(): ReadonlyMap<OpenLane, number> {
    if (this.#lanes !== undefined) return this.#lanes;
    const lanes = new Map<OpenLane, number>();
    for (const { open } of this.prepared) lanes.set(open.lane, open.position);
    this.#lanes = lanes;
    return lanes;
  }

  /** It begins or ends to be sent, or to wait for a late verdict. */
  underWay(isBegun: boolean): void {
    for (const [lane, last] of this.lanes) lane.sending(this, isBegun ? last : undefined);
  }

  /** What the sink is given for the next attempt: the same events and bytes each time. */
  forAttempt(endpoint: string): SinkBatch {
    const { id, prepared, attempts, isReplay } = this;
    const careful = this.isSuspect;
    return { id, events: prepared, encoded: this.#encoded, endpoint, attempt: attempts, careful, replay: isReplay };
  }
}
