import { PenstockError } from '../base/errors.ts';
import { isObject, type Json } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import { makeFolder } from '../base/make-folder.ts';
import { claimFolder } from '../base/own-folder.ts';
import type { Seams } from '../base/seams.ts';
import type { Config } from '../config/config.ts';
import { pageCacheBytes, takeDataDir, withPageCache } from '../journal/index.ts';
import type { Journal } from '../journal/journal.ts';
import { untilAnswered } from '../journal/until-answered.ts';
import { openConfiguredJournal } from '../runtime/configured-journal.ts';
import { LiveRuntime } from '../runtime/live-runtime.ts';
import { userAgentOf } from '../runtime/open-runtime.ts';
import { Configuration, logRegistration } from './configuration.ts';
import { Daemon, silentDatabaseMs } from './daemon.ts';
import { Measures } from './measure.ts';

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

/**
 * Where the journal is elsewhere, data_dir has only the socket and the token of the admin server: it may be made anew at each start, and is one
 * process's alone.
 */
async function claimDataDir({ config: { data_dir }, seams, log, lockWaitMs: waitMs, signal }: DaemonSettings) {
  const { files, clock } = seams;
  await makeFolder(data_dir, files, 0o700);
  const { repaired, warnings } = await claimFolder(data_dir, files, () => false);
  for (const what of [repaired, ...warnings]) if (what !== undefined) log.warn({ data_dir }, what);
  return takeDataDir(data_dir, { clock, files, waitMs, log, signal });
}

async function openOwnJournal({ config, seams, log, lockWaitMs }: DaemonSettings, cutOff: AbortSignal): Promise<Journal> {
  if (config.journal.database === undefined)
    return withPageCache(await openConfiguredJournal(config, { seams, log, lockWaitMs }), pageCacheBytes);
  return withPageCache(await openConfiguredJournal(config, { seams, log, lockWaitMs, signal: cutOff }), pageCacheBytes);
}

/** Replicas go by one clock, however far apart those of their machines are. */
function seamsOf(journal: Journal, seams: Seams): Seams {
  if (journal.skewMs === undefined) return seams;
  const { clock } = seams;
  const now = (): number => clock.now() + (journal.skewMs?.() ?? 0);
  return { ...seams, clock: { now, monotonic: () => clock.monotonic(), timer: (ms, callback) => clock.timer(ms, callback) } };
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
  const given = (): PenstockError => new PenstockError('PEN_JOURNAL_UNAVAILABLE', 'the database did not answer before the stop');
  const onStop = (): void => void stack.use(seams.clock.timer(silentDatabaseMs, () => cutOff.abort(given())));
  if (signal?.aborted === true) onStop();
  signal?.addEventListener('abort', onStop, { once: true });
  stack.defer(() => signal?.removeEventListener('abort', onStop));
  return stack;
}

/** Says so while the start waits for a database. */
function tellWaiting({ config, seams, log, lockWaitMs }: DaemonSettings): Disposable {
  const tell = (): void => log.warn({ waitMs: lockWaitMs }, 'waiting for the database of the journal to answer');
  return config.journal.database === undefined ? { [Symbol.dispose]: () => undefined } : seams.clock.timer(logWaitingMs, tell);
}

/** Opens the journal and everything configured. Throws before anything is polled when the journal is locked, damaged or foreign. */
export async function openDaemon(settings: DaemonSettings): Promise<Daemon> {
  const { config, log } = settings;
  const cutOff = new AbortController();
  using _opening = cutOffAtStop(settings, cutOff);
  await using opening = new AsyncDisposableStack();
  const measures = new Measures(settings.seams.clock);
  if (config.journal.database !== undefined) opening.use(await claimDataDir(settings));
  using _waiting = tellWaiting(settings);
  const journal = measures.timed(opening.use(await openOwnJournal(settings, cutOff.signal)));
  const seams = seamsOf(journal, settings.seams);
  // A database that answered a moment ago may crash, or fail over, in the next.
  const asked = <T>(ask: () => Promise<T>): Promise<T> => untilAnswered(ask, seams, settings.lockWaitMs, cutOff.signal);
  await asked(() => cancelOldReloads(journal, config.replica.name));
  const userAgent = await asked(() => userAgentOf(journal, seams));
  const { secrets } = config;
  const runtime = new LiveRuntime(config, journal, { seams, log, userAgent, secrets, durations: measures.durations });
  const report = await asked(() => runtime.register());
  logRegistration(report, log);
  return new Daemon(new Configuration(config, runtime, report), runtime, opening.move(), measures, cutOff);
}
