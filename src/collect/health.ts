// healthy -> failing (polls fail in a row) or held (a person must act) -> healthy, once the source answers.
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
  /** When a poll last went through, milliseconds since the epoch. */
  lastSuccess: number | undefined;

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

  /** Ends failures and hold. */
  async answered(): Promise<void> {
    const { log } = this.#environment;
    if (this.#failures > 0) log.info({ failures: this.#failures }, 'source answers again');
    this.#failures = 0;
    try {
      await this.hold.end();
    } catch (error) {
      log.warn({ err: error }, 'the end of a hold could not be written, it is tried again');
    }
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
    if (consequenceOf(error).source === 'hold') return this.hold.begin(error);
    log[isNews ? 'warn' : 'debug']({ err: error, failures: this.#failures }, 'poll failed, the cursor stays');
    const retryMs = retryBaseMs / 2 + fullJitterMs(seams.random, this.#failures, retryBaseMs / 2, retryMaxMs);
    return Math.max(error.retryAfterMs ?? 0, retryMs);
  }
}
