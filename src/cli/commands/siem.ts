import { Argument, type Command, Option } from 'commander';
import { siems, writeSiem } from '../../workbench/siem/index.ts';
import type { CommandContext } from '../context.ts';

type Siem = (typeof siems)[number];

interface SiemOptions {
  readonly dir: string;
  readonly connectorsDir?: string;
}

async function siem(name: Siem, { dir, connectorsDir }: SiemOptions, { output, seams }: CommandContext): Promise<void> {
  const dirs = connectorsDir === undefined ? [] : [connectorsDir];
  for (const file of await writeSiem(name, dir, seams.files, dirs)) output.line(`wrote ${file}`);
}

/** `penstock siem`: what a SIEM has to know of the events, made from the action tables. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('siem')
    .description('write what a SIEM has to know of the events: add-on, index template, table, parser, detections')
    .addArgument(new Argument('<siem>', 'which SIEM').choices(siems))
    .option('--dir <folder>', 'folder to write into; each SIEM has a folder of its own below it', './siem')
    .addOption(new Option('--connectors-dir <folder>', 'folder of your own connectors, searched first'))
    .action((name: Siem, options: SiemOptions) => siem(name, options, context));
}
