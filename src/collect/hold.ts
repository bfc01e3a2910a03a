// A hold: free -> held (a person must act) -> probing every 15 s, doubling to 5 min -> free. Durable, so that commands show it.
import type { PenstockError } from '../base/errors.ts';
import type { HoldNote } from '../journal/journal.ts';
import type { SourceEnvironment } from './source.ts';

const firstProbeMs = 15_000;
const slowestProbeMs = 300_000;

/** The hold of one source. */
export class Hold {
  readonly #source: string;
  readonly #environment: SourceEnvironment;
  #note: HoldNote | undefined;
  #probeMs = firstProbeMs;
  #isWritten = false;

  constructor(source: string, environment: SourceEnvironment) {
    this.#source = source;
    this.#environment = environment;
  }

  /** Undefined while the source is free. */
  get note(): HoldNote | undefined {
    return this.#note;
  }

  /** Reads what an earlier process held; then the first poll is a probe. */
  async restore(): Promise<void> {
    const holds = await this.#environment.journal.holds();
    this.#note = holds.find(({ kind, name }) => kind === 'source' && name === this.#source)?.hold;
    this.#isWritten = this.#note !== undefined;
  }

  /** Begins or confirms a hold; returns when to probe, in milliseconds. Says so loudly once, then quietly. */
  async begin(error: PenstockError): Promise<number> {
    const { journal, log, seams } = this.#environment;
    const waitMs = this.#note === undefined ? firstProbeMs : this.#probeMs;
    this.#probeMs = Math.min(slowestProbeMs, waitMs * 2);
    if (this.#note?.reason === error.message) {
      log.debug({ err: error, probeMs: waitMs }, 'still on hold');
    } else {
      this.#note = { since: this.#note?.since ?? seams.clock.now(), reason: error.message, fix: error.fix };
      log.error({ err: error }, 'source on hold: it waits for a person, nothing is lost');
      this.#isWritten = false;
    }
    if (!this.#isWritten) await journal.setHold('source', this.#source, this.#note ?? null);
    this.#isWritten = true;
    return waitMs;
  }

  /** Ends it, if there is one. */
  async end(): Promise<void> {
    const { journal, log, seams } = this.#environment;
    const ended = this.#note;
    if (ended === undefined) return;
    await journal.setHold('source', this.#source, null);
    // Several may end it at the same time.
    if (this.#note !== ended) return;
    this.#note = undefined;
    this.#probeMs = firstProbeMs;
    log.info({ heldMs: seams.clock.now() - ended.since }, 'hold ended, collection goes on');
  }
}
