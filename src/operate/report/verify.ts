import { silentLog } from '../../base/log.ts';
import type { Seams } from '../../base/seams.ts';
import { Budgets, type ComparedRecord, compareRange } from '../../collect/index.ts';
import type { Config, SourceConfig } from '../../config/config.ts';
import { compileActionFilter } from '../../event/action-key.ts';
import type { Journal, Lane } from '../../journal/journal.ts';
import { openReader, plainUserAgent, userAgentOf } from '../../runtime/open-runtime.ts';
import type { RunningSink, RunningSource } from '../../runtime/runtime.ts';

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
  /** What the sink's ledger counts of the source as discarded, skipped or abandoned, of all time: no ids are kept of these, so `delivered` may hold some. */
  readonly given_up: Readonly<Record<string, number>>;
  readonly days: readonly VerifiedDay[];
}

type SourceSettings = RunningSource['settings'];
type SinkSettings = RunningSink['settings'];

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

/** OCSF captions to severity_id, as far as tables use them. */
const severityIds: Readonly<Record<string, number>> = { Informational: 1, Low: 2, Medium: 3, High: 4, Critical: 5, Fatal: 6 };
const letterPage = 1000;
const readLimit = 2000;

async function lettersOf(
  journal: Journal,
  sink: string,
  source: string,
  range: { from: number; to: number },
): Promise<Set<string>> {
  const uids = new Set<string>();
  for (let after: number | undefined; ; ) {
    const letters = await journal.deadLetters({ sink, source, ...range }, letterPage, after);
    // An event that had been settled before its replay was refused counts as what it was then, as in the ledger.
    for (const { record, replayed } of letters) if (replayed !== true) uids.add(record.uid);
    after = letters.at(-1)?.id;
    if (letters.length < letterPage) return uids;
  }
}

async function pendingOf(journal: Journal, sink: string, source: string): Promise<Set<string>> {
  const uids = new Set<string>();
  const lanes = (await journal.lanes(sink)).filter(({ lane }) => lane.source === source && lane.kind !== 'replay');
  for (const { lane, offset } of lanes) {
    for await (const uid of unsettled(journal, sink, lane, offset)) uids.add(uid);
  }
  return uids;
}

async function* unsettled(
  journal: Journal,
  sink: string,
  lane: Lane,
  from: Parameters<Journal['read']>[2],
): AsyncGenerator<string> {
  for (let after = from; ; ) {
    const pages = await journal.read(sink, lane, after, readLimit);
    for (const { records } of pages) for (const { uid } of records) yield uid;
    const last = pages.at(-1)?.positions.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

/** True when a sink takes records of this action, as far as its action filters say. */
function takes({ filter }: SinkSettings, source: SourceSettings): (key: string | undefined) => boolean {
  const takesAction = compileActionFilter(filter);
  const severe = filter.min_severity;
  const severities = new Map(source.connector.actions.map(({ key, severity }) => [key, severityIds[severity] ?? 0]));
  return (key) => {
    if (key === undefined) return true;
    return takesAction(key) && (severe === undefined || (severities.get(key) ?? severe) >= severe);
  };
}

interface SinkView {
  readonly name: string;
  readonly takes: (key: string | undefined) => boolean;
  readonly pending: ReadonlySet<string>;
  readonly letters: ReadonlySet<string>;
}

async function viewSinks({ sinks, source, deps: { journal }, from, to }: VerifySettings): Promise<SinkView[]> {
  const routed = sinks.filter(({ sources }) => sources?.includes(source.name) !== false);
  return await Promise.all(
    routed.map(async (sink) => ({
      name: sink.name,
      takes: takes(sink, source),
      pending: await pendingOf(journal, sink.name, source.name),
      letters: await lettersOf(journal, sink.name, source.name, { from, to }),
    })),
  );
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
      const state = view.pending.has(record.uid) ? 'pending' : view.letters.has(record.uid) ? 'dead_lettered' : 'delivered';
      const column = this.sinks[state];
      column[view.name] = (column[view.name] ?? 0) + 1;
    }
  }
}

const sum = (counts: Readonly<Record<Outcome, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

async function givenUpOf(
  { deps: { journal }, source }: VerifySettings,
  views: readonly SinkView[],
): Promise<Record<string, number>> {
  const { rows } = await journal.ledger();
  const counts = rows
    .filter((row) => row.source === source.name)
    .map(({ sink, totals: { discarded, skipped, abandoned } }) => [sink, discarded + skipped + abandoned] as const);
  const bySink = new Map(counts);
  return Object.fromEntries(views.map(({ name }) => [name, bySink.get(name) ?? 0]));
}

function reportOf(
  { source, from, to, deps: { seams } }: VerifySettings,
  tally: Tally,
  notShown: number,
  givenUp: VerifyReport['given_up'],
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
    given_up: givenUp,
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
  const views = await viewSinks(settings);
  const tally = new Tally(views);
  let records = 0;
  let notShown = 0;
  const onUnseen = (count: number): void => void (notShown += count);
  for await (const page of compareRange(source, deps, { from, to }, signal, onUnseen)) {
    for (const record of page) tally.add(record, views, from);
    records += page.length;
    onProgress(records, page.at(-1)?.time);
  }
  return reportOf(settings, tally, notShown, await givenUpOf(settings, views));
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
