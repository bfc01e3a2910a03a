import { resolve } from 'node:path';
import type { Command, Option } from 'commander';
import { catchSignals } from '../../daemon/run.ts';
import { submitJob } from '../../daemon/submit-job.ts';
import type { Job } from '../../journal/journal.ts';
import type { JobKind } from '../../operate/jobs/runner.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { configOption, durationOption, endOfTime, pointInTime } from '../arguments.ts';
import { type CommandContext, quietLog } from '../context.ts';
import { describeProgress } from '../job-progress.ts';

export interface JobOptions {
  readonly config: string;
  readonly drain: number;
}

/** Has a job done, by the daemon or here, with its progress on standard error. */
export async function haveDone(kind: JobKind, args: unknown, options: JobOptions, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  const config = await readConfig(options.config, seams);
  const log = quietLog();
  using signals = catchSignals(log);
  const request = {
    kind,
    args,
    signal: signals.stop,
    drainMs: options.drain,
    onProgress: (job: Job) => output.progress(`${kind} (job ${job.id}): ${describeProgress(job)}`),
  };
  try {
    const { job, by, pending } = await submitJob({ config, seams, log, lockWaitMs: 0 }, request);
    output.progressDone();
    output.line(`${kind} done by ${by === 'daemon' ? 'the running daemon' : 'this command'}: ${describeProgress(job)}`);
    if (pending > 0) output.note(`${pending} events wait for their sinks; the next run delivers them`);
    context.exit(pending > 0 ? 1 : 0);
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    output.progressDone();
    output.note('interrupted; the job stays in the journal, and the daemon goes on with it');
    context.exit(1);
  }
}

const drainOption = (): Option =>
  durationOption('--drain <duration>', 'without a running daemon: how long to wait for the sinks', '5m');

/** `penstock backfill`, `import` and `replay`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('backfill')
    .argument('<source>', 'name of the source')
    .description('collect an older time range, beside the live loop and within its rate limit')
    .requiredOption('--from <time>', 'first event time', pointInTime)
    .requiredOption('--to <time>', 'last event time, inclusive', endOfTime)
    .addOption(configOption())
    .addOption(drainOption())
    .action((source: string, { from, to, ...options }: JobOptions & { from: number; to: number }) =>
      haveDone('backfill', { source, from, to }, options, context),
    );
  program
    .command('import')
    .argument('<source>', 'name of a source that reads files')
    .argument('<files...>', 'files that lie elsewhere than in its directory')
    .description('read files into the journal as if they were in the directory of the source')
    .addOption(configOption())
    .addOption(drainOption())
    .action((source: string, files: string[], options: JobOptions) =>
      haveDone('import', { source, files: files.map((file) => resolve(file)) }, options, context),
    );
  addReplay(program, context);
}

function addReplay(program: Command, context: CommandContext): void {
  program
    .command('replay')
    .argument('<sink>', 'name of the sink')
    .description('deliver stored events to one sink again: same ids, labelled as replayed')
    .requiredOption('--from <time>', 'first event time', pointInTime)
    .requiredOption('--to <time>', 'last event time, inclusive', endOfTime)
    .option('--source <name>', 'only events of this source')
    .option('--action <key>', 'only events with this action')
    .addOption(configOption())
    .addOption(drainOption())
    .action(
      (
        sink: string,
        { from, to, source, action, ...options }: JobOptions & { from: number; to: number; source?: string; action?: string },
      ) =>
        haveDone(
          'replay',
          { sink, from, to, ...(source === undefined ? {} : { source }), ...(action === undefined ? {} : { action }) },
          options,
          context,
        ),
    );
}
