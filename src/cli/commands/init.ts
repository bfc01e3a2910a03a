import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { explain, PenstockError } from '../../base/errors.ts';
import { placeholdersIn, renderStarter, sinkChoices } from '../../config/index.ts';
import { sinkMeant, vendorMeant, writeStarter } from '../../operate/starter.ts';
import { listConnectorNames } from '../../workbench/catalog.ts';
import type { CommandContext } from '../context.ts';
import { validate } from './validate.ts';

interface InitOptions {
  readonly vendor?: string;
  readonly sink?: string;
  readonly dir: string;
}

/** Resolves with the answer; rejects with PEN_USAGE when nobody answers any more. */
type Ask = (question: string) => Promise<string>;

/** Asks on the terminal; where there is none, every question is refused. What is typed ahead answers the next question. */
function openQuestions(): { readonly ask: Ask; readonly isTerminal: boolean } & Disposable {
  const isTerminal = process.stdin.isTTY && process.stderr.isTTY;
  const lines = isTerminal ? createInterface({ input: process.stdin, output: process.stderr }) : undefined;
  const typed = lines?.[Symbol.asyncIterator]();
  const ask: Ask = async (question) => {
    lines?.setPrompt(question);
    lines?.prompt();
    const answer = await typed?.next();
    if (answer === undefined || answer.done === true)
      throw new PenstockError('PEN_USAGE', 'no answer; nothing was written', { fix: 'say --vendor and --sink' });
    return answer.value.trim();
  };
  return { ask, isTerminal, [Symbol.dispose]: () => lines?.close() };
}

/** Asks until the answer means something. */
async function askFor<T>(
  what: string,
  choices: readonly string[],
  ask: Ask,
  read: (word: string) => T | Promise<T>,
  { output }: CommandContext,
): Promise<T> {
  output.note(`${what}s: ${choices.join(', ')}`);
  for (;;) {
    const word = await ask(`${what}: `);
    try {
      if (word !== '') return await read(word);
    } catch (error) {
      if (!(error instanceof PenstockError)) throw error;
      output.note(explain(error));
    }
  }
}

/** What stands above a placeholder in the text. */
function aboutOf(name: string, text: string): string {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => !line.trim().startsWith('#') && line.includes(name));
  const about = lines.slice(0, at).findLast((line) => line.trim() !== '') ?? '';
  return /^\s*# /.test(about) ? about.trim().slice(2) : (lines[at]?.trim() ?? '');
}

async function askForValues(config: string, ask: Ask, { output }: CommandContext): Promise<Record<string, string>> {
  const names = placeholdersIn(config);
  if (names.length > 0) output.note('Press Enter to fill a value in later.');
  const answers: Record<string, string> = {};
  for (const name of names) answers[name] = await ask(`${aboutOf(name, config)}\n  ${name}: `);
  return answers;
}

function missing(names: readonly string[], known: readonly string[]): PenstockError {
  return new PenstockError('PEN_USAGE', 'there is no terminal to ask on: say --vendor and --sink', {
    fix: `vendors: ${names.join(', ')}; sinks: ${known.join(', ')}`,
  });
}

async function init(options: InitOptions, context: CommandContext): Promise<void> {
  const { files } = context.seams;
  // Nothing that is wrong on the command line is found out only after the questions.
  const given = {
    vendor: options.vendor && (await vendorMeant(options.vendor, files)),
    sink: options.sink && sinkMeant(options.sink),
  };
  const names = await listConnectorNames(files);
  using questions = openQuestions();
  const { ask, isTerminal } = questions;
  if (!isTerminal && (given.vendor === undefined || given.sink === undefined)) throw missing(names, sinkChoices);
  const connector = given.vendor || (await askFor('vendor', names, ask, (word) => vendorMeant(word, files), context));
  const sink = given.sink || (await askFor('sink', sinkChoices, ask, sinkMeant, context));
  const isAsked = options.vendor === undefined || options.sink === undefined;
  const answers = isAsked ? await askForValues(renderStarter({ connector, sink }).config, ask, context) : {};
  const written = await writeStarter({ connector, sink, answers }, options.dir, files);
  for (const path of written) context.output.line(`wrote ${path}`);
  await finish(written, context);
}

/** Says whether the file is sound, and what is left to do. */
async function finish([config = '', , env = '']: readonly string[], context: CommandContext): Promise<void> {
  await validate({ config, withoutSecrets: true }, context);
  const dotenv = env.replace(/\.example$/, '');
  context.output.line(`
Next:
  $ cp ${env} ${dotenv} && chmod 600 ${dotenv}    # fill the values in
  $ set -a; . ${dotenv.includes('/') ? dotenv : `./${dotenv}`}; set +a
  $ penstock check -c ${config}    # asks the vendor and the sink once, and says what to change
  $ penstock run -c ${config}`);
}

/** `penstock init`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('init')
    .description(
      'write a first configuration, its schema for editors and a list of the variables that it reads; overwrites nothing',
    )
    .option('--vendor <name>', 'whose log is collected: a connector, or a product; asked for when absent')
    .option('--sink <name>', 'where it goes: a type of sink, or a preset of http; asked for when absent')
    .option('--dir <folder>', 'folder to write into', '.')
    .action((options: InitOptions) => init(options, context));
}
