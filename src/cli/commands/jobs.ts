import { resolve } from 'node:path';
import type { Command } from 'commander';
import { isObject } from '../../base/json.ts';
import { parseDuration } from '../../base/quantity.ts';
import { catchSignals } from '../../daemon/run.ts';
import { submitJob } from '../../daemon/submit-job.ts';
import type { Job, JobKind } from '../../operate/jobs.ts';
import { readConfig } from '../../operate/read-config.ts';
import { duration, endOfTime, pointInTime } from '../arguments.ts';
import { type CommandContext, quietLog } from '../context.ts';
import { configOption } from '../program.ts';

export interface JobOptions {
  readonly config: string;
  readonly drain: number;
}

function describeProgress({ progress }: Job): string {
  if (!isObject(progress)) return 'waiting';
  const { done, total, at, fetched } = progress;
  if (typeof done === 'number' && typeof total === 'number') return `${done} of ${total} events`;
  if (typeof at === 'number') return `collected up to ${new Date(at).toISOString()}, ${Number(fetched ?? 0)} records so far`;
  return JSON.stringify(progress);
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

const drainOption = ['--drain <duration>', 'without a running daemon: how long to wait for the sinks'] as const;
const drainDefault = parseDuration('5m');

/** `penstock backfill`, `import` and `replay`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('backfill')
    .argument('<source>', 'name of the source')
    .description('collect an older time range, beside the live loop and within its rate limit')
    .requiredOption('--from <time>', 'first event time', pointInTime)
    .requiredOption('--to <time>', 'last event time, inclusive', endOfTime)
    .addOption(configOption())
    .option(...drainOption, duration, drainDefault)
    .action((source: string, { from, to, ...options }: JobOptions & { from: number; to: number }) =>
      haveDone('backfill', { source, from, to }, options, context),
    );
  program
    .command('import')
    .argument('<source>', 'name of a source that reads files')
    .argument('<files...>', 'files that lie elsewhere than in its directory')
    .description('read files into the journal as if they were in the directory of the source')
    .addOption(configOption())
    .option(...drainOption, duration, drainDefault)
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
    .option(...drainOption, duration, drainDefault)
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
