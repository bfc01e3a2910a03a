// The daemon's life: opening (journal, registration) -> running (sinks, sources, jobs, admin) -> stopping (sources first, then sinks) -> closed.
import { type AdminOperations, startAdmin } from '../admin/index.ts';
import type { Log } from '../base/log.ts';
import { packageVersion } from '../base/package.ts';
import type { Seams } from '../base/seams.ts';
import { tellAll } from '../base/secrets.ts';
import type { Config } from '../config/config.ts';
import { pageCacheBytes, withPageCache } from '../journal/index.ts';
import type { Journal, RegistrationReport } from '../journal/journal.ts';
import { startJobRunner } from '../operate/jobs/runner.ts';
import { readLedger } from '../operate/report/ledger.ts';
import { renderMetrics } from '../operate/report/metrics.ts';
import { liveStatus, type StatusReport } from '../operate/report/status.ts';
import { openConfiguredJournal } from '../runtime/configured-journal.ts';
import { openRuntime, sinkRegistration, sourceRegistration, userAgentOf } from '../runtime/open-runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';

interface DaemonSettings {
  readonly config: Config;
  readonly seams: Seams;
  readonly log: Log;
  /** How long to wait for another daemon to release the journal, milliseconds. */
  readonly lockWaitMs: number;
}

const logWaitingMs = 1000;

function logRegistration(report: RegistrationReport, log: Log): void {
  for (const { name, pending } of report.newSinks) log.info({ sink: name, pending }, 'new sink: its starting offset is fixed');
  for (const { name, pending } of report.orphanSinks) {
    log.error(
      { sink: name, pending, fix: `penstock sinks rename ${name} NEW, or penstock sinks forget ${name}` },
      'a sink in the journal is no longer configured',
    );
  }
  for (const name of report.orphanSources)
    log.warn({ source: name }, 'a source in the journal is no longer configured; its stored events are still delivered');
}

async function openOwnJournal({ config, seams, log, lockWaitMs }: DaemonSettings): Promise<Journal> {
  using _waiting = seams.clock.timer(logWaitingMs, () =>
    log.warn({ data_dir: config.data_dir, lockWaitMs }, 'waiting for another daemon to release the journal'),
  );
  const journal = await openConfiguredJournal(config, { seams, log, lock: 'exclusive', lockWaitMs });
  return withPageCache(journal, pageCacheBytes);
}

async function register(config: Config, journal: Journal, log: Log): Promise<RegistrationReport> {
  const report = await journal.register(config.sources.map(sourceRegistration), config.sinks.map(sinkRegistration));
  logRegistration(report, log);
  return report;
}

/** Opens the journal and everything configured. Throws before anything is polled when the journal is locked, damaged or foreign. */
export async function openDaemon(settings: DaemonSettings): Promise<Daemon> {
  const { config, seams, log } = settings;
  await using opening = new AsyncDisposableStack();
  const journal = opening.use(await openOwnJournal(settings));
  const report = await register(config, journal, log);
  const userAgent = await userAgentOf(journal, seams);
  const runtime = openRuntime(config, journal, { seams, log, userAgent, secrets: config.secrets });
  return new Daemon(config, runtime, report, opening.move());
}

/** An open daemon: the journal is locked and knows what is configured; nothing polls or delivers before it is started. */
export class Daemon implements AsyncDisposable {
  readonly runtime: Runtime;
  readonly #config: Config;
  readonly #orphanSinks: readonly string[];
  readonly #startedAt: number;
  readonly #open: AsyncDisposableStack;
  #jobs: AsyncDisposable | undefined;
  #isReady = false;
  #stopped: Promise<void> | undefined;

  constructor(config: Config, runtime: Runtime, report: RegistrationReport, open: AsyncDisposableStack) {
    this.#config = config;
    this.runtime = runtime;
    this.#orphanSinks = report.orphanSinks.map(({ name }) => name);
    this.#startedAt = runtime.seams.clock.monotonic();
    this.#open = open;
  }

  /** Starts every loop, the job runner and the admin server; resolves when all of them run. */
  async start(): Promise<void> {
    const { seams, log, sources } = this.runtime;
    const { admin, data_dir: dataDir } = this.#config;
    this.#open.use(await startAdmin({ ...admin, dataDir, seams, log, operations: this.#operations() }));
    this.startSinks();
    for (const { loop } of sources.values()) loop.start();
    this.startJobs();
    this.#isReady = true;
  }

  /** Starts the sinks only, for commands that host a job. */
  startSinks(): void {
    for (const { loop } of this.runtime.sinks.values()) loop.start();
  }

  startJobs(): void {
    this.#jobs ??= this.#open.use(startJobRunner(this.runtime));
  }

  async status(): Promise<StatusReport> {
    const facts = { version: packageVersion, startedAt: this.#startedAt, orphanSinks: this.#orphanSinks };
    // Texts were scrubbed where they came in; a credential that became known only afterwards is taken out here.
    return tellAll(await liveStatus(this.runtime, facts), this.#config.secrets);
  }

  /** Stops polling, gives requests in flight the configured time, checkpoints. */
  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Sources first: what they still commit, the sinks may still deliver. */
  async #close(): Promise<void> {
    const { sources, sinks } = this.runtime;
    await this.#jobs?.[Symbol.asyncDispose]();
    await Promise.all([...sources.values()].map(({ loop }) => loop[Symbol.asyncDispose]()));
    await Promise.all([...sinks.values()].map(({ loop }) => loop.stop(this.#config.shutdownTimeoutMs)));
    await this.#open.disposeAsync();
  }

  #operations(): AdminOperations {
    return {
      notReady: () => (this.#isReady ? [] : ['sources and sinks are starting']),
      status: () => this.status(),
      metrics: async () => renderMetrics(await this.status(), await readLedger(this.runtime.journal)),
    };
  }
}
