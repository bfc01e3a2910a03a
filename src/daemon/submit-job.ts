import { findDaemon } from '../admin/index.ts';
import { deadline, sleep } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { isObject, type Json } from '../base/json.ts';
import { type Log, silentLog } from '../base/log.ts';
import { formatDuration } from '../base/quantity.ts';
import { uuid } from '../base/random.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/index.ts';
import type { Job, Journal } from '../journal/journal.ts';
import { untilAnswered } from '../journal/until-answered.ts';
import { requireFit } from '../operate/jobs/fit.ts';
import type { JobKind } from '../operate/jobs/runner.ts';
import { targetOf } from '../operate/jobs/target.ts';
import { requireKnown } from '../operate/known-names.ts';
import type { StatusReport } from '../operate/report/status.ts';
import { type JournalPlace, journalPlace, openConfiguredJournal } from '../runtime/configured-journal.ts';
import { readConfig } from '../runtime/read-config.ts';
import { orNotFound, type Runtime, runningSink, runningSource } from '../runtime/runtime.ts';
import { openDaemon } from './open-daemon.ts';

interface Place {
  /** The configuration. */
  readonly file: string;
  readonly seams: Seams;
}

interface JobRequest {
  readonly kind: JobKind;
  readonly args: Json;
  readonly onProgress: (job: Job) => void;
  readonly signal: AbortSignal;
  /** How long a command without daemon waits for the sinks to take what the job brought, milliseconds. */
  readonly drainMs: number;
  /** Opens the log of a job that this process does itself: what holds it up would be in no other. */
  readonly logOf: (config: Config) => Log;
}

/** A job for whoever runs. */
type RunningRequest = Omit<JobRequest, 'logOf'>;

interface JobOutcome {
  readonly job: Job;
  /** `daemon`: a running daemon did the work; `here`: this process did. */
  readonly by: 'daemon' | 'here';
  /** Events that the sinks had not taken when this process closed. */
  readonly pending: number;
}

const lookEveryMs = 300;
const answerWithinMs = 10_000;
/** An outage of the database ends no job, so it need not end who watches one. */
const watchOverMs = 600_000;
const askForWorkerEveryMs = 5_000;
/** A restart takes less. */
const mostWithoutWorkerMs = 60_000;

/** Who is to do the job is there; not asked where that cannot be told. */
type IsThere = () => Promise<boolean>;

/** Watches for whoever is to do a job. */
class Worker {
  readonly #isThere: IsThere;
  readonly #clock: Seams['clock'];
  #askedAt: number;
  #seenAt: number;

  constructor(isThere: IsThere, clock: Seams['clock']) {
    this.#isThere = isThere;
    this.#clock = clock;
    this.#askedAt = clock.monotonic();
    this.#seenAt = this.#askedAt;
  }

  /** Throws where nobody was there for long: without a word the command would wait for ever. */
  async expectThere(id: number): Promise<void> {
    const now = this.#clock.monotonic();
    if (now - this.#askedAt < askForWorkerEveryMs) return;
    this.#askedAt = now;
    // One that gives no answer is there.
    if (await this.#isThere().catch(() => true)) this.#seenAt = now;
    if (now - this.#seenAt < mostWithoutWorkerMs) return;
    throw new PenstockError('PEN_OPERATION_FAILED', `no daemon has run for ${formatDuration(mostWithoutWorkerMs)}`, {
      where: `job ${id}`,
      fix: 'start it: penstock run; the job goes on where it was, and "penstock status" shows how far it is',
    });
  }
}

async function watch(
  journal: Journal,
  id: number,
  { onProgress, signal }: RunningRequest,
  seams: Seams,
  isThere: IsThere = () => Promise.resolve(true),
): Promise<Job> {
  const worker = new Worker(isThere, seams.clock);
  for (;;) {
    const [job] = await untilAnswered(() => journal.jobs({ id }), seams, watchOverMs, signal);
    if (job === undefined) throw new PenstockError('PEN_NOT_FOUND', `job ${id} no longer exists`);
    onProgress(job);
    if (job.state === 'done') return job;
    if (job.state === 'failed' || job.state === 'cancelled')
      throw new PenstockError('PEN_OPERATION_FAILED', job.error ?? `it ${job.state === 'failed' ? 'failed' : 'was cancelled'}`, {
        where: `job ${id}`,
      });
    await worker.expectThere(id);
    await sleep(seams.clock, lookEveryMs, signal);
  }
}

/** Inserts the job once, however often its answer is lost. */
function insertJob(
  journal: Journal,
  seams: Seams,
  { kind, args, signal }: Pick<JobRequest, 'args' | 'signal'> & { readonly kind: string },
): Promise<Job> {
  const token = uuid(seams.random);
  return untilAnswered(() => journal.insertJob(kind, args, token), seams, answerWithinMs, signal);
}

async function submitToDaemon(
  config: JournalPlace,
  { file, seams }: Place,
  request: RunningRequest,
  isThere?: IsThere,
): Promise<JobOutcome> {
  await using journal = await openConfiguredJournal(config, { seams, log: silentLog(), role: 'observer' });
  await refuseUnknown(journal, request.args);
  if (config.journal.database === undefined) await refuseUnknownToDaemon(config, seams, request.args);
  await refuseUnknownSource(journal, request.args);
  await refuseUnfit(file, seams, request);
  const { id } = await insertJob(journal, seams, request);
  const hasReplicas = async (): Promise<boolean> => ((await journal.ownership.replicas()) ?? []).length > 0;
  const worker = config.journal.database === undefined ? isThere : hasReplicas;
  return { job: await watch(journal, id, request, seams, worker), by: 'daemon', pending: 0 };
}

const daemonIn =
  ({ data_dir: dataDir }: JournalPlace, { files }: Seams): IsThere =>
  async () =>
    (await findDaemon({ dataDir, files })) !== undefined;

/** A job for what no replica is configured with would wait for ever. */
async function refuseUnknown({ ownership }: Journal, args: Json): Promise<void> {
  const target = targetOf(args);
  if (target === undefined || (await ownership.isNamed?.(target.kind, target.name)) !== false) return;
  throw new PenstockError('PEN_NOT_FOUND', `no replica is configured with a ${target.kind} called "${target.name}"`, {
    fix: `see "penstock ${target.kind}s" for the names`,
  });
}

/** What the daemon is not configured with fails at once, and would stand in the status for a day. */
async function refuseUnknownToDaemon({ data_dir: dataDir }: JournalPlace, { files }: Seams, args: Json): Promise<void> {
  const target = targetOf(args);
  const daemon = target === undefined ? undefined : await findDaemon({ dataDir, files });
  // One that gives no status yet will say it in the job.
  const report = (await daemon?.status().catch(() => undefined)) as StatusReport | undefined;
  if (target === undefined || report === undefined) return;
  const { kind, name } = target;
  const enabled = report[`${kind}s`].filter(({ state }) => state !== 'disabled').map((one) => one.name);
  orNotFound(enabled.includes(name) || undefined, `enabled ${kind}`, name, enabled);
}

/** The source that a sink is to be sent again from. */
async function refuseUnknownSource(journal: Journal, args: Json): Promise<void> {
  const { sink, source } = isObject(args) ? args : {};
  if (typeof sink === 'string' && typeof source === 'string') await requireKnown(journal, { source });
}

/** As far as this file tells: it may be about to change. */
async function refuseUnfit(file: string, seams: Seams, { kind, args }: RunningRequest): Promise<void> {
  const target = targetOf(args);
  if (target?.kind !== 'source') return;
  const config = await readConfig(file, seams, { withoutSecrets: true }).catch((error: unknown) => {
    if (error instanceof PenstockError && error.code === 'PEN_CONFIG_INVALID') return undefined;
    throw error;
  });
  const source = config?.sources.find(({ name }) => name === target.name);
  if (source !== undefined) requireFit(kind, source);
}

/** Before a job is written down: what it is for runs here, and can be asked for that. */
function refuseHere(runtime: Runtime, { kind: job, args }: JobRequest): void {
  const { kind, name = '' } = targetOf(args) ?? {};
  if (kind === 'source') requireFit(job, runningSource(runtime, name).settings);
  if (kind === 'sink') runningSink(runtime, name);
}

async function executeHere(config: Config, { seams }: Place, request: JobRequest): Promise<JobOutcome> {
  const log = request.logOf(config);
  await using daemon = await openDaemon({ config, seams, log, lockWaitMs: 0 });
  const { journal, sinks } = daemon.runtime;
  refuseHere(daemon.runtime, request);
  await refuseUnknownSource(journal, request.args);
  daemon.runtime.startSinks();
  const { id } = await insertJob(journal, seams, request);
  daemon.startJobs();
  const job = await watch(journal, id, request, seams);
  using limit = deadline(seams.clock, request.drainMs, request.signal);
  await Promise.all([...sinks.values()].map(({ loop }) => loop.drained(limit.signal)));
  const pending = [...sinks.values()].reduce((sum, { loop }) => sum + loop.status().pending, 0);
  return { job, by: 'here', pending };
}

/** Leaves the job to the replicas, or does it here where none lives. */
async function submitToReplicas(config: JournalPlace, place: Place, request: JobRequest): Promise<JobOutcome> {
  if (await hasReplicas(config, place)) return submitToDaemon(config, place, request);
  return hereOrElsewhere(await readConfig(place.file, place.seams), config, place, request);
}

/** Does it here; where a daemon is starting meanwhile, or a command works as one, it is left to that. */
async function hereOrElsewhere(config: Config, observed: JournalPlace, place: Place, request: JobRequest): Promise<JobOutcome> {
  try {
    return await executeHere(config, place, request);
  } catch (error) {
    if (!(error instanceof PenstockError && error.code === 'PEN_JOURNAL_LOCKED')) throw error;
    return submitToDaemon(observed, place, request);
  }
}

async function hasReplicas(config: JournalPlace, { seams }: Place): Promise<boolean> {
  try {
    await using journal = await openConfiguredJournal(config, { seams, log: silentLog(), role: 'observer', lockWaitMs: 0 });
    return ((await journal.ownership.replicas()) ?? []).length > 0;
  } catch (error) {
    if (error instanceof PenstockError && error.code === 'PEN_NOT_FOUND') return false;
    throw error;
  }
}

/**
 * Inserts a job into the journal and watches it: the running daemon executes it, or, when there is none, this process does with the same
 * runner, holding the journal's lock. Secrets are read only in the second case. Rejects with PEN_OPERATION_FAILED when the job failed.
 */
export async function submitJob(place: Place, request: JobRequest): Promise<JobOutcome> {
  const { file, seams } = place;
  const withoutSecrets = await journalPlace(file, seams);
  if (withoutSecrets.journal.database !== undefined) return submitToReplicas(withoutSecrets, place, request);
  const runs = daemonIn(withoutSecrets, seams);
  if (await runs()) return submitToDaemon(withoutSecrets, place, request, runs);
  return hereOrElsewhere(await readConfig(file, seams), withoutSecrets, place, request);
}

/** The same where a daemon runs; undefined, and nothing is done, where none does. */
export async function submitToRunning(place: Place, request: RunningRequest): Promise<Job | undefined> {
  const config = await journalPlace(place.file, place.seams);
  const runs = daemonIn(config, place.seams);
  return (await runs()) ? (await submitToDaemon(config, place, request, runs)).job : undefined;
}
