import { type Random, uuid } from '../base/random.ts';
import type { OutgoingEvent, Batch as SinkBatch } from '../sinks/sink.ts';
import type { OpenLane } from './lane.ts';
import type { PreparedEvent } from './prepare.ts';

/** Events on their way together. Retries keep it; what it is split into are new ones. */
export class Batch {
  readonly id: string;
  readonly prepared: readonly PreparedEvent[];
  readonly bytes: number;
  readonly isReplay: boolean;
  readonly #events: readonly OutgoingEvent[];
  readonly #encoded: readonly string[];
  /** Attempts so far, those of the batch it was split from included. */
  attempts: number;
  /** First attempt, milliseconds; undefined before it. */
  first: number | undefined;
  /** Sent once more at once after the sink was opened with fresh secrets. */
  wasReopenedFor = false;
  /** Immediate retries in a row. */
  hasty = 0;

  /** `from` hands down attempts. */
  constructor(random: Random, prepared: readonly PreparedEvent[], isReplay: boolean, from?: Batch) {
    this.id = uuid(random);
    this.prepared = prepared;
    this.isReplay = isReplay;
    this.#events = prepared.map(({ event }) => event);
    this.#encoded = prepared.map(({ encoded }) => encoded);
    this.bytes = prepared.reduce((sum, { bytes }) => sum + bytes, 0);
    this.attempts = from?.attempts ?? 0;
    this.first = from?.first;
  }

  get size(): number {
    return this.prepared.length;
  }

  get lanes(): ReadonlySet<OpenLane> {
    return new Set(this.prepared.map(({ open }) => open.lane));
  }

  /** What the sink is given for the next attempt: the same events and bytes each time. */
  forAttempt(endpoint: string): SinkBatch {
    const { id, attempts, isReplay } = this;
    return { id, events: this.#events, encoded: this.#encoded, endpoint, attempt: attempts, replay: isReplay };
  }
}
