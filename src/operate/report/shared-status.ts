// The status of a journal that several replicas work on: each leaves word of its own sources and sinks, and whoever asks puts them together.
import { isObject } from '../../base/json.ts';
import { counted, formatDuration } from '../../base/quantity.ts';
import type { Seams } from '../../base/seams.ts';
import type { SourceStatus } from '../../collect/source.ts';
import type { Config } from '../../config/config.ts';
import type { SinkStatus } from '../../deliver/report/status.ts';
import type { Journal, MissingReplica, Replica, ServerState } from '../../journal/journal.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type AtReplica, folded, foreign } from './folded-sink.ts';
import { type LedgerReport, readLedger } from './ledger.ts';
import { type Problem, problemsOf, type ReplicaStatus, type StatusReport } from './status.ts';
import { storedReport } from './stored-status.ts';

/** What a replica says of itself. */
interface ReplicaReport {
  readonly sources: readonly SourceStatus[];
  readonly sinks: readonly SinkStatus[];
  /** Why the database stored nothing of this replica's a moment ago. */
  readonly refusal?: ServerState['refusal'];
}

/** What this process says of itself to those who share its journal. */
export function replicaReport({ sources, sinks, journal }: Pick<Runtime, 'sources' | 'sinks' | 'journal'>): ReplicaReport {
  return {
    sources: [...sources.values()].map(({ loop }) => loop.status()),
    sinks: [...sinks.values()].map(({ loop }) => loop.status()),
    refusal: journal.usage().server?.refusal,
  };
}

function reportOf({ report }: Replica): ReplicaReport {
  if (!isObject(report)) return { sources: [], sinks: [] };
  const { sources, sinks, refusal } = report as unknown as ReplicaReport;
  return { sources: sources ?? [], sinks: sinks ?? [], refusal };
}

function shownReplica({ name, version, since, sources, lastSeen }: Replica): ReplicaStatus {
  return { name, version, since, sources, last_seen: lastSeen };
}

/** Names of processes that live at the same time: one that took the place of another came when that was not heard of any more. */
function sharedNames(replicas: readonly Replica[]): string[] {
  const isTwin = (one: Replica, other: Replica): boolean =>
    other.name === one.name && other.since > one.since && one.lastSeen > other.since;
  return [...new Set(replicas.filter((one) => replicas.some((other) => isTwin(one, other))).map(({ name }) => name))];
}

function missingProblem({ name, lastSeen }: MissingReplica, now: number): Problem {
  return {
    level: 'warning',
    where: 'replicas',
    what: `"${name}" was last heard of ${formatDuration(Math.max(0, now - lastSeen))} ago and did not leave; the others have its sources`,
    fix: 'start it again, or another in its place; where none is wanted, this goes a day after it was last heard of',
  };
}

function replicaProblems(replicas: readonly Replica[], sources: readonly SourceStatus[]): Problem[] {
  const versions = [...new Set(replicas.map(({ version }) => version))];
  const mixed: Problem[] =
    versions.length < 2
      ? []
      : [{ level: 'warning', where: 'replicas', what: `replicas run versions ${versions.join(', ')}`, fix: 'finish the update' }];
  const twins = sharedNames(replicas).map(
    (name): Problem => ({
      level: 'error',
      where: 'replicas',
      what: `two replicas are called "${name}", and write to the same files`,
      fix: 'give each a replica.name of its own; unset, it is the name of the host',
    }),
  );
  const halfKnown = [...new Set(replicas.flatMap(({ sinks }) => sinks))].flatMap((sink): Problem[] => {
    const without = replicas.filter(({ sinks }) => !sinks.includes(sink)).map(({ name }) => `"${name}"`);
    if (without.length === 0) return [];
    const what = `not configured, or disabled, at ${without.join(', ')}; what comes from the sources there waits in the journal, and is no part of the lag`;
    return [{ level: 'warning', where: `sink ${sink}`, what, fix: 'give every replica the same sinks, or finish the change' }];
  });
  const idle = sources.filter(({ state }) => state === 'stopped');
  const free: Problem[] =
    idle.length === 0
      ? []
      : [
          {
            level: 'warning',
            where: `source ${idle[0]?.name}`,
            what: `no replica has said yet that it collects it${idle.length === 1 ? '' : `, nor ${counted(idle.length - 1, 'other')}`}`,
          },
        ];
  return [...mixed, ...twins, ...halfKnown, ...free];
}

/** The sinks that stand in any file: one that is missing will come back with its own. */
function namedSinks(replicas: readonly Replica[], missing: readonly MissingReplica[]): ReadonlySet<string> {
  const living = replicas.flatMap(({ sinks, disabledSinks }) => [...sinks, ...disabledSinks]);
  return new Set([...living, ...missing.flatMap(({ sinks }) => sinks)]);
}

const sinksAt = (replica = '', { sinks }: ReplicaReport): AtReplica[] => sinks.map((one) => ({ ...one, replica }));

const ofSink = (live: readonly AtReplica[], sink: string): AtReplica[] => live.filter(({ name }) => name === sink);

/** What a replica that is asked knows itself. */
interface Known {
  readonly ledger: LedgerReport;
  readonly own: ReplicaReport;
}

/** The same for each replica's file: what the database knows, with what each replica last said of its part. */
export async function sharedStatus(config: Config, journal: Journal, seams: Seams, own?: Known): Promise<StatusReport> {
  const ledger = own?.ledger ?? (await readLedger(journal));
  const replicas = (await journal.ownership.replicas({ reports: true })) ?? [];
  const missing = replicas.length === 0 ? [] : ((await journal.ownership.missing?.()) ?? []);
  const reports = replicas.map((one) => (one.isSelf && own !== undefined ? own.own : reportOf(one)));
  const told = new Map(
    reports.flatMap(({ sources }, index) =>
      sources.map((one) => [one.name, { ...withCounts(one, ledger), replica: replicas[index]?.name }] as const),
    ),
  );
  const stored = await storedReport(config, journal, seams, ledger, told);
  const live = reports.flatMap((report, index) => sinksAt(replicas[index]?.name, report));
  const sinks = stored.sinks.map((one) => folded(one, ofSink(live, one.name)));
  // What only others are configured with is a part of the whole as well.
  const known = { sources: new Set(stored.sources.map(({ name }) => name)), sinks: new Set(sinks.map(({ name }) => name)) };
  const others = {
    sources: [...told.values()].filter(({ name }) => !known.sources.has(name)),
    sinks: [...new Set(live.map(({ name }) => name))]
      .filter((name) => !known.sinks.has(name))
      .flatMap((name) => foreign(ofSink(live, name), ledger)),
  };
  // On a full disk no word may get through: who is asked knows it from its own.
  const refusal = stored.journal.server?.refusal ?? reports.find((told) => told.refusal !== undefined)?.refusal;
  const named = namedSinks(replicas, missing);
  const report = {
    ...stored,
    // The asked file may be the one that is about to be replaced.
    orphan_sinks: stored.orphan_sinks.filter((name) => !named.has(name)),
    running: replicas.length > 0,
    version: replicas[0]?.version ?? stored.version,
    journal: { ...stored.journal, server: { answers: true, refusal } },
    sources: [...stored.sources, ...others.sources],
    sinks: [...sinks, ...others.sinks],
    replicas: replicas.map(shownReplica),
    missing_replicas: missing.map(({ name, lastSeen }) => ({ name, last_seen: lastSeen })),
  };
  const problems = replicas.length === 0 ? [] : replicaProblems(replicas, stored.sources);
  return {
    ...report,
    problems: [...problemsOf(report, ledger), ...missing.map((one) => missingProblem(one, report.at)), ...problems],
  };
}

/** Counts of the ledger, which go on where another replica takes the source over. */
function withCounts(status: SourceStatus, { sources }: LedgerReport): SourceStatus {
  const { fetched = 0, new: fresh = 0, duplicate = 0, excluded = 0, unreadable = 0 } = sources[status.name] ?? {};
  return { ...status, records: { fetched, new: fresh, duplicate, excluded, unreadable } };
}
