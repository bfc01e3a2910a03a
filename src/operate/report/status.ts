import { counted, dayMs, formatDuration, iso } from '../../base/quantity.ts';
import type { SourceStatus } from '../../collect/source.ts';
import type { SinkStatus } from '../../deliver/report/status.ts';
import type { Correction, HoldNote, Job, SkippedRange } from '../../journal/journal.ts';
import { eventProblems } from './event-problems.ts';
import { jobProblems } from './job-status.ts';
import { type JournalStatus, journalProblems, type Pause, type Problem, pauseOf } from './journal-status.ts';

export type { Problem };

import type { LedgerReport } from './ledger.ts';

/** A process among those that share a journal. */
export interface ReplicaStatus {
  readonly name: string;
  readonly version: string;
  readonly since: number;
  /** How many it collects and delivers. */
  readonly sources: number;
  readonly last_seen: number;
}

/** Of what a running daemon sees come nearer to now. */
export interface CatchingUp {
  readonly caught_up_in_seconds?: number;
}

/** What `penstock status --json` prints; field names are stable, times are milliseconds since the epoch. */
export interface StatusReport {
  readonly running: boolean;
  readonly version: string;
  readonly at: number;
  readonly uptime_seconds?: number;
  /** Of a running daemon: when its configuration was loaded or last reloaded, and whether the files say something else now. */
  readonly config?: { readonly loaded_at: number; readonly differs_from_file: boolean };
  readonly journal: JournalStatus;
  /** Who works on the journal, where replicas share it; one that left, or that nothing was heard of for its lease, is not listed. */
  readonly replicas?: readonly ReplicaStatus[];
  /** Who was not heard of any more, and did not leave: there while somebody lives. */
  readonly missing_replicas?: readonly { readonly name: string; readonly last_seen: number }[];
  /** With the name of the replica that has it, where replicas share the journal. */
  readonly sources: readonly (SourceStatus & CatchingUp & { readonly replica?: string })[];
  readonly sinks: readonly (SinkStatus & CatchingUp)[];
  readonly jobs: readonly Job[];
  readonly orphan_sinks: readonly string[];
  readonly problems: readonly Problem[];
}

const longestHealthyFailures = 3;

/** `facts`: what it costs to do nothing. */
function holdProblem(where: string, hold: HoldNote, now: number, facts: string): Problem {
  const what = `on hold for ${formatDuration(now - hold.since)}: ${hold.reason}${facts}`;
  return { level: 'error', where, what, fix: hold.fix };
}

/** How long it may go on. */
function cursorFacts({ cursor, retention_seconds }: SourceStatus, now: number): string {
  const age = cursor === undefined ? '' : `; the cursor is ${formatDuration(now - cursor)} old`;
  const kept = retention_seconds === undefined ? '' : `, and the vendor keeps ${formatDuration(retention_seconds * 1000)}`;
  return `${age}${kept}`;
}

/** Since when, and how long that may go on. */
function pauseFacts(status: SourceStatus, now: number): string {
  const { last_success } = status;
  const since =
    last_success === undefined
      ? '; no poll has succeeded yet'
      : `; the last successful poll was ${formatDuration(now - last_success)} ago`;
  return `${since}${cursorFacts(status, now)}`;
}

/** A source that waits for room has failed by it mostly: that is said once. */
const isToldByPause = ({ state, last_error }: SourceStatus): boolean =>
  state === 'waiting_for_room' && last_error?.code === 'PEN_JOURNAL_FULL';

function sourceProblems(status: SourceStatus, now: number, pause: Pause): Problem[] {
  const where = `source ${status.name}`;
  const held = status.hold === undefined ? [] : [holdProblem(where, status.hold, now, cursorFacts(status, now))];
  const error = status.last_error;
  const failures = status.consecutive_failures;
  const failing: Problem[] =
    status.hold === undefined && error !== undefined && failures > 0 && !isToldByPause(status)
      ? [
          {
            // A single failure may pass by itself; it is listed all the same, because the table shows the source as failing.
            level: failures >= longestHealthyFailures ? 'error' : 'warning',
            where,
            what: `${failures === 1 ? 'the last poll' : `${failures} polls in a row`} failed: ${error.message}${pauseFacts(status, now)}`,
            fix: error.fix,
          },
        ]
      : [];
  const waiting: Problem[] =
    status.state === 'waiting_for_room'
      ? [
          {
            level: pause.fix === undefined ? 'warning' : 'error',
            where,
            what: `${pause.what}${pauseFacts(status, now)}`,
            fix: pause.fix,
          },
        ]
      : [];
  const errors = new Set(status.errors);
  const watched = status.warnings.map((what): Problem => ({ level: errors.has(what) ? 'error' : 'warning', where, what }));
  return [...held, ...failing, ...waiting, ...watched, ...latenessProblems(status)];
}

function latenessProblems({ name, details }: SourceStatus): Problem[] {
  const overlap = details?.['suggested_overlap'];
  if (typeof overlap !== 'string') return [];
  return [
    {
      level: 'warning',
      where: `source ${name}`,
      what: 'records arrived later than the overlap covers',
      fix: `set window: { overlap: ${overlap} } on the source`,
    },
  ];
}

/** What waits for it. */
function pendingFacts({ pending }: SinkStatus): string {
  if (pending === 0) return '';
  return `; ${counted(pending, 'event waits', 'events wait')} in the journal`;
}

/** Since when it has taken nothing, and what waits for it. */
function retryFacts(status: SinkStatus, now: number): string {
  const { last_acknowledged: last } = status;
  const since = last === undefined ? '; it has taken nothing yet' : `; it last took an event ${formatDuration(now - last)} ago`;
  return `${since}${pendingFacts(status)}`;
}

const receiverFix = 'see to what the reason says: "penstock check" tries the sink; delivery goes on by itself';

/** The journal keeps what waits for a sink, whether it runs or not. */
function disabledProblems({ name, state, pending }: SinkStatus): Problem[] {
  if (state !== 'disabled' || pending === 0) return [];
  const what = `is not enabled: ${counted(pending, 'event waits', 'events wait')} for it in the journal, which keeps them for as long as that lasts`;
  const fix = 'enable it, or take it out of the configuration if it is to get none of them';
  return [{ level: 'warning', where: `sink ${name}`, what, fix }];
}

function sinkProblems(status: SinkStatus, now: number): Problem[] {
  const where = `sink ${status.name}`;
  const held = status.hold === undefined ? [] : [holdProblem(where, status.hold, now, pendingFacts(status))];
  const errors = new Set(status.errors);
  const retrying: Problem[] =
    status.state === 'retrying' && status.last_error !== undefined && errors.size === 0
      ? [{ level: 'warning', where, what: `retrying: ${status.last_error.reason}${retryFacts(status, now)}`, fix: receiverFix }]
      : [];
  const letters: Problem[] =
    status.dead_letters > 0
      ? [
          {
            level: 'warning',
            where,
            what: counted(status.dead_letters, 'dead letter'),
            fix: `penstock dead-letters list --sink ${status.name}`,
          },
        ]
      : [];
  const watched = status.warnings.map((what): Problem => {
    if (!errors.has(what)) return { level: 'warning', where, what };
    const isReceiver = what.startsWith('no progress');
    return { level: 'error', where, what: `${what}${retryFacts(status, now)}`, ...(isReceiver && { fix: receiverFix }) };
  });
  return [...held, ...retrying, ...letters, ...watched];
}

// Older ones are in the ledger only.
const skipShownMs = dayMs;

function skipProblem({ sink, source, records, from, to }: SkippedRange): Problem {
  return {
    level: 'error',
    where: `sink ${sink}`,
    what: `skipped ${counted(records, 'record')} of ${source} because the journal was full, event times ${iso(from)} to ${iso(to)}`,
    fix: 'fix the sink, or raise journal.max_bytes; "penstock ledger" lists the range',
  };
}

function correctionProblem({ at, what }: Correction): Problem {
  return {
    level: 'error',
    where: 'journal',
    what: `counts disagreed at the start of ${iso(at)} and were set right: ${what}`,
    fix: 'every record that a sink still waits for is there; report it with the log unless the disk or the file was at fault',
  };
}

const orphanFacts = (pending: number): string =>
  pending === 0 ? '' : `; ${counted(pending, 'event waits', 'events wait')} for it, for as long as journal.keep says`;

/** What to do about a sink that is not configured any more. Its names change only while no daemon runs. */
export function orphanFix(name: string): string {
  return `write it back under its name, and it gets what waits for it; or stop the daemon, then penstock sinks rename ${name} NEW, or penstock sinks forget ${name}`;
}

/** Every problem of a status, each with its level and, where there is one, its fix. */
export function problemsOf(
  report: Omit<StatusReport, 'problems'>,
  { imbalances, skipped, sinks }: Pick<LedgerReport, 'imbalances' | 'skipped' | 'sinks'>,
): Problem[] {
  const orphans = report.orphan_sinks.map(
    (name): Problem => ({
      level: 'error',
      where: `sink ${name}`,
      what: `is in the journal but not in the configuration${orphanFacts(sinks[name]?.pending ?? 0)}`,
      fix: orphanFix(name),
    }),
  );
  const stopped: Problem[] = report.running
    ? []
    : [
        {
          level: 'error',
          where: 'daemon',
          what: 'it is not running; nothing is collected or delivered',
          fix: 'start it: penstock run',
        },
      ];
  return [
    ...stopped,
    ...journalProblems(report.journal),
    ...report.sources.flatMap((status) => sourceProblems(status, report.at, pauseOf(report.journal))),
    ...report.sinks.flatMap((status) => sinkProblems(status, report.at)),
    ...report.sinks.flatMap(disabledProblems),
    ...eventProblems(report),
    ...orphans,
    ...skipped.filter(({ lastAt }) => report.at - lastAt < skipShownMs).map(skipProblem),
    ...report.journal.corrections.map(correctionProblem),
    ...imbalances.map((what): Problem => ({ level: 'error', where: 'ledger', what: `does not balance: ${what}` })),
    ...jobProblems(report),
  ];
}
