import { uuid } from '../base/random.ts';
import { Encoded } from '../sinks/encoded.ts';
import type { Batch as SinkBatch } from '../sinks/sink.ts';
import { Blame } from './blame/blame.ts';
import { Doubt } from './blame/doubt.ts';
import { Lone } from './blame/lone.ts';
import type { LoopContext } from './context.ts';
import type { EndpointUse } from './endpoints/endpoints.ts';
import type { OpenLane } from './lane.ts';
import type { PreparedEvent } from './prepare.ts';

type Context = Pick<LoopContext, 'random' | 'endpoints'>;

/** Events on their way together. Retries keep it; what it is split into are new ones. */
export class Batch {
  readonly id: string;
  readonly prepared: readonly PreparedEvent[];
  readonly bytes: number;
  readonly isReplay: boolean;
  /** Only their methods write what they know. */
  readonly blame: Readonly<Blame>;
  readonly lone: Readonly<Lone> = new Lone();
  readonly doubt: Readonly<Doubt>;
  readonly #context: Context;
  readonly #encoded: Encoded;
  #lanes: ReadonlyMap<OpenLane, number> | undefined;
  /** Attempts so far, those of the batch it was split from included. */
  attempts: number;
  /** It was sent as it is. */
  wasSent = false;
  /** First attempt, milliseconds since the epoch and on the monotonic clock; undefined before it. */
  first: { readonly at: number; readonly monotonic: number } | undefined;
  /** Immediate retries in a row. */
  hasty = 0;
  /** Sent once more at once after the sink was opened with fresh secrets. */
  wasReopenedFor = false;
  /** There was nothing else to send. */
  isLast = false;
  /** Refused as the probe of a hold that many refusals caused: the next probe asks with others. */
  standsBack = false;

  /** `from`: what it is cut from. */
  constructor(context: Context, prepared: readonly PreparedEvent[], isReplay: boolean, from?: Batch) {
    this.id = uuid(context.random);
    this.prepared = prepared;
    this.isReplay = isReplay;
    this.bytes = prepared.reduce((sum, { bytes }) => sum + bytes, 0);
    this.attempts = from?.attempts ?? 0;
    this.first = from?.first;
    const isLone = prepared.length === 1;
    this.blame = from?.blame.ofPart(isLone) ?? new Blame(context.endpoints, isLone);
    this.doubt = from?.doubt.ofPart() ?? new Doubt();
    this.#context = context;
    this.#encoded = new Encoded(prepared);
  }

  get size(): number {
    return this.prepared.length;
  }

  get extent(): { readonly events: number; readonly bytes: number } {
    return { events: this.size, bytes: this.bytes };
  }

  /** What the batch is sent as in several: `groups` of its indexes in order. */
  cut(groups: readonly (readonly number[])[]): Batch[] {
    return groups.map((group) => {
      const prepared = group.map((index) => this.prepared[index]).filter((each) => each !== undefined);
      return new Batch(this.#context, prepared, this.isReplay, this);
    });
  }

  /** Its first event alone, and the rest. */
  cutFirst(use: EndpointUse): Batch[] {
    const parts = this.cut([[0], [...this.prepared.keys()].slice(1)]);
    for (const { blame } of parts) blame.askedFirst(use);
    return parts;
  }

  /** The sink knows that its event is the one that got no answer. */
  named(): void {
    this.blame.named();
    this.lone.named();
  }

  /** It failed, and nothing that had failed was taken meanwhile: where others were, it is likely to blame. */
  get isSingledOut(): boolean {
    return this.first !== undefined && this.blame.isSingledOut(this.first.monotonic);
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

  /** What the sink is given for an attempt that begins: the same events and bytes each time. */
  forAttempt(endpoint: string): SinkBatch {
    const { id, prepared, attempts, isReplay } = this;
    const careful = this.blame.isSuspect;
    this.attempts += 1;
    this.wasSent = true;
    return { id, events: prepared, encoded: this.#encoded, endpoint, attempt: attempts, careful, replay: isReplay };
  }
}
