// What the daemon answers when it is asked: the status, the metrics, the status page; and what it tells the other replicas about itself.
import { sleep } from '../base/clock.ts';
import { packageVersion } from '../base/package.ts';
import { tellAll } from '../base/secrets.ts';
import type { Replica } from '../journal/journal.ts';
import { type LedgerReport, readLedger } from '../operate/report/ledger.ts';
import { renderMetrics } from '../operate/report/metrics.ts';
import { replicaReport, sharedStatus } from '../operate/report/shared-status.ts';
import { liveStatus, type StatusReport } from '../operate/report/status.ts';
import type { LiveRuntime } from '../runtime/live-runtime.ts';
import type { Activity } from './activity.ts';
import type { Configuration } from './configuration.ts';
import type { Measures } from './measure.ts';
import { readPage } from './page.ts';

const shortestSilenceMs = 3_000;
const longestSilenceMs = 60_000;
const silencePerSourceMs = 20;

/** The replica that tells what all of them share, so that a sum over the replicas counts it once. */
function eldest(replicas: readonly Replica[]): string | undefined {
  return replicas.toSorted((one, other) => one.since - other.since || (one.name < other.name ? -1 : 1))[0]?.name;
}

/** Each answer is of all replicas together where several share the journal, and tells no secret. */
export class Answers {
  readonly #runtime: LiveRuntime;
  readonly #configuration: Configuration;
  readonly #measures: Measures;
  readonly #activity: Activity;
  readonly #startedAt: number;

  constructor(runtime: LiveRuntime, configuration: Configuration, measures: Measures, activity: Activity) {
    this.#runtime = runtime;
    this.#configuration = configuration;
    this.#measures = measures;
    this.#activity = activity;
    this.#startedAt = runtime.seams.clock.monotonic();
  }

  async status(): Promise<StatusReport> {
    // Texts were scrubbed where they came in; a credential that became known only afterwards is taken out here.
    return tellAll(await this.#answer(), this.#configuration.current.secrets);
  }

  async metrics(): Promise<string> {
    const { journal, seams } = this.#runtime;
    const { data_dir, replica } = this.#configuration.current;
    const [replicas, measured] = await Promise.all([journal.ownership.replicas(), this.#measures.read(data_dir, seams.files)]);
    const ledger = await readLedger(journal);
    const tellsAll = replicas === undefined || eldest(replicas) === replica.name;
    return renderMetrics(await this.#report(ledger), tellsAll ? ledger : undefined, { ...measured, replicas: replicas?.length });
  }

  async overview(): Promise<unknown> {
    const { data_dir, secrets, journal: kept } = this.#configuration.current;
    const { journal, seams } = this.#runtime;
    const [ledger, measured] = await Promise.all([readLedger(journal), this.#measures.read(data_dir, seams.files)]);
    // A database is not on the disk of data_dir.
    const disk = kept.database === undefined ? measured.disk : undefined;
    const page = await readPage(journal, await this.#answer(ledger), ledger, { activity: this.#activity, disk });
    return tellAll(page, secrets);
  }

  /** Tells the other replicas every few seconds how this one fares, seldomer where it has much to say, until it is aborted. */
  async keepWord(signal: AbortSignal): Promise<void> {
    const { seams, log, sources } = this.#runtime;
    if (this.#configuration.current.journal.database === undefined) return;
    const rest = (): Promise<boolean> => {
      const silenceMs = Math.min(longestSilenceMs, shortestSilenceMs + sources.size * silencePerSourceMs);
      return sleep(seams.clock, silenceMs, signal).then(
        () => true,
        () => false,
      );
    };
    const onFailure = (error: unknown): void => log.debug({ err: error }, 'the other replicas were not told how this one fares');
    while (await rest()) await this.#leaveWord().catch(onFailure);
  }

  async #report(known?: LedgerReport): Promise<StatusReport> {
    const { orphanSinks } = this.#configuration;
    const config = await this.#configuration.status();
    const facts = { version: packageVersion, startedAt: this.#startedAt, orphanSinks, config };
    return liveStatus(this.#runtime, facts, known);
  }

  /** What is asked of this process: of all replicas together, where several share the journal. */
  async #answer(known?: LedgerReport): Promise<StatusReport> {
    const own = await this.#report(known);
    const { current } = this.#configuration;
    if (current.journal.database === undefined) return own;
    const { journal, seams } = this.#runtime;
    await this.#leaveWord();
    const all = await sharedStatus(current, journal, seams, known);
    return { ...all, uptime_seconds: own.uptime_seconds, config: own.config };
  }

  async #leaveWord(): Promise<void> {
    const { secrets } = this.#configuration.current;
    await this.#runtime.journal.ownership.report(tellAll(replicaReport(this.#runtime), secrets));
  }
}
