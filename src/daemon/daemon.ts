// The daemon's life: opening (journal, registration) -> running (sinks, sources, jobs, admin) -> stopping (sources first, then sinks) -> closed.
import { type AdminOperations, startAdmin } from '../admin/index.ts';
import { asPenstockError, PenstockError } from '../base/errors.ts';
import { isObject, type Json } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import { makeFolder } from '../base/make-folder.ts';
import { claimFolder } from '../base/own-folder.ts';
import { packageVersion } from '../base/package.ts';
import type { Seams } from '../base/seams.ts';
import { tellAll } from '../base/secrets.ts';
import type { Config } from '../config/config.ts';
import { pageCacheBytes, withPageCache } from '../journal/index.ts';
import type { Job, Journal, Replica } from '../journal/journal.ts';
import { JobRunner, type OwnOperations } from '../operate/jobs/runner.ts';
import { type LedgerReport, readLedger } from '../operate/report/ledger.ts';
import { renderMetrics } from '../operate/report/metrics.ts';
import { replicaReport, sharedStatus } from '../operate/report/shared-status.ts';
import { liveStatus, type StatusReport } from '../operate/report/status.ts';
import { openConfiguredJournal } from '../runtime/configured-journal.ts';
import { LiveRuntime } from '../runtime/live-runtime.ts';
import { userAgentOf } from '../runtime/open-runtime.ts';
import { Activity } from './activity.ts';
import { Configuration, logRegistration, type ReloadReport } from './configuration.ts';
import { Measures } from './measure.ts';
import { act, readPage } from './page.ts';
import { watchFiles } from './watch-files.ts';

interface DaemonSettings {
  readonly config: Config;
  readonly seams: Seams;
  readonly log: Log;
  /** How long to wait for another daemon to release the journal, milliseconds. */
  readonly lockWaitMs: number;
  /** Gives up while a database that is silent holds up the start. */
  readonly signal?: AbortSignal;
}

const logWaitingMs = 1000;
const waitingForFile = 'waiting for another daemon to release the journal';
const waitingForDatabase = 'waiting for the database of the journal to answer';
/** What a database that is silent may add to a start or an end that was asked for. */
const silentDatabaseMs = 3_000;
const shortestSilenceMs = 3_000;
const longestSilenceMs = 60_000;
const silencePerSourceMs = 20;

/** Where the journal is elsewhere, data_dir has only the socket and the token of the admin server: it may be made anew at each start. */
async function prepareDataDir({ data_dir }: Config, { files }: Seams, log: Log): Promise<void> {
  await makeFolder(data_dir, files, 0o700);
  const { repaired, warnings } = await claimFolder(data_dir, files, () => false);
  for (const what of [repaired, ...warnings]) if (what !== undefined) log.warn({ data_dir }, what);
}

async function openOwnJournal({ config, seams, log, lockWaitMs }: DaemonSettings, cutOff: AbortSignal): Promise<Journal> {
  if (config.journal.database !== undefined) await prepareDataDir(config, seams, log);
  using _waiting = seams.clock.timer(logWaitingMs, () =>
    log.warn(
      { data_dir: config.data_dir, lockWaitMs },
      config.journal.database === undefined ? waitingForFile : waitingForDatabase,
    ),
  );
  const journal = await openConfiguredJournal(config, {
    seams,
    log,
    lockWaitMs,
    ...(config.journal.database !== undefined && { signal: cutOff }),
  });
  return withPageCache(journal, pageCacheBytes);
}

/** A file that an earlier process was asked to apply is older than what this one was started with. */
async function cancelOldReloads(journal: Journal, replica: string): Promise<void> {
  const waiting = await journal.jobs({ states: ['queued', 'running'] });
  const error = 'the daemon was started anew meanwhile, and read its own file';
  const isOwn = (args: Json): boolean => !isObject(args) || args['replica'] === undefined || args['replica'] === replica;
  for (const { id, kind, args } of waiting)
    if (kind === 'reload' && isOwn(args)) await journal.updateJob(id, { state: 'cancelled', error });
}

/** A moment after a stop is asked for while nothing runs yet, whatever the start waits for is cut off. */
function cutOffAtStop({ seams, signal }: DaemonSettings, cutOff: AbortController): Disposable {
  const stack = new DisposableStack();
  const onStop = (): void => void stack.use(seams.clock.timer(silentDatabaseMs, () => cutOff.abort()));
  if (signal?.aborted === true) onStop();
  signal?.addEventListener('abort', onStop, { once: true });
  stack.defer(() => signal?.removeEventListener('abort', onStop));
  return stack;
}

/** Opens the journal and everything configured. Throws before anything is polled when the journal is locked, damaged or foreign. */
export async function openDaemon(settings: DaemonSettings): Promise<Daemon> {
  const { config, seams, log } = settings;
  const cutOff = new AbortController();
  using _opening = cutOffAtStop(settings, cutOff);
  await using opening = new AsyncDisposableStack();
  const measures = new Measures(seams.clock);
  const journal = measures.timed(opening.use(await openOwnJournal(settings, cutOff.signal)));
  await cancelOldReloads(journal, config.replica.name);
  const userAgent = await userAgentOf(journal, seams);
  const runtime = new LiveRuntime(config, journal, {
    seams,
    log,
    userAgent,
    secrets: config.secrets,
    durations: measures.durations,
  });
  const report = await runtime.register();
  logRegistration(report, log);
  return new Daemon(new Configuration(config, runtime, report), runtime, opening.move(), measures, cutOff);
}

/** The replica that tells what all of them share, so that a sum over the replicas counts it once. */
function eldest(replicas: readonly Replica[]): string | undefined {
  return replicas.toSorted((one, other) => one.since - other.since || (one.name < other.name ? -1 : 1))[0]?.name;
}

/** An open daemon: the journal is locked and knows what is configured; nothing polls or delivers before it is started. */
export class Daemon implements AsyncDisposable {
  readonly runtime: LiveRuntime;
  readonly #configuration: Configuration;
  readonly #startedAt: number;
  readonly #measures: Measures;
  readonly #activity: Activity;
  readonly #open: AsyncDisposableStack;
  readonly #cutOff: AbortController;
  #jobs: JobRunner | undefined;
  #watching: AsyncDisposable | undefined;
  #word: Disposable | undefined;
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
    this.#startedAt = runtime.seams.clock.monotonic();
    this.#measures = measures;
    const { journal, seams, log } = runtime;
    const waitingSinks = () => configuration.current.sinks.filter(({ whenFull }) => whenFull === 'wait').map(({ name }) => name);
    this.#activity = new Activity({ journal, seams, log, waitingSinks });
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
      () => this.reload(),
      seams,
    );
    this.#keepWord();
    this.#isReady = true;
  }

  startJobs(own: OwnOperations = {}): void {
    const { journal, replica } = this.#configuration.current;
    const among = journal.database === undefined ? undefined : replica.name;
    this.#jobs ??= this.#open.use(new JobRunner(this.runtime, own, among));
  }

  /** Applies what has changed in the file, see {@link Configuration.reload}; only once the daemon is started. */
  async reload(file?: string): Promise<ReloadReport> {
    if (this.#jobs === undefined) throw new PenstockError('PEN_OPERATION_FAILED', 'the daemon is starting');
    return this.#configuration.reload(this.#jobs, file);
  }

  async status(): Promise<StatusReport> {
    // Texts were scrubbed where they came in; a credential that became known only afterwards is taken out here.
    return tellAll(await this.#answer(), this.#configuration.current.secrets);
  }

  async #report(known?: LedgerReport): Promise<StatusReport> {
    const { orphanSinks } = this.#configuration;
    const facts = {
      version: packageVersion,
      startedAt: this.#startedAt,
      orphanSinks,
      config: await this.#configuration.status(),
    };
    return liveStatus(this.runtime, facts, known);
  }

  /** What is asked of this process: of all replicas together, where several share the journal. */
  async #answer(known?: LedgerReport): Promise<StatusReport> {
    const own = await this.#report(known);
    const { current } = this.#configuration;
    if (current.journal.database === undefined) return own;
    const { journal, seams } = this.runtime;
    await this.#leaveWord();
    const all = await sharedStatus(current, journal, seams, known);
    return { ...all, uptime_seconds: own.uptime_seconds, config: own.config };
  }

  async #leaveWord(): Promise<void> {
    const { secrets } = this.#configuration.current;
    await this.runtime.journal.ownership.report(tellAll(replicaReport(this.runtime), secrets));
  }

  /** Tells the others every few seconds how this replica fares; seldomer where it has much to say. */
  #keepWord(): void {
    const { seams, log, sources } = this.runtime;
    if (this.#configuration.current.journal.database === undefined) return;
    this.#word = seams.clock.timer(Math.min(longestSilenceMs, shortestSilenceMs + sources.size * silencePerSourceMs), () => {
      void this.#leaveWord()
        .catch((error: unknown) => log.debug({ err: error }, 'the other replicas were not told how this one fares'))
        .finally(() => {
          if (this.#stopped === undefined) this.#keepWord();
        });
    });
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
    this.#word?.[Symbol.dispose]();
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

  async #metrics(): Promise<string> {
    const { journal, seams } = this.runtime;
    const { data_dir, replica } = this.#configuration.current;
    const [replicas, measured] = await Promise.all([journal.ownership.replicas(), this.#measures.read(data_dir, seams.files)]);
    const ledger = await readLedger(journal);
    const tellsAll = replicas === undefined || eldest(replicas) === replica.name;
    return renderMetrics(await this.#report(ledger), tellsAll ? ledger : undefined, { ...measured, replicas: replicas?.length });
  }

  async #overview(): Promise<unknown> {
    const { data_dir, secrets, journal: kept } = this.#configuration.current;
    const { journal, seams } = this.runtime;
    const [ledger, measured] = await Promise.all([readLedger(journal), this.#measures.read(data_dir, seams.files)]);
    // A database is not on the disk of data_dir.
    const disk = kept.database === undefined ? measured.disk : undefined;
    const page = await readPage(journal, await this.#answer(ledger), ledger, { activity: this.#activity, disk });
    return tellAll(page, secrets);
  }

  #operations(): AdminOperations {
    return {
      notReady: () => (this.#isReady ? [] : ['sources and sinks are starting']),
      status: () => this.status(),
      metrics: () => this.#metrics(),
      overview: () => this.#overview(),
      act: (action) => act(this.runtime, action, this.#configuration.current),
    };
  }
}
