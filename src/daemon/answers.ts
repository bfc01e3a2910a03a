// What the daemon answers when it is asked: the status, the metrics, the status page; and what it tells the other replicas about itself.
import { sleep } from '../base/clock.ts';
import { PenstockError } from '../base/errors.ts';
import { type Log, lossOf } from '../base/log.ts';
import { packageVersion } from '../base/package.ts';
import { formatDuration } from '../base/quantity.ts';
import { tellAll } from '../base/secrets.ts';
import type { Replica } from '../journal/journal.ts';
import { type LedgerReport, readLedger } from '../operate/report/ledger.ts';
import { liveStatus, type StatusFacts, withOwnFacts } from '../operate/report/live-status.ts';
import { type Measured, renderMetrics } from '../operate/report/metrics.ts';
import { withGroups } from '../operate/report/problem-groups.ts';
import { replicaReport, sharedStatus } from '../operate/report/shared-status.ts';
import type { Problem, StatusReport } from '../operate/report/status.ts';
import { disabledOnes } from '../operate/report/stored-status.ts';
import type { LiveRuntime } from '../runtime/live-runtime.ts';
import type { Activity } from './activity.ts';
import { endingCertificates } from './certificates.ts';
import type { Configuration } from './configuration.ts';
import type { Measures } from './measure.ts';
import { knownPage, readPage } from './page.ts';

const shortestSilenceMs = 3_000;
const longestSilenceMs = 60_000;
const silencePerSourceMs = 20;
/** Who asks for the status gives up after ten seconds. */
const patienceMs = 5_000;

const nothing: LedgerReport = { sources: {}, sinks: {}, rows: [], skipped: [], shortfalls: [], imbalances: [] };

/** Why the journal says nothing; undefined where it is another error. */
const silence = (error: unknown): PenstockError | undefined =>
  error instanceof PenstockError && error.code.startsWith('PEN_JOURNAL_') ? error : undefined;

/** The replica that tells what all of them share, so that a sum over the replicas counts it once. */
function eldest(replicas: readonly Replica[]): string | undefined {
  return replicas.toSorted((one, other) => one.since - other.since || (one.name < other.name ? -1 : 1))[0]?.name;
}

/** Of a log that nobody can read any more. */
function logProblems(log: Log, now: number): Problem[] {
  const loss = lossOf(log);
  if (loss === undefined) return [];
  const lines = loss.lines === 1 ? '1 line of the log was' : `${loss.lines} lines of the log were`;
  const what = `${lines} lost in ${formatDuration(now - loss.since)}: ${loss.reason}; collection and delivery go on`;
  const fix = 'free space where the log goes, or start whoever reads it again, and then the daemon';
  return [{ level: 'warning', where: 'daemon', what, fix }];
}

/** Each answer is of all replicas together where several share the journal, and tells no secret. */
export class Answers {
  readonly #runtime: LiveRuntime;
  readonly #configuration: Configuration;
  readonly #measures: Measures;
  readonly #activity: Activity;
  readonly #startedAt: number;
  /** What was read last of what all share. */
  #ledger = nothing;

  constructor(runtime: LiveRuntime, configuration: Configuration, measures: Measures, activity: Activity) {
    this.#runtime = runtime;
    this.#configuration = configuration;
    this.#measures = measures;
    this.#activity = activity;
    this.#startedAt = runtime.seams.clock.monotonic();
  }

  async status(): Promise<StatusReport> {
    // Texts were scrubbed where they came in; a credential that became known only afterwards is taken out here.
    return tellAll(withGroups(await this.#answer()), this.#configuration.current.secrets);
  }

  async metrics(): Promise<string> {
    const { data_dir, replica } = this.#configuration.current;
    const measured = await this.#measures.read(data_dir, this.#runtime.seams.files);
    const read = await this.#unlessSilent(async () => {
      const { ownership } = this.#runtime.journal;
      const [replicas, missing, ledger] = await Promise.all([ownership.replicas(), ownership.missing?.(), this.#readLedger()]);
      return { replicas, missing, ledger, report: await this.#report(ledger) };
    });
    if (read instanceof PenstockError)
      return renderMetrics(await this.#alone(read), undefined, { ...measured, replicas: 'unknown' });
    const { replicas, missing = [], ledger, report } = read;
    const tellsAll = replicas === undefined || eldest(replicas) === replica.name;
    const counts = replicas && { alive: replicas.length, missing: missing.length };
    return renderMetrics(report, tellsAll ? ledger : undefined, { ...measured, replicas: counts });
  }

  async overview(): Promise<unknown> {
    const { secrets } = this.#configuration.current;
    const { journal } = this.#runtime;
    const beside = { activity: this.#activity, disk: await this.#ownDisk() };
    const page = await this.#unlessSilent(async () => {
      const ledger = await this.#readLedger();
      return readPage(journal, await this.#answer(ledger), ledger, beside);
    });
    const shown = page instanceof PenstockError ? knownPage(journal, await this.#alone(page), this.#ledger, beside) : page;
    return tellAll(shown, secrets);
  }

  /** Tells the other replicas every few seconds how this one fares, seldomer where it has much to say, until it is aborted. */
  async keepWord(signal: AbortSignal): Promise<void> {
    const { seams, sources } = this.#runtime;
    if (this.#configuration.current.journal.database === undefined) return;
    const rest = (): Promise<boolean> => {
      const silenceMs = Math.min(longestSilenceMs, shortestSilenceMs + sources.size * silencePerSourceMs);
      return sleep(seams.clock, silenceMs, signal).then(
        () => true,
        () => false,
      );
    };
    while (await rest()) await this.#leaveWord();
  }

  async #report(ledger: LedgerReport): Promise<StatusReport> {
    const { journal, seams } = this.#runtime;
    const disabled = await disabledOnes(this.#configuration.current, journal, seams, ledger);
    return liveStatus(this.#runtime, await this.#facts(), { ledger, jobs: await journal.jobs(), disabled });
  }

  async #facts(): Promise<StatusFacts> {
    const { orphanSinks } = this.#configuration;
    const { seams, log } = this.#runtime;
    const [config, certificates, disk] = await Promise.all([
      this.#configuration.status(),
      endingCertificates(this.#configuration.current, seams),
      this.#ownDisk(),
    ]);
    const fullInSeconds = this.#activity.fullInSeconds(disk?.freeBytes);
    const caughtUpInSeconds = (kind: 'source' | 'sink', name: string) => this.#activity.caughtUpInSeconds(kind, name);
    const own = [...certificates, ...logProblems(log, seams.clock.now())];
    return { version: packageVersion, startedAt: this.#startedAt, orphanSinks, config, fullInSeconds, caughtUpInSeconds, own };
  }

  /** Of the journal: a database is not on the disk of data_dir. */
  async #ownDisk(): Promise<Measured['disk']> {
    const { data_dir, journal } = this.#configuration.current;
    return journal.database === undefined ? (await this.#measures.read(data_dir, this.#runtime.seams.files)).disk : undefined;
  }

  async #readLedger(): Promise<LedgerReport> {
    this.#ledger = await readLedger(this.#runtime.journal);
    return this.#ledger;
  }

  /** What is asked of this process: of all replicas together, where several share the journal; of itself alone, where that says nothing. */
  async #answer(known?: LedgerReport): Promise<StatusReport> {
    const answer = await this.#unlessSilent(async () => {
      const ledger = known ?? (await this.#readLedger());
      const { current } = this.#configuration;
      if (current.journal.database === undefined) return this.#report(ledger);
      const { journal, seams } = this.#runtime;
      const facts = await this.#facts();
      const all = await sharedStatus(current, journal, seams, { ledger, own: replicaReport(this.#runtime) });
      return withOwnFacts(all, this.#runtime, facts);
    });
    return answer instanceof PenstockError ? this.#alone(answer) : answer;
  }

  /** The status without the database: what this process knows, and what was read last. */
  async #alone(error: PenstockError): Promise<StatusReport> {
    const read = { ledger: this.#ledger, jobs: [], disabled: { sources: [], sinks: [] } };
    const own = liveStatus(this.#runtime, await this.#facts(), read);
    const { message: what, fix } = error;
    const journal = { ...own.journal, server: { ...own.journal.server, answers: false } };
    return { ...own, journal, replicas: [], problems: [{ level: 'error', where: 'journal', what, fix }, ...own.problems] };
  }

  /** Reads what is in a database, which may be silent. */
  async #unlessSilent<T>(read: () => Promise<T>): Promise<T | PenstockError> {
    if (this.#configuration.current.journal.database === undefined) return read();
    const late = Promise.withResolvers<PenstockError>();
    const error = new PenstockError('PEN_JOURNAL_UNAVAILABLE', `the database has not answered for ${patienceMs / 1000} s`, {
      fix: 'see that it runs and can be reached; nothing is lost, and work resumes by itself',
    });
    using _timer = this.#runtime.seams.clock.timer(patienceMs, () => late.resolve(error));
    const reading = read().catch((cause: unknown) => silence(cause) ?? Promise.reject(cause as Error));
    return Promise.race([reading, late.promise]);
  }

  async #leaveWord(): Promise<void> {
    const { journal, log } = this.#runtime;
    const { secrets } = this.#configuration.current;
    await journal.ownership
      .report(tellAll(replicaReport(this.#runtime), secrets))
      .catch((error: unknown) => log.debug({ err: error }, 'the other replicas were not told how this one fares'));
  }
}
