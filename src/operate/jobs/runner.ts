// A job is a row: queued -> running -> done | failed. A row that is still running when a process starts was cut off and runs again; every
// operation resumes from what it committed.
import { sleep } from '../../base/clock.ts';
import { asPenstockError, explain, PenstockError } from '../../base/errors.ts';
import { isObject, type Json } from '../../base/json.ts';
import type { Job } from '../../journal/journal.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { backfill, importFiles } from './backfill.ts';
import { release, replay, retryDeadLetters } from './replay.ts';

export type { Job } from '../../journal/journal.ts';

/** Does a job's work, reporting progress as often as it likes; resolves with the last progress to keep. */
export type Operation = (job: Job, runtime: Runtime, report: (progress: Json) => void, signal: AbortSignal) => Promise<Json>;

const operations: Readonly<Record<string, Operation>> = {
  backfill,
  import: importFiles,
  replay,
  retry_dead_letters: retryDeadLetters,
  release,
};

export type JobKind = 'backfill' | 'import' | 'replay' | 'retry_dead_letters' | 'release';

/** Executes queued jobs until disposed. */
export interface JobRunner extends AsyncDisposable {
  /** A row may be waiting: look now. */
  wake(): void;
}

const lookEveryMs = 1000;
const progressEveryMs = 500;
const mostAtOnce = 4;

async function execute(job: Job, runtime: Runtime, signal: AbortSignal): Promise<void> {
  const { journal, seams } = runtime;
  const log = runtime.log.child({ job: job.id, kind: job.kind });
  let written = Number.NEGATIVE_INFINITY;
  let writing = Promise.resolve();
  const report = (progress: Json): void => {
    if (seams.clock.monotonic() - written < progressEveryMs) return;
    written = seams.clock.monotonic();
    writing = writing
      .then(() => journal.updateJob(job.id, { progress }))
      .catch((error: unknown) => log.warn({ err: error }, 'progress not written'));
  };
  try {
    await journal.updateJob(job.id, { state: 'running' });
    log.info({ args: job.args }, 'job started');
    const operation = operations[job.kind];
    if (operation === undefined) throw new PenstockError('PEN_OPERATION_FAILED', `no operation is called "${job.kind}"`);
    const progress = await operation(job, runtime, report, signal);
    await writing;
    await journal.updateJob(job.id, { state: 'done', progress });
    log.info({ progress }, 'job done');
  } catch (error) {
    await writing;
    // Cut off by shutdown: the row stays running and the next start resumes it.
    if (signal.aborted) return;
    log.error({ err: asPenstockError(error) }, 'job failed');
    await journal.updateJob(job.id, { state: 'failed', error: explain(error) });
  }
}

/** True while another retry of this sink's dead letters is before it: two at once would send the same letters. */
function waitsForTurn(job: Job, all: readonly Job[]): boolean {
  if (job.kind !== 'retry_dead_letters') return false;
  const sink = sinkOf(job);
  return all.some((other) => other.id < job.id && other.kind === job.kind && sinkOf(other) === sink);
}

const sinkOf = ({ args }: Job): unknown => (isObject(args) ? args['sink'] : undefined);

/** Starts looking for jobs. */
export function startJobRunner(runtime: Runtime): JobRunner {
  const stop = new AbortController();
  const running = new Map<number, Promise<void>>();
  let woken = new AbortController();

  async function look(): Promise<void> {
    const waiting = await runtime.journal.jobs({ states: ['queued', 'running'] });
    for (const job of waiting) {
      if (running.has(job.id) || running.size >= mostAtOnce || waitsForTurn(job, waiting)) continue;
      running.set(
        job.id,
        execute(job, runtime, stop.signal).finally(() => running.delete(job.id)),
      );
    }
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      await look().catch((error: unknown) => runtime.log.warn({ err: error }, 'jobs could not be read'));
      woken = new AbortController();
      await sleep(runtime.seams.clock, lookEveryMs, AbortSignal.any([stop.signal, woken.signal])).catch(() => undefined);
    }
  }

  const looping = loop();
  return {
    wake: () => woken.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
      await Promise.allSettled(running.values());
    },
  };
}
