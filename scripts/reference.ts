// Writes what the commands' own definitions say of them: man/*.1, a manual page for each command, and docs/cli.md.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemSeams } from '../src/base/seams.ts';
import { helpTopics } from '../src/cli/help.ts';
import { processOutput } from '../src/cli/output.ts';
import { buildProgram } from '../src/cli/program.ts';
import { type CommandReference, type OptionReference, referenceTo } from '../src/cli/reference.ts';

/** When the form of the pages last changed; what they say changes with the commands. */
const date = '2026-11-29';
const root = join(import.meta.dirname, '..');

/** Text as roff takes it literally. */
const literal = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');

const bold = (text: string): string => `\\fB${literal(text)}\\fR`;
const block = (lines: readonly string[]): string => ['.nf', ...lines.map(literal), '.fi'].join('\n');
const titled = (title: string, text: string): string => (text === '' ? '' : `.SH ${title}\n${text}\n`);

const withDefault = ({ description, byDefault, choices }: OptionReference): string =>
  [
    description,
    ...(choices.length === 0 ? [] : [`one of ${choices.join(', ')}`]),
    ...(byDefault === undefined ? [] : [`default: ${byDefault}`]),
  ].join('; ');

const nameOf = (path: string): string => ['penstock', ...path.split(' ')].filter((word) => word !== '').join('-');

function optionsIn({ options, arguments: given }: CommandReference): string {
  const items = [
    ...given.map(({ name, description, choices }) => [
      `<${name}>`,
      choices.length === 0 ? description : `${description}: ${choices.join(', ')}`,
    ]),
    ...options.map((option) => [option.flags, withDefault(option)]),
  ];
  return items.map(([term = '', text = '']) => `.TP\n${bold(term)}\n${literal(text)}`).join('\n');
}

/** A command with those below it, which have no page of their own. */
function commandSections(command: CommandReference): string {
  const below = command.commands.filter(({ path }) => !path.endsWith(' help'));
  return below
    .map((one) => `.SS ${literal(one.usage)}\n${literal(one.description)}\n${optionsIn(one)}\n${examplesIn(one)}`)
    .join('\n');
}

const examplesIn = ({ examples }: CommandReference): string =>
  examples.length === 0 ? '' : block(examples.map((line) => `$ ${line}`));

function pageOf(command: CommandReference, seeAlso: readonly string[]): string {
  const name = nameOf(command.path);
  const others = seeAlso.filter((one) => one !== name).map((one) => `.BR ${literal(one)} (1)`);
  return [
    `.\\" Written by "npm run reference".`,
    `.TH ${literal(name.toUpperCase())} 1 ${date} "penstock" "Penstock"`,
    titled('NAME', `${literal(name)} \\- ${literal(command.description)}`),
    titled('SYNOPSIS', bold(command.usage)),
    titled('OPTIONS', optionsIn(command)),
    titled('COMMANDS', commandSections(command)),
    titled('EXAMPLES', examplesIn(command)),
    titled('NOTES', literal(command.note ?? '')),
    titled('SEE ALSO', others.join(',\n')),
  ]
    .filter((part) => part !== '')
    .join('\n')
    .replaceAll(/\n{2,}/g, '\n');
}

function mainPage(program: CommandReference, commands: readonly CommandReference[]): string {
  const list = commands.map(({ path, description }) => `.TP\n${bold(`penstock ${path}`)}\n${literal(description)}`).join('\n');
  const topics = Object.values(helpTopics).map(
    ({ summary, text }) => `.SS ${literal(summary)}\n${block(text.trimEnd().split('\n'))}`,
  );
  return [
    `.\\" Written by "npm run reference".`,
    `.TH PENSTOCK 1 ${date} "penstock" "Penstock"`,
    titled('NAME', `penstock \\- ${literal(program.description.replace(/\.$/, ''))}`),
    titled('SYNOPSIS', bold(program.usage)),
    titled('COMMANDS', list),
    titled('OPTIONS', optionsIn(program)),
    titled('NOTES', topics.join('\n')),
    titled('SEE ALSO', commands.map(({ path }) => `.BR ${literal(nameOf(path))} (1)`).join(',\n')),
  ]
    .join('\n')
    .replaceAll(/\n{2,}/g, '\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function markdownOf(command: CommandReference): string {
  const options = command.options.filter(({ long }) => long !== '--help');
  const rows = [
    ...command.arguments.map(
      ({ name, description, choices }) =>
        `| \`<${name}>\` | ${cell(choices.length === 0 ? description : `${description}: ${choices.join(', ')}`)} |`,
    ),
    ...options.map((option) => `| \`${option.flags}\` | ${cell(withDefault(option))} |`),
  ];
  const examples = command.examples.length === 0 ? [] : ['', '```sh', ...command.examples, '```'];
  const below = command.commands.filter(({ path }) => !path.endsWith(' help')).map(markdownOf);
  const depth = command.path.includes(' ') ? '###' : '##';
  return [
    `${depth} penstock ${command.path}`,
    '',
    `${cell(command.description)[0]?.toUpperCase()}${cell(command.description).slice(1)}.`,
    ...(rows.length === 0 ? [] : ['', '| | |', '| --- | --- |', ...rows]),
    ...examples,
    ...(command.note === undefined ? [] : ['', command.note]),
    ...below.map((text) => `\n${text}`),
  ].join('\n');
}

const introduction = `# Commands

What \`penstock help COMMAND\` says, of all commands; \`npm run reference\` writes this page and the manual pages in \`man/\` (\`man penstock-status\` once
they are installed, \`man -l man/penstock.1\` in a checkout). [json.md](json.md) has the fields that \`--json\` prints, [operations.md](operations.md) says when to
use what. In a checkout it is \`npx penstock\`.

Exit codes: 0 success; 1 failure, and the message says what, where and how to fix it; 2 the configuration or the command line is wrong, and nothing
was done. \`-c\` is \`PENSTOCK_CONFIG\` when it is not given.

Completion: \`source <(penstock completion bash)\` in \`~/.bashrc\`, the same with zsh after \`compinit\`, and for fish
\`penstock completion fish > ~/.config/fish/completions/penstock.fish\`.
`;

/** Every file by its path below the project. */
export async function referenceFiles(): Promise<ReadonlyMap<string, string>> {
  const whole = await buildProgram({ seams: systemSeams(), output: processOutput(), exit: () => undefined });
  const program = referenceTo(whole);
  const shown = program.commands.filter(({ path }) => path !== 'help' && path !== 'version');
  const pages = shown.map(
    (command) => [`man/${nameOf(command.path)}.1`, pageOf(command, ['penstock', 'penstock-status'])] as const,
  );
  const markdown = `${introduction}\n${shown.map(markdownOf).join('\n\n')}\n`;
  return new Map([['man/penstock.1', mainPage(program, shown)], ...pages, ['docs/cli.md', markdown]]);
}

if (import.meta.main) {
  const files = await referenceFiles();
  await rm(join(root, 'man'), { recursive: true, force: true });
  await mkdir(join(root, 'man'));
  for (const [path, text] of files) await writeFile(join(root, path), text);
  process.stdout.write(`wrote ${(await readdir(join(root, 'man'))).length} manual pages and docs/cli.md\n`);
}
