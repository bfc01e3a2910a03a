import { type Log, openLog } from '../base/log.ts';
import { type Seams, systemSeams } from '../base/seams.ts';
import type { Config } from '../config/index.ts';
import { type Output, processOutput } from './output.ts';

/** What every command works with. */
export interface CommandContext {
  readonly seams: Seams;
  readonly output: Output;
  /** A command reports failure by its exit code: 0 well, 1 failed, 2 bad configuration or usage. */
  readonly exit: (code: 0 | 1 | 2) => void;
}

/** The real machine and the process's own streams. */
export function commandContext(): CommandContext {
  return {
    seams: systemSeams(),
    output: processOutput(),
    exit: (code) => {
      process.exitCode = code;
    },
  };
}

/** The daemon's log: JSON lines on standard error, readable ones on a terminal. */
export async function daemonLog(config: Config): Promise<Log> {
  if (!process.stderr.isTTY) return openLog(config.log.level, process.stderr, config.secrets);
  const { default: pretty } = await import('pino-pretty');
  return openLog(
    config.log.level,
    pretty({ destination: 2, sync: true, translateTime: 'HH:MM:ss', singleLine: true }),
    config.secrets,
  );
}
