import type { Batch } from './batch.ts';
import { untilOthersCode } from './blame/suspects.ts';
import type { LoopContext } from './context.ts';
import type { Decision, Refusal } from './decide.ts';
import { type HoldCause, lettersFull, systematic } from './hold/hold.ts';
import type { OpenLane } from './lane.ts';
import type { PreparedEvent, Unsendable } from './prepare.ts';

/** What is left to do after a decision was carried out. */
export interface Applied {
  /** Sent again, in this order. */
  readonly again: readonly Batch[];
  /** A hold that deliver itself asks for. */
  readonly hold: HoldCause | undefined;
  /** Events that were taken. */
  readonly delivered: number;
  /** Dead letters written, and those of them that were none before. */
  readonly letters: number;
  readonly newLetters: number;
}

const longestText = 1000;
const longestCode = 100;

/** Carries out a decision, the one place where decisions become outcomes: gives records theirs, forms the batches that are sent again. */
export function apply(context: LoopContext, batch: Batch, decision: Decision): Applied {
  const isWaiting = decision.refused[0]?.code === untilOthersCode;
  if (decision.again !== 'same' && !isWaiting) for (const { uid } of batch.prepared) context.suspects.forget(uid);
  for (const index of decision.acknowledged) batch.prepared[index]?.open.settle('acknowledged');
  for (const index of decision.unconfirmed) batch.prepared[index]?.open.settle('unconfirmed');
  const delivered = decision.acknowledged.length + decision.unconfirmed.length;
  if (delivered > 0) noteDelivery(context, batch, delivered);
  countDuplicates(context, batch, decision.uncertain);
  const { hold, kept } = refuseAll(context, batch, decision.refused);
  const isDoubtful = ({ index, isDoubtful: asked }: Refusal): boolean => asked === true && kept.includes(index);
  countDuplicates(
    context,
    batch,
    decision.refused.filter(isDoubtful).map(({ index }) => index),
  );
  const letters = decision.refused.length - kept.length;
  const isNew = ({ index }: Refusal): boolean => !kept.includes(index) && batch.prepared[index]?.open.isLetter !== true;
  const newLetters = decision.refused.filter(isNew).length;
  if (delivered + letters > 0) context.settler.answered(batch);
  const counts = { hold, delivered, letters, newLetters };
  if (decision.again === 'same' || kept.length === batch.size) return { again: [batch], ...counts };
  const again = regroup(batch, decision.again, kept);
  const suspect = decision.suspect === undefined ? undefined : batch.prepared[decision.suspect];
  for (const part of again) {
    if (decision.isNarrowed === true) part.blame.narrowed();
    if (suspect !== undefined && part.prepared.includes(suspect)) part.named();
  }
  return { again, ...counts };
}

function noteDelivery({ refusals, deliveries, clock }: LoopContext, { prepared, isReplay }: Batch, delivered: number): void {
  refusals.accepted(delivered);
  const received = prepared[0]?.open.record.received;
  if (received !== undefined && !isReplay) deliveries.observe(Math.max(0, clock.now() - received) / 1000);
}

/** Makes a dead letter of what cannot be sent, on hold while there is no room; false when the loop stops first. */
export async function bury(context: LoopContext, unsendable: Unsendable): Promise<boolean> {
  const { open, code, text } = unsendable;
  if (!open.isLetter && !(await roomForLetter(context, code))) return false;
  settleAsLetter(context, unsendable, { code, text: shownText(context, text), attempts: 0, first: undefined });
  context.settler.add(open.lane);
  return true;
}

async function roomForLetter({ hold, deadLetters, stopping }: LoopContext, code: string): Promise<boolean> {
  while (!deadLetters.reserve()) {
    await hold.enter(lettersFull(deadLetters.count, code));
    const pass = await hold.pass(stopping.signal);
    if (pass === 'stop') return false;
    if (pass === 'probe') await hold.probed((await deadLetters.findsRoom().catch(() => false)) ? 'ended' : 'refused');
  }
  return true;
}

/** Writes letters until something forbids it; what is left then is kept for after the hold. */
function refuseAll(
  context: LoopContext,
  batch: Batch,
  refused: readonly Refusal[],
): { readonly hold: HoldCause | undefined; readonly kept: readonly number[] } {
  let hold: HoldCause | undefined;
  const kept: number[] = [];
  for (const refusal of refused) {
    const prepared = batch.prepared[refusal.index];
    if (prepared === undefined) continue;
    hold ??= refuse(context, batch, prepared, refusal);
    if (hold !== undefined) kept.push(refusal.index);
  }
  return { hold, kept };
}

function refuse(
  context: LoopContext,
  { attempts, first }: Batch,
  prepared: PreparedEvent,
  refusal: Refusal,
): HoldCause | undefined {
  const { refusals, deadLetters } = context;
  const { open, uid } = prepared;
  const code = context.secrets.tell(refusal.code, longestCode);
  const text = shownText(context, refusal.reason);
  // A letter that is refused once more has its room, and says nothing about the configuration of today.
  if (!open.isLetter && refusal.isAlone !== true && refusals.refused(uid, code, refusal)) return systematic(code, text);
  if (!open.isLetter && !deadLetters.reserve()) return lettersFull(deadLetters.count, code);
  settleAsLetter(context, prepared, { code, text, attempts, first: first?.at });
  return undefined;
}

function shownText({ secrets }: LoopContext, text: string): string {
  return secrets.tell(text, longestText);
}

function settleAsLetter(
  context: LoopContext,
  { open, time, actionKey }: Pick<PreparedEvent, 'open' | 'time' | 'actionKey'>,
  why: { readonly code: string; readonly text: string; readonly attempts: number; readonly first: number | undefined },
): void {
  const { code, text, attempts } = why;
  const { source, connector, tenant, labels } = open.page;
  const now = context.clock.now();
  open.settle({
    record: open.record,
    source,
    connector,
    tenant,
    labels,
    eventTime: time,
    action: actionKey,
    code,
    text,
    attempts,
    first: why.first ?? now,
    last: now,
  });
  context.trouble('event', `${code}: ${text}`);
}

function regroup(batch: Batch, again: readonly (readonly number[])[], kept: readonly number[]): Batch[] {
  const groups = (kept.length === 0 ? [...again] : [...again, kept]).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  return batch.cut(groups);
}

/** Counts events that are sent again although they may have been stored; written at once, so that a stop does not lose it. */
export function countDuplicates({ settler, tally }: LoopContext, { prepared }: Batch, indexes: readonly number[]): void {
  tally.possibleDuplicates += indexes.length;
  const perLane = new Map<OpenLane, number>();
  for (const index of indexes) {
    const lane = prepared[index]?.open.lane;
    if (lane !== undefined) perLane.set(lane, (perLane.get(lane) ?? 0) + 1);
  }
  for (const [lane, events] of perLane) {
    lane.addDuplicates(events);
    settler.add(lane);
  }
}
