import { Cron } from 'croner';
import { formatDuration, parseDuration, parseTimestamp } from '../base/quantity.ts';
import { meantDuration, meantTime } from '../base/slips.ts';
import type { YamlPath } from '../base/yaml-faults.ts';
import type { Connector } from '../connectors/connector.ts';
import type { SourceConfig } from './config.ts';
import type { LoadContext } from './load-context.ts';
import type { SourceOptions } from './source-options.ts';

const shortestMs = 1000;

/** When a source polls; undefined when nothing is said, or after a fault. */
export function readSchedule(options: SourceOptions, at: YamlPath, context: LoadContext): SourceConfig['schedule'] | undefined {
  const { schedule } = options;
  const form = typeof schedule === 'object' ? schedule : undefined;
  const isInterval = typeof schedule === 'string' && (!/\s|^@/.test(schedule.trim()) || meantDuration(schedule) !== undefined);
  const interval = isInterval ? schedule.trim() : form?.every;
  const cron = form?.cron ?? options.cron ?? (typeof schedule === 'string' && interval === undefined ? schedule : undefined);
  const place = [...at, options.cron === undefined ? 'schedule' : 'cron'];
  const timezone = form?.timezone ?? options.timezone;
  const zonePlace = form?.timezone === undefined ? [...at, 'timezone'] : [...at, 'schedule', 'timezone'];
  const isZone = checkZone(timezone, cron !== undefined, zonePlace, context);
  if (interval !== undefined && cron !== undefined) {
    context.faults.push(context.doc.fault(place, 'an interval and a cron expression exclude each other', 'keep one of them'));
    return undefined;
  }
  if (interval !== undefined) return readInterval(interval, place, context);
  return cron === undefined ? undefined : readCron(cron, isZone ? (timezone ?? 'UTC') : 'UTC', place, context);
}

/** False, with a fault, where the zone is none, or where there is no cron expression that it could belong to. */
function checkZone(timezone: string | undefined, hasCron: boolean, at: YamlPath, { doc, faults }: LoadContext): boolean {
  if (timezone === undefined) return true;
  if (!isTimezone(timezone))
    faults.push(doc.fault(at, `"${timezone}" is not a time zone`, 'write a name such as UTC or Europe/Berlin'));
  else if (!hasCron)
    faults.push(doc.fault(at, 'an interval has no time zone', 'remove it, or write a cron expression: schedule: "0 6 * * *"'));
  else return true;
  return false;
}

function readInterval(text: string, at: YamlPath, { doc, faults }: LoadContext): SourceConfig['schedule'] | undefined {
  const everyMs = parseDuration(text);
  if (everyMs !== undefined && everyMs >= shortestMs) return { everyMs };
  const what =
    everyMs === undefined ? `"${text}" is neither an interval nor a cron expression` : `"${text}" is shorter than one second`;
  const meant = everyMs === undefined ? meantDuration(text) : undefined;
  const forms = 'write an interval such as 1m, or a cron expression such as "*/5 * * * *"';
  faults.push(doc.fault(at, what, meant === undefined ? forms : `write ${meant}`));
  return undefined;
}

function readCron(
  cron: string,
  timezone: string,
  at: YamlPath,
  { doc, faults, now }: LoadContext,
): SourceConfig['schedule'] | undefined {
  const wrong = whatIsWrong(cron, timezone, now);
  if (wrong === undefined) return { cron, timezone };
  faults.push(doc.fault(at, `cron expression "${cron}": ${wrong}`, 'write five fields, minute to weekday: "*/5 * * * *"'));
  return undefined;
}

function whatIsWrong(cron: string, timezone: string, now: number): string | undefined {
  const fields = cron.trim().split(/\s+/).length;
  if (!cron.trim().startsWith('@') && fields !== 5)
    return `has ${fields} fields${fields === 6 ? '; there is none for seconds' : ''}`;
  try {
    const next = new Cron(cron, { timezone, paused: true }).nextRun(new Date(now));
    return next === null ? 'never runs' : undefined;
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

/** Reads a time that must not be in the future; undefined, with a fault, when it is invalid or is in the future. */
export function readPastTime(text: string, at: YamlPath, forms: string, { doc, faults, now }: LoadContext): number | undefined {
  const time = parseTimestamp(text);
  const meant = meantTime(text);
  if (time === undefined)
    faults.push(
      doc.fault(
        at,
        `"${text}" is not a time that exists`,
        meant === undefined
          ? `write ${forms}; a time carries its zone: 2026-11-21T10:00:00Z`
          : `write ${meant}${meant.endsWith('Z') ? ', which is UTC' : ''}`,
      ),
    );
  else if (time > now) faults.push(doc.fault(at, `"${text}" is in the future`, 'name a time that has passed, or now'));
  return time;
}

type Oldest = Pick<SourceConfig, 'retentionMs'> & { readonly connector: Pick<Connector, 'kind'> };

/** A source's `start:`; adds a fault to the context when it is invalid. */
export function readStart(text: string, at: YamlPath, oldest: Oldest, context: LoadContext): SourceConfig['start'] {
  if (text === 'now') return 'now';
  if (text === 'oldest') return oldestStart(at, oldest, context);
  const backMs = parseDuration(text);
  if (backMs !== undefined) return { backMs };
  return { at: readPastTime(text, at, 'a duration (30d), an RFC 3339 time, now or oldest', context) ?? 0 };
}

/** Windows have to begin somewhere: where the vendor keeps nothing before. */
function oldestStart(at: YamlPath, { retentionMs, connector }: Oldest, { doc, faults }: LoadContext): SourceConfig['start'] {
  if (connector.kind !== 'http_window') return { at: 0 };
  if (retentionMs !== undefined) return { backMs: retentionMs };
  const what = 'nobody says how long the vendor keeps events, so that windows cannot begin at the oldest';
  faults.push(doc.fault(at, what, 'write a duration or a time, or set retention of the source'));
  return { at: 0 };
}

type Times = Pick<SourceConfig, 'start' | 'retentionMs' | 'window'>;

/** Compares a source's times with each other and with now; returns when its credential expires, in milliseconds. */
export function checkSourceTimes(
  settings: Times,
  options: SourceOptions,
  at: YamlPath,
  context: LoadContext,
): number | undefined {
  const { doc, faults } = context;
  const { maxMs, minMs } = settings.window;
  if (minMs > maxMs)
    faults.push(
      doc.fault([...at, 'window'], 'the shortest window is longer than the longest', 'lower window.min or raise window.max'),
    );
  if (maxMs <= 0) faults.push(doc.fault([...at, 'window', 'max'], 'a window of length 0 reads nothing', 'raise window.max'));
  warnOfRetention(settings, at, context);
  return readExpiry(options.credential_expires, [...at, 'credential_expires'], context);
}

function warnOfRetention({ start, retentionMs }: Times, at: YamlPath, { doc, warnings, now }: LoadContext): void {
  if (start === 'now' || retentionMs === undefined || ('at' in start && start.at === 0)) return;
  const backMs = 'backMs' in start ? start.backMs : now - start.at;
  if (backMs <= retentionMs) return;
  const what = `start reaches back ${formatDuration(backMs)}, but the vendor keeps events for ${formatDuration(retentionMs)}`;
  warnings.push(doc.fault([...at, 'start'], what, 'expect nothing older; set retention: if your plan keeps more'));
}

function readExpiry(text: string | undefined, at: YamlPath, { doc, faults, warnings, now }: LoadContext): number | undefined {
  if (text === undefined) return undefined;
  const expires = parseTimestamp(text);
  if (expires === undefined) faults.push(doc.fault(at, `"${text}" is not a time that exists`, 'write a date such as 2027-01-31'));
  else if (expires <= now) warnings.push(doc.fault(at, `the credential expired on ${text}`, 'renew it and set the new date'));
  return expires;
}
