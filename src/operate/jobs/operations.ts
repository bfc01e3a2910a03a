import { sleep } from '../../base/clock.ts';
import { PenstockError } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import { importCsvFiles, runRange } from '../../collect/index.ts';
import type { RangeProgress } from '../../collect/source.ts';
import type { Job, Journal, LetterFilter, ReplayRequest } from '../../journal/journal.ts';
import { type Runtime, runningSink, runningSource } from '../../runtime/runtime.ts';
import { verify } from '../report/verify.ts';

/** Does a job's work, reporting progress as often as it likes; resolves with the last progress to keep. */
export type Operation = (job: Job, runtime: Runtime, report: (progress: Json) => void, signal: AbortSignal) => Promise<Json>;

/** Arguments of a backfill: event times in milliseconds, both inclusive. */
interface BackfillArguments {
  readonly source: string;
  readonly from: number;
  readonly to: number;
}

/** Arguments of an import: absolute paths. */
interface ImportArguments {
  readonly source: string;
  readonly files: readonly string[];
}

/**
 * Adds what the job had counted before its process ended. Progress is written twice a second, so a process that was killed may have
 * collected a few records more than it counted; none of them is missing.
 */
function countingOn(before: Json): (progress: RangeProgress) => RangeProgress {
  const counted = (name: 'fetched' | 'new' | 'duplicate'): number => (isObject(before) ? Number(before[name] ?? 0) : 0);
  const base = { fetched: counted('fetched'), new: counted('new'), duplicate: counted('duplicate') };
  return ({ at, fetched, new: fresh, duplicate }) => ({
    at,
    fetched: base.fetched + fetched,
    new: base.new + fresh,
    duplicate: base.duplicate + duplicate,
  });
}

/** Collects an older time range in its own lane while the live loop goes on, within the same rate budget. */
export const backfill: Operation = async (job, runtime, report, signal) => {
  const { source, from, to } = job.args as BackfillArguments;
  const { settings, deps } = runningSource(runtime, source);
  const inAll = countingOn(job.progress);
  const last = await runRange(
    settings,
    deps,
    { job: job.id, from, to },
    { onProgress: (progress) => report({ ...inAll(progress), from, to }), signal, lane: 'backfill' },
  );
  return { ...inAll(last), from, to };
};

/** Arguments of a verification: event times in milliseconds, both inclusive. */
interface VerifyArguments {
  readonly source: string;
  readonly from: number;
  readonly to: number;
}

/** Compares a range with what was collected; what it ends with has the report. */
export const verifyRange: Operation = async (job, runtime, report, signal) => {
  const { source, from, to } = job.args as VerifyArguments;
  const { settings, deps } = runningSource(runtime, source);
  const sinks = [...runtime.sinks.values()].map((sink) => sink.settings);
  let read = 0;
  const onProgress = (records: number, at: number | undefined): void => {
    read = records;
    report({ fetched: records, at: at ?? from, from, to });
  };
  const found = await verify({ source: settings, deps, sinks, from, to, onProgress, signal });
  return { fetched: read, at: to, from, to, report: found as Json };
};

/** Reads files outside of the directory of a source into the journal. */
export const importFiles: Operation = async (job, runtime, report, signal) => {
  const { source, files } = job.args as ImportArguments;
  const { settings, deps } = runningSource(runtime, source);
  return importCsvFiles(settings, deps, files, { job: job.id, onProgress: report, signal });
};

/** Arguments of a replay: event times in milliseconds, both inclusive. */
interface ReplayArguments {
  readonly sink: string;
  readonly from: number;
  readonly to: number;
  readonly source?: string;
  readonly action?: string;
}

/** Milliseconds between two looks at what is left, at first and at most: a sink on hold takes nothing for hours. */
const lookEveryMs = { first: 250, most: 5_000 };

/** What an interrupted run started with; the journal only knows what is left. */
function totalOf({ progress }: Job): number {
  return isObject(progress) && typeof progress['total'] === 'number' ? progress['total'] : 0;
}

/** What a replay cannot send any more. */
interface Deleted {
  /** Records of its sources that were collected and are not stored any more. */
  readonly deleted: number;
  /** What was received since then is stored, milliseconds; absent where nothing is. */
  readonly since?: number;
}

/** Empty where all that was ever received in the range is stored: nothing happens after it is received. */
async function deletedOf(journal: Journal, { source, from }: ReplayArguments): Promise<Deleted | Record<string, never>> {
  const lacking = (await journal.stored()).filter(
    (one) =>
      (source === undefined || one.source === source) &&
      one.stored < one.collected &&
      (one.since === undefined || one.since >= from),
  );
  if (lacking.length === 0) return {};
  const deleted = lacking.reduce((sum, { collected, stored }) => sum + collected - stored, 0);
  const since = lacking.flatMap((one) => one.since ?? []);
  return { deleted, ...(since.length > 0 && { since: Math.max(...since) }) };
}

/** Why a replay may stand still for long; empty where nothing is before it. */
interface Ahead {
  /** The sink takes nothing at the moment. */
  readonly sink?: 'hold' | 'retrying';
  /** Events that wait for the sink and, for the most part, go first. */
  readonly ahead?: number;
}

function aheadOf(runtime: Runtime, sink: string, remaining: number): Ahead {
  const status = runtime.sinks.get(sink)?.loop.status();
  if (status === undefined) return {};
  const { state, pending } = status;
  const ahead = Math.max(0, pending - remaining);
  return { ...((state === 'hold' || state === 'retrying') && { sink: state }), ...(ahead > 0 && { ahead }) };
}

/** Opens the job's lane, unless an earlier run did, and waits until the sink has settled everything in it. */
async function drain(
  runtime: Runtime,
  job: Job,
  sink: string,
  what: ReplayRequest,
  report: (progress: Json) => void,
  signal: AbortSignal,
): Promise<{ readonly done: number; readonly total: number }> {
  const { total: remaining } = await runtime.journal.openReplay(job.id, sink, what);
  const total = Math.max(remaining, totalOf(job));
  let ms = lookEveryMs.first;
  for (let before = total; ; ) {
    signal.throwIfAborted();
    const pending = await runtime.journal.replayPending(job.id);
    if (pending === 0) break;
    report({ done: total - pending, total, ...aheadOf(runtime, sink, pending) });
    ms = pending === before ? Math.min(1.2 * ms, lookEveryMs.most) : lookEveryMs.first;
    before = pending;
    await sleep(runtime.seams.clock, ms, signal);
  }
  return { done: total, total };
}

/** Delivers stored records to one sink again, with the same ids and the label `replayed`. */
export const replay: Operation = async (job, runtime, report, signal) => {
  const { sink, ...what } = job.args as ReplayArguments;
  runningSink(runtime, sink);
  const deleted = await deletedOf(runtime.journal, { sink, ...what });
  const done = await drain(runtime, job, sink, { kind: 'stored', ...what }, report, signal);
  return { ...done, ...deleted };
};

/** Maps and sends dead letters again; those that are refused again stay dead letters. */
export const retryDeadLetters: Operation = async (job, runtime, report, signal) => {
  const { sink, source, ...letters } = job.args as LetterFilter & { readonly sink: string };
  runningSink(runtime, sink);
  return drain(runtime, job, sink, { kind: 'dead_letters', source, letters }, report, signal);
};

/** Ends a hold: the source or sink retries at once. */
export const release: Operation = async (job, runtime) => {
  const { kind, name } = job.args as { readonly kind: 'source' | 'sink'; readonly name: string };
  const { loop } = kind === 'source' ? runningSource(runtime, name) : runningSink(runtime, name);
  loop.release();
  return {};
};

/** A daemon does this in its own way; a command that works on the journal has nothing to reload. */
export const reload: Operation = () =>
  Promise.reject(
    new PenstockError('PEN_OPERATION_FAILED', 'a command works on the journal at the moment, no daemon', {
      fix: 'start the daemon: penstock run',
    }),
  );
