import { Command, CommanderError, Option } from 'commander';
import { consequenceOf, explain, PenstockError } from '../base/errors.ts';
import { packageVersion } from '../base/package.ts';
import type { CommandContext } from './context.ts';

/** Adds one command, or a family of them, to the program. */
export type AddCommand = (program: Command, context: CommandContext) => void;

/** Option of every command that needs the configuration. */
export const configOption = (): Option =>
  new Option('-c, --config <file>', 'the configuration').env('PENSTOCK_CONFIG').default('config/penstock.yaml');

const families: readonly (() => Promise<{ add: AddCommand }>)[] = [
  () => import('./commands/run.ts'),
  () => import('./commands/status.ts'),
  () => import('./commands/check.ts'),
  () => import('./commands/ledger.ts'),
  () => import('./commands/dead-letters.ts'),
  () => import('./commands/jobs.ts'),
  () => import('./commands/demo.ts'),
];

function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof PenstockError ? (consequenceOf(error.code).exit ?? 1) : 1;
}

/** Builds the program with every command. */
export async function buildProgram(context: CommandContext): Promise<Command> {
  const program = new Command('penstock')
    .description('Pulls audit logs out of SaaS products and delivers them to a SIEM without losing any.')
    .version(packageVersion);
  program.exitOverride().showSuggestionAfterError().showHelpAfterError('(penstock help COMMAND tells more)');
  for (const family of families) (await family()).add(program, context);
  return program;
}

/** Runs one command line; resolves with the exit code. */
export async function runProgram(argv: readonly string[], context: CommandContext): Promise<number> {
  const program = await buildProgram(context);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    context.output.progressDone();
    context.output.note(`penstock: ${explain(error)}`);
    return exitCodeOf(error);
  }
}
