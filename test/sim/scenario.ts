// A history to play, as plain data; shrinking takes things out of it.
export type SourceKind = 'offset' | 'page' | 'token' | 'link' | 'stream' | 'files';

export interface SourcePlan {
  readonly name: string;
  readonly kind: SourceKind;
  /** Records that the vendor puts on a page, whatever is asked for. */
  readonly pageSize: number;
  /** Milliseconds; undefined: no second look. */
  readonly sweepEveryMs?: number;
  /** How far back the first poll begins, milliseconds before the start. */
  readonly backMs: number;
  /** True where the vendor logs each of our reads. */
  readonly logsReads?: boolean;
  /** Milliseconds between polls; undefined: as the connector says. */
  readonly everyMs?: number;
}

export interface SinkPlan {
  readonly name: string;
  /** Answers at once, later, or never at all (`sent`). */
  readonly acknowledges: 'now' | 'later' | 'never';
  readonly inFlight: number;
  readonly batchEvents: number;
  /** Largest batch that the receiver takes; larger ones are to be split. */
  readonly mostEvents?: number;
  /** The protocol that the real sink speaks with it; undefined: verdicts, without bytes in between. */
  readonly wire?: Wire;
  /** True where each endpoint is a receiver of its own, which knows nothing of what the other took. */
  readonly apart?: true;
  /** Under pressure records are left out for it, and counted. */
  readonly skipsWhenFull?: boolean;
  /** Room for dead letters, where it is little; an operator makes some now and then, and when all is calm. */
  readonly mostDeadLetters?: number;
}

export type Wire = 'hec' | 'hec_ack' | 'bulk' | 'syslog' | 'syslog_octets' | 'syslog_udp' | 'relp';

/** A record of a vendor. Times are milliseconds after the start of the run and may be negative. */
export interface EventPlan {
  readonly source: string;
  readonly n: number;
  readonly at: number;
  /** How long after its time it shows up. */
  readonly late: number;
  /** Size of its incompressible ballast, bytes. */
  readonly fat?: number;
  /** The record under whose id and time it comes, with another content. */
  readonly copyOf?: number;
  /** Receivers that refuse it for its content. */
  readonly refusedBy?: readonly string[];
  /** When its vendor deletes it; what lies after it on the pages moves up. */
  readonly gone?: number;
}

export type VendorFault =
  | 'html'
  | 'unavailable'
  | 'rate_limit'
  | 'cut_body'
  | 'reset'
  | 'hang'
  | 'unauthorized'
  | 'revoke'
  | 'token_refused'
  | 'large_total'
  | 'reorder'
  | 'repeat'
  | 'slow'
  | 'too_large'
  | 'empty_page'
  | 'short_page'
  | 'stale';
/**
 * `lie`: says that it took what it throws away; no history draws it, because nobody could keep a promise then. `restart`: forgets what it said would
 * be acknowledged, and counts from 0 again; answers of the time after that get lost.
 */
export type ReceiverFault =
  | 'lie'
  | 'down'
  | 'busy'
  | 'hold'
  | 'lost_answer'
  | 'half'
  | 'slow'
  | 'forget'
  | 'never'
  | 'refuse_all'
  | 'partial'
  | 'restart'
  | 'cannot_open';

export type Endpoint = 'a' | 'b';

/** Trouble between two times; it strikes a request with the probability `share`. */
export interface FaultPlan {
  /** The one endpoint of a sink that it strikes; undefined: all of it. */
  readonly endpoint?: Endpoint;
  readonly on: string;
  readonly kind: VendorFault | ReceiverFault;
  readonly from: number;
  readonly to: number;
  readonly share: number;
}

/** The end of a process, armed at a time: at one of its next steps, at one of its next commits, or in good order. */
export interface EndPlan {
  readonly at: number;
  readonly kind: 'step' | 'commit' | 'stop';
  /** Which step or commit, counted from 1. */
  readonly nth: number;
  readonly when: 'before' | 'during' | 'after';
  /** For `during`: how much of the bytes got out. */
  readonly share: number;
  /** How long nothing runs afterwards, milliseconds. */
  readonly downMs: number;
}

export interface Scenario {
  readonly seed: number;
  readonly hours: number;
  readonly maxBytes: number;
  readonly sources: readonly SourcePlan[];
  readonly sinks: readonly SinkPlan[];
  readonly events: readonly EventPlan[];
  readonly faults: readonly FaultPlan[];
  readonly ends: readonly EndPlan[];
  /** Steps of the machine's wall clock. */
  readonly clock: readonly { readonly at: number; readonly byMs: number }[];
  /** Times during which SQLite refuses every commit: an I/O error (10) or a full disk (13). */
  readonly diskErrors: readonly { readonly at: number; readonly errcode: 10 | 13; readonly ms: number }[];
  /** Times during which the journal does what it is asked for, and a share of its answers is lost. */
  readonly lostAnswers: readonly { readonly at: number; readonly ms: number; readonly share: number }[];
  /** Stored events that are delivered again, as an operator may ask for. */
  readonly replays: readonly { readonly at: number; readonly sink: string; readonly from: number; readonly to: number }[];
  /** What else an operator asks for. */
  readonly jobs: readonly JobPlan[];
  readonly offline?: readonly OfflinePlan[];
  /** True where time may leap while nothing happens. */
  readonly leaps?: boolean;
  /** Replicas that share a journal; without them one process runs after the other on files of its own. */
  readonly crew?: CrewPlan;
}

/** Several replicas. What happens to processes and disks otherwise (`ends`, `clock`, `diskErrors`, `lostAnswers`) is not played beside it. */
export interface CrewPlan {
  readonly leaseMs: number;
  /** How far the wall clock of each replica is off, milliseconds: as many as there are replicas. */
  readonly clocks: readonly number[];
  readonly faults: readonly CrewFault[];
  /** How long what is delivered is kept, milliseconds; without it nothing is ever deleted, and the journal has no limit. */
  readonly keepMs?: number;
  /** Other files for replicas, as in a change that goes from one to the next: from a time on what is named does not stand in it. */
  readonly files?: readonly FilePlan[];
}

export interface FilePlan {
  readonly at: number;
  readonly replica: number;
  /** Sources and sinks. */
  readonly without: readonly string[];
  /** They stand in it and are disabled. */
  readonly disables?: boolean;
}

/**
 * What happens to a replica, from a time on and for so long:
 *
 * - `kill`: it is gone at once, and started anew at the end. `stop`: the same in good order.
 * - `stall`: it does nothing and wakes at the end; what it had asked for is done meanwhile.
 * - `refused`, `silent`, `late`: it cannot reach the database: is told so at once, hears nothing, or what it asks for arrives at the end.
 * - `lost`: a third of the answers of the database get lost on their way to it.
 * - `step`: its wall clock is two hours slow.
 *
 * `outage`: nobody reaches the database, whatever `replica` says.
 */
export interface CrewFault {
  readonly at: number;
  readonly ms: number;
  readonly replica: number;
  readonly kind: CrewFaultKind;
  /** Not at the time, but at one of the next statements of a kind, counted from 1: when it is about to leave the replica, or when it was done. */
  readonly statement?: { readonly of: StatementKind; readonly nth: number; readonly when: 'asked' | 'done' };
}

export type StatementKind = 'append' | 'settle' | 'beat' | 'job' | 'upkeep' | 'other';

export const cuts = ['refused', 'silent', 'late'] as const;
export type CrewFaultKind = 'kill' | 'stop' | 'stall' | (typeof cuts)[number] | 'lost' | 'step' | 'outage';

/** Times are milliseconds after the start of the run. */
export type JobPlan =
  | {
      readonly at: number;
      readonly kind: 'backfill' | 'verify';
      readonly source: string;
      readonly from: number;
      readonly to: number;
    }
  | { readonly at: number; readonly kind: 'retry_dead_letters'; readonly sink: string }
  | { readonly at: number; readonly kind: 'release'; readonly of: 'source' | 'sink'; readonly name: string }
  /** The file with the records that showed up around a time is read by hand. */
  | { readonly at: number; readonly kind: 'import'; readonly source: string; readonly shown: number }
  | { readonly at: number; readonly kind: 'discard'; readonly sink: string }
  /** Whatever jobs wait or run for a sink. */
  | { readonly at: number; readonly kind: 'cancel'; readonly sink: string }
  /** A source polls every `value` minutes from then on, a sink takes batches of `value` events, until the process ends. */
  | { readonly at: number; readonly kind: 'reload'; readonly name: string; readonly value: number };

/** What an operator does to the journal when no process runs: with the first pause after `at`. */
export type OfflinePlan =
  /** To another name and back. */
  | { readonly at: number; readonly kind: 'rename'; readonly of: 'source' | 'sink'; readonly name: string }
  /** Collects once more from where it began. */
  | { readonly at: number; readonly kind: 'reset'; readonly source: string };

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

/** Nothing happens: what a history adds to is its own. */
export const uneventful = {
  faults: [],
  ends: [],
  clock: [],
  diskErrors: [],
  lostAnswers: [],
  replays: [],
  jobs: [],
} satisfies Partial<Scenario>;

/** Seeds from here on draw more. The earlier ones keep their meaning, because tests and mutants name some of them. */
export const wideFrom = 40_000_000;

/** Seeds from here on stand for histories that mostly rest where they are long. */
export const restingFrom = 50_000_000;

/** Seeds from here on: vendors answer from copies that lag behind, and receivers that acknowledge later restart. */
export const unsteadyFrom = 62_000_000;

/** Seeds from here on: records at the edge of what the overlap covers, or deleted while they are read; pages that change their size; little room for dead letters. */
export const edgyFrom = 65_000_000;

/** Seeds from here on: the endpoints of a sink are receivers of their own, of which one may be in trouble alone. */
export const apartFrom = 67_000_000;

/** Seeds from here on: sources whose pages have numbers, the newest record on the first. */
export const numberedFrom = 68_000_000;

/** How far a vendor's copy lags behind at most, milliseconds. */
export const mostStaleMs = 2 * minute;

/** Seeds from here on stand for histories of several replicas that share a journal. */
export const crewFrom = 70_000_000;

/** Seeds from here on: operators leave jobs for the replicas, too. */
export const busyCrewFrom = 73_000_000;

/** Seeds from here on: what is old is deleted, the journal may be small, and the replicas' files differ for a while. */
export const changingCrewFrom = 74_000_000;

/** Seeds from here on: what leaves the work of a replica may stand in its file and be disabled. */
export const disablingCrewFrom = 78_000_000;

/** True where replicas run jobs: those that deliver leaves by itself wait for ever in the histories of before. */
export const runsJobs = ({ jobs, replays, crew }: Scenario): boolean =>
  jobs.length + replays.length > 0 || crew?.keepMs !== undefined;

/** A quiet quarter of an hour: one source, one sink, six records of which the sink refuses one. */
const quiet: Scenario = {
  seed: 1,
  hours: 0.25,
  maxBytes: 16 * 1_048_576,
  sources: [{ name: 'stream', kind: 'stream', pageSize: 2, backMs: 0 }],
  sinks: [{ name: 'sink1', acknowledges: 'now', inFlight: 1, batchEvents: 10 }],
  events: [1, 2, 3, 4, 5, 6].map((n) => ({
    source: 'stream',
    n,
    at: 60_000 + n * 1_000,
    late: 0,
    ...(n === 3 ? { refusedBy: ['sink1'] } : {}),
  })),
  ...uneventful,
};

/** Small histories that leave no place out: an end at each step and around each commit, and a disk that fails, or an answer of
 * the journal that is lost, at each second. */
export function smallHistories(steps = 60, commits = 20): Scenario[] {
  const end = { at: 55_000, share: 0.5, downMs: 1_000 };
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
  const atSteps = upTo(steps).map((nth): EndPlan => ({ ...end, kind: 'step', nth, when: 'after' }));
  const atCommits = upTo(commits).flatMap((nth) =>
    (['before', 'during', 'after'] as const).map((when): EndPlan => ({ ...end, kind: 'commit', nth, when })),
  );
  const losing = upTo(12).map((n) => ({ ...quiet, lostAnswers: [{ at: 58_000 + n * 1_500, ms: 4_000, share: 0.6 }] }));
  const failing = upTo(12).map((n) => ({ ...quiet, diskErrors: [{ at: 58_000 + n * 1_500, errcode: 10 as const, ms: 4_000 }] }));
  return [...[...atSteps, ...atCommits].map((one) => ({ ...quiet, ends: [one] })), ...failing, ...losing];
}
