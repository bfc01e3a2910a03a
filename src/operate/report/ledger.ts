import { counted } from '../../base/quantity.ts';
import { parseShortfalls, type Shortfall, shortfallsNote } from '../../collect/index.ts';
import {
  accountedFor,
  addCounts,
  lettersLost,
  negativeCounters,
  type SinkTotals,
  type SourceTotals,
  sortedOut,
  zeroTotals,
} from '../../journal/counts.ts';
import type { Journal, Ledger, LedgerRow, SkippedRange } from '../../journal/journal.ts';

/** What `penstock ledger --json` prints; field names are stable. */
export interface LedgerReport {
  readonly sources: Readonly<Record<string, SourceTotals>>;
  /** Per sink, summed over the sources. */
  readonly sinks: Readonly<Record<string, SinkTotals>>;
  readonly rows: readonly LedgerRow[];
  /** What sinks with `when_full: skip` left out, oldest first. */
  readonly skipped: readonly SkippedRange[];
  /** Stretches of time of which a source's vendor did not show all of its records, whatever was asked. */
  readonly shortfalls: readonly (Shortfall & { readonly source: string })[];
  /** Every equation that does not hold, in words; empty when the ledger balances. */
  readonly imbalances: readonly string[];
}

function imbalancesOf(ledger: Ledger): string[] {
  const ofSources = Object.entries(ledger.sources)
    .filter(([, totals]) => totals.fetched !== sortedOut(totals))
    .map(
      ([name, { fetched, duplicate, excluded, ...rest }]) =>
        `source ${name}: fetched ${fetched}, but new ${rest.new} + duplicate ${duplicate} + excluded ${excluded}`,
    );
  return [...ofSources, ...ledger.rows.flatMap(imbalancesOfRow)];
}

function imbalancesOfRow(row: LedgerRow): string[] {
  const { totals, new: fresh, letters } = row;
  const accounted = accountedFor(totals);
  return [
    ...(fresh === accounted ? [] : [`${fresh} new, but ${accounted} accounted for`]),
    ...(lettersLost(row) === 0
      ? []
      : [`${totals.dead_lettered} dead lettered, but ${counted(letters, 'dead letter is', 'dead letters are')} there`]),
    ...negativeCounters(totals).map((name) => `${totals[name]} ${name.replaceAll('_', ' ')}`),
  ].map((what) => `sink ${row.sink}, source ${row.source}: ${what}`);
}

async function shortfallsOf(journal: Journal, sources: readonly string[]): Promise<LedgerReport['shortfalls']> {
  const notes = await journal.noteOfAll(shortfallsNote);
  return sources.flatMap((source) => parseShortfalls(notes.get(source)).map((one) => ({ source, ...one })));
}

/** Adds up the ledger and checks that everything fetched and everything new is accounted for. */
export async function readLedger(journal: Journal): Promise<LedgerReport> {
  const ledger = await journal.ledger();
  const sinks: Record<string, ReturnType<typeof zeroTotals>> = {};
  for (const { sink, totals } of ledger.rows) addCounts((sinks[sink] ??= zeroTotals()), totals);
  return {
    sources: ledger.sources,
    sinks,
    rows: ledger.rows,
    skipped: ledger.skipped ?? [],
    shortfalls: await shortfallsOf(journal, Object.keys(ledger.sources)),
    imbalances: imbalancesOf(ledger),
  };
}
