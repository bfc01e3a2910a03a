import type { Command } from 'commander';
import { parseDuration } from '../../base/quantity.ts';
import { readStatus } from '../../daemon/read-status.ts';
import { forgetSink, renameSink, renameSource, resetSource } from '../../operate/names.ts';
import { pointInTime } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { configOption } from '../program.ts';
import { haveDone } from './jobs.ts';
import { showSinks, showSources } from './status.ts';

interface Options {
  readonly config: string;
}

interface ListOptions extends Options {
  readonly json?: true;
}

const drain = parseDuration('10s') ?? 0;

function addRelease(family: Command, kind: 'source' | 'sink', context: CommandContext): void {
  family
    .command('release')
    .argument('<name>', `name of the ${kind}`)
    .description('end a hold by hand: try again at once, with secrets read anew')
    .addOption(configOption())
    .action((name: string, { config }: Options) => haveDone('release', { kind, name }, { config, drain }, context));
}

function addSources(program: Command, context: CommandContext): void {
  const { output, seams } = context;
  const family = program.command('sources').description('list the sources; release, rename or reset one');
  family
    .command('list', { isDefault: true })
    .description('list them with their state')
    .addOption(configOption())
    .option('--json', 'for scripts')
    .action(async ({ config, json }: ListOptions) => {
      const report = await readStatus(config, seams);
      if (json === true) output.json(report.sources);
      else showSources(report, output);
    });
  addRelease(family, 'source', context);
  family
    .command('rename')
    .argument('<from>', 'name in the journal')
    .argument('<to>', 'its new name')
    .description('move cursor, known ids and ledger to another name; with the daemon stopped')
    .addOption(configOption())
    .action(async (from: string, to: string, { config }: Options) => {
      await renameSource(config, seams, from, to);
      output.line(`source ${from} is now ${to}`);
    });
  family
    .command('reset')
    .argument('<name>', 'name of the source')
    .description('collect from a time on, under the tenant and origin that the name stands for now; with the daemon stopped')
    .requiredOption('--from <time>', 'event time', pointInTime)
    .addOption(configOption())
    .action(async (name: string, { config, from }: Options & { from: number }) => {
      await resetSource(config, seams, name, from);
      output.line(`source ${name} collects from ${new Date(from).toISOString()} on`);
    });
}

function addSinks(program: Command, context: CommandContext): void {
  const { output, seams } = context;
  const family = program.command('sinks').description('list the sinks; release, rename or forget one');
  family
    .command('list', { isDefault: true })
    .description('list them with their state')
    .addOption(configOption())
    .option('--json', 'for scripts')
    .action(async ({ config, json }: ListOptions) => {
      const report = await readStatus(config, seams);
      if (json === true) output.json(report.sinks);
      else showSinks(report, output);
    });
  addRelease(family, 'sink', context);
  family
    .command('rename')
    .argument('<from>', 'name in the journal')
    .argument('<to>', 'its new name')
    .description('move offsets, dead letters and ledger to another name; with the daemon stopped')
    .addOption(configOption())
    .action(async (from: string, to: string, { config }: Options) => {
      await renameSink(config, seams, from, to);
      output.line(`sink ${from} is now ${to}`);
    });
  family
    .command('forget')
    .argument('<name>', 'name of a sink that the configuration no longer has')
    .description('drop its state; what it had pending counts as abandoned; with the daemon stopped')
    .addOption(configOption())
    .action(async (name: string, { config }: Options) => {
      await forgetSink(config, seams, name);
      output.line(`sink ${name} is forgotten`);
    });
}

/** `penstock sources` and `penstock sinks`. */
export function add(program: Command, context: CommandContext): void {
  addSources(program, context);
  addSinks(program, context);
}
