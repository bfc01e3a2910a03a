import { type DestinationStream, type Level, type Logger, pino } from 'pino';
import { PenstockError } from './errors.ts';
import type { Secrets } from './secrets.ts';

/** The logger that rooms receive; bind what stays the same once: `log.child({ source })`. */
export type Log = Logger;

function describeError(error: unknown): unknown {
  if (!(error instanceof PenstockError)) return pino.stdSerializers.err(error as Error);
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { code: error.code, message: error.message, where: error.where, fix: error.fix, status: error.status, cause };
}

/** Opens the log: JSON lines to `stream`, each line scrubbed of secrets as a last resort. */
export function openLog(level: Level | 'silent', stream: DestinationStream, secrets: Secrets): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
      hooks: { streamWrite: (line) => secrets.scrub(line) },
    },
    stream,
  );
}

/** A logger that says nothing, for tests and for commands that print their own words. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
