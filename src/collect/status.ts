import type { SourceContext } from './context.ts';
import type { Kind } from './kind.ts';
import type { SourceStatus } from './source.ts';
import { warningsOf } from './warnings.ts';

/** Most answers are there long before. */
const usualWaitMs = 10_000;

function stateOf({ state: { phase }, health }: SourceContext): SourceStatus['state'] {
  if (phase === 'stopped' || phase === 'waiting_for_room') return phase;
  if (health.hold !== undefined) return 'hold';
  return health.failures > 0 ? 'failing' : phase;
}

function waitOf({ waits }: SourceContext, now: number): SourceStatus['waits_for'] {
  const wait = waits?.longest();
  if (wait === undefined || wait.ms < usualWaitMs) return undefined;
  const { what, ms, after } = wait;
  return { what, since: Math.round(now - ms), ...(after !== undefined && { after }) };
}

function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Puts a source's status together from what is in memory; `dueInMs` until the next poll, undefined for a loop that was not started. */
export function statusOf(context: SourceContext, kind: Kind, dueInMs: number | undefined): SourceStatus {
  const { settings, memory, health, state } = context;
  const now = context.seams.clock.now();
  const { id_conflict: _conflicts, ...records } = context.counts;
  const lateness = memory.lateness.report();
  const details = { ...kind.details(), ...(lateness === undefined ? {} : { lateness }) };
  const { cursor } = state;
  const watched = warningsOf(context, kind);
  const errors = watched.filter(({ level }) => level === 'error').map(({ text }) => text);
  return {
    name: settings.name,
    connector: settings.connector.name,
    state: stateOf(context),
    ...present({
      hold: health.hold,
      cursor,
      cursor_age_seconds: cursor === undefined ? undefined : Math.max(0, Math.round((now - cursor) / 1000)),
      retention_seconds: settings.retentionMs === undefined ? undefined : Math.round(settings.retentionMs / 1000),
      last_poll: state.lastPoll,
      polling_since: state.phase === 'polling' && kind.isEndless !== true ? state.lastPoll : undefined,
      waits_for: waitOf(context, now),
      last_success: health.lastSuccess,
      last_event: memory.newestTime,
      next_poll: dueInMs === undefined || state.phase !== 'idle' ? undefined : Math.round(now + Math.max(0, dueInMs)),
      last_error: health.lastError,
      clock_skew_ms: memory.vendorClock.skewMs,
      unknown_actions: memory.unknown.summary(settings.connector),
    }),
    consecutive_failures: health.failures,
    records,
    warnings: [...watched.map(({ text }) => text), ...kind.warnings()],
    ...(errors.length === 0 ? {} : { errors }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}
