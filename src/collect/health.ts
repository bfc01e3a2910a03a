// healthy -> failing (polls fail in a row) or held (a person must act) -> healthy, once a poll or a window of it went through.
import { consequenceOf, type PenstockError } from '../base/errors.ts';
import { fullJitterMs } from '../base/random.ts';
import { Hold } from './hold.ts';
import type { SourceEnvironment, SourceStatus } from './source.ts';

const retryBaseMs = 30_000;
const retryMaxMs = 600_000;

/** How one source fares. */
export class Health {
  readonly hold: Hold;
  readonly #environment: SourceEnvironment;
  #failures = 0;
  #lastError: NonNullable<SourceStatus['last_error']> | undefined;
  #lastSuccess: number | undefined;
  #answered = false;

  constructor(source: string, environment: SourceEnvironment) {
    this.hold = new Hold(source, environment);
    this.#environment = environment;
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

  /** Takes note that the source answered a request. That alone ends no failures: the next request may be the one that always fails. */
  answered(): void {
    this.#answered = true;
  }

  /** Ends failures and hold: a poll went through, or a part of it that no later poll repeats. */
  async succeeded(): Promise<void> {
    const { log, seams } = this.#environment;
    this.#lastSuccess = seams.clock.now();
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
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    };
    const answered = this.#answered;
    this.#answered = false;
    if (consequenceOf(error).source === 'hold') return this.hold.begin(error);
    // The source answered and then failed: that is not what the hold was about.
    if (answered) await this.#endHold();
    log[isNews ? 'warn' : 'debug']({ err: error, failures: this.#failures }, 'poll failed, the cursor stays');
    const retryMs = retryBaseMs / 2 + fullJitterMs(seams.random, this.#failures, retryBaseMs / 2, retryMaxMs);
    return Math.max(error.retryAfterMs ?? 0, retryMs);
  }
  async #endHold(): Promise<void> {
    try {
      await this.hold.end();
    } catch (error) {
      this.#environment.log.warn({ err: error }, 'the end of a hold could not be written, it is tried again');
    }
  }
}
