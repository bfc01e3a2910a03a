import type { Journal, Ledger, LedgerRow, SinkTotals, SkippedRange, SourceTotals } from '../../journal/journal.ts';

/** What `penstock ledger --json` prints; field names are stable. */
export interface LedgerReport {
  readonly sources: Readonly<Record<string, SourceTotals>>;
  /** Per sink, summed over the sources. */
  readonly sinks: Readonly<Record<string, SinkTotals>>;
  readonly rows: readonly LedgerRow[];
  /** What sinks with `when_full: skip` left out, oldest first. */
  readonly skipped: readonly SkippedRange[];
  /** Every equation that does not hold, in words; empty when the ledger balances. */
  readonly imbalances: readonly string[];
}

const noTotals: SinkTotals = {
  acknowledged: 0,
  unconfirmed: 0,
  dead_lettered: 0,
  discarded: 0,
  not_routed: 0,
  skipped: 0,
  abandoned: 0,
  pending: 0,
  replayed: 0,
  possible_duplicates: 0,
};

function add(a: SinkTotals, b: SinkTotals): SinkTotals {
  const sum: Record<string, number> = {};
  for (const key of Object.keys(noTotals) as (keyof SinkTotals)[]) sum[key] = a[key] + b[key];
  return sum as unknown as SinkTotals;
}

/** Records that a sink accounts for: everything but what was delivered again. */
function accounted(totals: SinkTotals): number {
  const { acknowledged, unconfirmed, dead_lettered, discarded, not_routed, skipped, abandoned, pending } = totals;
  return acknowledged + unconfirmed + dead_lettered + discarded + not_routed + skipped + abandoned + pending;
}

function imbalancesOf(ledger: Ledger): string[] {
  const ofSources = Object.entries(ledger.sources)
    .filter(([, totals]) => totals.fetched !== totals.new + totals.duplicate + totals.excluded)
    .map(
      ([name, { fetched, duplicate, excluded, ...rest }]) =>
        `source ${name}: fetched ${fetched}, but new ${rest.new} + duplicate ${duplicate} + excluded ${excluded}`,
    );
  const ofSinks = ledger.rows
    .filter((row) => row.new !== accounted(row.totals))
    .map((row) => `sink ${row.sink}, source ${row.source}: ${row.new} new, but ${accounted(row.totals)} accounted for`);
  return [...ofSources, ...ofSinks];
}

/** Adds up the ledger and checks that everything fetched and everything new is accounted for. */
export async function readLedger(journal: Journal): Promise<LedgerReport> {
  const ledger = await journal.ledger();
  const sinks: Record<string, SinkTotals> = {};
  for (const { sink, totals } of ledger.rows) sinks[sink] = add(sinks[sink] ?? noTotals, totals);
  return { sources: ledger.sources, sinks, rows: ledger.rows, skipped: ledger.skipped ?? [], imbalances: imbalancesOf(ledger) };
}
