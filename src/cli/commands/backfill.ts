import { resolve } from 'node:path';
import type { Command, Option } from 'commander';
import { silentLog } from '../../base/log.ts';
import { counted } from '../../base/quantity.ts';
import type { Config } from '../../config/index.ts';
import { catchSignals } from '../../daemon/run.ts';
import { submitJob } from '../../daemon/submit-job.ts';
import { normaliseKey } from '../../event/action-key.ts';
import type { Job } from '../../journal/journal.ts';
import type { JobKind } from '../../operate/jobs/runner.ts';
import { configOption, durationOption, endOfTime, refuseSwapped, startOfTime } from '../arguments.ts';
import { type CommandContext, commandLog } from '../context.ts';
import { describeProgress, openProgress, stageOf } from '../progress.ts';

export interface JobOptions {
  readonly config: string;
  readonly drain: number;
}

/** Shows how far a job got, by its rows. */
export function showProgress(
  kind: JobKind,
  { output, seams }: CommandContext,
): (job: Pick<Job, 'progress'> & Partial<Pick<Job, 'id' | 'kind'>>) => void {
  let show: ReturnType<typeof openProgress> | undefined;
  return (job) => {
    show ??= openProgress(job.id === undefined ? kind : `${kind} (job ${job.id})`, output, () => seams.clock.monotonic());
    show(stageOf(job));
  };
}

/** Runs a job, in the running daemon or in this process, and shows its progress on standard error. */
export async function runJob(kind: JobKind, args: unknown, options: JobOptions, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  using signals = catchSignals(silentLog());
  const request = {
    kind,
    args,
    signal: signals.stop,
    drainMs: options.drain,
    onProgress: showProgress(kind, context),
    logOf: ({ secrets }: Config) => commandLog(context, secrets),
  };
  try {
    const { job, by, pending } = await submitJob({ file: options.config, seams }, request);
    output.progressDone();
    output.line(`${kind} done by ${by === 'daemon' ? 'the running daemon' : 'this command'}: ${describeProgress(job)}`);
    if (pending > 0)
      output.note(`${counted(pending, 'event is', 'events are')} not delivered yet; the next run delivers what waits`);
    context.exit(pending > 0 ? 1 : 0);
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    output.progressDone();
    output.note('interrupted; the job stays in the journal and the daemon will finish it');
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
    .description('collect an older time range while live collection goes on, within the same rate limit')
    .requiredOption('--from <time>', 'first event time', startOfTime)
    .requiredOption('--to <time>', 'last event time, inclusive', endOfTime)
    .addOption(configOption())
    .addOption(drainOption())
    .action((source: string, { from, to, ...options }: JobOptions & { from: number; to: number }) => {
      refuseSwapped({ from, to });
      return runJob('backfill', { source, from, to }, options, context);
    });
  program
    .command('import')
    .argument('<source>', 'name of a source that reads files')
    .argument('<files...>', 'files outside of its directory')
    .description('read files into the journal as if they were in the directory of the source')
    .addOption(configOption())
    .addOption(drainOption())
    .action((source: string, files: string[], options: JobOptions) =>
      runJob('import', { source, files: files.map((file) => resolve(file)) }, options, context),
    );
  addReplay(program, context);
}

function addReplay(program: Command, context: CommandContext): void {
  program
    .command('replay')
    .argument('<sink>', 'name of the sink')
    .description('deliver stored events to one sink again: same ids, labelled as replayed')
    .requiredOption('--from <time>', 'first event time', startOfTime)
    .requiredOption('--to <time>', 'last event time, inclusive', endOfTime)
    .option('--source <name>', 'only events of this source')
    .option('--action <key>', 'only events with this action', normaliseKey)
    .addOption(configOption())
    .addOption(drainOption())
    .action(
      (
        sink: string,
        { from, to, source, action, ...options }: JobOptions & { from: number; to: number; source?: string; action?: string },
      ) => {
        refuseSwapped({ from, to });
        return runJob('replay', { sink, from, to, source, action }, options, context);
      },
    );
}
