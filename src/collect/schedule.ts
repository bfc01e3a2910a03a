import { Cron } from 'croner';
import type { Clock } from '../base/clock.ts';
import { dayMs } from '../base/quantity.ts';
import type { Schedule } from '../connectors/source-settings.ts';

/** Says when the next poll is due. Intervals follow the monotonic clock; cron follows the wall clock, whose steps neither stop nor burst it. */
export interface Due {
  /** Milliseconds until the poll is due; 0 or less when it is. */
  dueIn(): number;
  /** Ask again after so many milliseconds at the latest: a wall clock may step. */
  readonly askAgainMs: number;
}

/** A cron schedule asks so often. */
const cronSliceMs = 30_000;

/** Due an interval after the last poll began; at once when that is over. */
function afterInterval(clock: Clock, everyMs: number, began: number): Due {
  return { dueIn: () => began + everyMs - clock.monotonic(), askAgainMs: Number.POSITIVE_INFINITY };
}

/** Due at the next time the expression names. */
function afterCron(clock: Clock, cron: Cron): Due {
  const next = (): number => cron.nextRun(new Date(clock.now()))?.getTime() ?? Number.POSITIVE_INFINITY;
  let target = next();
  return {
    dueIn() {
      const now = clock.now();
      if (now < target) target = Math.min(target, next());
      return target - now;
    },
    askAgainMs: cronSliceMs,
  };
}

/** Due so many milliseconds from now. */
export function dueAfter(clock: Clock, ms: number): Due {
  return afterInterval(clock, ms, clock.monotonic());
}

/** Whichever comes first. */
export function earlier(a: Due, b: Due): Due {
  return { dueIn: () => Math.min(a.dueIn(), b.dueIn()), askAgainMs: Math.min(a.askAgainMs, b.askAgainMs) };
}

/** Opens a schedule: call the result when a poll begins to learn when the next is due. Throws when the cron expression is invalid. */
export function openSchedule(schedule: Schedule, clock: Clock): () => Due {
  if ('everyMs' in schedule) return () => afterInterval(clock, schedule.everyMs, clock.monotonic());
  const cron = new Cron(schedule.cron, { timezone: schedule.timezone });
  return () => afterCron(clock, cron);
}

/** The usual distance between polls, milliseconds; for cron the distance of the next two. */
export function usualIntervalMs(schedule: Schedule, now: number): number {
  if ('everyMs' in schedule) return schedule.everyMs;
  const [first, second] = new Cron(schedule.cron, { timezone: schedule.timezone }).nextRuns(2, new Date(now));
  return first === undefined || second === undefined ? dayMs : second.getTime() - first.getTime();
}
