import { isObject } from '../../base/json.ts';
import { iso } from '../../base/quantity.ts';
import type { Job } from '../../journal/journal.ts';

type Words = readonly (string | undefined)[];
type Args = Readonly<Record<string, unknown>>;

const plainWord = /^[\w./:@%+=-]+$/;
const quoted = (word: string): string => (plainWord.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const option = (name: string, value: unknown): Words => (typeof value === 'string' ? [`--${name}`, value] : []);
const timeOption = (name: string, value: unknown): Words => (typeof value === 'number' ? [`--${name}`, iso(value)] : []);
const range = ({ from, to }: Args): Words => [...timeOption('from', from), ...timeOption('to', to)];

const commands: Readonly<Record<string, (args: Args) => Words>> = {
  backfill: (args) => ['backfill', textOf(args['source']), ...range(args)],
  verify: (args) => ['verify', textOf(args['source']), ...range(args)],
  import: ({ source, files }) => ['import', textOf(source), ...(Array.isArray(files) ? files.map(textOf) : [])],
  replay: (args) => [
    'replay',
    textOf(args['sink']),
    ...range(args),
    ...option('source', args['source']),
    ...option('action', args['action']),
  ],
  retry_dead_letters: (args) => [
    'dead-letters',
    'retry',
    ...['sink', 'source', 'code', 'action'].flatMap((name) => option(name, args[name])),
    ...range(args),
    ...(Array.isArray(args['ids']) ? ['--id', ...args['ids'].map(String)] : []),
  ],
};

/** The command that asks for the same job again; undefined for what is no command's. */
export function askAgain({ kind, args }: Pick<Job, 'kind' | 'args'>): string | undefined {
  if (!isObject(args) || !Object.hasOwn(commands, kind)) return undefined;
  const words = commands[kind]?.(args).filter((word) => word !== undefined) ?? [];
  return ['penstock', ...words.map(quoted)].join(' ');
}
