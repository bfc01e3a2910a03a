import { type DestinationStream, type Level, type Logger, pino } from 'pino';
import { PenstockError } from './errors.ts';
import { clip, harmless, tameJson } from './foreign.ts';
import type { Secrets } from './secrets.ts';

/** The logger that rooms receive; bind what stays the same once: `log.child({ source })`. */
export type Log = Logger;

const longestField = 2_000;
const longestName = 200;
const mostFields = 100;
const deepestField = 5;

function describeError(error: unknown): unknown {
  if (!(error instanceof PenstockError)) return pino.stdSerializers.err(error as Error);
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { code: error.code, message: error.message, where: error.where, fix: error.fix, status: error.status, cause };
}

/** Fields as a line may hold them: without secrets, texts and lists cut, so that nobody outside decides how large the log grows. */
function bounded(value: unknown, secrets: Secrets, depth = 0): unknown {
  if (typeof value === 'string') return harmless(clip(secrets.scrubStart(value, longestField), longestField));
  if (typeof value !== 'object' || value === null) return value;
  if (depth > deepestField) return '…';
  if (value instanceof Error) return bounded(describeError(value), secrets, depth);
  if (Array.isArray(value)) return value.slice(0, mostFields).map((item) => bounded(item, secrets, depth + 1));
  const members = Object.entries(value).slice(0, mostFields);
  return Object.fromEntries(
    members.map(([name, member]) => [
      harmless(clip(secrets.scrubStart(name, longestName), longestName)),
      bounded(member, secrets, depth + 1),
    ]),
  );
}

type LogLevel = Level | 'silent';

const numberOf = (level: LogLevel): number => (level === 'silent' ? Number.POSITIVE_INFINITY : (pino.levels.values[level] ?? 0));

// A child of pino keeps the level that its parent had when it was made. One number for all of them can be changed later.
const lowest = new WeakMap<Log, { value: number }>();

/** Lines that could not be written. */
export interface LogLoss {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly lines: number;
  readonly reason: string;
}

/** Takes lines; `loss` is there while they cannot be written. */
interface LogDestination extends DestinationStream {
  readonly loss?: LogLoss | undefined;
}

const destinations = new WeakMap<Log, LogDestination>();

/** What of a log that {@link openLog} opened is lost at the moment; undefined while every line is written. */
export const lossOf = (log: Log): LogLoss | undefined => destinations.get(log)?.loss;

/** A line whose fields were scrubbed one by one. Where what is found is no part of a text but of the JSON around it, the line stays what it is. */
function scrubLine(line: string, secrets: Secrets): string {
  const clean = secrets.scrub(line);
  return clean === line || isJson(clean) ? clean : line;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Opens the log: JSON lines to `stream`, each field bounded and each line scrubbed of secrets as a last resort. */
export function openLog(level: LogLevel, stream: LogDestination, secrets: Secrets): Log {
  const least = { value: numberOf(level) };
  const log = pino(
    {
      level: 'trace',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Errors were described where the fields were bounded.
      serializers: { err: (described: unknown) => described },
      formatters: { log: (fields) => bounded(fields, secrets) as Record<string, unknown> },
      hooks: {
        streamWrite: (line) => tameJson(scrubLine(line, secrets)),
        logMethod(fields, write, line) {
          if (line >= least.value) write.apply(this, fields);
        },
      },
    },
    stream,
  );
  lowest.set(log, least);
  destinations.set(log, stream);
  return log;
}

/** Changes the level of a log that {@link openLog} opened, and of all that were bound to it; nothing for another one. */
export function setLogLevel(log: Log, level: LogLevel): void {
  const least = lowest.get(log);
  if (least !== undefined) least.value = numberOf(level);
}

/** A logger that says nothing, for tests and for commands that print their own words. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
