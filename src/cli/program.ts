import { Command, CommanderError } from 'commander';
import { consequenceOf, explain, PenstockError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { packageVersion } from '../base/package.ts';
import type { CommandContext } from './context.ts';
import { helpExamples, helpNotes } from './help-examples.ts';
import { helpTopics } from './help-topics.ts';

/** Adds one command, or a family of them, to the program. */
export type AddCommand = (program: Command, context: CommandContext) => void;

interface Family {
  /** The commands that it adds; only the family of the command that is asked for is imported. */
  readonly commands: readonly string[];
  readonly load: () => Promise<{ readonly add: AddCommand }>;
}

/** One line per family; the order is that of the help. */
const families: readonly Family[] = [
  { commands: ['validate'], load: () => import('./commands/validate.ts') },
  { commands: ['check', 'preview'], load: () => import('./commands/check.ts') },
  { commands: ['run'], load: () => import('./commands/run.ts') },
  { commands: ['status', 'health'], load: () => import('./commands/status.ts') },
  { commands: ['ledger'], load: () => import('./commands/ledger.ts') },
  { commands: ['dead-letters'], load: () => import('./commands/dead-letters.ts') },
  { commands: ['verify'], load: () => import('./commands/verify.ts') },
  { commands: ['backfill', 'import', 'replay'], load: () => import('./commands/jobs.ts') },
  { commands: ['sources', 'sinks'], load: () => import('./commands/names.ts') },
  { commands: ['journal'], load: () => import('./commands/journal.ts') },
  { commands: ['schema', 'actions', 'sample'], load: () => import('./commands/catalog.ts') },
  { commands: ['connector'], load: () => import('./commands/connector.ts') },
  { commands: ['simulate'], load: () => import('./commands/simulate.ts') },
  { commands: ['demo'], load: () => import('./commands/demo.ts') },
];

function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof PenstockError ? (consequenceOf(error.code).exit ?? 1) : 1;
}

function addHelp(program: Command, { output }: CommandContext): void {
  const topics = Object.entries(helpTopics).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`);
  program.addHelpText('after', `\nTopics (penstock help TOPIC):\n${topics.join('\n')}\n`);
  program.addHelpText(
    'after',
    'Start here:\n  $ penstock demo                       the whole path with simulated vendors\n  $ penstock help config                how to write a configuration\n  $ penstock validate -c penstock.yaml  what is wrong with it, with line and fix\n  $ penstock help COMMAND               options of a command, and examples',
  );
  program
    .command('version')
    .description('print the version')
    .action(() => output.line(packageVersion));
  program.helpCommand(false);
  program
    .command('help')
    .argument('[topic...]', 'a command or a topic')
    .description('explain a command or a topic')
    .action((words: readonly string[]) => {
      const found = words.length === 1 ? helpTopics[words[0] ?? ''] : undefined;
      if (found === undefined) explainCommand(program, words);
      else output.line(found.text.trimEnd());
    });
  for (const command of program.commands) addExamples(command);
}

function addExamples(command: Command): void {
  const lines = helpExamples[command.name()];
  const note = helpNotes[command.name()];
  if (lines !== undefined) command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
  if (note !== undefined) command.addHelpText('after', `\n${note}`);
}

/** Explains the command that the words lead to: none, `replay`, `dead-letters list`. */
function explainCommand(program: Command, words: readonly string[]): void {
  let command = program;
  for (const [index, word] of words.entries()) {
    const below = command.commands.find((candidate) => candidate.name() === word);
    if (below === undefined) throw noHelp(command, words.slice(0, index + 1), index === 0 ? Object.keys(helpTopics) : []);
    command = below;
  }
  command.outputHelp();
}

function noHelp(command: Command, words: readonly string[], topics: readonly string[]): PenstockError {
  const guess = nearest(words.at(-1) ?? '', [...topics, ...command.commands.map((candidate) => candidate.name())]);
  const before = ['penstock', 'help', ...words.slice(0, -1)].join(' ');
  return new PenstockError('PEN_USAGE', `there is no help on "${words.join(' ')}"`, {
    fix: guess === undefined ? `see "${before}"` : `did you mean "${before} ${guess}"?`,
  });
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
  program.exitOverride().showSuggestionAfterError().showHelpAfterError('(penstock help COMMAND tells more)');
  const asked = families.filter(({ commands }) => word !== undefined && commands.includes(word));
  const loaded = await Promise.all((asked.length === 0 && word !== 'version' ? families : asked).map(({ load }) => load()));
  for (const { add } of loaded) add(program, context);
  addHelp(program, context);
  return program;
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
