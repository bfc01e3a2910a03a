// The configuration in force. It is replaced by one reload at a time, as a whole; a reload that is refused leaves it as it was.

import { asPenstockError, explain, PenstockError } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import { setLogLevel } from '../base/log.ts';
import { Queue } from '../base/queue.ts';
import { type Fault, placeOf } from '../base/yaml-faults.ts';
import type { Config } from '../config/config.ts';
import type { Job, RegistrationReport } from '../journal/journal.ts';
import type { JobRunner } from '../operate/jobs/runner.ts';
import type { ConfigStatus } from '../operate/report/live-status.ts';
import { orphanFix } from '../operate/report/status.ts';
import { type Changes, type Difference, differenceOf, refuseFixed } from '../runtime/difference.ts';
import type { LiveRuntime } from '../runtime/live-runtime.ts';
import { readConfig } from '../runtime/read-config.ts';

/** Names of what a reload started, restarted and ended, and how many it left alone. */
interface ReloadedBlocks extends Omit<Changes, 'kept'> {
  readonly kept: number;
}

export interface ReloadReport {
  readonly sources: ReloadedBlocks;
  readonly sinks: ReloadedBlocks;
}

function reportOf({ sources, sinks }: Difference): ReloadReport {
  const counted = (changes: Changes): ReloadedBlocks => ({ ...changes, kept: changes.kept.length });
  return { sources: counted(sources), sinks: counted(sinks) };
}

/** True for a job that works on a source or sink which the reload ends. */
function worksOnWhatEnds({ args }: Job, { sources, sinks }: Difference): boolean {
  const { source, sink } = isObject(args) ? args : {};
  const ends = ({ changed, removed }: Changes, name: unknown): boolean => [...changed, ...removed].some((one) => one === name);
  return ends(sources, source) || ends(sinks, sink);
}

// What is said of one source may be said of thousands.
const mostWarnings = 100;

/** Logs what is permitted but deserves a line. */
export function logWarnings({ file: path, warnings }: Config, log: Log): void {
  for (const { file, line, column, what, fix } of warnings.slice(0, mostWarnings))
    log.warn({ where: `${file}:${line}:${column}`, fix }, what);
  const more = warnings.length - mostWarnings;
  if (more > 0)
    log.warn({ where: path, more, fix: 'penstock validate prints all of them' }, 'the configuration has more warnings');
}

export function logRegistration(report: RegistrationReport, log: Log): void {
  for (const { name, pending } of report.newSinks) log.info({ sink: name, pending }, 'new sink: its starting offset is fixed');
  for (const { name, pending } of report.orphanSinks) {
    log.error({ sink: name, pending, fix: orphanFix(name) }, 'a sink in the journal is no longer configured');
  }
  for (const name of report.orphanSources)
    log.warn(
      {
        source: name,
        fix: `where it was renamed, penstock sources rename ${name} NEW keeps its ids and ledger; where it is gone, penstock sources forget ${name} drops them; both with the daemon stopped`,
      },
      'a source in the journal is no longer configured; its stored events are still delivered',
    );
}

function logRefusal(error: unknown, log: Log, level: 'error' | 'debug'): void {
  const said = 'configuration refused; the one in force stays';
  const faults = error instanceof PenstockError && Array.isArray(error.cause) ? (error.cause as readonly Fault[]) : [];
  for (const fault of faults) log[level]({ where: placeOf(fault), what: fault.what, fix: fault.fix }, said);
  if (faults.length === 0) log[level]({ err: asPenstockError(error) }, said);
}

export class Configuration {
  readonly #runtime: LiveRuntime;
  #config: Config;
  #loadedAt: number;
  #orphanSinks: readonly string[];
  /** Why the last reload was refused; undefined when it was not. */
  #refusal: string | undefined;
  readonly #reloads = new Queue();
  #isClosed = false;

  constructor(config: Config, runtime: LiveRuntime, report: RegistrationReport) {
    this.#config = config;
    this.#runtime = runtime;
    this.#loadedAt = runtime.seams.clock.now();
    this.#orphanSinks = report.orphanSinks.map(({ name }) => name);
  }

  get current(): Config {
    return this.#config;
  }

  get orphanSinks(): readonly string[] {
    return this.#orphanSinks;
  }

  async status(): Promise<ConfigStatus> {
    const { file, files } = this.#config;
    return { file, loadedAt: this.#loadedAt, changedFiles: await files.changed(), refusal: this.#refusal };
  }

  /**
   * Loads the file, and applies the difference to what runs once a reload under way has ended. Rejects and changes nothing when the file is
   * faulty (PEN_CONFIG_INVALID with every fault), or changes what needs a new process. Jobs on what ends are interrupted and resume on what
   * takes its place. What is refused as it was the last time, and tried again by nobody's wish, is no news for the log.
   */
  reload(jobs: JobRunner, file = this.#config.file, isAgain = false): Promise<ReloadReport> {
    return this.#reloads.run(() => this.#reload(jobs, file, isAgain));
  }

  /** Refuses further reloads; resolves when none is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#reloads.run(() => Promise.resolve());
  }

  async #reload(jobs: JobRunner, file: string, isAgain: boolean): Promise<ReloadReport> {
    const { log } = this.#runtime;
    try {
      const report = await this.#apply(jobs, file);
      this.#refusal = undefined;
      log.info({ config: file, ...report }, 'configuration reloaded');
      return report;
    } catch (error) {
      const refusal = explain(error);
      logRefusal(error, log, isAgain && refusal === this.#refusal ? 'debug' : 'error');
      this.#refusal = refusal;
      throw error;
    }
  }

  async #apply(jobs: JobRunner, file: string): Promise<ReloadReport> {
    if (this.#isClosed) throw new PenstockError('PEN_OPERATION_FAILED', 'the daemon is stopping');
    const { log, seams } = this.#runtime;
    const { secrets, shutdownTimeoutMs } = this.#config;
    const next = await readConfig(file, seams, { secrets });
    refuseFixed(this.#config, next);
    const difference = differenceOf(this.#config, next);
    using _suspended = await jobs.suspend((job) => worksOnWhatEnds(job, difference));
    const registered = await this.#runtime.change(next, shutdownTimeoutMs);
    this.#config = next;
    this.#loadedAt = seams.clock.now();
    this.#orphanSinks = registered.orphanSinks.map(({ name }) => name);
    setLogLevel(log, next.log.level);
    logWarnings(next, log);
    logRegistration(registered, log);
    return reportOf(difference);
  }
}
