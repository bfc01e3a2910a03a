import { deadline, sleep } from '../base/clock.ts';
import { explainInLine } from '../base/errors.ts';
import type { Pending, Sink, Verdicts } from '../sinks/sink.ts';
import type { Batch } from './batch.ts';
import type { LoopContext } from './context.ts';
import type { EndpointUse } from './endpoints/endpoints.ts';
import { ofContent } from './endpoints/reach.ts';
import { exchange } from './exchange.ts';
import type { OpenLane, OpenRecord } from './lane.ts';
import type { SinkUse } from './open-sink.ts';

/** False for a lane that another process may deliver by now. */
export const mayFinish = ({ journal }: LoopContext, lane: OpenLane): boolean =>
  !lane.isLost && journal.ownership.mayFinish(lane.lane.source);

const isLaneOurs = ({ journal, ending }: LoopContext, lane: OpenLane): boolean =>
  !lane.isLost && !ending.signal.aborted && journal.ownership.owns(lane.lane.source);

/**
 * False for a record that another process may deliver by now, or is to deliver. What is given back, or ends, is sent as far as more that came
 * after it was taken: the offset stands before the first that was not, and all behind it would be sent again.
 */
const isOurs = (context: LoopContext, open: OpenRecord): boolean =>
  isLaneOurs(context, open.lane) || (open.isOvertaken && mayFinish(context, open.lane));

/** Asked before every send: bytes that have left are not called back. */
export function isOwned(context: LoopContext, { lanes, prepared }: Batch): boolean {
  for (const lane of lanes.keys()) if (!isLaneOurs(context, lane)) return prepared.every(({ open }) => isOurs(context, open));
  return true;
}

/** The batch without events that another process delivers, now or soon; nothing where all of them are such. */
export function ownedPart(context: LoopContext, batch: Batch): Batch[] {
  const indexes = [...batch.prepared.keys()];
  const owned = indexes.filter((index) => {
    const open = batch.prepared[index]?.open;
    return open !== undefined && isOurs(context, open);
  });
  return owned.length === 0 ? [] : batch.cut([owned]);
}

const lost: Verdicts = { all: { kind: 'retry', reason: 'another replica may have the source by now' } };

/** Sends a batch once, and gives the endpoint back. On a stream a probe, and what is under suspicion, goes alone and is followed by a clean close. */
export async function attempt(
  context: LoopContext,
  batch: Batch,
  endpoint: EndpointUse,
  { sink }: SinkUse,
  isProbe: boolean,
): Promise<Verdicts | Pending> {
  const { clock, tally, settings, cutOff, endpoints } = context;
  batch.first ??= { at: clock.now(), monotonic: clock.monotonic() };
  batch.underWay(true);
  const isAlone = (batch.blame.isSuspect || isProbe) && sink.isStream === true;
  // What went before it on a stream is not to share its fate.
  if (isAlone) await sink.flush?.(cutOff.signal).catch(() => undefined);
  const unnoted = sink.settlesFirst === true ? await noteBefore(context, batch, sink) : undefined;
  // The answer of the journal, or of the receiver, may have come after the lease.
  const unsent = unnoted ?? (isOwned(context, batch) ? undefined : lost);
  if (unsent !== undefined) {
    endpoints.release(endpoint);
    return unsent;
  }
  const given = batch.forAttempt(endpoint.endpoint);
  tally.inFlight += 1;
  const since = clock.monotonic();
  try {
    const said = await exchange(sink, given, clock, settings.timeoutMs, cutOff.signal);
    const answer = await ofContent(context, endpoint, sink, said);
    return isAlone && 'pending' in answer ? await closeAfter(context, sink, answer) : answer;
  } finally {
    tally.inFlight -= 1;
    context.requests.observe((clock.monotonic() - since) / 1000);
    endpoints.release(endpoint);
  }
}

/** What has to be done before a sink with {@link Sink.settlesFirst} is given a batch; gives the verdicts in place of an answer where that fails. */
async function noteBefore(context: LoopContext, batch: Batch, sink: Sink): Promise<Verdicts | undefined> {
  const { withdrawals, plan, clock, settings, cutOff } = context;
  try {
    using limit = deadline(clock, settings.timeoutMs, cutOff.signal);
    return (await withdrawals.before(batch, sink, limit.signal)) ?? (await plan.note(batch));
  } catch (error) {
    return { all: { kind: 'retry', reason: explainInLine(error) } };
  }
}

// A receiver that breaks off does so when it reads what it cannot bear.
const breakOffMs = 500;

/** Ends a stream cleanly after a batch under suspicion, so that it is known what became of it before anything follows it. */
async function closeAfter(context: LoopContext, sink: Sink, answer: Pending): Promise<Verdicts | Pending> {
  const known = await soon(context, answer);
  if (!('pending' in known)) return known;
  await sink.flush?.(context.cutOff.signal).catch(() => undefined);
  return await soon(context, answer);
}

/** The verdicts, where they come soon. */
async function soon({ clock, cutOff }: LoopContext, answer: Pending): Promise<Verdicts | Pending> {
  const enough = new AbortController();
  const rest = sleep(clock, breakOffMs, AbortSignal.any([cutOff.signal, enough.signal])).catch(() => undefined);
  const first = await Promise.race([answer.pending, rest.then(() => answer)]);
  enough.abort();
  return first;
}
