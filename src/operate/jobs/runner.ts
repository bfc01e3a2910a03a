// A job is a row: queued -> running -> done | failed. A row that is still running when a process starts was interrupted and runs again;
// every operation resumes from what it committed.
import { sleep } from '../../base/clock.ts';
import { asPenstockError, explain, PenstockError } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import type { Job } from '../../journal/journal.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { backfill, importFiles, type Operation, release, reload, replay, retryDeadLetters } from './operations.ts';

const operations = {
  backfill,
  import: importFiles,
  replay,
  retry_dead_letters: retryDeadLetters,
  release,
  reload,
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
const progressEveryMs = 500;
const mostAtOnce = 4;

async function execute(job: Job, runtime: Runtime, own: OwnOperations, signal: AbortSignal): Promise<void> {
  const { journal, seams } = runtime;
  const log = runtime.log.child({ job: job.id, kind: job.kind });
  let written = Number.NEGATIVE_INFINITY;
  let writing = Promise.resolve();
  const report = (progress: Json): void => {
    if (seams.clock.monotonic() - written < progressEveryMs) return;
    written = seams.clock.monotonic();
    writing = writing
      .then(() => journal.updateJob(job.id, { progress }))
      .catch((error: unknown) => log.warn({ err: error }, 'job progress could not be saved'));
  };
  try {
    if (!(await journal.claimJob(job.id))) return;
    await journal.updateJob(job.id, { state: 'running' });
    log.info({ args: job.args }, 'job started');
    const progress = await operationOf(job.kind, own)(job, runtime, report, signal);
    await writing;
    await journal.updateJob(job.id, { state: 'done', progress });
    // Only now: a job that is cut off before it is done would open its lanes anew and send everything once more.
    await journal.closeReplay(job.id);
    log.info({ progress }, 'job done');
  } catch (error) {
    await writing;
    // Interrupted by shutdown or by a reload, or another process goes on with it: the row stays running, and is resumed.
    if (signal.aborted || isFenced(error)) return;
    log.error({ err: asPenstockError(error) }, 'job failed');
    await journal.updateJob(job.id, { state: 'failed', error: explain(error) });
  }
}

/** What works on a source shares what its owner remembers of it. */
function isOwn({ args }: Job, { journal }: Runtime): boolean {
  const source = isObject(args) ? args['source'] : undefined;
  return typeof source !== 'string' || isReplay(args) || journal.ownership.owns(source);
}

/** Lanes of a replay are opened by one process, and delivered by whoever owns the source. */
const isReplay = (args: Json): boolean => isObject(args) && 'sink' in args;

/** True while another retry of this sink's dead letters is before it: two at once would send the same letters. */
function waitsForTurn(job: Job, all: readonly Job[]): boolean {
  if (job.kind !== 'retry_dead_letters') return false;
  const sink = sinkOf(job);
  return all.some((other) => other.id < job.id && other.kind === job.kind && sinkOf(other) === sink);
}

const isFenced = (error: unknown): boolean => error instanceof PenstockError && error.code === 'PEN_JOURNAL_FENCED';

const sinkOf = ({ args }: Job): unknown => (isObject(args) ? args['sink'] : undefined);

interface RunningJob {
  readonly job: Job;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export interface JobRunner extends AsyncDisposable {
  /** Interrupts the jobs that are meant, and starts none until disposed; then those that were interrupted resume. */
  suspend(isMeant: (job: Job) => boolean): Promise<Disposable>;
}

/** Executes queued jobs until disposed. */
export function startJobRunner(runtime: Runtime, own: OwnOperations = {}): JobRunner {
  const stop = new AbortController();
  const running = new Map<number, RunningJob>();
  let suspended = 0;

  /** A reload waits for no long job. */
  const hasRoomFor = ({ kind }: Job): boolean => suspended === 0 && (kind === 'reload' || running.size < mostAtOnce);

  function begin(job: Job): void {
    const stopJob = new AbortController();
    const signal = AbortSignal.any([stop.signal, stopJob.signal]);
    const done = execute(job, runtime, own, signal).finally(() => running.delete(job.id));
    running.set(job.id, { job, stop: stopJob, done });
  }

  async function look(): Promise<void> {
    const waiting = await runtime.journal.jobs({ states: ['queued', 'running'] });
    for (const job of waiting)
      if (!running.has(job.id) && hasRoomFor(job) && isOwn(job, runtime) && !waitsForTurn(job, waiting)) begin(job);
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      await look().catch((error: unknown) => runtime.log.warn({ err: error }, 'jobs could not be read'));
      await sleep(runtime.seams.clock, lookEveryMs, stop.signal).catch(() => undefined);
    }
  }

  const looping = loop();
  return {
    async suspend(isMeant) {
      suspended += 1;
      const meant = [...running.values()].filter(({ job }) => isMeant(job));
      for (const one of meant) one.stop.abort(new DOMException('the job is interrupted', 'AbortError'));
      await Promise.allSettled(meant.map(({ done }) => done));
      return { [Symbol.dispose]: () => void (suspended -= 1) };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
      await Promise.allSettled([...running.values()].map(({ done }) => done));
    },
  };
}
