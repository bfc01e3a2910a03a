import { Cron } from 'croner';
import { parseDuration } from '../base/quantity.ts';
import type { YamlPath } from '../base/yaml-faults.ts';
import type { SourceConfig } from './config.ts';
import type { LoadContext } from './load-context.ts';
import type { SourceOptions } from './source-options.ts';

const shortestMs = 1000;

/** When a source polls; undefined when nothing is said, or after a fault. */
export function readSchedule(options: SourceOptions, at: YamlPath, context: LoadContext): SourceConfig['schedule'] | undefined {
  const { schedule } = options;
  const form = typeof schedule === 'object' ? schedule : undefined;
  const interval = typeof schedule === 'string' && !/\s|^@/.test(schedule.trim()) ? schedule.trim() : form?.every;
  const cron = form?.cron ?? options.cron ?? (typeof schedule === 'string' && interval === undefined ? schedule : undefined);
  const place = [...at, options.cron === undefined ? 'schedule' : 'cron'];
  if (interval !== undefined && cron !== undefined) {
    context.faults.push(context.doc.fault(place, 'an interval and a cron expression exclude each other', 'keep one of them'));
    return undefined;
  }
  if (interval !== undefined) return readInterval(interval, place, context);
  return cron === undefined ? undefined : readCron(cron, form?.timezone ?? options.timezone ?? 'UTC', place, context);
}

function readInterval(text: string, at: YamlPath, { doc, faults }: LoadContext): SourceConfig['schedule'] | undefined {
  const everyMs = parseDuration(text);
  if (everyMs !== undefined && everyMs >= shortestMs) return { everyMs };
  const what =
    everyMs === undefined ? `"${text}" is neither an interval nor a cron expression` : `"${text}" is shorter than one second`;
  faults.push(doc.fault(at, what, 'write an interval such as 1m, or a cron expression such as "*/5 * * * *"'));
  return undefined;
}

function readCron(
  cron: string,
  timezone: string,
  at: YamlPath,
  { doc, faults, now }: LoadContext,
): SourceConfig['schedule'] | undefined {
  const isZone = isTimezone(timezone);
  if (!isZone) faults.push(doc.fault(at, `"${timezone}" is not a time zone`, 'write a name such as UTC or Europe/Berlin'));
  const wrong = whatIsWrong(cron, isZone ? timezone : 'UTC', now);
  if (wrong === undefined) return isZone ? { cron, timezone } : undefined;
  faults.push(doc.fault(at, `cron expression "${cron}": ${wrong}`, 'write five fields, minute to weekday: "*/5 * * * *"'));
  return undefined;
}

function whatIsWrong(cron: string, timezone: string, now: number): string | undefined {
  try {
    const next = new Cron(cron, { timezone, paused: true }).nextRun(new Date(now));
    return next === null ? 'never comes due' : undefined;
  } catch (error) {
    return (error as Error).message.replace(/^CronPattern: /, '');
  }
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
