import type { Batch } from '../batch.ts';
import { holdsUp } from '../blame/meant.ts';
import { untilOthersCode } from '../blame/suspects.ts';
import type { LoopContext } from '../context.ts';
import type { Decision, Failure } from '../decide.ts';
import type { EndpointUse } from './endpoints.ts';

const mostHasty = 3;
// A single failure is daily business of a busy receiver; logged is what lasts.
const awayAfter = 3;
const longestWarning = 300;
// So many tries in a row took nothing that the endpoint may fail by now.
const lateInVain = 12;

/** Takes from an answer what it says about the endpoint and about how many requests the receiver bears. */
export function learn(context: LoopContext, batch: Batch, endpoint: EndpointUse, decision: Decision, delivered: number): void {
  const { limit, clock } = context;
  if (decision.slower) limit.slower(endpoint.startedAt, clock.monotonic());
  else if (delivered > 0) limit.faster();
  if (delivered > 0) {
    context.endpoints.took(endpoint, delivered, messagesIn(context, decision));
    batch.blame.taken(endpoint);
    sendGivenUp(context);
  }
  if (delivered === batch.size && context.limits.passed(endpoint.endpoint, batch.extent)) context.suspects.learnt();
  const hasProgressed = delivered + decision.refused.length > 0;
  if (delivered === 0 && (decision.hold ?? decision.failure) !== undefined) context.endpoints.inVain(endpoint, batch.size > 1);
  if (decision.failure !== undefined) onFailure(context, batch, endpoint, decision, decision.failure, hasProgressed);
  else if (decision.hold === undefined) onSuccess(context, endpoint);
  if (decision.unlocated > 0) onUnlocated(context, decision);
  if (delivered > 0) onWarning(context, decision.warning);
}

/** What was given up goes again once others are taken. */
function sendGivenUp({ suspects, endpoints, steadyNow, deadLetters }: LoopContext): void {
  const again = suspects.taken(endpoints.total, steadyNow());
  if (again.size > 0) void deadLetters.retryEvents(untilOthersCode, again, (uid) => suspects.forget(uid));
}

/** Messages that were answered one by one; a request is one. */
function messagesIn({ sink }: LoopContext, { acknowledged }: Decision): number {
  return sink.sink?.isStream === true ? Math.max(1, acknowledged.length) : 1;
}

function onSuccess({ endpoints, log }: LoopContext, use: EndpointUse): void {
  const failures = endpoints.succeed(use);
  if (failures >= awayAfter) log.info({ endpoint: use.endpoint, failures }, 'the receiver takes events again');
}

function onFailure(
  context: LoopContext,
  batch: Batch,
  use: EndpointUse,
  { suspect }: Decision,
  { kind, reason, retryAfterMs }: Failure,
  hasProgressed: boolean,
): void {
  const scrubbed = context.trouble(kind, reason);
  batch.hasty = hasProgressed ? 0 : batch.hasty + 1;
  // A receiver that asks for the same bytes at once, over and over, gets them with pauses.
  if (retryAfterMs === 0 && batch.hasty <= mostHasty) return;
  if (isToBlame(context, batch, use)) {
    context.endpoints.pause(use, retryAfterMs);
    return;
  }
  // It took what stood before the event that broke it.
  if (suspect !== undefined && hasProgressed) context.endpoints.succeed(use);
  if (context.endpoints.fail(use, retryAfterMs) !== awayAfter) return;
  const fields = { endpoint: use.endpoint, reason: scrubbed };
  context.log.warn(fields, 'the receiver does not take events; they wait in the journal and are sent again');
}

/** True where the endpoint took others meanwhile, and of late: it is not the endpoint that fails. On a stream what goes beside it shares its fate. */
function isToBlame(context: LoopContext, batch: Batch, use: EndpointUse): boolean {
  if (!batch.isSingledOut || context.sink.sink?.isStream === true) return false;
  const isOfLate = batch.blame.othersSince().passed > 0 && context.endpoints.recordOf(use).vain < lateInVain;
  return isOfLate || holdsUp(context, batch);
}

/** Logged when it is the first of the process; status shows what the latest answer said. */
function onWarning({ tally, log, secrets }: LoopContext, warning: string | undefined): void {
  const told = warning === undefined ? undefined : secrets.tell(warning, longestWarning);
  if (told !== undefined && !tally.wasWarned) log.warn({ warning: told }, 'the receiver takes events, and warns');
  tally.wasWarned ||= told !== undefined;
  tally.warning = told;
}

function onUnlocated({ tally, log, secrets }: LoopContext, { unlocated: events, warning }: Decision): void {
  if (tally.unlocated === 0)
    log.error(
      { events, reason: warning === undefined ? undefined : secrets.tell(warning, longestWarning) },
      'the receiver took a batch and refused some of its events without telling which; they are not sent again',
    );
  tally.unlocated += events;
}
