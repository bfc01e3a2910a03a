import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { snakeKeys } from '../../base/json.ts';
import { counted, iso } from '../../base/quantity.ts';
import type { Files } from '../../base/seams.ts';
import { type Format, formats } from '../../event/event.ts';
import { type Droppable, droppable } from '../../event/index.ts';
import { readConnectorsDir } from '../../runtime/read-config.ts';
import { renderActionPage } from '../../workbench/action-page.ts';
import {
  type ActionList,
  listActions,
  listConnectorNames,
  printSchema,
  renderSamples,
  type SchemaKind,
  schemaKinds,
} from '../../workbench/catalog.ts';
import { type UnknownActionsReport, unknownActions } from '../../workbench/unknown-actions.ts';
import { configOption, defaultConfig } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

interface FolderOptions {
  readonly config: string;
  readonly connectorsDir?: string;
  readonly json?: true;
}

interface ActionsOptions extends FolderOptions {
  readonly unknown?: true;
  readonly markdown?: true;
}

interface SampleOptions extends FolderOptions {
  readonly format: Format;
  readonly action?: string;
  readonly includeRaw?: true;
  readonly drop?: readonly Droppable[];
  readonly validate?: true;
}

/**
 * Folders of connectors that are not shipped: the one that is named, else that of the configuration. Nobody needs one for these commands, so
 * only one that was named has to exist.
 */
export async function ownConnectors(
  { connectorsDir, config }: Pick<FolderOptions, 'config' | 'connectorsDir'>,
  { seams }: CommandContext,
): Promise<string[]> {
  if (connectorsDir !== undefined) return [connectorsDir];
  if (config === defaultConfig && !(await isThere(config, seams.files))) return [];
  const own = await readConnectorsDir(config, seams);
  return own === undefined ? [] : [own];
}

function isThere(path: string, files: Pick<Files, 'stat'>): Promise<boolean> {
  return files.stat(path).then(
    () => true,
    () => false,
  );
}

export const folderOption = (): Option =>
  new Option(
    '--connectors-dir <folder>',
    'folder of your own connectors, searched first; else connectors_dir of the configuration, if there is one',
  );

function showActions({ connector, actions }: ActionList, { output }: CommandContext): void {
  output.table(
    ['action', 'what happened', 'class', 'activity', 'severity', 'risk'],
    actions.map(({ key, title, className, activity, severity, risk }) => [key, title, className, activity, severity, risk]),
  );
  output.line(
    `${counted(actions.length, 'action')} of ${connector}; one that is not listed arrives as Base Event with the vendor's name`,
  );
}

// Records are a vendor's words: nothing in them may break the comment or steer the terminal.
const plain = (text: string): string => text.replace(/[\p{C}\u2028\u2029]/gu, '\uFFFD');

/** YAML that can be redirected into a file: facts are comments, rows are the list. */
function showUnknown({ actions, others }: UnknownActionsReport, { output }: CommandContext): void {
  const time = (at: number): string => iso(at);
  for (const { action, connector, count, first, last, sources, sample, row } of actions) {
    output.line(
      `# ${connector}: ${plain(JSON.stringify(action))} arrived ${counted(count, 'time')}, first ${time(first)}, last ${time(last)}, from ${sources.join(', ')}`,
    );
    if (sample !== undefined) output.line(`# for example ${plain(sample)}`);
    output.line(row);
  }
  if (others > 0) output.note(`${counted(others, 'more record')} with other unknown actions; add rows for some of these first`);
  if (actions.length === 0) output.note('every action that arrived has a row');
  else
    output.note(
      'put the rows into a file, set it as "actions:" of the source, then run: penstock reload, and penstock replay SINK --from --to',
    );
}

async function actions(name: string | undefined, options: ActionsOptions, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  if (options.unknown === true) {
    const report = await unknownActions(options.config, seams, name);
    if (options.json === true) output.json(report);
    else showUnknown(report, context);
    return;
  }
  const dirs = await ownConnectors(options, context);
  if (name === undefined) {
    const names = await listConnectorNames(seams.files, dirs);
    if (options.json === true) output.json(names);
    else for (const one of names) output.line(one);
    return;
  }
  if (options.markdown === true) {
    output.line((await renderActionPage(name, seams.files, dirs)).trimEnd());
    return;
  }
  const list = await listActions(name, seams.files, dirs);
  if (options.json === true) output.json(snakeKeys(list));
  else showActions(list, context);
}

async function sample(connector: string, options: SampleOptions, context: CommandContext): Promise<void> {
  const { output, seams, exit } = context;
  const { format, action, includeRaw = false, drop = [], validate = false } = options;
  const request = {
    connector,
    format,
    action,
    includeRaw,
    drop,
    dirs: await ownConnectors(options, context),
    now: seams.clock.now(),
  };
  const { lines, bytes, wholeBytes, faults } = await renderSamples(request, seams.files);
  for (const line of lines) output.line(line);
  if (drop.length > 0) {
    const percent = Math.round((100 * (wholeBytes - bytes)) / wholeBytes);
    output.note(
      `${counted(lines.length, 'event')}: ${wholeBytes} bytes, ${bytes} without ${drop.join(', ')} (${percent} % less)`,
    );
  }
  if (!validate) return;
  for (const fault of faults) output.note(fault);
  output.note(
    faults.length === 0
      ? `${counted(lines.length, 'event is', 'events are')} valid by OCSF 1.8.0`
      : counted(faults.length, 'fault'),
  );
  exit(faults.length === 0 ? 0 : 1);
}

/** `optional,unmapped`, each of them a word of `drop`. */
function dropWords(text: string): Droppable[] {
  const words = text.split(',').map((word) => word.trim());
  const unknown = words.filter((word) => !droppable.some((one) => one === word));
  if (unknown.length > 0) throw new InvalidArgumentError(`"${unknown.join(', ')}" is not one of ${droppable.join(', ')}.`);
  return droppable.filter((word) => words.includes(word));
}

/** `penstock schema`, `actions` and `sample`: what is shipped, without any configuration. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('schema')
    .description('print the JSON Schema of a kind of file, for editors')
    .addArgument(new Argument('[kind]', 'which file').choices(schemaKinds).default('config'))
    .action(async (kind: SchemaKind) => context.output.json(await printSchema(kind, context.seams.files)));
  program
    .command('actions')
    .description("list a connector's actions and what they become; without a name, the connectors")
    .argument('[connector]', 'name of a connector')
    .addOption(folderOption())
    .option('--unknown', 'only actions that arrived and have no row, each with a row ready to paste; needs the configuration')
    .addOption(configOption())
    .option('--json', 'print JSON: connector, table, actions; with --unknown: actions, others')
    .option('--markdown', "print a page with every action's code as events carry it")
    .action((name: string | undefined, options: ActionsOptions) => actions(name, options, context));
  addSample(program, context);
}

function addSample(program: Command, context: CommandContext): void {
  program
    .command('sample')
    .description('print an event for every action of a connector, one line each, as a sink would send it')
    .argument('<connector>', 'name of a connector')
    .addOption(new Option('-f, --format <format>', 'body of an event').choices(formats).default('ocsf'))
    .option('--action <key>', 'only this action')
    .option('--include-raw', "add the vendor's record as raw_data")
    .addOption(
      new Option(
        '--drop <words>',
        `leave out what a sink with drop does, and say what that saves: ${droppable.join(', ')}`,
      ).argParser(dropWords),
    )
    .option('--validate', 'check every event by OCSF 1.8.0; exit 1 when one is not valid')
    .addOption(folderOption())
    .addOption(configOption())
    .action((name: string, options: SampleOptions) => sample(name, options, context));
}
