import { isObject } from '../../base/json.ts';
import { packageVersion } from '../../base/package.ts';
import type { Seams } from '../../base/seams.ts';
import { describeShortfalls } from '../../collect/index.ts';
import type { SourceStatus } from '../../collect/source.ts';
import type { Config, SinkConfig, SourceConfig } from '../../config/config.ts';
import type { SinkStatus } from '../../deliver/report/status.ts';
import type { HoldNote, Journal } from '../../journal/journal.ts';
import { listedJobs } from './job-status.ts';
import { journalStatus } from './journal-status.ts';
import { type LedgerReport, readLedger } from './ledger.ts';
import type { Disabled } from './live-status.ts';
import { problemsOf, type StatusReport } from './status.ts';

type Holds = ReadonlyMap<string, HoldNote>;

async function storedSource(
  source: SourceConfig,
  journal: Journal,
  ledger: LedgerReport,
  holds: Holds,
  now: number,
): Promise<SourceStatus> {
  const checkpoint = await journal.checkpoint(source.name, 'live');
  const until = isObject(checkpoint) && typeof checkpoint['until'] === 'number' ? checkpoint['until'] : undefined;
  const { fetched = 0, new: fresh = 0, duplicate = 0, excluded = 0, unreadable = 0 } = ledger.sources[source.name] ?? {};
  // One that is not enabled waits for nobody; the hold is known again once it is.
  const hold = source.enabled ? holds.get(`source ${source.name}`) : undefined;
  return {
    name: source.name,
    connector: source.connector.name,
    state: source.enabled ? 'stopped' : 'disabled',
    hold,
    ...(until === undefined ? {} : { cursor: until, cursor_age_seconds: Math.max(0, Math.floor((now - until) / 1000)) }),
    retention_seconds: source.retentionMs === undefined ? undefined : Math.floor(source.retentionMs / 1000),
    consecutive_failures: 0,
    records: { fetched, new: fresh, duplicate, excluded, unreadable },
    warnings: describeShortfalls(ledger.shortfalls.filter((one) => one.source === source.name)),
  };
}

async function storedSink(
  sink: SinkConfig,
  journal: Journal,
  ledger: LedgerReport,
  holds: Holds,
  now: number,
): Promise<SinkStatus> {
  const totals = ledger.sinks[sink.name];
  const lanes = totals === undefined ? [] : await journal.lanes(sink.name);
  const waiting = lanes
    .filter(({ lane }) => lane.kind === 'live')
    .flatMap(({ oldestReceived }) => (oldestReceived === undefined ? [] : [oldestReceived]));
  const hold = sink.enabled ? holds.get(`sink ${sink.name}`) : undefined;
  return {
    name: sink.name,
    type: sink.type,
    state: sink.enabled ? 'stopped' : 'disabled',
    hold,
    lag_seconds: waiting.length === 0 ? 0 : Math.max(0, Math.floor((now - Math.min(...waiting)) / 1000)),
    pending: totals?.pending ?? 0,
    in_flight: 0,
    dead_letters: totals?.dead_lettered ?? 0,
    acknowledged: totals?.acknowledged ?? 0,
    unconfirmed: totals?.unconfirmed ?? 0,
    map_failed: 0,
    unknown_actions: {},
    endpoints: [],
    warnings: [],
  };
}

const holdsIn = async (journal: Journal): Promise<Holds> =>
  new Map((await journal.holds()).map(({ kind, name, hold }) => [`${kind} ${name}`, hold]));

/** What a daemon does not run because it is not enabled, as the journal knows it. */
export async function disabledOnes(
  { sources, sinks }: Config,
  journal: Journal,
  { clock }: Seams,
  ledger: LedgerReport,
): Promise<Disabled> {
  const off = { sources: sources.filter(({ enabled }) => !enabled), sinks: sinks.filter(({ enabled }) => !enabled) };
  if (off.sources.length + off.sinks.length === 0) return { sources: [], sinks: [] };
  const [holds, now] = [await holdsIn(journal), clock.now()];
  return {
    sources: await Promise.all(off.sources.map((source) => storedSource(source, journal, ledger, holds, now))),
    sinks: await Promise.all(off.sinks.map((sink) => storedSink(sink, journal, ledger, holds, now))),
  };
}

/** The status from the journal alone, when no daemon runs. */
export async function storedStatus(config: Config, journal: Journal, seams: Seams): Promise<StatusReport> {
  const ledger = await readLedger(journal);
  const report = await storedReport(config, journal, seams, ledger);
  return { ...report, problems: problemsOf(report, ledger) };
}

/** What the journal knows, without what is wrong about it; of the sources in `told` somebody has said more. */
export async function storedReport(
  config: Config,
  journal: Journal,
  { clock }: Seams,
  ledger: LedgerReport,
  told: ReadonlyMap<string, SourceStatus> = new Map(),
): Promise<Omit<StatusReport, 'problems'>> {
  const now = clock.now();
  const holds = await holdsIn(journal);
  const sources = await Promise.all(
    config.sources.map(async (source) => told.get(source.name) ?? storedSource(source, journal, ledger, holds, now)),
  );
  const sinks = await Promise.all(config.sinks.map((sink) => storedSink(sink, journal, ledger, holds, now)));
  const configured = new Set(config.sinks.map(({ name }) => name));
  const orphan_sinks = Object.keys(ledger.sinks).filter((name) => !configured.has(name));
  const jobs = await journal.jobs();
  return {
    running: false,
    version: packageVersion,
    at: now,
    journal: journalStatus(journal.usage()),
    sources,
    sinks,
    jobs: listedJobs(jobs, now),
    orphan_sinks,
  };
}
