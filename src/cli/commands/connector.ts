import { dirname, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { testConnector } from '../../workbench/connector-test/index.ts';
import type { CaseReport } from '../../workbench/connector-test/run-case.ts';
import { newConnector } from '../../workbench/new-connector.ts';
import { configOption } from '../arguments.ts';
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
  output.line(`connector ${report.connector}: ${report.actions} actions, ${report.folder}`);
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

/** `penstock connector new` and `test`: for people who write a connector. */
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
}
