import type { Command } from 'commander';
import { PenstockError } from '../../base/errors.ts';
import { snakeKeys } from '../../base/json.ts';
import { counted, iso } from '../../base/quantity.ts';
import { normaliseKey } from '../../event/action-key.ts';
import type { DeadLetter, LetterFilter } from '../../journal/journal.ts';
import { requireKnown } from '../../operate/known-names.ts';
import { discardedLetters } from '../../operate/report/given-up.ts';
import { withJournal } from '../../runtime/configured-journal.ts';
import { configOption, endOfTime, positiveInteger, refuseSwapped, startOfTime } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { runJob } from './backfill.ts';

interface FilterOptions extends Omit<LetterFilter, 'ids' | 'uids'> {
  readonly config: string;
  readonly id?: readonly string[];
}

interface ListOptions extends FilterOptions {
  readonly discarded?: true;
  readonly json?: true;
  readonly limit: number;
}

/** What a vendor wrote. */
const foreign = ['record'];

const fiveMinutesMs = 300_000;

function filterOf({ sink, source, code, action, from, to, id }: FilterOptions): LetterFilter {
  refuseSwapped({ from, to });
  const all = { sink, source, code, action, from, to, ids: id?.map(positiveInteger) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function show(letters: readonly DeadLetter[], { output }: CommandContext): void {
  const short = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);
  output.table(
    ['id', 'sink', 'source', 'event time', 'action', 'code', 'reason'],
    letters.map((letter) => [
      letter.id,
      letter.sink,
      letter.source,
      iso(letter.eventTime),
      letter.action ?? '-',
      letter.code,
      short(letter.text),
    ]),
  );
}

/** What is known of letters that were discarded. */
async function listDiscarded({ json, limit, ...options }: ListOptions, { output, seams }: CommandContext): Promise<void> {
  const filter = filterOf(options);
  const all = await withJournal(options.config, seams, async (journal) => discardedLetters(await journal.givenUp(), filter));
  const letters = all.slice(0, limit);
  if (json === true) output.json({ count: all.length, letters: snakeKeys(letters) });
  else if (all.length === 0) output.line('No such letter was discarded.');
  else {
    output.table(
      ['id', 'sink', 'source', 'event time', 'action', 'code', 'uid', 'discarded'],
      letters.map(({ id, sink, source, eventTime, action, code, uid, discardedAt }) => [
        id,
        sink,
        source,
        iso(eventTime),
        action ?? '-',
        code,
        uid,
        iso(discardedAt),
      ]),
    );
    if (all.length > limit) output.line(output.color.dim(`and ${all.length - limit} more (--limit)`));
  }
}

async function list({ json, limit, discarded, ...options }: ListOptions, context: CommandContext): Promise<void> {
  if (discarded === true) return listDiscarded({ ...options, limit, ...(json && { json }) }, context);
  const { output, seams } = context;
  const filter = filterOf(options);
  const { letters, count, inAll } = await withJournal(options.config, seams, async (journal) => {
    await requireKnown(journal, filter);
    const [found, matching, all] = await Promise.all([
      journal.deadLetters(filter, limit),
      journal.countDeadLetters(filter),
      journal.countDeadLetters({}),
    ]);
    return { letters: found, count: matching, inAll: all };
  });
  if (json === true) output.json({ count, letters: snakeKeys(letters, foreign) });
  else if (count === 0) output.line(inAll === 0 ? 'No dead letters.' : `None of ${counted(inAll, 'dead letter')} is so.`);
  else {
    show(letters, context);
    const replayed = letters.filter((letter) => letter.replayed === true).map(({ id }) => id);
    if (replayed.length > 0)
      output.line(
        output.color.dim(`refused when replayed; the ledger counts what became of them the first time: ${replayed.join(', ')}`),
      );
    if (count > letters.length) output.line(output.color.dim(`and ${count - letters.length} more (--limit)`));
  }
}

/** What was refused again has its newer reason, and what came meanwhile is there as well: how many are left is what counts. */
async function retry(options: FilterOptions, context: CommandContext): Promise<void> {
  const filter = filterOf(options);
  await runJob('retry_dead_letters', filter, { config: options.config, drain: fiveMinutesMs }, context);
  const left = await withJournal(options.config, context.seams, (journal) => journal.countDeadLetters(filter));
  context.output.line(
    left === 0
      ? 'No dead letter of these is left.'
      : `${counted(left, 'dead letter')} of these ${left === 1 ? 'is' : 'are'} left, see dead-letters list.`,
  );
}

async function discard(options: FilterOptions & { yes?: true }, { output, seams }: CommandContext): Promise<void> {
  const filter = filterOf(options);
  const count = await withJournal(options.config, seams, async (journal) => {
    await requireKnown(journal, filter);
    return options.yes === true ? journal.discardDeadLetters(filter) : journal.countDeadLetters(filter);
  });
  const letters = counted(count, 'dead letter');
  if (options.yes !== true)
    throw new PenstockError('PEN_USAGE', `nothing was discarded; ${letters} would be gone for good`, {
      fix: 'look at them with `dead-letters list`, then repeat with --yes',
    });
  output.line(`${letters} discarded; "penstock ledger" counts them, and "dead-letters list --discarded" names them`);
}

function withFilter(command: Command): Command {
  return command
    .addOption(configOption())
    .option('--source <name>', 'only of this source')
    .option('--code <code>', 'only with this code of the receiver')
    .option('--action <key>', 'only with this action', normaliseKey)
    .option('--from <time>', 'event time from', startOfTime)
    .option('--to <time>', 'event time to, inclusive', endOfTime)
    .option('--id <ids...>', 'only these letters');
}

/** `penstock dead-letters`. */
export function add(program: Command, context: CommandContext): void {
  const letters = program.command('dead-letters').description('events that a sink refused for good, with the reason');
  withFilter(letters.command('list'))
    .description('list them')
    .option('--sink <name>', 'only of this sink')
    .option('--discarded', 'those that were discarded: which, when, by what filter; their records are gone')
    .option('--limit <count>', 'how many', positiveInteger, 50)
    .option('--json', 'for scripts')
    .action((options: ListOptions) => list(options, context));
  letters
    .command('show')
    .argument('<id>', 'number of the letter', positiveInteger)
    .description('show one with its record')
    .addOption(configOption())
    .action(async (id: number, { config }: { config: string }) => {
      const [letter] = await withJournal(config, context.seams, (journal) => journal.deadLetters({ ids: [id] }, 1));
      if (letter === undefined)
        throw new PenstockError('PEN_NOT_FOUND', `there is no dead letter ${id}`, { fix: 'penstock dead-letters list' });
      context.output.json(snakeKeys(letter, foreign));
    });
  withFilter(letters.command('retry'))
    .description('map and send them again; those refused again stay dead letters')
    .requiredOption('--sink <name>', 'of this sink')
    .action((options: FilterOptions) => retry(options, context));
  withFilter(letters.command('discard'))
    .description('delete them for good')
    .option('--sink <name>', 'only of this sink')
    .option('--yes', 'I have looked at them')
    .action((options: FilterOptions & { yes?: true }) => discard(options, context));
}
