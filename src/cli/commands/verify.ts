import { resolve } from 'node:path';
import type { Command } from 'commander';
import { silentLog } from '../../base/log.ts';
import { writeOwnFile } from '../../base/own-file.ts';
import { parseDuration } from '../../base/quantity.ts';
import type { Config } from '../../config/index.ts';
import type { Journal } from '../../journal/journal.ts';
import { type VerifyReport, verify } from '../../operate/report/verify.ts';
import { verifyPage } from '../../operate/report/verify-page.ts';
import { withStoredJournal } from '../../runtime/configured-journal.ts';
import { configuredSource } from '../../runtime/runtime.ts';
import { configOption, endOfTime, pointInTime } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { runJob } from './jobs.ts';

interface VerifyOptions {
  readonly config: string;
  readonly from: number;
  readonly to: number;
  readonly json?: true;
  readonly html?: string;
  readonly repair?: true;
}

const repairDrain = parseDuration('5m') ?? 0;

function show(report: VerifyReport, context: CommandContext): void {
  const { output } = context;
  const { vendor, collected, excluded, late, missing, never_collected } = report;
  output.line(`${report.source}, ${new Date(report.from).toISOString()} to ${new Date(report.to).toISOString()}`);
  output.table(
    ['vendor', 'collected', 'excluded', 'late', 'missing', 'never collected'],
    [[vendor, collected, excluded, late, missing, never_collected]],
  );
  output.line();
  output.table(
    ['sink', 'delivered', 'dead-lettered', 'pending'],
    Object.keys(report.delivered).map((name) => [
      name,
      report.delivered[name] ?? 0,
      report.dead_lettered[name] ?? 0,
      report.pending[name] ?? 0,
    ]),
  );
  output.line();
  explain(report, context);
}

/** What the counts mean, and what to do. */
function explain(report: VerifyReport, { output }: CommandContext): void {
  const { color } = output;
  const { late, missing, never_collected, not_comparable, not_shown } = report;
  for (const [name, events] of Object.entries(report.given_up).filter(([, count]) => count > 0))
    output.line(
      color.yellow(
        `${events} events of ${report.source} were discarded, skipped or abandoned at ${name} (all time): their ids are not kept, so its "delivered" may include some`,
      ),
    );
  if (late > 0) output.line(color.yellow(`${late} are late; the overlap or the sweep will still collect them`));
  if (never_collected > 0)
    output.line(
      color.yellow(
        `${never_collected} are outside of every collected window; "penstock backfill ${report.source}" collects them`,
      ),
    );
  if (not_comparable > 0)
    output.line(
      color.yellow(
        `${not_comparable} are older than the ids that are kept, so they were counted but not compared; a backfill collects any that are missing`,
      ),
    );
  if (not_shown > 0)
    output.line(
      color.red(
        `at least ${not_shown} were not shown: the vendor counts more than its pages hold, or cuts its replies off, however small the range; ask the vendor`,
      ),
    );
  if (missing > 0)
    output.line(
      color.red(
        `${missing} are missing: the vendor has them, but they were not collected with their window; --repair collects them`,
      ),
    );
  else if (never_collected + not_comparable + not_shown === 0)
    output.line(color.green('Every event that the API returned is accounted for.'));
  else output.line('Of what could be compared, nothing is missing.');
}

function readAndCompare(name: string, options: VerifyOptions, { output, seams }: CommandContext): Promise<VerifyReport> {
  const onProgress = (records: number, at: number | undefined): void =>
    output.progress(`verify: ${records} records read${at === undefined ? '' : `, at ${new Date(at).toISOString()}`}`);
  const compare = async (journal: Journal, config: Config): Promise<VerifyReport> => {
    return await verify({
      config,
      source: configuredSource(config, name),
      journal,
      seams,
      log: silentLog(),
      from: options.from,
      to: Math.min(options.to, seams.clock.now()),
      onProgress,
      signal: new AbortController().signal,
    });
  };
  return withStoredJournal(options.config, seams, compare, { withSecrets: true });
}

async function run(name: string, options: VerifyOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const report = await readAndCompare(name, options, context);
  output.progressDone();
  if (options.json === true) output.json(report);
  else show(report, context);
  if (options.html !== undefined) {
    await writeOwnFile(resolve(options.html), verifyPage(report), context.seams.files, 'PEN_OPERATION_FAILED');
    output.note(`report written to ${resolve(options.html)}`);
  }
  context.exit(report.missing + report.not_shown > 0 ? 1 : 0);
  if (options.repair !== true || report.missing + report.late + report.never_collected === 0) return;
  await runJob(
    'backfill',
    { source: name, from: options.from, to: report.to },
    { config: options.config, drain: repairDrain },
    context,
  );
}

/** `penstock verify`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('verify')
    .argument('<source>', 'name of a source that can be read again')
    .description(
      'read a range of a source again and compare it, id by id, with what was collected; exit 1 when something is missing',
    )
    .requiredOption('--from <time>', 'first event time', pointInTime)
    .requiredOption('--to <time>', 'last event time, inclusive', endOfTime)
    .addOption(configOption())
    .option('--repair', 'collect and deliver what is missing')
    .option('--html <file>', 'also write a page with a chart per day')
    .option('--json', 'for scripts; field names are stable')
    .action((source: string, options: VerifyOptions) => run(source, options, context));
}
