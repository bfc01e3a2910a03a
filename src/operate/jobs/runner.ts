// A job is a row: queued -> running -> done | failed. A row that is still running when a process starts was interrupted and runs again;
// every operation resumes from what it committed.
import { deadline, sleep } from '../../base/clock.ts';
import { asPenstockError, explain, PenstockError } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import type { Log } from '../../base/log.ts';
import { Outage } from '../../base/outage.ts';
import type { Job } from '../../journal/journal.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { Nameless } from './nameless.ts';
import { backfill, importFiles, type Operation, release, reload, replay, retryDeadLetters, verifyRange } from './operations.ts';
import { targetOf } from './target.ts';

const operations = {
  backfill,
  import: importFiles,
  replay,
  retry_dead_letters: retryDeadLetters,
  release,
  reload,
  verify: verifyRange,
} satisfies Record<string, Operation>;

/** What a job's row may ask for. */
export type JobKind = keyof typeof operations;

/** Operations that a process can do in its own way. */
export type OwnOperations = Partial<Record<JobKind, Operation>>;

function operationOf(kind: string, own: OwnOperations): Operation {
  const operation = Object.entries<Operation>({ ...operations, ...own }).find(([name]) => name === kind)?.[1];
  if (operation !== undefined) return operation;
  throw new PenstockError('PEN_OPERATION_FAILED', `this version has no job of kind "${kind}"`);
}

const lookEveryMs = 1000;
/** Among replicas, while none waits or runs, unless the journal says that something changed. */
const idleLookMs = 30_000;
const progressEveryMs = 500;
const mostAtOnce = 4;
/** A disk or database that fails is back within minutes mostly, and the job's row still says that it runs. */
const journalPauseMs = 30_000;

const readingJobs = { begins: 'jobs cannot be read: those that wait or run go on when they can', ends: 'jobs are read again' };
const savingProgress = {
  begins: 'the progress of a job cannot be saved: it goes on, and shows how far it is when the journal takes it',
  ends: 'the progress of a job is saved again',
};
const runningJobs = {
  begins: 'the journal fails jobs: they are tried again every 30 s, and go on from what they have committed',
  ends: 'the journal fails no job any more',
};

const cancelled = new DOMException('the job was cancelled', 'AbortError');

interface JobContext {
  readonly runtime: Runtime;
  readonly own: OwnOperations;
  /** Of the journal, for all jobs. */
  readonly outage: Outage;
}

/** How far a job is, written twice a second at most. */
class Progress {
  readonly #job: Job;
  readonly #runtime: Runtime;
  readonly #outage: Outage;
  #written = Number.NEGATIVE_INFINITY;
  #writing = Promise.resolve();

  constructor(job: Job, runtime: Runtime, log: Log) {
    this.#job = job;
    this.#runtime = runtime;
    this.#outage = new Outage(log, savingProgress);
  }

  report(progress: Json): void {
    const { journal, seams } = this.#runtime;
    if (seams.clock.monotonic() - this.#written < progressEveryMs) return;
    this.#written = seams.clock.monotonic();
    this.#writing = this.#writing
      .then(() => journal.updateJob(this.#job.id, { progress }))
      .then(() => this.#outage.worked())
      // Another has it, or a person has cancelled it: that is no trouble.
      .catch((error: unknown) => (isFenced(error) ? undefined : this.#outage.failed(error)));
  }

  saved(): Promise<void> {
    return this.#writing;
  }
}

async function execute(job: Job, { runtime, own, outage }: JobContext, signal: AbortSignal): Promise<void> {
  const { journal, seams } = runtime;
  const log = runtime.log.child({ job: job.id, kind: job.kind });
  const progressed = new Progress(job, runtime, log);
  try {
    if (!(await journal.claimJob(job.id))) return;
    await journal.updateJob(job.id, { state: 'running' });
    log.info({ args: job.args }, 'job started');
    const progress = await operationOf(job.kind, own)(job, runtime, (now) => progressed.report(now), signal);
    await progressed.saved();
    await journal.updateJob(job.id, { state: 'done', progress });
    // Only now: a job that is cut off before it is done would open its lanes anew and send everything once more.
    await journal.closeReplay(job.id);
    const { report: _report, ...counts } = isObject(progress) ? progress : {};
    outage.worked();
    log.info({ progress: counts }, 'job done');
  } catch (error) {
    await progressed.saved();
    // Interrupted by shutdown or by a reload, or another process goes on with it: the row stays running, and is resumed.
    if (signal.aborted || isFenced(error)) {
      // Nothing is asked where the process ends: the journal may not answer any more.
      if (signal.aborted && signal.reason !== cancelled) return;
      const [row] = await journal.jobs({ id: job.id }).catch(() => []);
      if (row?.state === 'cancelled') log.info('job cancelled');
      return;
    }
    if (isJournalTrouble(error)) {
      outage.failed(error);
      await sleep(seams.clock, journalPauseMs, signal).catch(() => undefined);
      return;
    }
    // A refused reload was logged where it was refused, with every fault on a line of its own.
    if (job.kind !== 'reload') log.error({ err: asPenstockError(error) }, 'job failed');
    await journal
      .updateJob(job.id, { state: 'failed', error: explain(error) })
      .catch((again: unknown) => log.warn({ err: again }, 'the failure of a job could not be saved, it runs again'));
  }
}

const named = (args: Json, kind: 'source' | 'sink'): string | undefined => {
  const target = targetOf(args);
  return target?.kind === kind ? target.name : undefined;
};
const sourceOf = (args: Json): string | undefined => named(args, 'source');
const sinkNamedBy = (args: Json): string | undefined => named(args, 'sink');

/** True while another retry of this sink's dead letters is before it: two at once would send the same letters. */
function waitsForTurn(job: Job, all: readonly Job[]): boolean {
  if (job.kind !== 'retry_dead_letters') return false;
  const sink = sinkOf(job);
  return all.some((other) => other.id < job.id && other.kind === job.kind && sinkOf(other) === sink);
}

const isJournalTrouble = (error: unknown): boolean =>
  error instanceof PenstockError &&
  ['PEN_JOURNAL_FULL', 'PEN_JOURNAL_UNAVAILABLE', 'PEN_JOURNAL_UNWRITABLE'].includes(error.code);

const isFenced = (error: unknown): boolean => error instanceof PenstockError && error.code === 'PEN_JOURNAL_FENCED';

const sinkOf = ({ args }: Job): unknown => (isObject(args) ? args['sink'] : undefined);

interface RunningJob {
  readonly job: Job;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Executes queued jobs until disposed. */
export class JobRunner implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #own: OwnOperations;
  readonly #stop = new AbortController();
  readonly #running = new Map<number, RunningJob>();
  readonly #owned: Disposable;
  readonly #looping: Promise<void>;
  readonly #outage: Outage;
  /** What this process is called among replicas; undefined where the journal is its own. */
  readonly #replica: string | undefined;
  readonly #nameless: Nameless;
  #suspended = 0;
  #lastRelease: number | undefined;

  constructor(runtime: Runtime, own: OwnOperations = {}, replica?: string) {
    this.#replica = replica;
    this.#nameless = new Nameless(runtime.seams.clock);
    this.#runtime = runtime;
    this.#own = own;
    this.#outage = new Outage(runtime.log, runningJobs);
    // Whoever owns a source goes on with the jobs on it.
    const interrupt = (sources: readonly string[]): Promise<void> =>
      this.#interrupt((job) => sources.some((source) => sourceOf(job.args) === source));
    this.#owned = runtime.journal.ownership.watch({
      gained: () => undefined,
      lost: (sources) => void interrupt(sources),
      releasing: (sources) => interrupt(sources),
    });
    this.#looping = this.#loop();
  }

  /** Interrupts the jobs that are meant, and starts none until disposed; then those that were interrupted resume. */
  async suspend(isMeant: (job: Job) => boolean): Promise<Disposable> {
    this.#suspended += 1;
    await this.#interrupt(isMeant);
    return { [Symbol.dispose]: () => void (this.#suspended -= 1) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#owned[Symbol.dispose]();
    this.#stop.abort();
    await this.#looping;
    await Promise.allSettled([...this.#running.values()].map(({ done }) => done));
  }

  async #interrupt(isMeant: (job: Job) => boolean): Promise<void> {
    const meant = [...this.#running.values()].filter(({ job }) => isMeant(job));
    for (const one of meant) one.stop.abort(new DOMException('the job is interrupted', 'AbortError'));
    await Promise.allSettled(meant.map(({ done }) => done));
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    const { seams, journal, log } = this.#runtime;
    const reading = new Outage(log, readingJobs);
    while (!signal.aborted) {
      const turn = new AbortController();
      using rest = deadline(seams.clock, idleLookMs, AbortSignal.any([signal, turn.signal]));
      // Asked before the look, so that nothing which comes after it is slept through.
      const changed = this.#replica === undefined ? undefined : journal.changed(rest.signal);
      const isIdle = await this.#look().catch((error: unknown) => {
        reading.failed(error);
        return undefined;
      });
      if (isIdle !== undefined) reading.worked();
      await sleep(seams.clock, lookEveryMs, signal).catch(() => undefined);
      if (isIdle === true) await changed;
      turn.abort();
    }
  }

  /** True where no job waits or runs. */
  async #look(): Promise<boolean> {
    const waiting = await this.#runtime.journal.jobs({ states: ['queued', 'running'] });
    this.#stopCancelled(waiting);
    for (const job of waiting) if (this.#isToBegin(job) && !waitsForTurn(job, waiting)) this.#begin(job);
    if (this.#replica !== undefined) {
      await this.#releaseWithOthers();
      await this.#endNameless(waiting);
    }
    return waiting.length === 0;
  }

  /** What runs here and does not run by its row was cancelled, or has ended at this moment. */
  #stopCancelled(waiting: readonly Job[]): void {
    for (const { job, stop } of this.#running.values()) if (!waiting.some(({ id }) => id === job.id)) stop.abort(cancelled);
  }

  async #endNameless(waiting: readonly Job[]): Promise<void> {
    const { journal, log } = this.#runtime;
    const idle = waiting.filter(({ id }) => !this.#running.has(id));
    for (const { id, kind, error } of await this.#nameless.look(journal, idle))
      log.error({ job: id, kind, error }, 'job failed: no replica can do it');
  }

  /** Every replica has a loop of each sink: whichever takes the job, all of them end their hold. */
  async #releaseWithOthers(): Promise<void> {
    const asked = await this.#runtime.journal.jobs({ kind: 'release', after: this.#lastRelease ?? 0 });
    const isFirstLook = this.#lastRelease === undefined;
    this.#lastRelease = asked.at(-1)?.id ?? this.#lastRelease ?? 0;
    if (isFirstLook) return;
    for (const { args } of asked) {
      const { kind, name } = args as { readonly kind: 'source' | 'sink'; readonly name: string };
      (kind === 'source' ? this.#runtime.sources : this.#runtime.sinks).get(name)?.loop.release();
    }
  }

  /** A reload waits for no long job; what works on a source shares what its owner remembers of it. */
  #isToBegin({ id, kind, args }: Job): boolean {
    if (this.#running.has(id) || this.#suspended > 0) return false;
    if (kind !== 'reload' && this.#running.size >= mostAtOnce) return false;
    if (kind === 'reload' && isObject(args) && (args['replica'] ?? this.#replica) !== this.#replica) return false;
    // Another replica may be configured with the sink.
    const sink = sinkNamedBy(args);
    if (this.#replica !== undefined && sink !== undefined && !this.#runtime.sinks.has(sink)) return false;
    const source = sourceOf(args);
    if (source === undefined) return true;
    // Its owner may have it no more in its file, and be about to hand it over.
    const runsHere = this.#replica === undefined || this.#runtime.sources.has(source);
    return runsHere && this.#runtime.journal.ownership.owns(source);
  }

  #begin(job: Job): void {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, stop.signal]);
    const context = { runtime: this.#runtime, own: this.#own, outage: this.#outage };
    const done = execute(job, context, signal).finally(() => this.#running.delete(job.id));
    this.#running.set(job.id, { job, stop, done });
  }
}
