import { silentLog } from '../../base/log.ts';
import type { Seams } from '../../base/seams.ts';
import { Budgets, type ComparedRecord, compareRange } from '../../collect/index.ts';
import type { Config, SourceConfig } from '../../config/config.ts';
import type { Journal } from '../../journal/journal.ts';
import { openReader, plainUserAgent, userAgentOf } from '../../runtime/open-runtime.ts';
import type { RunningSource } from '../../runtime/runtime.ts';
import { type SinkSettings, type SinkView, type SourceSettings, viewSinks } from './verify-sinks.ts';

/** What one day of the range came to; `day` is a UTC date. */
export interface VerifiedDay {
  readonly day: string;
  readonly vendor: number;
  readonly collected: number;
  readonly excluded: number;
  readonly late: number;
  readonly missing: number;
  readonly never_collected: number;
}

/** What `penstock verify --json` prints; field names are stable, times are milliseconds since the epoch. */
export interface VerifyReport {
  readonly source: string;
  readonly from: number;
  readonly to: number;
  readonly at: number;
  /** Records that the API returned for the range, each once. */
  readonly vendor: number;
  readonly collected: number;
  /** Left out on purpose: the source's filter, or records of our own requests. */
  readonly excluded: number;
  /** In a collected window that the overlap or the sweep will read again, and so collect. */
  readonly late: number;
  /** In a collected window, not collected, and not to be fetched again without `--repair`. */
  readonly missing: number;
  /** Outside of every collected window: a backfill collects it. */
  readonly never_collected: number;
  /** Of these, since the start of the source and some polls ago: live collection should have brought them. */
  readonly overdue: number;
  /** Of these, before the start of the source: only a backfill brings them. */
  readonly before_start: number;
  /** At least so many records the vendor has and did not show, however small the range that was asked for. */
  readonly not_shown: number;
  /** Too old to be compared by id; counted only. */
  readonly not_comparable: number;
  /** Where the range begins before what the vendor still keeps: since when it keeps events. What was before that, nobody can compare. */
  readonly kept_since?: number;
  /** Of what was collected and routed there, per sink. */
  readonly delivered: Readonly<Record<string, number>>;
  readonly dead_lettered: Readonly<Record<string, number>>;
  readonly pending: Readonly<Record<string, number>>;
  /** Dead letters that somebody discarded. */
  readonly discarded: Readonly<Record<string, number>>;
  /** From before the sink was there: whether it was given them, as by its `start`, nobody noted. */
  readonly unproven: Readonly<Record<string, number>>;
  /** What the sink's ledger counts of the source as not routed, of all time: `delivered` goes by the filter of now. */
  readonly not_routed: Readonly<Record<string, number>>;
  /** What the sink's ledger counts of the source as skipped, abandoned, or discarded without its id, of all time: `delivered` may hold some. */
  readonly given_up: Readonly<Record<string, number>>;
  readonly days: readonly VerifiedDay[];
}

interface Verified {
  readonly source: SourceSettings;
  /** How its loop reads it, within the same budget where it runs. */
  readonly deps: RunningSource['deps'];
  /** Those that are enabled. */
  readonly sinks: readonly SinkSettings[];
}

interface VerifySettings extends Verified {
  readonly from: number;
  readonly to: number;
  readonly onProgress: (records: number, at: number | undefined) => void;
  readonly signal: AbortSignal;
}

type Outcome = 'collected' | 'excluded' | 'late' | 'missing' | 'never_collected' | 'not_comparable';

function outcomeOf(record: ComparedRecord): Outcome {
  if (record.known) return 'collected';
  if (record.excluded) return 'excluded';
  if (!record.withinMemory) return 'not_comparable';
  if (record.coverage === 'never') return 'never_collected';
  return record.coverage === 'open' ? 'late' : 'missing';
}

class Tally {
  readonly totals: Record<Outcome, number> = {
    collected: 0,
    excluded: 0,
    late: 0,
    missing: 0,
    never_collected: 0,
    not_comparable: 0,
  };
  readonly days = new Map<string, Record<Outcome, number>>();
  overdue = 0;
  beforeStart = 0;
  readonly sinks = {
    delivered: {} as Record<string, number>,
    dead_lettered: {} as Record<string, number>,
    pending: {} as Record<string, number>,
    discarded: {} as Record<string, number>,
    unproven: {} as Record<string, number>,
  };
  readonly #met = new Set<string>();

  constructor(views: readonly SinkView[]) {
    for (const { name } of views) for (const counts of Object.values(this.sinks)) counts[name] = 0;
  }

  add(record: ComparedRecord, views: readonly SinkView[], from: number): void {
    // Windows share their bounds, so a record may come twice.
    if (this.#met.has(record.uid)) return;
    this.#met.add(record.uid);
    const outcome = outcomeOf(record);
    const day = new Date(record.time ?? from).toISOString().slice(0, 10);
    const counts = this.days.get(day) ?? {
      collected: 0,
      excluded: 0,
      late: 0,
      missing: 0,
      never_collected: 0,
      not_comparable: 0,
    };
    this.days.set(day, counts);
    counts[outcome] += 1;
    this.totals[outcome] += 1;
    if (outcome === 'never_collected' && record.isOverdue) this.overdue += 1;
    if (outcome === 'never_collected' && record.isBeforeStart) this.beforeStart += 1;
    if (outcome !== 'collected') return;
    for (const view of views.filter((sink) => sink.takes(record.actionKey))) {
      const column = this.sinks[stateOf(record, view)];
      column[view.name] = (column[view.name] ?? 0) + 1;
    }
  }
}

/** Nothing was received before it happened. */
function stateOf({ uid, time = Number.NEGATIVE_INFINITY }: ComparedRecord, view: SinkView): keyof Tally['sinks'] {
  if (view.pending.has(uid)) return 'pending';
  if (view.letters.has(uid)) return 'dead_lettered';
  if (view.discarded.has(uid)) return 'discarded';
  return view.since !== undefined && time <= view.since ? 'unproven' : 'delivered';
}

const sum = (counts: Readonly<Record<Outcome, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

function reportOf(
  { source, from, to, deps: { seams } }: VerifySettings,
  tally: Tally,
  notShown: number,
  views: readonly SinkView[],
): VerifyReport {
  const days = [...tally.days]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([day, counts]) => {
      const { not_comparable: _counted, ...compared } = counts;
      return { day, vendor: sum(counts), ...compared };
    });
  const at = seams.clock.now();
  const keptSince = source.retentionMs === undefined ? undefined : at - source.retentionMs;
  return {
    source: source.name,
    from,
    to,
    at,
    vendor: sum(tally.totals),
    ...tally.totals,
    ...(keptSince !== undefined && keptSince > from && { kept_since: keptSince }),
    overdue: tally.overdue,
    before_start: tally.beforeStart,
    not_shown: notShown,
    ...tally.sinks,
    not_routed: Object.fromEntries(views.map(({ name, notRouted }) => [name, notRouted])),
    given_up: Object.fromEntries(views.map(({ name, givenUp }) => [name, givenUp])),
    days,
  };
}

/** What the vendor has and was not collected, nor will be by itself. */
export function lackingIn({ missing, overdue, before_start, not_shown }: VerifyReport): number {
  return missing + overdue + before_start + not_shown;
}

/**
 * Reads a range of a source again and compares it with the journal, id by id. Writes nothing. It can only speak of what the API returns now:
 * every event that the API returned is accounted for.
 */
export async function verify(settings: VerifySettings): Promise<VerifyReport> {
  const { source, deps, from, to, onProgress, signal } = settings;
  const views = await viewSinks({ ...settings, journal: deps.journal });
  const tally = new Tally(views);
  let records = 0;
  let notShown = 0;
  const onUnseen = (count: number): void => void (notShown += count);
  for await (const page of compareRange(source, deps, { from, to }, signal, onUnseen)) {
    for (const record of page) tally.add(record, views, from);
    records += page.length;
    onProgress(records, page.at(-1)?.time);
  }
  return reportOf(settings, tally, notShown, views);
}

/** What a source of a configuration is verified with where no daemon runs it; needs its secrets. */
export async function configuredForVerify(
  config: Config,
  source: SourceConfig,
  journal: Journal,
  seams: Seams,
): Promise<Verified> {
  const log = silentLog();
  const { secrets } = config;
  const openContext = { seams, log, userAgent: plainUserAgent, secrets, dataDir: config.data_dir };
  const budgets = new Budgets(seams, log);
  const openOwn = (): ReturnType<typeof openReader> => openReader(source, openContext, budgets);
  const deps = { journal, seams, log, userAgent: await userAgentOf(journal, seams), secrets, openReader: openOwn };
  return { source, deps, sinks: config.sinks.filter(({ enabled }) => enabled) };
}
