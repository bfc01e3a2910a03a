import type { Verdict, Verdicts } from '../sinks/sink.ts';

/** One event that the receiver refused for its content. */
export interface Refusal {
  readonly index: number;
  readonly code: string;
  readonly reason: string;
  /** Refusals of one code with different causes are not one fault of the configuration. */
  readonly cause?: string | undefined;
  /** It must not be sent again, whatever the reason. */
  readonly isFinal?: boolean | undefined;
  /** Found by what became of others, so that it is no fault of the configuration. */
  readonly isAlone?: true;
  /** Nobody answered: where it is sent again all the same, it may have been stored. */
  readonly isDoubtful?: boolean;
}

/** What went wrong with a request whose events are sent again. */
export interface Failure {
  readonly kind: 'retry' | 'uncertain';
  readonly reason: string;
  /** How long the endpoint asked to be left alone; 0: nothing is wrong with it. */
  readonly retryAfterMs: number | undefined;
  /** Neither the batch's size nor an event in it can be the cause. */
  readonly isBlameless: boolean;
  /** The receiver took something else, no event, since the failure before. */
  readonly othersTaken?: boolean | undefined;
  /** What to change when it does not stop. */
  readonly fix: string | undefined;
  /** It answers one request, and may be meant for what is in it. */
  readonly ofRequest?: boolean | undefined;
  /** Such an answer that asks for nothing but a pause: a busy receiver gives it to batches of any size. */
  readonly asksForPause?: boolean;
}

/** A hold that a sink asked for. */
export interface HoldOrder {
  readonly reason: string;
  readonly fix: string;
  readonly untilReleased: boolean;
  /** No probe before that. */
  readonly retryAfterMs: number | undefined;
  /** As that of a failure. */
  readonly ofRequest?: boolean | undefined;
}

/** What follows from a sink's answer. Every index of the batch stands in exactly one of `acknowledged`, `unconfirmed`, `refused`, `again`. */
export interface Decision {
  readonly acknowledged: readonly number[];
  readonly unconfirmed: readonly number[];
  readonly refused: readonly Refusal[];
  /** `same`: the whole batch, same id and bytes. Otherwise groups of indexes in order, each a new batch. */
  readonly again: 'same' | readonly (readonly number[])[];
  /** Of `again`: events that may have been stored. */
  readonly uncertain: readonly number[];
  readonly failure: Failure | undefined;
  readonly hold: HoldOrder | undefined;
  readonly slower: boolean;
  /** Events that the receiver took and said it refused, without telling which. */
  readonly unlocated: number;
  /** What the receiver says of a batch that it took. */
  readonly warning?: string | undefined;
  /** The code of a refusal of the whole batch that halves it. */
  readonly tooLarge: string | undefined;
  /** The one event that the sink suspects. */
  readonly suspect?: number | undefined;
  /** Of `again`: smaller because the cause may lie in any of it. */
  readonly isNarrowed?: true;
}

const nothing: Decision = {
  acknowledged: [],
  unconfirmed: [],
  refused: [],
  again: [],
  uncertain: [],
  failure: undefined,
  hold: undefined,
  slower: false,
  unlocated: 0,
  tooLarge: undefined,
};

function upTo(size: number): number[] {
  return Array.from({ length: size }, (_, index) => index);
}

function halves(indexes: readonly number[]): number[][] {
  const middle = Math.ceil(indexes.length / 2);
  return [indexes.slice(0, middle), indexes.slice(middle)];
}

function asFailure(verdict: Verdict & { kind: 'retry' | 'uncertain' }): Failure {
  const { kind, reason, retryAfterMs, fix, othersTaken } = verdict;
  const isBlameless = kind === 'retry' ? othersTaken !== true : verdict.blameless === true;
  const ofRequest = verdict.kind === 'retry' ? verdict.ofRequest : undefined;
  return { kind, reason, retryAfterMs, isBlameless, othersTaken, fix, ofRequest };
}

function asHold({ reason, fix, untilReleased = false, retryAfterMs, ofRequest }: Verdict & { kind: 'hold' }): HoldOrder {
  return { reason, fix, untilReleased, retryAfterMs, ofRequest };
}

function asRefusal({ code, reason, cause, isFinal }: Verdict & { kind: 'event' }, index: number): Refusal {
  return { index, code, reason, cause, isFinal };
}

/** `split` and `event` for a whole batch: nobody knows which event is meant, so halves are sent until single events remain. */
function isolate(verdict: Verdict & { kind: 'split' | 'event' }, size: number): Decision {
  const { code, reason } = verdict;
  if (size === 1) return { ...nothing, refused: [verdict.kind === 'event' ? asRefusal(verdict, 0) : { index: 0, code, reason }] };
  const uncertain = verdict.kind === 'split' && verdict.maybeStored === true ? upTo(size) : [];
  return { ...nothing, again: halves(upTo(size)), uncertain, tooLarge: code };
}

function decideAll(verdict: Verdict, size: number): Decision {
  switch (verdict.kind) {
    case 'accept':
      return {
        ...nothing,
        acknowledged: upTo(size),
        slower: verdict.slower === true,
        unlocated: verdict.refused ?? 0,
        uncertain: verdict.isRepeated === true ? upTo(size) : [],
        warning: verdict.warning,
      };
    case 'sent':
      return { ...nothing, unconfirmed: upTo(size) };
    case 'retry':
      return {
        ...nothing,
        again: 'same',
        failure: asFailure(verdict),
      };
    case 'uncertain':
      return {
        ...nothing,
        again: 'same',
        uncertain: upTo(size),
        failure: asFailure(verdict),
        suspect: verdict.suspect === true && size === 1 ? 0 : undefined,
      };
    case 'hold':
      return { ...nothing, again: 'same', uncertain: verdict.maybeStored === true ? upTo(size) : [], hold: asHold(verdict) };
    default:
      return isolate(verdict, size);
  }
}

interface Sorted {
  readonly acknowledged: number[];
  readonly unconfirmed: number[];
  readonly refused: Refusal[];
  readonly later: number[];
  readonly apart: number[];
  readonly uncertain: number[];
  unlocated: number;
  suspect: number | undefined;
  slower: boolean;
  failure: Failure | undefined;
  hold: HoldOrder | undefined;
}

/** Of several failures the longest pause counts, and a doubtful one weighs more than one that asks for nothing. */
function worse(known: Failure | undefined, next: Failure): Failure {
  if (known === undefined) return next;
  const weight = (failure: Failure): number => failure.retryAfterMs ?? 1;
  return weight(next) > weight(known) ? next : known;
}

function sortOne(sorted: Sorted, verdict: Verdict, index: number): void {
  switch (verdict.kind) {
    case 'accept':
      sorted.acknowledged.push(index);
      if (verdict.isRepeated === true) sorted.uncertain.push(index);
      sorted.slower ||= verdict.slower === true;
      sorted.unlocated += verdict.refused ?? 0;
      return;
    case 'sent':
      sorted.unconfirmed.push(index);
      return;
    case 'event':
      sorted.refused.push(asRefusal(verdict, index));
      return;
    case 'split':
      sorted.apart.push(index);
      return;
    case 'hold':
      sorted.later.push(index);
      if (verdict.maybeStored === true) sorted.uncertain.push(index);
      sorted.hold ??= asHold(verdict);
      return;
    case 'uncertain':
    case 'retry':
      if (verdict.kind === 'uncertain' && verdict.suspect === true) sorted.suspect = index;
      (sorted.suspect === index ? sorted.apart : sorted.later).push(index);
      if (verdict.kind === 'uncertain') sorted.uncertain.push(index);
      sorted.failure = worse(sorted.failure, asFailure(verdict));
  }
}

function decideEach(each: readonly Verdict[], size: number): Decision {
  const [first] = each;
  if (size === 1 && first !== undefined) return decideAll(first, 1);
  const empty = {
    acknowledged: [],
    unconfirmed: [],
    refused: [],
    later: [],
    apart: [],
    uncertain: [],
    unlocated: 0,
    suspect: undefined,
    slower: false,
  };
  const sorted: Sorted = { ...empty, failure: undefined, hold: undefined };
  for (const [index, verdict] of each.entries()) sortOne(sorted, verdict, index);
  const { later, apart, ...rest } = sorted;
  if (later.length === size) return { ...rest, again: 'same', tooLarge: undefined };
  const suspects = apart.length === size ? halves(apart) : [apart];
  const again = [...suspects, later].filter((group) => group.length > 0).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  return { ...rest, again, tooLarge: undefined };
}

/**
 * Decides what becomes of a batch of `size` events, once for all sinks. A sink that gives another number of verdicts than events has said
 * nothing that can be relied on: the batch counts as uncertain.
 */
export function decide(verdicts: Verdicts, size: number): Decision {
  if ('all' in verdicts) return decideAll(verdicts.all, size);
  if (verdicts.each.length === size) return decideEach(verdicts.each, size);
  return decideAll({ kind: 'uncertain', reason: `${verdicts.each.length} verdicts for ${size} events` }, size);
}
