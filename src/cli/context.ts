import { type Log, openLog } from '../base/log.ts';
import { type Seams, systemSeams } from '../base/seams.ts';
import type { Config } from '../config/index.ts';
import { LogStream } from './log-stream.ts';
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
export async function daemonLog({ log: { level }, secrets }: Config, { clock }: Seams): Promise<Log> {
  const stream = new LogStream(process.stderr, clock);
  if (!process.stderr.isTTY) return openLog(level, stream, secrets);
  const { default: pretty } = await import('pino-pretty');
  const readable = pretty.prettyFactory({ translateTime: 'HH:MM:ss', singleLine: true, colorize: process.stderr.hasColors() });
  return openLog(level, { write: (line) => stream.write(readable(line)) }, secrets);
}

interface LogLine {
  readonly level: unknown;
  readonly time: unknown;
  readonly msg: string;
  readonly source?: string;
  readonly sink?: string;
  readonly err?: { readonly where?: string; readonly message?: string; readonly fix?: string };
  readonly fix?: string;
}

/** The log of a command that does a job itself: warnings and errors, as a person reads them. */
export function commandLog({ output }: CommandContext, secrets: Config['secrets']): Log {
  const tell = (line: string): void => {
    const { level: _level, time: _time, msg, source, sink, err = {}, fix = err.fix, ...more } = JSON.parse(line) as LogLine;
    const whose = sink === undefined ? source && `source ${source}` : `sink ${sink}`;
    const fields = Object.entries(more).map(
      ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    const what = fields.length === 0 ? msg : `${msg} (${fields.join(', ')})`;
    output.progressDone();
    output.note([whose, what, err.where, err.message].filter((part) => part !== undefined).join(': '));
    if (fix !== undefined) output.note(`  fix: ${fix}`);
  };
  return openLog('warn', { write: tell }, secrets);
}
