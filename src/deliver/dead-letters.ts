import { isObject } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import type { Job, Journal, NewDeadLetter } from '../journal/journal.ts';

// Receivers that put something of the event into the code have no end of codes.
const mostCodes = 100;

/** The dead letters of one sink: room for at most `most`, where full is a hold and never a loss, and a log line for the first of each code. */
export class DeadLetters {
  readonly #journal: Pick<Journal, 'countDeadLetters' | 'jobs' | 'insertJob'>;
  readonly #log: Log;
  readonly #sink: string;
  readonly #most: number;
  readonly #loggedCodes = new Set<string>();
  #stored = 0;
  #reserved = 0;

  constructor(journal: Pick<Journal, 'countDeadLetters' | 'jobs' | 'insertJob'>, log: Log, sink: string, most: number) {
    this.#journal = journal;
    this.#log = log;
    this.#sink = sink;
    this.#most = most;
  }

  /** Letters in the journal and on their way to it. */
  get count(): number {
    return this.#stored + this.#reserved;
  }

  /** Letters in the journal. */
  get stored(): number {
    return this.#stored;
  }

  /** Takes room for one letter; false when there is none. */
  reserve(): boolean {
    if (this.count >= this.#most) return false;
    this.#reserved += 1;
    return true;
  }

  /** These are in the journal now: `fresh` of them took the room they had reserved; `resolved` others left it, delivered at last. */
  written(letters: readonly NewDeadLetter[], fresh: number, resolved: number): void {
    this.#reserved = Math.max(0, this.#reserved - fresh);
    this.#stored = Math.max(0, this.#stored + fresh - resolved);
    for (const letter of letters) this.#logFirst(letter);
  }

  /** Counts anew: an operator may have retried or discarded some. True when there is room. */
  async recount(): Promise<boolean> {
    this.#stored = await this.#journal.countDeadLetters({ sink: this.#sink });
    return this.count < this.#most;
  }

  /** {@link queueRetry}, where nobody could do anything about its failure but an operator. */
  async retryLater(code: string, uids?: readonly string[]): Promise<void> {
    try {
      await this.queueRetry(code, uids);
    } catch (error) {
      this.#log.error({ err: error, code }, 'dead letters do not go again by themselves; run penstock dead-letters retry');
    }
  }

  /** The operation behind `dead-letters retry`, as a job, so that it outlives this process. One that has not begun takes these letters too. */
  async queueRetry(code: string, uids?: readonly string[]): Promise<void> {
    const kind = 'retry_dead_letters';
    const args = { sink: this.#sink, code, ...(uids === undefined ? {} : { uids: [...uids] }) };
    const isSame = (job: Job): boolean =>
      job.kind === kind &&
      isObject(job.args) &&
      job.args['sink'] === args.sink &&
      job.args['code'] === args.code &&
      !('uids' in job.args);
    const queued = await this.#journal.jobs({ states: ['queued'] });
    if (uids !== undefined || !queued.some(isSame)) await this.#journal.insertJob(kind, args);
  }

  /** An event that a receiver refused needs a person, but not a line each. */
  #logFirst({ code, text, source, action, record }: NewDeadLetter): void {
    if (this.#loggedCodes.has(code) || this.#loggedCodes.size >= mostCodes) return;
    this.#loggedCodes.add(code);
    this.#log.error(
      { code, text, source, action, uid: record.uid, fix: 'see penstock dead-letters list; retry or discard them' },
      'first dead letter with this code; further ones are counted, not logged',
    );
  }
}
