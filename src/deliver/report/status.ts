import { counted, formatDuration } from '../../base/quantity.ts';
import type { HoldNote } from '../../journal/journal.ts';
import type { LoopContext } from '../context.ts';
import type { EndpointStatus } from '../endpoints/endpoints.ts';
import type { InvalidEvents } from './invalid-events.ts';
import type { Trouble } from './tally.ts';

/** How a sink is doing; field names are stable, they are what `status --json` prints. Times are milliseconds since the epoch. */
export interface SinkStatus {
  readonly name: string;
  readonly type: string;
  readonly state: 'starting' | 'idle' | 'delivering' | 'retrying' | 'hold' | 'disabled' | 'stopped';
  readonly hold?: HoldNote;
  readonly lag_seconds: number;
  readonly pending: number;
  readonly in_flight: number;
  readonly last_acknowledged?: number;
  readonly last_error?: Trouble;
  readonly dead_letters: number;
  readonly acknowledged: number;
  readonly unconfirmed: number;
  readonly map_failed: number;
  readonly unknown_actions: Readonly<Record<string, number>>;
  /** Events that are not valid by OCSF, where a source has them checked; absent where there are none. */
  readonly invalid_events?: readonly InvalidEvents[];
  /** Events mapped since the start, by OCSF class name. */
  readonly classes?: Readonly<Record<string, number>>;
  /** What is counted since the start, by name: `possible_duplicates`, and what the kind of sink counts itself (`truncated`). */
  readonly counters?: Readonly<Record<string, number>>;
  readonly endpoints: readonly EndpointStatus[];
  readonly warnings: readonly string[];
  /** Those of the warnings that are errors: it stands still, and a person should see why. */
  readonly errors?: readonly string[];
}

/** Where a loop is in its life; while it stops it still counts as running. */
export type Phase = 'starting' | 'running' | 'stopped';

function stateOf({ hold, lanes, endpoints, tally }: LoopContext, phase: Phase): SinkStatus['state'] {
  if (phase !== 'running') return phase;
  if (hold.note !== undefined) return 'hold';
  const states = endpoints.states();
  const isAnyUp = states.some(({ failures, backing_off_until: until }) => failures === 0 && until === undefined);
  if (lanes.openRecords() > 0 && states.length > 0 && !isAnyUp) return 'retrying';
  return tally.inFlight > 0 || lanes.openRecords() > 0 ? 'delivering' : 'idle';
}

/** What keeps the sink from working on this side of the receiver. */
function ownTroubles({ tally, lanes }: LoopContext): string[] {
  const { journalTrouble } = tally;
  return [...lanes.troubles(), ...(journalTrouble === undefined ? [] : [`offsets cannot be written: ${journalTrouble}`])];
}

/** Why nothing moves, where no hold says it. */
function stalled(context: LoopContext): string[] {
  const { stall, hold, tally, lanes, clock } = context;
  const { ms } = stall;
  if (ms === undefined || hold.note !== undefined || lanes.pending() === 0) return [];
  const own = ownTroubles(context);
  if (own.length > 0) return own;
  const { lastError } = tally;
  // What went wrong before it stood still, and was over, is not why.
  const reason = lastError !== undefined && lastError.at >= clock.now() - ms ? lastError.reason : 'the receiver gives no answer';
  return [`no progress for ${formatDuration(ms)}: ${reason}`];
}

const longestUsualWaitMs = 60_000;
/** A stream calls what it wrote sent after a minute. */
const longestUsualWaitOfStreamMs = 75_000;

/** Why the lag grows although the receiver takes everything: it restarted, say, and knows nothing of what it had taken. */
function unacknowledged({ tally, clock, hold, sink }: LoopContext): string[] {
  const [oldest] = tally.waitingSince;
  const waitedMs = oldest === undefined ? 0 : clock.monotonic() - oldest.at;
  const isStream = sink.sink?.isStream === true;
  if (waitedMs < (isStream ? longestUsualWaitOfStreamMs : longestUsualWaitMs) || hold.note !== undefined) return [];
  const batches = counted(tally.waitingSince.size, 'batch waits', 'batches wait');
  if (isStream)
    return [
      `${batches} up to ${formatDuration(waitedMs)} to be called sent: the receiver reads slowly, or keeps its side of a closed connection open`,
    ];
  return [
    `${batches} up to ${formatDuration(waitedMs)} for an acknowledgement of the receiver, which took them; what it does not acknowledge in time is sent again`,
  ];
}

const nearlyFull = 0.8;

function warningsOf(context: LoopContext): string[] {
  const { settings, endpoints, deadLetters, tally } = context;
  const warnings = [...unacknowledged(context), ...ownTroubles(context)];
  const states = endpoints.states();
  if (states.length > 1) {
    for (const { endpoint, failures } of states)
      if (failures > 0)
        warnings.push(`endpoint ${endpoint} failed ${counted(failures, 'time')} in a row; others take its batches`);
  }
  if (deadLetters.count >= settings.maxDeadLetters * nearlyFull)
    warnings.push(`${deadLetters.count} of ${settings.maxDeadLetters} dead letters; at the limit the sink holds`);
  if (tally.unlocated > 0)
    warnings.push(`the receiver took batches and says that it refused ${tally.unlocated} of their events, without telling which`);
  if (tally.warning !== undefined) warnings.push(`the receiver warns: ${tally.warning}`);
  return warnings;
}

/** The status of the loop with this context. */
export function readStatus(context: LoopContext, phase: Phase): SinkStatus {
  const { settings, clock, tally, hold, lanes, endpoints, deadLetters, unknownActions } = context;
  const invalid = context.invalidEvents.list();
  const errors = stalled(context);
  const oldest = lanes.oldestLive();
  const { possibleDuplicates } = tally;
  const counters = {
    ...context.sink.counts(),
    ...(possibleDuplicates === 0 ? {} : { possible_duplicates: possibleDuplicates }),
  };
  return {
    name: settings.name,
    type: settings.type,
    state: stateOf(context, phase),
    ...(hold.note === undefined ? {} : { hold: hold.note }),
    lag_seconds: oldest === undefined ? 0 : Math.max(0, (clock.now() - oldest) / 1000),
    pending: lanes.pending(),
    in_flight: tally.inFlight,
    ...(tally.lastAcknowledged === undefined ? {} : { last_acknowledged: tally.lastAcknowledged }),
    ...(tally.lastError === undefined ? {} : { last_error: tally.lastError }),
    dead_letters: deadLetters.stored,
    acknowledged: tally.acknowledged,
    unconfirmed: tally.unconfirmed,
    map_failed: tally.mapFailed,
    unknown_actions: { ...unknownActions.counts },
    ...(invalid.length === 0 ? {} : { invalid_events: invalid }),
    classes: { ...tally.classes },
    ...(Object.keys(counters).length === 0 ? {} : { counters }),
    endpoints: endpoints.states(),
    warnings: [...new Set([...errors, ...warningsOf(context)])],
    ...(errors.length === 0 ? {} : { errors }),
  };
}
