import type { Command } from 'commander';
import { counted, iso } from '../../base/quantity.ts';
import { sinkCounters, sourceCounters } from '../../journal/counts.ts';
import { givenUpLines, summarise } from '../../operate/report/given-up.ts';
import { readLedger } from '../../operate/report/ledger.ts';
import { withJournal } from '../../runtime/configured-journal.ts';
import { configOption } from '../arguments.ts';
import type { CommandContext } from '../context.ts';

interface LedgerOptions {
  readonly config: string;
  readonly json?: true;
}

async function ledger({ config, json }: LedgerOptions, { output, seams, exit }: CommandContext): Promise<void> {
  const [report, givenUp] = await withJournal(config, seams, async (journal) => [
    await readLedger(journal),
    summarise(await journal.givenUp()),
  ]);
  exit(report.imbalances.length === 0 ? 0 : 1);
  if (json === true) {
    output.json({ ...report, ...givenUp });
    return;
  }
  const words = (columns: readonly string[]): string[] => columns.map((column) => column.replaceAll('_', ' '));
  output.table(
    ['source', ...words(sourceCounters)],
    Object.entries(report.sources).map(([name, totals]) => [name, ...sourceCounters.map((column) => totals[column])]),
  );
  output.line();
  output.table(
    ['sink', ...words(sinkCounters)],
    Object.entries(report.sinks).map(([name, totals]) => [name, ...sinkCounters.map((column) => totals[column])]),
  );
  output.line();
  for (const { sink, source, records, from, to } of report.skipped)
    output.line(
      output.color.red(`sink ${sink} skipped ${counted(records, 'record')} of ${source}, event times ${iso(from)} to ${iso(to)}`),
    );
  for (const { source, records, from, to } of report.shortfalls)
    output.line(
      output.color.red(
        `source ${source}: the vendor did not show at least ${counted(records, 'record')}, event times ${iso(from)} to ${iso(to)}`,
      ),
    );
  for (const line of givenUpLines(givenUp)) output.line(line);
  for (const imbalance of report.imbalances) output.line(output.color.red(`does not balance: ${imbalance}`));
  if (report.imbalances.length === 0)
    output.line(output.color.green('The ledger balances: everything fetched and everything new is accounted for.'));
}

/** `penstock ledger`. */
export function add(program: Command, context: CommandContext): void {
  program
    .command('ledger')
    .description('show where every record went; exit 1 when it does not balance')
    .addOption(configOption())
    .option('--json', 'for scripts')
    .action((options: LedgerOptions) => ledger(options, context));
}
