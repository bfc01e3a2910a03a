import { Argument, type Command } from 'commander';
import { listConnectorNames } from '../../workbench/catalog.ts';
import { renderCompletion, type Shell, shells } from '../completion.ts';
import type { CommandContext } from '../context.ts';
import { helpTopics } from '../help.ts';
import { referenceTo } from '../reference.ts';

/** `penstock completion`. */
export function add(program: Command, { output, seams }: CommandContext, whole: () => Promise<Command>): void {
  program
    .command('completion')
    .description('print the script by which a shell completes commands and options')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .action(async (shell: Shell) => {
      const connectors = await listConnectorNames(seams.files);
      const reference = referenceTo(await whole());
      const explained = [...reference.commands.map(({ path }) => path), ...Object.keys(helpTopics)];
      const values = { actions: connectors, sample: connectors, help: explained };
      output.line(renderCompletion(shell, reference, values).trimEnd());
    });
}
