import type { Command } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { counted } from '../../base/quantity.ts';
import { logWarnings } from '../../daemon/configuration.ts';
import type { Daemon } from '../../daemon/daemon.ts';
import { openDaemon } from '../../daemon/open-daemon.ts';
import { catchSignals, HangUps, type OnceReport, runOnce, runUntilStopped } from '../../daemon/run.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { configOption, durationOption } from '../arguments.ts';
import { type CommandContext, daemonLog } from '../context.ts';
import { isKept } from '../end-process.ts';

interface RunOptions {
  readonly config: string;
  readonly once?: true;
  readonly timeout: number;
}

const lockWaitMs = 60_000;

function reportOnce(report: OnceReport, { output }: CommandContext): 0 | 1 {
  for (const [source, reason] of Object.entries(report.failed)) output.note(`source ${source}: ${reason}`);
  for (const [sink, pending] of Object.entries(report.pending))
    output.note(`sink ${sink}: ${counted(pending, 'event is', 'events are')} still pending`);
  return Object.keys(report.failed).length + Object.keys(report.pending).length === 0 ? 0 : 1;
}

/** Undefined where a stop was asked for before the database answered. */
async function open(settings: Parameters<typeof openDaemon>[0], stop: AbortSignal): Promise<Daemon | undefined> {
  try {
    return await openDaemon({ ...settings, signal: stop });
  } catch (error) {
    if (stop.aborted && error instanceof PenstockError && error.code === 'PEN_JOURNAL_UNAVAILABLE') return undefined;
    throw error;
  }
}

async function run(options: RunOptions, context: CommandContext): Promise<void> {
  const config = await readConfig(options.config, context.seams);
  const log = await daemonLog(config, context.seams);
  logWarnings(config, log);
  using signals = catchSignals(log);
  using hangUps = new HangUps();
  await using daemon = await open({ config, seams: context.seams, log, lockWaitMs }, signals.stop);
  if (daemon === undefined) {
    log.info('penstock stopped');
    return;
  }
  const { sources, sinks, data_dir } = config;
  const onStarted = (): void =>
    log.info({ config: options.config, sources: sources.length, sinks: sinks.length, data_dir }, 'penstock started');
  if (options.once === true) {
    onStarted();
    context.exit(reportOnce(await runOnce(daemon, signals, options.timeout), context));
  } else await runUntilStopped(daemon, signals, hangUps, onStarted);
  if (await isKept(context.seams.clock))
    log.warn(
      'a disk, or the server of a share, stands still: what was under way there is not waited for, and done again after the next start',
    );
  log.info('penstock stopped');
}

/** `penstock run`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('run')
    .description('run the daemon until it is stopped')
    .addOption(configOption())
    .option('--once', 'collect what is due, deliver all of it, exit; 1 when a source failed or a sink did not take everything')
    .addOption(durationOption('--timeout <duration>', 'with --once: how long it may take', '10m'))
    .action((options: RunOptions) => run(options, context));
}
