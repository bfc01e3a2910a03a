import type { Command } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { formatDuration } from '../../base/quantity.ts';
import type { Job } from '../../journal/journal.ts';
import { targetOf } from '../../operate/jobs/target.ts';
import { listedJobs } from '../../operate/report/job-status.ts';
import { withJournal } from '../../runtime/configured-journal.ts';
import { configOption, positiveInteger } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { describeProgress } from '../progress.ts';

interface ListOptions {
  readonly config: string;
  readonly json?: true;
}

const words = (kind: string): string => kind.replaceAll('_', ' ');

function targetIn({ args }: Job): string {
  const { kind, name } = targetOf(args) ?? {};
  return name === undefined ? '-' : `${kind} ${name}`;
}

async function list({ config, json }: ListOptions, { output, seams }: CommandContext): Promise<void> {
  const now = seams.clock.now();
  const jobs = listedJobs(await withJournal(config, seams, (journal) => journal.jobs()), now);
  if (json === true) output.json(jobs);
  else if (jobs.length === 0) output.line('No jobs.');
  else
    output.table(
      ['job', 'kind', 'of', 'state', 'asked for', 'progress'],
      jobs.map((job) => [
        job.id,
        words(job.kind),
        targetIn(job),
        job.state,
        `${formatDuration(Math.max(0, now - job.created))} ago`,
        job.state === 'failed' ? (job.error?.split('\n')[0] ?? 'failed') : describeProgress(job),
      ]),
    );
}

async function cancel(id: number, { config }: ListOptions, { output, seams }: CommandContext): Promise<void> {
  const [before, job] = await withJournal(config, seams, async (journal) => {
    const [found] = await journal.jobs({ id });
    return [found, await journal.cancelJob(id)] as const;
  });
  const fix = 'see "penstock jobs"';
  if (before === undefined || job === undefined) throw new PenstockError('PEN_NOT_FOUND', `there is no job ${id}`, { fix });
  if (job.state !== 'cancelled' || before.state === 'cancelled')
    throw new PenstockError('PEN_OPERATION_FAILED', `it has ended: ${job.state}`, { where: `job ${id}`, fix });
  output.line(`job ${id}, ${words(job.kind)} of ${targetIn(job)}, is cancelled; what it has done until now stays`);
}

/** `penstock jobs`. */
export function add(program: Command, context: CommandContext): void {
  const jobs = program.command('jobs').description('backfills, imports, replays, retries and comparisons that a daemon does');
  jobs
    .command('list', { isDefault: true })
    .description('list those that wait or run, those that failed and nobody has seen to, and the last ones')
    .addOption(configOption())
    .option('--json', 'for scripts; field names are stable')
    .action((options: ListOptions) => list(options, context));
  jobs
    .command('cancel')
    .argument('<id>', 'number of the job', positiveInteger)
    .description('end one that waits or runs, within a second or two; what it has collected or sent stays')
    .addOption(configOption())
    .action((id: number, options: ListOptions) => cancel(id, options, context));
}
