// Completion for shells. Each script is complete in itself: it knows every command and option, and starts nothing while somebody types.
import { type CommandReference, flattened, type OptionReference } from './reference.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** Values of a command's first argument that are known beforehand, by its path: connectors, say. */
type Values = Readonly<Record<string, readonly string[]>>;

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
/** One line without what would steer a shell's own format. */
const short = (text: string): string => (text.split(/[;:(]/)[0] ?? '').trim();

/** What may stand in the place of an option's value: words, files, or neither. */
function valueOf({ value = '', choices }: OptionReference): 'file' | 'folder' | 'other' | readonly string[] {
  if (choices.length > 0) return choices;
  if (/^(file|files)$/.test(value)) return 'file';
  return /^(folder|directory)$/.test(value) ? 'folder' : 'other';
}

const spellings = ({ short: one, long }: OptionReference): string[] => [...(one === undefined ? [] : [one]), long];

function firstWords({ path, arguments: given }: CommandReference, values: Values): readonly string[] {
  return values[path] ?? given[0]?.choices ?? [];
}

/** The lines of a `case` in bash and zsh, which share its syntax: `'sample:--format'|'sample:-f') ... ;;` */
function valueCases(commands: readonly CommandReference[], answer: (kind: ReturnType<typeof valueOf>) => string): string[] {
  return commands.flatMap(({ path, options }) =>
    options
      .filter(({ value }) => value !== undefined)
      .map((option) => {
        const patterns = spellings(option).map((spelling) => quote(`${path}:${spelling}`));
        return `    ${patterns.join('|')}) ${answer(valueOf(option))} ;;`;
      }),
  );
}

/** Where somebody is: a word counts only below the command that knows it. */
function pathCase(commands: readonly CommandReference[]): string {
  const below = commands.flatMap(({ path, commands: inner }) =>
    inner.map((one) => quote(`${path} ${one.path.split(' ').at(-1)}`)),
  );
  return below.join('|');
}

function bash(commands: readonly CommandReference[], values: Values): string {
  const cases = valueCases(commands, (kind) =>
    kind === 'file'
      ? `compopt -o default 2>/dev/null; return`
      : kind === 'folder'
        ? `local IFS=$'\\n'; COMPREPLY=($(compgen -d -- "$cur")); return`
        : kind === 'other'
          ? 'return'
          : `words=${quote(kind.join(' '))}`,
  );
  const known = commands.map((command) => {
    const names = command.commands.map(({ path }) => path.split(' ').at(-1) ?? '');
    const all = [...names, ...firstWords(command, values), ...command.options.flatMap(spellings)];
    return `    ${quote(command.path)}) words=${quote(all.join(' '))} ;;`;
  });
  return `# Completion of penstock for bash. In ~/.bashrc: source <(penstock completion bash)
_penstock() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} at='' words='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
    ${pathCase(commands)}) at=\${at:+$at }\${COMP_WORDS[i]} ;;
    esac
  done
  case "$at:$previous" in
${cases.join('\n')}
  esac
  [ -n "$words" ] || case "$at" in
${known.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _penstock penstock
`;
}

function zsh(commands: readonly CommandReference[], values: Values): string {
  const cases = valueCases(commands, (kind) =>
    kind === 'file'
      ? '_files; return'
      : kind === 'folder'
        ? '_files -/; return'
        : kind === 'other'
          ? 'return'
          : `compadd -- ${kind.join(' ')}; return`,
  );
  const described = (name: string, description: string): string => quote(`${name}:${short(description)}`);
  const known = commands.map((command) => {
    const names = command.commands.map(({ path, description }) => described(path.split(' ').at(-1) ?? '', description));
    const first = firstWords(command, values).map((word) => described(word, command.arguments[0]?.description ?? ''));
    const options = command.options.flatMap((option) => spellings(option).map((one) => described(one, option.description)));
    return `    ${quote(command.path)}) names=(${[...names, ...first].join(' ')}); options=(${options.join(' ')}) ;;`;
  });
  return `#compdef penstock
# Completion of penstock for zsh. Save it as _penstock in a folder of $fpath, or in ~/.zshrc after compinit: source <(penstock completion zsh)
_penstock() {
  local at='' i
  local -a names options
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
    ${pathCase(commands)}) at=\${at:+$at }\${words[i]} ;;
    esac
  done
  case "$at:\${words[CURRENT-1]}" in
${cases.join('\n')}
  esac
  case "$at" in
${known.join('\n')}
  esac
  (( $#names )) && _describe -t commands command names
  [[ $PREFIX == -* ]] || (( ! $#names )) && _describe -t options option options
  (( $#names )) || [[ $PREFIX == -* ]] || _files
}
if [ "$funcstack[1]" = "_penstock" ]; then _penstock "$@"; else compdef _penstock penstock; fi
`;
}

const fishValues = { file: ' -r -F', folder: " -x -a '(__fish_complete_directories)'", other: ' -x' } as const;

/** `-l format -s f -x -a 'ocsf cim' -d 'body of an event'`. */
function fishOption(option: OptionReference): string {
  const kind = valueOf(option);
  const known = typeof kind === 'string' ? fishValues[kind] : ` -x -a ${quote(kind.join(' '))}`;
  const letter = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
  return `-l ${option.long.slice(2)}${letter}${option.value === undefined ? '' : known} -d ${quote(short(option.description))}`;
}

function fishLines(command: CommandReference, values: Values): string[] {
  const below = command.commands.map(
    ({ path, description }) => `-f -a ${quote(path.split(' ').at(-1) ?? '')} -d ${quote(short(description))}`,
  );
  const first = firstWords(command, values).map((word) => `-f -a ${quote(word)}`);
  const at = quote(`__penstock_at "${command.path}"`);
  return [...below, ...first, ...command.options.map(fishOption)].map((rest) => `complete -c penstock -n ${at} ${rest}`);
}

function fish(commands: readonly CommandReference[], values: Values): string {
  return `# Completion of penstock for fish: penstock completion fish > ~/.config/fish/completions/penstock.fish
function __penstock_at
  set -l at ''
  for word in (commandline -opc)[2..]
    switch "$at $word"
      case ${pathCase(commands).replaceAll('|', ' ')}
        set at (string trim -- "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
complete -c penstock -n '__penstock_at ""' -f
${commands.flatMap((command) => fishLines(command, values)).join('\n')}
`;
}

/** The script that a shell reads. */
export function renderCompletion(shell: Shell, program: CommandReference, values: Values): string {
  return { bash, zsh, fish }[shell](flattened(program), values);
}
