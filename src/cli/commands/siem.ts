import { Argument, type Command } from 'commander';
import { siems, writeSiem } from '../../workbench/siem/index.ts';
import { configOption } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { folderOption, ownConnectors } from './catalog.ts';

type Siem = (typeof siems)[number];

interface SiemOptions {
  readonly config: string;
  readonly dir: string;
  readonly connectorsDir?: string;
}

async function siem(name: Siem, options: SiemOptions, context: CommandContext): Promise<void> {
  const dirs = await ownConnectors(options, context);
  for (const file of await writeSiem(name, options.dir, context.seams.files, dirs)) context.output.line(`wrote ${file}`);
}

/** `penstock siem`: what a SIEM has to know of the events, made from the action tables. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('siem')
    .description('write what a SIEM has to know of the events: add-on, index template, table, parser, detections')
    .addArgument(new Argument('<siem>', 'which SIEM').choices(siems))
    .option('--dir <folder>', 'folder to write into; each SIEM has a folder of its own below it', './siem')
    .addOption(folderOption())
    .addOption(configOption())
    .action((name: Siem, options: SiemOptions) => siem(name, options, context));
}
