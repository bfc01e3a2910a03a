import { resolve } from 'node:path';
import type { Command } from 'commander';
import { silentLog } from '../../base/log.ts';
import { writeOwnFile } from '../../base/own-file.ts';
import { iso, parseDuration } from '../../base/quantity.ts';
import type { Config } from '../../config/index.ts';
import { catchSignals } from '../../daemon/run.ts';
import { submitToRunning } from '../../daemon/submit-job.ts';
import type { Journal } from '../../journal/journal.ts';
import { configuredForVerify, lackingIn, type VerifyReport, verify } from '../../operate/report/verify.ts';
import { conclusionsOf, sinkColumns, sinkRows, verifyPage } from '../../operate/report/verify-page.ts';
import { withStoredJournal } from '../../runtime/configured-journal.ts';
import { configuredSource } from '../../runtime/runtime.ts';
import { configOption, endOfTime, refuseSwapped, startOfTime } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { runJob, showProgress } from './backfill.ts';

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
  output.line(`${report.source}, ${iso(report.from)} to ${iso(report.to)}`);
  output.table(
    ['vendor', 'collected', 'excluded', 'late', 'missing', 'never collected'],
    [[vendor, collected, excluded, late, missing, never_collected]],
  );
  output.line();
  output.table(sinkColumns, sinkRows(report));
  output.line();
  const { color } = output;
  const paint = {
    good: (text: string) => color.green(text),
    plain: (text: string) => text,
    warning: (text: string) => color.yellow(text),
    error: (text: string) => color.red(text),
  };
  for (const { level, text } of conclusionsOf(report)) output.line(paint[level](text));
}

/** undefined where it was interrupted. */
async function compared(name: string, options: VerifyOptions, context: CommandContext): Promise<VerifyReport | undefined> {
  using signals = catchSignals(silentLog());
  try {
    return await compare(name, options, context, signals.stop);
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    return undefined;
  }
}

/** The running daemon compares, with its own secrets; where none runs, this process does. */
async function compare(
  name: string,
  options: VerifyOptions,
  context: CommandContext,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const { seams } = context;
  const { config: file } = options;
  const range = { source: name, from: options.from, to: Math.min(options.to, seams.clock.now()) };
  const told = showProgress('verify', context);
  const job = await submitToRunning({ file, seams }, { kind: 'verify', args: range, onProgress: told, signal, drainMs: 0 });
  if (job !== undefined) return (job.progress as { readonly report: VerifyReport }).report;
  const onProgress = (fetched: number, at: number | undefined): void =>
    told({ progress: { fetched, at: at ?? range.from, from: range.from, to: range.to } });
  const compareHere = async (journal: Journal, config: Config): Promise<VerifyReport> => {
    const verified = await configuredForVerify(config, configuredSource(config, name), journal, seams);
    return await verify({ ...verified, from: range.from, to: range.to, onProgress, signal });
  };
  return await withStoredJournal(file, seams, compareHere, { withSecrets: true });
}

async function run(name: string, options: VerifyOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  refuseSwapped(options);
  const found = await compared(name, options, context);
  output.progressDone();
  if (found === undefined) {
    output.note('interrupted; nothing was compared to the end');
    context.exit(1);
    return;
  }
  if (options.json === true) output.json(found);
  else show(found, context);
  if (options.html !== undefined) {
    await writeOwnFile(resolve(options.html), verifyPage(found), context.seams.files, 'PEN_OPERATION_FAILED');
    output.note(`report written to ${resolve(options.html)}`);
  }
  context.exit(lackingIn(found) > 0 ? 1 : 0);
  if (options.repair !== true || found.missing + found.late + found.never_collected === 0) return;
  await runJob(
    'backfill',
    { source: name, from: options.from, to: found.to },
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
      'read a range of a source again and compare it, id by id, with what was collected; exit 1 when the vendor has something that was not collected and will not be by itself',
    )
    .requiredOption('--from <time>', 'first event time', startOfTime)
    .requiredOption('--to <time>', 'last event time, inclusive', endOfTime)
    .addOption(configOption())
    .option('--repair', 'collect and deliver what is missing')
    .option('--html <file>', 'also write a page with a chart per day')
    .option('--json', 'for scripts; field names are stable')
    .action((source: string, options: VerifyOptions) => run(source, options, context));
}
