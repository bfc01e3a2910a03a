import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Secrets } from '../base/secrets.ts';
import type { LetterBox } from './dead-letters.ts';
import type { Decision, Refusal } from './decide.ts';
import type { HoldCause } from './hold.ts';
import type { LaneProgress } from './lane.ts';
import { createPart, type Part } from './part.ts';
import type { Item } from './prepare.ts';
import { letterOf } from './prepare.ts';
import type { RefusalRate } from './refusal-rate.ts';
import type { Settler } from './settle.ts';

/** What is left to do after a decision was carried out. */
export interface Aftermath {
  /** Sent again, in this order. */
  readonly again: readonly Part[];
  /** A hold that deliver itself asks for. */
  readonly hold: HoldCause | undefined;
  /** Events that were taken. */
  readonly delivered: number;
  /** Dead letters written. */
  readonly letters: number;
}

export interface OutcomesDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: Secrets;
  readonly refusals: RefusalRate;
  readonly letters: LetterBox;
  readonly settler: Settler;
  readonly onRefused: (code: string, text: string) => void;
}

const longestText = 1000;
const longestCode = 100;

/** Carries out decisions: gives slots their outcome, forms the parts that are sent again. */
export interface Outcomes {
  carryOut(part: Part, decision: Decision): Aftermath;
}

class CarryingOut implements Outcomes {
  readonly #deps: OutcomesDeps;

  constructor(deps: OutcomesDeps) {
    this.#deps = deps;
  }

  carryOut(part: Part, decision: Decision): Aftermath {
    for (const index of decision.acknowledged) part.items[index]?.slot.settle('acknowledged');
    for (const index of decision.unconfirmed) part.items[index]?.slot.settle('unconfirmed');
    const delivered = decision.acknowledged.length + decision.unconfirmed.length;
    if (delivered > 0) this.#deps.refusals.accepted(delivered);
    countDuplicates(part, decision.uncertain);
    const { hold, kept } = this.#refuseAll(part, decision.refused);
    const letters = decision.refused.length - kept.length;
    if (delivered + letters > 0) this.#poke(part);
    const counts = { hold, delivered, letters };
    if (decision.again === 'same' || kept.length === part.items.length) return { again: [part], ...counts };
    return { again: this.#regroup(part, decision.again, kept), ...counts };
  }

  /** Writes letters until something forbids it; what is left then is kept for after the hold. */
  #refuseAll(
    part: Part,
    refused: readonly Refusal[],
  ): { readonly hold: HoldCause | undefined; readonly kept: readonly number[] } {
    let hold: HoldCause | undefined;
    const kept: number[] = [];
    for (const refusal of refused) {
      const item = part.items[refusal.index];
      if (item === undefined) continue;
      hold ??= this.#refuse(part, item, refusal);
      if (hold !== undefined) kept.push(refusal.index);
    }
    return { hold, kept };
  }

  #refuse(part: Part, item: Item, refusal: Refusal): HoldCause | undefined {
    const { secrets, refusals, letters } = this.#deps;
    const code = refusal.code.slice(0, longestCode);
    const text = secrets.scrub(refusal.reason).slice(0, longestText);
    // A letter that is refused once more has its place, and tells nothing about the configuration of today.
    const isLetter = item.slot.page.letters?.[item.slot.index] !== undefined;
    if (!isLetter && refusals.refused(item.event.uid, code)) return systematic(code, text);
    if (!isLetter && !letters.reserve()) return lettersFull(letters.count, code);
    this.#write(part, item, code, text);
    return undefined;
  }

  #write(part: Part, item: Item, code: string, text: string): void {
    const now = this.#deps.clock.now();
    const record = item.slot.page.records[item.slot.index];
    if (record !== undefined)
      item.slot.settle(
        letterOf(item.slot, record, item.event, { code, text, attempts: part.attempts, first: part.first ?? now, last: now }),
      );
    this.#deps.onRefused(code, text);
  }

  #poke(part: Part): void {
    for (const lane of new Set(part.items.map(({ slot }) => slot.lane))) this.#deps.settler.poke(lane);
  }

  #regroup(part: Part, again: readonly (readonly number[])[], kept: readonly number[]): Part[] {
    const groups = (kept.length === 0 ? [...again] : [...again, kept]).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
    return groups.map((group) => {
      const items = group.map((index) => part.items[index]).filter((item) => item !== undefined);
      return createPart(this.#deps.random, items, part.replay, part);
    });
  }
}

function systematic(code: string, text: string): HoldCause {
  const fix =
    'correct what the receiver names (index, mapping, permissions), or release the hold to have these events as dead letters';
  return { kind: 'systematic', code, reason: `many different events are refused with one code, "${code}": ${text}`, fix };
}

/** The hold of a sink whose dead letters are full; `code` is what the next one would say. */
export function lettersFull(count: number, code: string): HoldCause {
  const fix = 'look at them with penstock dead-letters list, then retry or discard them';
  return { kind: 'letters', reason: `the dead letters are full (${count}); the next one has code "${code}"`, fix };
}

function countDuplicates({ items }: Part, indexes: readonly number[]): void {
  const perLane = new Map<LaneProgress, number>();
  for (const index of indexes) {
    const lane = items[index]?.slot.lane;
    if (lane !== undefined) perLane.set(lane, (perLane.get(lane) ?? 0) + 1);
  }
  for (const [lane, events] of perLane) lane.addDuplicates(events);
}

/** The one place where decisions become outcomes. */
export function createOutcomes(deps: OutcomesDeps): Outcomes {
  return new CarryingOut(deps);
}
