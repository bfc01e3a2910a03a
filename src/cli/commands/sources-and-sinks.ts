import type { Command } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { counted, formatDuration, iso, parseDuration } from '../../base/quantity.ts';
import { readStatus } from '../../daemon/read-status.ts';
import type { MissingReplica } from '../../journal/journal.ts';
import {
  type Belongings,
  forget,
  readBelongings,
  renameSink,
  renameSource,
  resetSource,
} from '../../operate/sources-and-sinks.ts';
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

/** One that is only cut off would go on as its own file says. */
function warnOf(missing: readonly MissingReplica[], { output, seams }: CommandContext): void {
  for (const { name, lastSeen } of missing)
    output.note(
      `replica ${name} was last heard of ${formatDuration(seams.clock.now() - lastSeen)} ago and did not leave: where it still runs, stop it, and start it again with the new configuration`,
    );
}

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

function addRename(family: Command, kind: Kind, context: CommandContext): void {
  const { output, seams } = context;
  const moves = kind === 'source' ? 'cursor, known ids and ledger' : 'offsets, dead letters and ledger';
  family
    .command('rename')
    .argument('<from>', 'name in the journal')
    .argument('<to>', 'its new name')
    .description(`move ${moves} to another name; stop the daemon first`)
    .addOption(configOption())
    .action(async (from: string, to: string, { config }: Options) => {
      const missing = await (kind === 'source' ? renameSource : renameSink)(config, seams, from, to);
      output.line(`${kind} ${from} is now ${to}`);
      warnOf(missing, context);
    });
}

function addReset(family: Command, context: CommandContext): void {
  const { output, seams } = context;
  family
    .command('reset')
    .argument('<name>', 'name of the source')
    .description('collect from the given time, for the tenant and origin that are configured now; stop the daemon first')
    .requiredOption('--from <time>', 'event time', startOfTime)
    .addOption(configOption())
    .action(async (name: string, { config, from }: Options & { from: number }) => {
      const missing = await resetSource(config, seams, name, from);
      output.line(`source ${name} will collect from ${iso(from)}`);
      warnOf(missing, context);
    });
}

/** What goes, and what of it nobody has had. */
function showBelongings({ collected, stored, open }: Belongings, kind: Kind, name: string, { output }: CommandContext): void {
  const records = collected === undefined ? '' : `: ${counted(collected, 'record')} collected, ${stored} of them stored`;
  output.line(`${kind} ${name}${records}${open.length === 0 ? '; nothing of it waits for delivery' : ''}`);
  if (open.length === 0) return;
  output.table(
    [kind === 'source' ? 'sink' : 'source', 'not delivered', 'dead letters'],
    open.map(({ beside, pending, letters }) => [beside, pending, letters]),
  );
}

const wayOut = {
  source: 'start the daemon to have it delivered, which it does without the source, or repeat with --yes',
  sink: 'write the sink back under its name, and it gets what waits for it, or repeat with --yes',
} as const;

function addForget(family: Command, kind: Kind, context: CommandContext): void {
  const what =
    kind === 'source'
      ? 'its records, cursor, known ids and part of the ledger'
      : 'its offsets, dead letters and part of the ledger';
  family
    .command('forget')
    .argument('<name>', `name of a ${kind} that the configuration no longer has`)
    .description(`delete ${what}, and show what was not delivered, which takes --yes; stop the daemon first`)
    .addOption(configOption())
    .option('--yes', 'I have looked at what goes')
    .action(async (name: string, { config, yes }: Options & { yes?: true }) => {
      const belongings = await readBelongings(config, context.seams, kind, name);
      showBelongings(belongings, kind, name, context);
      const isLeft = belongings.open.length > 0 || (belongings.stored ?? 0) > 0;
      if (isLeft && yes !== true)
        throw new PenstockError('PEN_USAGE', 'nothing was deleted; what is forgotten is gone for good', {
          fix: belongings.open.some(({ pending }) => pending > 0) ? wayOut[kind] : 'repeat with --yes',
        });
      const missing = await forget(config, context.seams, kind, name);
      context.output.line(`${kind} ${name} is forgotten; "penstock ledger" keeps what it left undelivered`);
      warnOf(missing, context);
    });
}

/** `penstock sources` and `penstock sinks`. */
export function add(program: Command, context: CommandContext): void {
  const sources = program.command('sources').description('list the sources; release, rename, reset or forget one');
  const sinks = program.command('sinks').description('list the sinks; release, rename or forget one');
  for (const [family, kind] of [
    [sources, 'source'],
    [sinks, 'sink'],
  ] as const) {
    addList(family, kind, context);
    addRelease(family, kind, context);
    addRename(family, kind, context);
    addForget(family, kind, context);
  }
  addReset(sources, context);
}
