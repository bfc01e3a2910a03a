// What commands there are, as data: completions, manual pages and docs/cli.md are made of it, so that none of them knows less than the program.
import type { Command, Option } from 'commander';
import { helpExamples, helpNotes } from './help.ts';

export interface OptionReference {
  /** `-c, --config <file>`. */
  readonly flags: string;
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  /** `file` of `<file>`; undefined for a switch. */
  readonly value: string | undefined;
  readonly choices: readonly string[];
  /** As people write it; undefined where there is none. */
  readonly byDefault: string | undefined;
}

export interface CommandReference {
  /** `dead-letters list`; empty for the program itself. */
  readonly path: string;
  readonly description: string;
  /** `penstock sample [options] <connector>`. */
  readonly usage: string;
  readonly arguments: readonly { readonly name: string; readonly description: string; readonly choices: readonly string[] }[];
  readonly options: readonly OptionReference[];
  readonly examples: readonly string[];
  /** What its reader needs to know besides. */
  readonly note: string | undefined;
  readonly commands: readonly CommandReference[];
}

/** The program with all its commands. */
export function referenceTo(command: Command, above: readonly string[] = []): CommandReference {
  const help = command.createHelp();
  const names = [...above, command.name()];
  const path = names.slice(1).join(' ');
  return {
    path,
    description: command.description(),
    usage: `${names.join(' ')} ${command.usage()}`.trim(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      description: argument.description,
      choices: argument.argChoices ?? [],
    })),
    options: help.visibleOptions(command).map(optionReference),
    examples: helpExamples[path] ?? [],
    note: helpNotes[path],
    commands: help.visibleCommands(command).map((below) => referenceTo(below, names)),
  };
}

function optionReference(option: Option): OptionReference {
  const { flags, long = '', short, description, argChoices = [] } = option;
  const shown: unknown = option.defaultValueDescription ?? option.defaultValue;
  return {
    flags,
    long,
    short,
    description,
    value: /[<[]([^>\]]+)[>\]]/.exec(flags)?.[1],
    choices: argChoices,
    byDefault: typeof shown === 'string' || typeof shown === 'number' ? String(shown) : undefined,
  };
}

/** A command with all below it, itself first. */
export function flattened(command: CommandReference): readonly CommandReference[] {
  return [command, ...command.commands.flatMap(flattened)];
}
