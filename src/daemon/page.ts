// What the status page is given, and what its buttons do.
import type { Action } from '../admin/index.ts';
import { isObject } from '../base/json.ts';
import type { Config } from '../config/config.ts';
import { addCounts, type SinkTotals, type SourceTotals, zeroCounts } from '../journal/counts.ts';
import type { DeadLetter, Journal } from '../journal/journal.ts';
import type { LedgerReport } from '../operate/report/ledger.ts';
import type { Measured } from '../operate/report/metrics.ts';
import { groupProblems, type ProblemGroup } from '../operate/report/problem-groups.ts';
import type { Problem, StatusReport } from '../operate/report/status.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Activity, Hour } from './activity.ts';

/** Dead letters that a sink refused for one reason, among the oldest that it has. */
interface LetterReason {
  readonly sink: string;
  readonly code: string;
  readonly text: string;
  readonly count: number;
  /** Of the last of them. */
  readonly source: string;
  readonly action: string | undefined;
  readonly last: number;
}

/** The status, and what goes with it at three in the morning. */
interface PageReport {
  readonly status: StatusReport & { readonly problem_groups: readonly ProblemGroup[] };
  readonly room: {
    readonly used_bytes: number;
    readonly max_bytes: number;
    readonly has_room: boolean;
    readonly records: number;
    /** Milliseconds since the epoch; absent where nothing is stored. */
    readonly oldest_received: number | undefined;
    /** Absent while it does not fill up. */
    readonly full_in_seconds: number | undefined;
    readonly disk_free_bytes: number | undefined;
    readonly disk_size_bytes: number | undefined;
  };
  readonly hours: readonly Hour[];
  readonly ledger: {
    readonly collected: SourceTotals;
    readonly sinks: Readonly<Record<string, SinkTotals>>;
    readonly imbalances: readonly string[];
  };
  readonly letters: readonly LetterReason[];
}

const lettersRead = 20;
const sinksRead = 20;

function reasonsOf(letters: readonly DeadLetter[]): LetterReason[] {
  const reasons = new Map<string, LetterReason>();
  for (const { sink, code, text, source, action, last } of letters) {
    const count = (reasons.get(`${code}\n${text}`)?.count ?? 0) + 1;
    reasons.set(`${code}\n${text}`, { sink, code, text, count, source, action, last });
  }
  return [...reasons.values()];
}

async function lettersOf({ sinks }: StatusReport, journal: Pick<Journal, 'deadLetters'>): Promise<LetterReason[]> {
  const refusing = sinks.filter(({ dead_letters }) => dead_letters > 0).slice(0, sinksRead);
  const letters = await Promise.all(refusing.map(({ name }) => journal.deadLetters({ sink: name }, lettersRead)));
  return letters.flatMap(reasonsOf);
}

/** Says of dead letters why they are there: it is what one has to know before sending them again. */
function withReasons(problems: readonly Problem[], letters: readonly LetterReason[]): readonly Problem[] {
  return problems.map((problem) => {
    const letter = /^\d+ dead letters/.test(problem.what)
      ? letters.find(({ sink }) => problem.where === `sink ${sink}`)
      : undefined;
    return letter === undefined ? problem : { ...problem, what: `${problem.what}, for example ${letter.code}: ${letter.text}` };
  });
}

interface Beside {
  readonly activity: Activity;
  readonly disk: Measured['disk'];
}

/** Reads what the page shows. */
export async function readPage(
  journal: Journal,
  status: StatusReport,
  ledger: LedgerReport,
  beside: Beside,
): Promise<PageReport> {
  const [hours, letters] = await Promise.all([beside.activity.hours(), lettersOf(status, journal)]);
  const problems = withReasons(status.problems, letters);
  return { ...knownPage(journal, { ...status, problems }, ledger, beside), hours, letters };
}

/** What the page shows without a question to the journal. */
export function knownPage(
  journal: Pick<Journal, 'usage'>,
  status: StatusReport,
  { sources, sinks, imbalances }: LedgerReport,
  { activity, disk }: Beside,
): PageReport {
  const collected = zeroCounts();
  for (const totals of Object.values(sources)) addCounts(collected, totals);
  const { usedBytes, maxBytes, hasRoom, records, oldestReceived } = journal.usage();
  const room = {
    used_bytes: usedBytes,
    max_bytes: maxBytes,
    has_room: hasRoom,
    records,
    oldest_received: oldestReceived,
    full_in_seconds: activity.fullInSeconds(disk?.freeBytes),
    disk_free_bytes: disk?.freeBytes,
    disk_size_bytes: disk?.sizeBytes,
  };
  const told = { ...status, problem_groups: groupProblems(status.problems) };
  return { status: told, room, hours: activity.knownHours, ledger: { collected, sinks, imbalances }, letters: [] };
}

/** The job that sends a sink's dead letters again: one at a time, however often it is asked for. */
async function retryOf(sink: string, journal: Journal): Promise<number> {
  const waiting = await journal.jobs({ states: ['queued', 'running'] });
  const same = waiting.find(({ kind, args }) => kind === 'retry_dead_letters' && isObject(args) && args['sink'] === sink);
  return (same ?? (await journal.insertJob('retry_dead_letters', { sink }))).id;
}

/** Begins what a button says; resolves with a sentence about it, or undefined where nothing of that name runs. */
export async function act(
  { sources, sinks, journal, log }: Runtime,
  { kind, name, verb }: Action,
  config: Pick<Config, 'sources' | 'sinks' | 'journal'>,
): Promise<string | undefined> {
  const thing = kind === 'sources' ? 'source' : 'sink';
  if (!config[kind].some((one) => one.enabled && one.name === name)) return undefined;
  log.info({ [thing]: name, verb }, 'asked for on the status page');
  if (verb === 'retry') return `job ${await retryOf(name, journal)} sends the dead letters of sink ${name} again`;
  // Another replica may have the source, and each has a loop of the sink.
  if (config.journal.database !== undefined) await journal.insertJob('release', { kind: thing, name });
  (kind === 'sources' ? sources : sinks).get(name)?.loop.release();
  return verb === 'poll' ? `source ${name} is polled now` : `${thing} ${name} tries again now`;
}
