import type { Command } from 'commander';
import { silentLog } from '../../base/log.ts';
import { tellAll } from '../../base/secrets.ts';
import { check, type Finding } from '../../operate/check.ts';
import { checkDatabase } from '../../operate/check-journal.ts';
import { preview } from '../../operate/preview.ts';
import { plainUserAgent } from '../../runtime/open-runtime.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { configuredSource } from '../../runtime/runtime.ts';
import { configOption, positiveInteger } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

interface CheckOptions {
  readonly config: string;
  readonly json?: true;
  readonly createSubscription?: true;
}

function show({ kind, name, ok, findings, route, fix }: Finding, { output }: CommandContext): void {
  const { color } = output;
  output.line(`${ok ? color.green('ok    ') : color.red('failed')} ${kind} ${color.bold(name)}`);
  for (const line of findings) output.line(`         ${line.startsWith('warning: ') ? color.yellow(line) : line}`);
  for (const way of route) output.line(`         ${color.dim(`via ${way}`)}`);
  if (fix !== undefined) output.line(`         ${color.yellow(`fix: ${fix}`)}`);
}

async function runCheck({ config: file, json, createSubscription }: CheckOptions, context: CommandContext): Promise<void> {
  const config = await readConfig(file, context.seams);
  const openContext = {
    seams: context.seams,
    log: silentLog(),
    userAgent: plainUserAgent,
    secrets: config.secrets,
    dataDir: config.data_dir,
  };
  const all: Finding[] = [];
  const take = (finding: Finding): void => {
    const told = tellAll(finding, config.secrets);
    all.push(told);
    if (json !== true) show(told, context);
  };
  if (config.journal.database !== undefined) take(await checkDatabase(config, openContext));
  for await (const finding of check(config, openContext, new AbortController().signal, {
    createSubscription: createSubscription === true,
  }))
    take(finding);
  if (json === true) context.output.json(all);
  context.exit(all.every(({ ok }) => ok) ? 0 : 1);
}

interface PreviewOptions {
  readonly config: string;
  readonly limit: number;
  readonly json?: true;
}

async function runPreview(
  name: string,
  { config: file, limit, json }: PreviewOptions,
  { seams, output }: CommandContext,
): Promise<void> {
  const config = await readConfig(file, seams);
  const openContext = {
    seams,
    log: silentLog(),
    userAgent: plainUserAgent,
    secrets: config.secrets,
    dataDir: config.data_dir,
  };
  const pairs = await preview(configuredSource(config, name), openContext, limit, new AbortController().signal);
  if (json === true) output.json(pairs);
  else if (pairs.length === 0) output.line('No records in the last 24 hours; nothing to show.');
  else {
    for (const { record, event, known } of pairs) {
      output.line(output.color.bold(known ? 'record' : 'record (unknown action: delivered as Base Event)'));
      output.line(JSON.stringify(record, null, 2));
      output.line(output.color.bold('event'));
      output.line(`${JSON.stringify(event, null, 2)}\n`);
    }
  }
}

/** `penstock check` and `penstock preview`: look, touch nothing. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('check')
    .description('make a live request to every source and every sink, and say what to fix')
    .addOption(configOption())
    .option('--json', 'for scripts')
    .option('--create-subscription', 'create the subscription of a stream where it is missing; it starts at the latest message')
    .action((options: CheckOptions) => runCheck(options, context));
  program
    .command('preview')
    .argument('<source>', 'name of the source')
    .description('read one page and show each record beside the event it becomes; writes nothing')
    .addOption(configOption())
    .option('--limit <count>', 'records to show', positiveInteger, 5)
    .option('--json', 'for scripts')
    .action((source: string, options: PreviewOptions) => runPreview(source, options, context));
}
