import { Command, CommanderError } from 'commander';
import { consequenceOf, explain, PenstockError } from '../base/errors.ts';
import { packageVersion } from '../base/package.ts';
import type { CommandContext } from './context.ts';
import { addHelp } from './help.ts';

interface Family {
  /** The commands that it adds; only the family of the command that is asked for is imported. */
  readonly commands: readonly string[];
  readonly load: () => Promise<{
    readonly add: (program: Command, context: CommandContext, whole: () => Promise<Command>) => void;
  }>;
}

/** One line per family; the order is that of the help. */
const families: readonly Family[] = [
  { commands: ['init'], load: () => import('./commands/init.ts') },
  { commands: ['validate'], load: () => import('./commands/validate.ts') },
  { commands: ['check', 'preview'], load: () => import('./commands/check.ts') },
  { commands: ['doctor'], load: () => import('./commands/doctor.ts') },
  { commands: ['run'], load: () => import('./commands/run.ts') },
  { commands: ['reload'], load: () => import('./commands/reload.ts') },
  { commands: ['status', 'health'], load: () => import('./commands/status.ts') },
  { commands: ['tail'], load: () => import('./commands/tail.ts') },
  { commands: ['ledger'], load: () => import('./commands/ledger.ts') },
  { commands: ['dead-letters'], load: () => import('./commands/dead-letters.ts') },
  { commands: ['verify'], load: () => import('./commands/verify.ts') },
  { commands: ['backfill', 'import', 'replay'], load: () => import('./commands/backfill.ts') },
  { commands: ['jobs'], load: () => import('./commands/jobs.ts') },
  { commands: ['sources', 'sinks'], load: () => import('./commands/sources-and-sinks.ts') },
  { commands: ['journal'], load: () => import('./commands/journal.ts') },
  { commands: ['schema', 'actions', 'sample'], load: () => import('./commands/catalog.ts') },
  { commands: ['siem'], load: () => import('./commands/siem.ts') },
  { commands: ['connector'], load: () => import('./commands/connector.ts') },
  { commands: ['simulate'], load: () => import('./commands/simulate.ts') },
  { commands: ['demo'], load: () => import('./commands/demo.ts') },
  { commands: ['completion'], load: () => import('./commands/completion.ts') },
];

function exitCodeOf(error: unknown): 1 | 2 {
  return consequenceOf(error).exit ?? 1;
}

/** Builds the program; with a word that is a command, only what that command needs. */
export async function buildProgram(context: CommandContext, word?: string): Promise<Command> {
  const program = new Command('penstock')
    .usage('COMMAND [options]')
    .description('Pulls audit logs out of SaaS products and delivers them to a SIEM without losing any.')
    .version(packageVersion, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain the command');
  program.configureOutput({
    writeOut: (text) => context.output.line(text.trimEnd()),
    writeErr: (text) => context.output.note(text.trimEnd()),
  });
  program.exitOverride().showSuggestionAfterError();
  const asked = families.filter(({ commands }) => word !== undefined && commands.includes(word));
  const loaded = await Promise.all((asked.length === 0 && word !== 'version' ? families : asked).map(({ load }) => load()));
  for (const { add } of loaded) add(program, context, () => buildProgram(context));
  addHelp(program, context);
  nameHelp(program, []);
  return program;
}

/** After a fault of the command line: the help of that very command, and the order of words where a command of a group is missing or comes too late. */
function nameHelp(command: Command, path: readonly string[]): void {
  const order = command.commands.length > 0 ? `${['penstock', ...path].join(' ')} COMMAND [options]; ` : '';
  command.showHelpAfterError(`(${order}see ${['penstock help', ...path].join(' ')})`);
  for (const one of command.commands) nameHelp(one, [...path, one.name()]);
}

/** Runs one command line; resolves with the exit code. */
export async function runProgram(argv: readonly string[], context: CommandContext): Promise<number> {
  try {
    const program = await buildProgram(context, argv[0]);
    if (argv.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    context.output.progressDone();
    // Faults of a file begin with its name, so that editors and CI can jump to them.
    const isOfFile = error instanceof PenstockError && Array.isArray(error.cause);
    context.output.note(isOfFile ? explain(error) : `penstock: ${explain(error)}`);
    return exitCodeOf(error);
  }
}
