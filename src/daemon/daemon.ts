// The daemon's life once it is open: running (sinks, sources, jobs, admin) -> stopping (sources first, then sinks) -> closed.
import { type AdminOperations, startAdmin } from '../admin/index.ts';
import { asPenstockError, PenstockError } from '../base/errors.ts';
import type { Json } from '../base/json.ts';
import type { Job } from '../journal/journal.ts';
import { JobRunner, type OwnOperations } from '../operate/jobs/runner.ts';
import type { StatusReport } from '../operate/report/status.ts';
import type { LiveRuntime } from '../runtime/live-runtime.ts';
import { Activity } from './activity.ts';
import { Answers } from './answers.ts';
import { watchCertificates } from './certificates.ts';
import type { Configuration, ReloadReport } from './configuration.ts';
import { Measures } from './measure.ts';
import { act } from './page.ts';
import { watchFiles } from './watch-files.ts';

/** What a database that is silent may add to a start or an end that was asked for. */
export const silentDatabaseMs = 3_000;

/** An open daemon: the journal is locked and knows what is configured; nothing polls or delivers before it is started. */
export class Daemon implements AsyncDisposable {
  readonly runtime: LiveRuntime;
  readonly #configuration: Configuration;
  readonly #measures: Measures;
  readonly #activity: Activity;
  readonly #answers: Answers;
  readonly #open: AsyncDisposableStack;
  readonly #cutOff: AbortController;
  #jobs: JobRunner | undefined;
  #watching: AsyncDisposable | undefined;
  readonly #stopping = new AbortController();
  #isReady = false;
  #stopped: Promise<void> | undefined;

  constructor(
    configuration: Configuration,
    runtime: LiveRuntime,
    open: AsyncDisposableStack,
    measures = new Measures(runtime.seams.clock),
    cutOff = new AbortController(),
  ) {
    this.#configuration = configuration;
    this.runtime = runtime;
    this.#measures = measures;
    const { journal, seams, log } = runtime;
    const waitingSinks = () => configuration.current.sinks.filter(({ whenFull }) => whenFull === 'wait').map(({ name }) => name);
    const cursorAges = () =>
      new Map([...runtime.sources].map(([name, { loop }]) => [name, loop.status().cursor_age_seconds ?? 0]));
    this.#activity = new Activity({ journal, seams, log, waitingSinks, cursorAges });
    this.#answers = new Answers(runtime, configuration, measures, this.#activity);
    this.#open = open;
    this.#cutOff = cutOff;
  }

  /** Starts every loop, the job runner and the admin server; resolves when all of them run. */
  async start(): Promise<void> {
    const { seams, log } = this.runtime;
    const { admin, data_dir: dataDir } = this.#configuration.current;
    this.#measures.start();
    this.#open.use(this.#activity).start();
    this.#open.use(await startAdmin({ ...admin, dataDir, seams, log, operations: this.#operations() }));
    this.runtime.start();
    this.startJobs({ reload: (job, _runtime, report) => this.#reloadAs(job, report) });
    this.#watching = watchFiles(
      () => this.#configuration.current,
      (isAgain) => this.reload(undefined, isAgain),
      seams,
    );
    this.#open.use(watchCertificates(() => this.#configuration.current, { seams, log }));
    void this.#answers.keepWord(this.#stopping.signal);
    this.#isReady = true;
  }

  startJobs(own: OwnOperations = {}): void {
    const { journal, replica } = this.#configuration.current;
    const among = journal.database === undefined ? undefined : replica.name;
    this.#jobs ??= this.#open.use(new JobRunner(this.runtime, own, among));
  }

  /** Applies what has changed in the file, see {@link Configuration.reload}; only once the daemon is started. */
  async reload(file?: string, isAgain = false): Promise<ReloadReport> {
    if (this.#jobs === undefined) throw new PenstockError('PEN_OPERATION_FAILED', 'the daemon is starting');
    return this.#configuration.reload(this.#jobs, file, isAgain);
  }

  status(): Promise<StatusReport> {
    return this.#answers.status();
  }

  /** Stops polling, gives requests in flight the configured time, checkpoints. */
  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  /** Waits for no answer of a database any more: others go on when they have heard nothing for a lease. */
  cutOff(): void {
    this.#cutOff.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #close(): Promise<void> {
    const { shutdownTimeoutMs } = this.#configuration.current;
    using _limit = this.runtime.seams.clock.timer(shutdownTimeoutMs + silentDatabaseMs, () => this.cutOff());
    this.#stopping.abort();
    await this.#watching?.[Symbol.asyncDispose]();
    await this.#jobs?.[Symbol.asyncDispose]();
    await this.#configuration.close();
    // What is delivered after the database was cut off is in no journal.
    await this.runtime.stop(this.#cutOff.signal.aborted ? 0 : shutdownTimeoutMs);
    await this.#open.disposeAsync();
  }

  async #reloadAs({ args }: Job, report: (progress: Json) => void): Promise<Json> {
    try {
      return await this.reload((args as { readonly file: string }).file);
    } catch (error) {
      report({ refused: asPenstockError(error).code });
      throw error;
    }
  }

  #operations(): AdminOperations {
    return {
      notReady: () => (this.#isReady ? [] : ['sources and sinks are starting']),
      status: () => this.status(),
      metrics: () => this.#answers.metrics(),
      overview: () => this.#answers.overview(),
      act: (action) => act(this.runtime, action, this.#configuration.current),
    };
  }
}
