import { dirname, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { counted } from '../../base/quantity.ts';
import type { SourceConfig } from '../../config/config.ts';
import { readConfig } from '../../runtime/read-config.ts';
import { configuredSource } from '../../runtime/runtime.ts';
import { testConnector } from '../../workbench/connector-test/index.ts';
import { recordCase } from '../../workbench/connector-test/record-case.ts';
import type { CaseReport } from '../../workbench/connector-test/run-case.ts';
import { newConnector } from '../../workbench/new-connector.ts';
import { configOption, endOfTime, positiveInteger, refuseSwapped, startOfTime } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

interface TestOptions {
  readonly update?: true;
  readonly case?: string;
  readonly json?: true;
}

function showCase({ name, summary, faults, written }: CaseReport, { output }: CommandContext): void {
  const mark = faults.length === 0 ? output.color.green('ok    ') : output.color.red('failed');
  output.line(`${mark} ${name}: ${summary}`);
  for (const fault of faults) output.line(`       ${fault.replaceAll('\n', '\n       ')}`);
  for (const file of written) output.line(output.color.dim(`       wrote ${file}`));
}

async function test(folder: string, { update, case: only, json }: TestOptions, context: CommandContext): Promise<void> {
  const { output, seams, exit } = context;
  const report = await testConnector(folder, seams, { update: update === true, only });
  exit(report.passed ? 0 : 1);
  if (json === true) {
    output.json(report);
    return;
  }
  output.line(`connector ${report.connector}: ${counted(report.actions, 'action')}, ${report.folder}`);
  for (const one of report.cases) showCase(one, context);
  if (report.cases.every(({ name }) => name === 'samples'))
    output.note(`no recorded case: save a vendor's answer as ${folder}/tests/first/page-1.json (see docs/connectors.md)`);
}

interface NewOptions {
  readonly dir: string;
  readonly config: string;
}

async function create(name: string, { dir, config }: NewOptions, { output, seams }: CommandContext): Promise<void> {
  const { folder, written } = await newConnector(name, dir, seams);
  for (const file of written) output.line(`wrote ${file}`);
  // Paths in the configuration start at it.
  const own = relative(dirname(resolve(config)), resolve(dir));
  output.line(`\nNext:
  $ penstock connector test ${folder}
  connectors_dir: ${own.startsWith('.') ? own : `./${own}`}            # in ${config}, so that sources can say connector: ${name}`);
}

interface RecordOptions {
  readonly config: string;
  readonly case: string;
  readonly from?: number;
  readonly to?: number;
  readonly pages: number;
  readonly into?: string;
  readonly json?: true;
}

const recordedMs = 15 * 60_000;
const second = 1000;

/** The range that was asked for, or the last quarter of an hour that the vendor has settled; whole seconds. */
function rangeOf({ window }: SourceConfig, options: RecordOptions, now: number): { readonly from: number; readonly to: number } {
  refuseSwapped(options);
  const to = Math.floor(Math.min(options.to ?? now, now - window.settleMs) / second) * second;
  const from = Math.floor((options.from ?? to - Math.min(recordedMs, window.maxMs)) / second) * second;
  if (to - from <= window.maxMs && from <= to) return { from, to };
  const longest = counted(Math.round(window.maxMs / 60_000), 'minute');
  throw new PenstockError(
    'PEN_USAGE',
    `the vendor is asked for at most ${longest} at a time, up to ${new Date(now - window.settleMs).toISOString()}`,
    {
      fix: 'choose --from and --to within that',
    },
  );
}

async function record(name: string, options: RecordOptions, context: CommandContext): Promise<void> {
  const { output, seams, exit } = context;
  if (!/^[a-z0-9][a-z0-9._-]*$/i.test(options.case))
    throw new PenstockError('PEN_USAGE', `"${options.case}" is no name for a folder`, { fix: 'use letters, digits and hyphens' });
  const config = await readConfig(options.config, seams);
  const source = configuredSource(config, name);
  const recording = {
    source,
    window: rangeOf(source, options, seams.clock.now()),
    name: options.case,
    folder: resolve(options.into ?? source.connector.origin),
    most: options.pages,
  };
  const report = await recordCase(recording, seams, config.secrets);
  exit(report.faults.length === 0 ? 0 : 1);
  if (options.json === true) {
    output.json(report);
    return;
  }
  showCase(report, context);
  output.note(
    'secrets were taken out, but people, addresses and names of your organization are in it: replace them before you share it',
  );
}

/** `penstock connector new`, `test` and `record`: for people who write a connector. */
export function add(program: Command, context: CommandContext): void {
  const connector = program.command('connector').description('write and test a connector of your own');
  connector
    .command('new')
    .description('write a commented connector that loads, as a starting point')
    .argument('<name>', 'name in lower case, such as acme or acme-audit')
    .option('--dir <folder>', 'folder of your connectors', './connectors')
    .addOption(configOption())
    .action((name: string, options: NewOptions) => create(name, options, context));
  connector
    .command('test')
    .description("check a connector's samples and replay its recorded pages; exit 1 when the events differ from what is expected")
    .argument('<folder>', 'folder of the connector')
    .option('--update', 'write the events that come out as the expected ones')
    .option('--case <name>', 'only this case under tests/')
    .option('--json', 'print JSON: connector, cases with their faults, passed')
    .action((folder: string, options: TestOptions) => test(folder, options, context));
  connector
    .command('record')
    .description('save what a source answers, without secrets, as a case that "connector test" replays')
    .argument('<source>', 'name of a source that is read by HTTP')
    .option('--case <name>', 'name of the new folder under tests/', 'recorded')
    .option('--from <time>', 'first event time; by default 15 minutes before --to', startOfTime)
    .option('--to <time>', 'last event time; by default now', endOfTime)
    .option('--pages <count>', 'most answers to ask for; nothing is saved when the range has more', positiveInteger, 5)
    .option('--into <folder>', "folder of a connector; by default that of the source's")
    .addOption(configOption())
    .option('--json', 'print JSON: name, summary, faults, written')
    .action((source: string, options: RecordOptions) => record(source, options, context));
}
