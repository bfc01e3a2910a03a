// The status of the process that runs: what it knows beside the journal.
import { listed } from '../../base/quantity.ts';
import type { Job } from '../../journal/journal.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { listedJobs } from './job-status.ts';
import { fillProblems, journalStatus } from './journal-status.ts';
import type { LedgerReport } from './ledger.ts';
import { type CatchingUp, type Problem, problemsOf, type StatusReport } from './status.ts';

/** The configuration that a daemon runs with. */
export interface ConfigStatus {
  readonly file: string;
  /** Milliseconds since the epoch. */
  readonly loadedAt: number;
  /** Its files that say something else by now. */
  readonly changedFiles: readonly string[];
  /** Why the last reload was refused; undefined when it was not. */
  readonly refusal: string | undefined;
}

export interface StatusFacts {
  readonly version: string;
  /** On the monotonic clock. */
  readonly startedAt: number;
  readonly orphanSinks: readonly string[];
  readonly config: ConfigStatus;
  /** How long the journal has room at its pace; undefined while it does not fill up. */
  readonly fullInSeconds: number | undefined;
  /** How long a source or sink takes until it is not behind any more; undefined while that does not get nearer. */
  caughtUpInSeconds(kind: 'source' | 'sink', name: string): number | undefined;
  /** What else only this process knows. */
  readonly own: readonly Problem[];
}

const mostFilesNamed = 3;

function configProblems({ file, changedFiles, refusal }: ConfigStatus): Problem[] {
  if (changedFiles.length === 0) return [];
  const what = `something else runs than the files say: ${listed(changedFiles, mostFilesNamed)}`;
  return [
    refusal === undefined
      ? { level: 'warning', where: `configuration ${file}`, what, fix: `penstock reload -c ${file}` }
      : {
          level: 'error',
          where: `configuration ${file}`,
          what: `${what}; the last reload was refused: ${refusal}`,
          fix: `correct it until "penstock validate -c ${file}" is content, then penstock reload -c ${file}`,
        },
  ];
}

const catching = <T extends CatchingUp>(one: T, seconds: number | undefined): T =>
  seconds === undefined ? one : { ...one, caught_up_in_seconds: seconds };

/** A report with what only the daemon that is asked knows: since when it runs, and with which configuration. */
export function withOwnFacts(report: StatusReport, { seams }: Pick<Runtime, 'seams'>, facts: StatusFacts): StatusReport {
  const { startedAt, config, own, fullInSeconds } = facts;
  return {
    ...report,
    sources: report.sources.map((one) => catching(one, facts.caughtUpInSeconds('source', one.name))),
    sinks: report.sinks.map((one) => catching(one, facts.caughtUpInSeconds('sink', one.name))),
    journal: { ...report.journal, ...(fullInSeconds !== undefined && { full_in_seconds: fullInSeconds }) },
    uptime_seconds: Math.floor((seams.clock.monotonic() - startedAt) / 1000),
    config: { loaded_at: config.loadedAt, differs_from_file: config.changedFiles.length > 0 },
    problems: [...report.problems, ...fillProblems(report.journal, fullInSeconds), ...configProblems(config), ...own],
  };
}

/** What is configured and not enabled. */
export type Disabled = Pick<StatusReport, 'sources' | 'sinks'>;

/** What was read of the journal of a running daemon. */
interface Read {
  readonly ledger: LedgerReport;
  readonly jobs: readonly Job[];
  readonly disabled: Disabled;
}

/** The status of a running daemon, with what was read of its journal. */
export function liveStatus(runtime: Runtime, facts: StatusFacts, { ledger, jobs, disabled }: Read): StatusReport {
  const { journal, seams } = runtime;
  const now = seams.clock.now();
  const report = {
    running: true,
    version: facts.version,
    at: now,
    journal: journalStatus(journal.usage()),
    sources: [...[...runtime.sources.values()].map(({ loop }) => loop.status()), ...disabled.sources],
    sinks: [...[...runtime.sinks.values()].map(({ loop }) => loop.status()), ...disabled.sinks],
    jobs: listedJobs(jobs, now),
    orphan_sinks: facts.orphanSinks,
  };
  return withOwnFacts({ ...report, problems: problemsOf(report, ledger) }, runtime, facts);
}
