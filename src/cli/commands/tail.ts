import { once } from 'node:events';
import { type Command, Option } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { nearest } from '../../base/nearest.ts';
import { iso } from '../../base/quantity.ts';
import type { Config } from '../../config/index.ts';
import { catchSignals } from '../../daemon/run.ts';
import { type Format, formats } from '../../event/event.ts';
import type { Journal } from '../../journal/journal.ts';
import { tail } from '../../operate/report/tail.ts';
import { withStoredJournal } from '../../runtime/configured-journal.ts';
import { configuredSink } from '../../runtime/runtime.ts';
import { configOption, startOfTime } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

interface TailOptions {
  readonly config: string;
  readonly source?: string;
  readonly sink?: string;
  readonly action?: string;
  readonly format?: Format | 'line';
  readonly since?: number;
  readonly follow: boolean;
}

/** Short lines for people; programs get what the sink would. */
function formatFor({ format, sink }: TailOptions, config: Config, isTerminal: boolean): Format | 'line' {
  if (format !== undefined) return format;
  if (isTerminal) return 'line';
  return sink === undefined ? 'ocsf' : configuredSink(config, sink).format;
}

/** An action may arrive that no table has, so an unknown one is only remarked. */
function remarkAction({ action }: TailOptions, { sources }: Config, { output }: CommandContext): void {
  if (action === undefined) return;
  const known = [...new Set(sources.flatMap(({ connector }) => connector.actions.flatMap((row) => [row.key, row.action])))];
  if (known.includes(action)) return;
  const guess = nearest(action, known);
  output.note(`no table has an action "${action}"${guess === undefined ? '' : `; did you mean "${guess}"?`}`);
}

/** Says since when there is something, where older records were asked for. */
async function remarkDeleted({ source, since }: TailOptions, journal: Journal, { output }: CommandContext): Promise<void> {
  if (since === undefined) return;
  for (const one of await journal.stored()) {
    const isWanted = (source ?? one.source) === one.source && one.stored < one.collected;
    if (!isWanted || (one.since !== undefined && one.since < since)) continue;
    const rest = one.since === undefined ? 'nothing is stored' : `what is stored was received since ${iso(one.since)}`;
    output.note(`source ${one.source}: older events have been deleted from the journal (journal.keep); ${rest}`);
  }
}

async function follow(options: TailOptions, context: CommandContext): Promise<void> {
  const { output, seams } = context;
  using signals = catchSignals(silentLog());
  await withStoredJournal(options.config, seams, async (journal, config) => {
    remarkAction(options, config, context);
    await remarkDeleted(options, journal, context);
    const request = { ...options, format: formatFor(options, config, output.isTerminal) };
    for await (const lines of tail(config, journal, request, seams, signals.stop)) {
      for (const line of lines) output.line(line);
      // A reader that is slower than the journal would fill the memory.
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain', { signal: signals.stop }).catch(() => undefined);
    }
  });
}

/** `penstock tail`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('tail')
    .description('show events as they are collected, until Ctrl-C; reads the journal beside a running daemon and changes nothing')
    .addOption(configOption())
    .option('--source <name>', 'only of this source')
    .option('--sink <name>', 'only what this sink gets, with its filter and in its format')
    .option('--action <key>', 'only this action')
    .addOption(
      new Option(
        '-f, --format <format>',
        'how an event is shown; short lines on a terminal, the format of the sink, or ocsf, elsewhere',
      ).choices(['line', ...formats]),
    )
    .option('--since <time>', 'begin with what was received since then; by default with what comes', startOfTime)
    .option('--no-follow', 'end with what is stored')
    .action((options: TailOptions) => {
      if (options.follow || options.since !== undefined) return follow(options, context);
      throw new PenstockError('PEN_USAGE', '--no-follow shows nothing without --since', { fix: 'add --since 1h, for example' });
    });
}
