// healthy -> failing (polls fail in a row) or held (a person must act) -> healthy, once a poll or a window of it went through.
import { consequenceOf, type PenstockError, passingFix } from '../base/errors.ts';
import { Hold, type HoldNote } from '../base/hold.ts';
import { fullJitterMs } from '../base/random.ts';
import type { SourceEnvironment, SourceStatus } from './source.ts';

const firstProbeMs = 15_000;
const retryBaseMs = 30_000;
const retryMaxMs = 600_000;

const tooLargeFix =
  'have the connector ask for fewer records at once (size in read.page), or take larger answers (max_bytes in read.request): nothing is lost meanwhile';

/** What an error says, or, where it says nothing, what holds for whatever passes and for whatever does not. */
function fixOf(error: PenstockError): string {
  const { request, walk } = consequenceOf(error);
  if (error.fix !== undefined) return error.fix;
  if (error.code === 'PEN_HTTP_TOO_LARGE') return tooLargeFix;
  const mayPass = request === 'again' || walk === 'restart_stored';
  return mayPass ? passingFix : 'see the log; where it comes again, report it with the lines around it';
}

/** How one source fares. */
export class Health {
  readonly #hold: Hold;
  readonly #source: string;
  readonly #environment: SourceEnvironment;
  #failures = 0;
  #lastError: NonNullable<SourceStatus['last_error']> | undefined;
  #lastSuccess: number | undefined;
  #succeededAt: number | undefined;
  #answered = false;

  constructor(source: string, environment: SourceEnvironment) {
    const { journal, seams } = environment;
    this.#hold = new Hold(seams.clock, firstProbeMs, (note) => journal.setHold('source', source, note));
    this.#source = source;
    this.#environment = environment;
  }

  /** Why the source waits for a person; undefined while it does not. */
  get hold(): HoldNote | undefined {
    return this.#hold.note;
  }

  /** Polls that failed in a row. */
  get failures(): number {
    return this.#failures;
  }

  get lastError(): SourceStatus['last_error'] {
    return this.#lastError;
  }

  /** When something last went through, milliseconds since the epoch. */
  get lastSuccess(): number | undefined {
    return this.#lastSuccess;
  }

  /** The same on the monotonic clock: how long ago it was must not depend on steps of the wall clock. */
  get succeededAt(): number | undefined {
    return this.#succeededAt;
  }

  /** Reads whether an earlier process left the source on hold; then the first poll is a probe. */
  async restore(): Promise<void> {
    const holds = await this.#environment.journal.holds();
    const found = holds.find(({ kind, name }) => kind === 'source' && name === this.#source);
    if (found !== undefined) this.#hold.restore(found.hold);
  }

  /** Takes note that the source answered a request. That alone ends no failures: the next request may be the one that always fails. */
  answered(): void {
    this.#answered = true;
  }

  /** Ends failures and hold: a poll went through, or a part of it that no later poll repeats. */
  async succeeded(): Promise<void> {
    const { log, seams } = this.#environment;
    this.#lastSuccess = seams.clock.now();
    this.#succeededAt = seams.clock.monotonic();
    if (this.#failures > 0) log.info({ failures: this.#failures }, 'source answers again');
    this.#failures = 0;
    this.#answered = false;
    await this.#endHold();
  }

  /** Takes note of a failed poll; returns in how many milliseconds it is worth trying again, if the schedule does not say so earlier. */
  async failed(error: PenstockError): Promise<number> {
    const { seams, log } = this.#environment;
    const isNews = this.#lastError?.message !== error.message || this.#failures === 0;
    this.#failures += 1;
    this.#lastError = {
      at: seams.clock.now(),
      code: error.code,
      message: error.message,
      fix: fixOf(error),
    };
    const answered = this.#answered;
    this.#answered = false;
    if (consequenceOf(error).source === 'hold') return await this.#beginHold(error);
    // The source answered and then failed: that is not what the hold was about.
    if (answered) await this.#endHold();
    log[isNews ? 'warn' : 'debug']({ err: error, failures: this.#failures }, 'poll failed, the cursor stays');
    const retryMs = retryBaseMs / 2 + fullJitterMs(seams.random, this.#failures, retryBaseMs / 2, retryMaxMs);
    return Math.max(error.retryAfterMs ?? 0, retryMs);
  }
  /** Says so loudly once, then quietly. Returns when to probe, in milliseconds. */
  async #beginHold(error: PenstockError): Promise<number> {
    const { log } = this.#environment;
    const before = this.#hold.note;
    if (before !== undefined) this.#hold.postpone('refused');
    if (before?.reason === error.message) log.debug({ err: error, probeMs: this.#hold.probeInMs }, 'still on hold');
    else log.error({ err: error }, 'source on hold: it waits for a person, nothing is lost');
    await this.#hold.begin(error.message, fixOf(error));
    return this.#hold.probeInMs;
  }

  async #endHold(): Promise<void> {
    const { log } = this.#environment;
    try {
      const heldMs = await this.#hold.end();
      if (heldMs !== undefined) log.info({ heldMs }, 'hold ended, collection goes on');
    } catch (error) {
      log.warn({ err: error }, 'the end of a hold could not be written, it is tried again');
    }
  }
}
