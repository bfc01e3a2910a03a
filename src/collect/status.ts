import type { HoldNote } from '../journal/journal.ts';
import type { SourceContext } from './context.ts';
import type { KindLoop } from './loop.ts';
import type { SourceStatus } from './source.ts';
import { warningsOf } from './warnings.ts';

/** What a loop knows of itself; times are milliseconds since the epoch. */
export interface LoopFacts {
  phase: 'starting' | 'idle' | 'polling' | 'waiting_for_room' | 'stopped';
  readonly since: number;
  failures: number;
  cursor: number | undefined;
  lastPoll: number | undefined;
  lastSuccess: number | undefined;
  lastError: NonNullable<SourceStatus['last_error']> | undefined;
}

/** The facts of a loop that did nothing yet. */
export function newFacts(now: number): LoopFacts {
  return {
    phase: 'starting',
    since: now,
    failures: 0,
    cursor: undefined,
    lastPoll: undefined,
    lastSuccess: undefined,
    lastError: undefined,
  };
}

interface Surroundings {
  readonly kind: KindLoop;
  readonly hold: HoldNote | undefined;
  /** Until the next poll; undefined for a loop that was not started. */
  readonly dueInMs: number | undefined;
}

function stateOf({ phase, failures }: LoopFacts, hold: HoldNote | undefined): SourceStatus['state'] {
  if (phase === 'stopped' || phase === 'waiting_for_room') return phase;
  if (hold !== undefined) return 'hold';
  return failures > 0 ? 'failing' : phase;
}

function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Puts a source's status together from what is in memory. */
export function statusOf(c: SourceContext, facts: LoopFacts, { kind, hold, dueInMs }: Surroundings): SourceStatus {
  const { settings, memory, counts } = c;
  const now = c.deps.seams.clock.now();
  const { fetched, new: fresh, duplicate, excluded, unreadable } = counts;
  const lateness = memory.lateness.report();
  const details = { ...kind.details(), ...(lateness === undefined ? {} : { lateness }) };
  const { cursor } = facts;
  const watched = warningsOf(c, { ...facts, hasWindows: kind.hasWindows });
  const errors = watched.filter(({ level }) => level === 'error').map(({ text }) => text);
  return {
    name: settings.name,
    connector: settings.connector.name,
    state: stateOf(facts, hold),
    ...present({
      hold,
      cursor,
      cursor_age_seconds: cursor === undefined ? undefined : Math.max(0, Math.round((now - cursor) / 1000)),
      retention_seconds: settings.retentionMs === undefined ? undefined : Math.round(settings.retentionMs / 1000),
      last_poll: facts.lastPoll,
      last_success: facts.lastSuccess,
      last_event: memory.newestTime,
      next_poll: dueInMs === undefined || facts.phase !== 'idle' ? undefined : Math.round(now + Math.max(0, dueInMs)),
      last_error: facts.lastError,
      clock_skew_ms: memory.skew?.ms,
    }),
    consecutive_failures: facts.failures,
    records: { fetched, new: fresh, duplicate, excluded, unreadable },
    warnings: [...watched.map(({ text }) => text), ...kind.warnings()],
    ...(errors.length === 0 ? {} : { errors }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}
