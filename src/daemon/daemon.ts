// The daemon's life: opening (journal, registration) -> running (sinks, sources, jobs, admin) -> stopping (sources first, then sinks) -> closed.
import { startAdmin } from '../admin/index.ts';
import type { AdminOperations } from '../admin/operations.ts';
import type { Log } from '../base/log.ts';
import { packageVersion } from '../base/package.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/config.ts';
import { openJournal, withPageCache } from '../journal/index.ts';
import type { Journal, RegistrationReport } from '../journal/journal.ts';
import { type JobRunner, startJobRunner } from '../operate/jobs.ts';
import { openRuntime, sinkRegistration, sourceRegistration, userAgentOf } from '../operate/open-runtime.ts';
import type { Runtime } from '../operate/runtime.ts';
import { liveStatus, type StatusReport } from '../operate/status.ts';

export interface DaemonSettings {
  readonly config: Config;
  readonly seams: Seams;
  readonly log: Log;
  /** How long to wait for another daemon to let go of the journal, milliseconds. */
  readonly lockWaitMs: number;
}

/** An open daemon: the journal is locked and knows what is configured; nothing polls or delivers before it is told to. */
export interface Daemon extends AsyncDisposable {
  readonly runtime: Runtime;
  /** Starts every loop, the job runner and the admin server; resolves when all of them run. */
  start(): Promise<void>;
  /** Starts the sinks only, for commands that host a job. */
  startSinks(): void;
  startJobs(): void;
  status(): Promise<StatusReport>;
  /** Stops polling, gives requests in flight the configured time, checkpoints. */
  stop(): Promise<void>;
}

const cacheBytes = 32 * 2 ** 20;
const notStarted = ['sources and sinks are starting'];

function tell(report: RegistrationReport, log: Log): void {
  for (const { name, pending } of report.newSinks) log.info({ sink: name, pending }, 'new sink: its starting offset is fixed');
  for (const { name, pending } of report.orphanSinks) {
    log.error(
      { sink: name, pending, fix: `penstock sinks rename ${name} NEW, or penstock sinks forget ${name}` },
      'a sink of the journal is not configured any more',
    );
  }
  for (const name of report.orphanSources)
    log.warn({ source: name }, 'a source of the journal is not configured any more; its stored events are still delivered');
}

async function openOwnJournal({ config, seams, log, lockWaitMs }: DaemonSettings): Promise<Journal> {
  const { maxBytes, keepMs } = config.journal;
  const journal = await openJournal({ dataDir: config.data_dir, maxBytes, keepMs, seams, log, lock: 'exclusive', lockWaitMs });
  return withPageCache(journal, cacheBytes);
}

async function register(config: Config, journal: Journal, log: Log): Promise<RegistrationReport> {
  const report = await journal.register(config.sources.map(sourceRegistration), config.sinks.map(sinkRegistration));
  tell(report, log);
  return report;
}

/** Opens the journal and everything configured. Throws before anything is polled when the journal is locked, damaged or foreign. */
export async function openDaemon(settings: DaemonSettings): Promise<Daemon> {
  const { config, seams, log } = settings;
  const startedAt = seams.clock.now();
  await using opening = new AsyncDisposableStack();
  const journal = opening.use(await openOwnJournal(settings));
  const report = await register(config, journal, log);
  const runtime = openRuntime(config, journal, { seams, log, userAgent: await userAgentOf(journal, seams) });
  const open = opening.move();
  const orphanSinks = report.orphanSinks.map(({ name }) => name);
  const status = (): Promise<StatusReport> => liveStatus(runtime, { version: packageVersion, startedAt, orphanSinks });
  let jobs: JobRunner | undefined;
  let started = false;
  let stopped: Promise<void> | undefined;

  const startSinks = (): void => startAll(runtime.sinks.values());
  const startJobs = (): void => {
    jobs ??= open.use(startJobRunner(runtime));
  };

  async function stop(): Promise<void> {
    await jobs?.[Symbol.asyncDispose]();
    await stopLoops(runtime, config.shutdownTimeoutMs);
    await open.disposeAsync();
  }

  return {
    runtime,
    startSinks,
    startJobs,
    status,
    async start() {
      const operations = {
        ...operationsOf(runtime, status),
        notReady: () => (started ? [] : notStarted),
        wakeJobs: () => jobs?.wake(),
      };
      open.use(await startAdmin({ ...adminSettings(config), seams, log, operations }));
      startSinks();
      startAll(runtime.sources.values());
      startJobs();
      started = true;
    },
    stop: () => (stopped ??= stop()),
    [Symbol.asyncDispose]: () => (stopped ??= stop()),
  };
}

function startAll(parts: Iterable<{ readonly loop: { start(): void } }>): void {
  for (const { loop } of parts) loop.start();
}

/** Sources first: what they still commit, the sinks may still deliver. */
async function stopLoops({ sources, sinks }: Runtime, graceMs: number): Promise<void> {
  await Promise.all([...sources.values()].map(({ loop }) => loop[Symbol.asyncDispose]()));
  await Promise.all([...sinks.values()].map(({ loop }) => loop.stop(graceMs)));
}

function adminSettings({ admin, data_dir }: Config) {
  return {
    listen: { host: admin.host, port: admin.port },
    ...(admin.tls === undefined ? {} : { tls: admin.tls }),
    dataDir: data_dir,
  };
}

function operationsOf(runtime: Runtime, status: () => Promise<StatusReport>): Pick<AdminOperations, 'status' | 'release'> {
  return {
    status,
    async release(kind, name) {
      const loop = kind === 'source' ? runtime.sources.get(name)?.loop : runtime.sinks.get(name)?.loop;
      loop?.release();
      return loop !== undefined;
    },
  };
}
