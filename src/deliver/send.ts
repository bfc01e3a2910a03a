// A part is sent until each of its events has an outcome: sent -> settled, or again (the same part, or smaller ones that replace it), or
// held -> probe. What was handed over for later acknowledgement leaves the slot and waits in `pendings`.
import type { Clock } from '../base/clock.ts';
import { explain } from '../base/errors.ts';
import type { Secrets } from '../base/secrets.ts';
import type { Signal } from '../base/signal.ts';
import type { Pending, Verdicts } from '../sinks/sink.ts';
import type { Aftermath } from './apply.ts';
import type { LetterBox } from './dead-letters.ts';
import { type Decision, decide, type Failure, type HoldOrder } from './decide.ts';
import type { Claim, EndpointPool } from './endpoints.ts';
import { exchange } from './exchange.ts';
import { cannotOpen, type HoldGate } from './hold.ts';
import type { SinkSlot, SinkUse } from './open-sink.ts';
import { asBatch, type Part } from './part.ts';
import type { SendLimit } from './send-limit.ts';

export interface PartDeliveryDeps {
  readonly clock: Clock;
  readonly changed: Signal;
  readonly secrets: Secrets;
  readonly gate: HoldGate;
  readonly slot: SinkSlot;
  readonly endpoints: EndpointPool;
  readonly limit: SendLimit;
  readonly letters: LetterBox;
  readonly timeoutMs: number;
  readonly holdProbeMs: number;
  /** Ends waits: no new attempt begins. */
  readonly waiting: AbortSignal;
  /** Ends requests under way. */
  readonly sending: AbortSignal;
  readonly carryOut: (part: Part, decision: Decision) => Aftermath;
  readonly onPending: (part: Part, pending: Promise<Verdicts>, claim: Claim, use: SinkUse) => void;
  readonly onTrouble: (kind: Failure['kind'] | 'hold', reason: string) => void;
  /** The receiver took a batch and says that it refused `events` of it, without telling which. */
  readonly onUnlocated: (events: number) => void;
  /** An endpoint failed so often in a row that it is away, or answers again after that. */
  readonly onAway: (endpoint: string, reason: string) => void;
  readonly onBack: (endpoint: string, failures: number) => void;
  /** Requests that began or ended. */
  readonly onInFlight: (change: 1 | -1) => void;
}

export interface PartDelivery {
  /** Delivers a part; resolves when nothing of it waits for a slot any more, or the loop stops. */
  deliver(part: Part): Promise<void>;
  /** Reads a pending part's late verdicts; gives what must be sent again. */
  late(part: Part, claim: Claim, verdicts: Verdicts): Promise<readonly Part[]>;
}

interface Answer {
  readonly claim: Claim;
  readonly verdicts: Verdicts;
  /** Of the sink that gave it. */
  readonly generation: number;
  readonly probing: boolean;
}

const mostHasty = 3;
// A single failure is daily business of a busy receiver; told is what lasts.
const awayAfter = 3;
// Where no endpoint says how long: one batch probes it at the moment.
const lookAgainMs = 1000;

class Delivering implements PartDelivery {
  readonly #deps: PartDeliveryDeps;

  constructor(deps: PartDeliveryDeps) {
    this.#deps = deps;
  }

  async deliver(first: Part): Promise<void> {
    const { gate, waiting } = this.#deps;
    const stack = [first];
    let probing = false;
    for (let part = stack.at(-1); part !== undefined; part = stack.at(-1)) {
      if (!probing) {
        const pass = await gate.pass(waiting);
        if (pass === 'stop') return;
        probing = pass === 'probe';
        if (probing && !(await this.#prepareProbe())) {
          probing = false;
          continue;
        }
      }
      const claim = await this.#claim(probing);
      if (claim === undefined) return;
      probing = await this.#step(stack, part, claim, probing);
    }
    // Nothing was left to probe with.
    if (probing) await gate.probed('unclear');
  }

  async late(part: Part, claim: Claim, verdicts: Verdicts): Promise<readonly Part[]> {
    const { gate } = this.#deps;
    const decision = decide(verdicts, part.items.length);
    const aftermath = this.#deps.carryOut(part, decision);
    this.#learn(part, claim, decision, aftermath.delivered);
    if (aftermath.hold !== undefined) await gate.enter(aftermath.hold);
    if (decision.hold !== undefined) await this.#enter(decision.hold);
    return aftermath.again;
  }

  async #claim(force: boolean): Promise<Claim | undefined> {
    const { endpoints, clock, changed, waiting } = this.#deps;
    while (!waiting.aborted) {
      const claim = endpoints.claim(force);
      if (claim !== undefined) return claim;
      await changed.waitAtMost(clock, Math.max(1, endpoints.waitMs() ?? lookAgainMs), waiting);
    }
    return undefined;
  }

  /** Opens the sink anew before a probe; false when there is nothing to send yet. */
  async #prepareProbe(): Promise<boolean> {
    const { gate, letters } = this.#deps;
    if (gate.cause?.kind === 'letters') {
      await gate.probed((await letters.recount().catch(() => false)) ? 'ended' : 'refused');
      return false;
    }
    if (await this.#openAnew()) return true;
    await gate.probed('refused');
    return false;
  }

  async #openAnew(): Promise<boolean> {
    const { slot, gate, secrets, onTrouble } = this.#deps;
    try {
      await slot.reopen();
      return true;
    } catch (error) {
      const cause = cannotOpen(secrets.scrub(explain(error)));
      onTrouble('hold', cause.reason);
      await gate.enter(cause);
      return false;
    }
  }

  /** One attempt at the top of the stack; true while the caller is still the probe. */
  async #step(stack: Part[], part: Part, claim: Claim, probing: boolean): Promise<boolean> {
    const { slot, endpoints, gate } = this.#deps;
    const use = slot.use();
    if (use === undefined) {
      endpoints.release(claim);
      await this.#openAnew();
      if (probing) await gate.probed('refused');
      return false;
    }
    const answer = await this.#send(part, claim, use);
    if ('pending' in answer) {
      stack.pop();
      this.#handOver(part, claim, use, answer);
      if (probing) await gate.probed('ended');
      return false;
    }
    use[Symbol.dispose]();
    return this.#conclude(stack, part, { claim, verdicts: answer, generation: use.generation, probing });
  }

  async #send(part: Part, claim: Claim, use: SinkUse): Promise<Verdicts | Pending> {
    const { clock, timeoutMs, sending, endpoints, onInFlight } = this.#deps;
    part.first ??= clock.now();
    const batch = asBatch(part, claim.endpoint);
    part.attempts += 1;
    onInFlight(1);
    try {
      return await exchange(use.sink, batch, clock, timeoutMs, sending);
    } finally {
      onInFlight(-1);
      endpoints.release(claim);
    }
  }

  #handOver(part: Part, claim: Claim, use: SinkUse, { pending, slower }: Pending): void {
    const { endpoints, limit, clock, onPending } = this.#deps;
    endpoints.succeed(claim);
    if (slower === true) limit.slower(claim.startedAt, clock.monotonic());
    onPending(part, pending, claim, use);
  }

  /** Carries out the answer; true while the caller goes on as the probe. */
  async #conclude(stack: Part[], part: Part, answer: Answer): Promise<boolean> {
    const { claim, verdicts, probing } = answer;
    const decision = decide(verdicts, part.items.length);
    const aftermath = this.#deps.carryOut(part, decision);
    this.#learn(part, claim, decision, aftermath.delivered);
    stack.pop();
    stack.push(...aftermath.again.toReversed());
    if (aftermath.hold !== undefined) await this.#deps.gate.enter(aftermath.hold);
    if (decision.hold !== undefined) {
      await this.#onHold(stack.at(-1) ?? part, decision.hold, answer);
      return false;
    }
    return probing && this.#stillProbing(aftermath, decision);
  }

  /** Tells the gate what the probe learned; true while only smaller parts can tell. */
  async #stillProbing(aftermath: Aftermath, decision: Decision): Promise<boolean> {
    const { gate } = this.#deps;
    if (aftermath.hold !== undefined) await gate.probed('refused');
    else if (aftermath.delivered > 0 || aftermath.letters > 0) await gate.probed('ended');
    else if (decision.failure !== undefined) await gate.probed('unclear');
    else return true;
    return false;
  }

  async #onHold(part: Part, order: HoldOrder, { claim, generation, probing }: Answer): Promise<void> {
    const { endpoints, slot, gate, holdProbeMs } = this.#deps;
    endpoints.avoid(claim, holdProbeMs);
    if (!probing && !order.untilReleased) {
      // Somebody opened the sink anew since this request began: its answer says nothing about the new secrets.
      if (generation < slot.generation) return;
      if (!part.reopened) {
        part.reopened = true;
        await this.#openAnew();
        return;
      }
    }
    part.reopened = false;
    await this.#enter(order);
    if (probing) await gate.probed('refused');
  }

  async #enter({ reason, fix, untilReleased }: HoldOrder): Promise<void> {
    const scrubbed = this.#deps.secrets.scrub(reason);
    this.#deps.onTrouble('hold', scrubbed);
    await this.#deps.gate.enter({ kind: 'refused', reason: scrubbed, fix, untilReleased });
  }

  /** Feeds what an answer says about the endpoint and the number of requests. */
  #learn(part: Part, claim: Claim, decision: Decision, delivered: number): void {
    const { limit, clock, onUnlocated } = this.#deps;
    if (decision.slower) limit.slower(claim.startedAt, clock.monotonic());
    else if (delivered > 0) limit.faster();
    if (decision.failure !== undefined) this.#onFailure(part, claim, decision.failure, delivered + decision.refused.length > 0);
    else if (decision.hold === undefined) this.#onSuccess(claim);
    if (decision.unlocated > 0) onUnlocated(decision.unlocated);
  }

  #onSuccess(claim: Claim): void {
    const failures = this.#deps.endpoints.succeed(claim);
    if (failures >= awayAfter) this.#deps.onBack(claim.endpoint, failures);
  }

  #onFailure(part: Part, claim: Claim, { kind, reason, retryAfterMs }: Failure, progressed: boolean): void {
    const { secrets, endpoints, onTrouble, onAway } = this.#deps;
    const scrubbed = secrets.scrub(reason);
    onTrouble(kind, scrubbed);
    part.hasty = progressed ? 0 : part.hasty + 1;
    // A receiver that asks for the same bytes at once, over and over, gets them with pauses.
    if (retryAfterMs === 0 && part.hasty <= mostHasty) return;
    if (endpoints.fail(claim, retryAfterMs) === awayAfter) onAway(claim.endpoint, scrubbed);
  }
}

/** Delivery of parts through one sink. */
export function createPartDelivery(deps: PartDeliveryDeps): PartDelivery {
  return new Delivering(deps);
}
