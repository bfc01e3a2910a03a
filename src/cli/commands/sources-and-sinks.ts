import type { Command } from 'commander';
import { parseDuration } from '../../base/quantity.ts';
import { readStatus } from '../../daemon/read-status.ts';
import { forgetSink, renameSink, renameSource, resetSource } from '../../operate/sources-and-sinks.ts';
import { configOption, startOfTime } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { runJob } from './backfill.ts';
import { showSinks, showSources } from './status.ts';

interface Options {
  readonly config: string;
}

interface ListOptions extends Options {
  readonly json?: true;
}

type Kind = 'source' | 'sink';

const drain = parseDuration('10s') ?? 0;

function addRelease(family: Command, kind: Kind, context: CommandContext): void {
  family
    .command('release')
    .argument('<name>', `name of the ${kind}`)
    .description('end a hold: retry at once, with secrets read again')
    .addOption(configOption())
    .action((name: string, { config }: Options) => runJob('release', { kind, name }, { config, drain }, context));
}

function addList(family: Command, kind: Kind, { output, seams }: CommandContext): void {
  family
    .command('list', { isDefault: true })
    .description('list them with their state')
    .addOption(configOption())
    .option('--json', 'for scripts')
    .action(async ({ config, json }: ListOptions) => {
      const report = await readStatus(config, seams);
      if (json === true) output.json(kind === 'source' ? report.sources : report.sinks);
      else if (kind === 'source') showSources(report, output);
      else showSinks(report, output);
    });
}

function addRename(family: Command, kind: Kind, { output, seams }: CommandContext): void {
  const moves = kind === 'source' ? 'cursor, known ids and ledger' : 'offsets, dead letters and ledger';
  family
    .command('rename')
    .argument('<from>', 'name in the journal')
    .argument('<to>', 'its new name')
    .description(`move ${moves} to another name; stop the daemon first`)
    .addOption(configOption())
    .action(async (from: string, to: string, { config }: Options) => {
      await (kind === 'source' ? renameSource : renameSink)(config, seams, from, to);
      output.line(`${kind} ${from} is now ${to}`);
    });
}

function addReset(family: Command, { output, seams }: CommandContext): void {
  family
    .command('reset')
    .argument('<name>', 'name of the source')
    .description('collect from the given time, for the tenant and origin that are configured now; stop the daemon first')
    .requiredOption('--from <time>', 'event time', startOfTime)
    .addOption(configOption())
    .action(async (name: string, { config, from }: Options & { from: number }) => {
      await resetSource(config, seams, name, from);
      output.line(`source ${name} will collect from ${new Date(from).toISOString()}`);
    });
}

function addForget(family: Command, { output, seams }: CommandContext): void {
  family
    .command('forget')
    .argument('<name>', 'name of a sink that the configuration no longer has')
    .description('delete its state; what was pending counts as abandoned; stop the daemon first')
    .addOption(configOption())
    .action(async (name: string, { config }: Options) => {
      await forgetSink(config, seams, name);
      output.line(`sink ${name} is forgotten`);
    });
}

/** `penstock sources` and `penstock sinks`. */
export function add(program: Command, context: CommandContext): void {
  const sources = program.command('sources').description('list the sources; release, rename or reset one');
  const sinks = program.command('sinks').description('list the sinks; release, rename or forget one');
  for (const [family, kind] of [
    [sources, 'source'],
    [sinks, 'sink'],
  ] as const) {
    addList(family, kind, context);
    addRelease(family, kind, context);
    addRename(family, kind, context);
  }
  addReset(sources, context);
  addForget(sinks, context);
}
