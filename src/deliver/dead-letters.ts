import { isObject } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import type { Job, Journal, NewDeadLetter } from '../journal/journal.ts';

// Receivers that put something of the event into the code have no end of codes.
const mostCodes = 100;
const retry = 'retry_dead_letters';

/** The dead letters of one sink: room for at most `most`, where full is a hold and never a loss, and a log line for the first of each code. */
export class DeadLetters {
  readonly #journal: Pick<Journal, 'countDeadLetters' | 'deadLetters' | 'jobs' | 'insertJob'>;
  readonly #log: Log;
  readonly #sink: string;
  readonly #most: number;
  readonly #loggedCodes = new Set<string>();
  #stored = 0;
  #reserved = 0;
  /** Of these: what waits behind others of its lane. */
  #behind = 0;

  constructor(
    journal: Pick<Journal, 'countDeadLetters' | 'deadLetters' | 'jobs' | 'insertJob'>,
    log: Log,
    sink: string,
    most: number,
  ) {
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
    if (this.count - this.#behind >= this.#most) return false;
    this.#reserved += 1;
    return true;
  }

  /** These are in the journal now: `fresh` of them took the room they had reserved; `resolved` others left it, delivered at last. */
  written(letters: readonly NewDeadLetter[], fresh: number, resolved: number): void {
    this.#reserved = Math.max(0, this.#reserved - fresh);
    this.#behind = Math.max(0, this.#behind - fresh);
    this.#stored = Math.max(0, this.#stored + fresh - resolved);
    for (const letter of letters) this.#logFirst(letter);
  }

  /** Counts anew: an operator may have retried or discarded some. */
  async recount(): Promise<void> {
    this.#stored = await this.#journal.countDeadLetters({ sink: this.#sink });
  }

  /**
   * Looks for room at the probe of a hold; true when the journal has some. Letters that have not got there by then wait for what stands before them in
   * their lane, which may itself wait for room: they take none any more, or all would wait for each other.
   */
  async findsRoom(): Promise<boolean> {
    await this.recount();
    if (this.#stored >= this.#most) return false;
    this.#behind = this.#reserved;
    return true;
  }

  /** {@link queueRetry}, where nobody could do anything about its failure but an operator. */
  retryLater(code: string): Promise<void> {
    return this.#orTell(code, () => this.queueRetry(code));
  }

  /** The operation behind `dead-letters retry`, as a job, so that it outlives this process. One that has not begun takes these letters too. */
  async queueRetry(code: string): Promise<void> {
    const isSame = ({ kind, args }: Job): boolean =>
      kind === retry && isObject(args) && args['sink'] === this.#sink && args['code'] === code && !('uids' in args);
    const queued = await this.#journal.jobs({ states: ['queued'] });
    if (!queued.some(isSame)) await this.#journal.insertJob(retry, { sink: this.#sink, code });
  }

  /**
   * Sends the letters of these events again, but what a job that has not ended does already. True for an event that went before: of those only
   * letters that are still there go, and the others are given to `gone`, discarded or delivered elsewhere.
   */
  retryEvents(code: string, uids: ReadonlyMap<string, boolean>, gone: (uid: string) => void): Promise<void> {
    return this.#orTell(code, async () => {
      const waiting = await this.#journal.jobs({ states: ['queued', 'running'] });
      const named = new Set(
        waiting.flatMap(({ args }) => (isObject(args) && args['sink'] === this.#sink ? (args['uids'] ?? []) : [])),
      );
      const open = [...uids].filter(([uid]) => !named.has(uid));
      const went = open.flatMap(([uid, wentBefore]) => (wentBefore ? [uid] : []));
      const filter = { sink: this.#sink, code, uids: went };
      const letters = went.length === 0 ? [] : await this.#journal.deadLetters(filter, went.length);
      const there = new Set(letters.map(({ record }) => record.uid));
      for (const uid of went) if (!there.has(uid)) gone(uid);
      const due = open.flatMap(([uid, wentBefore]) => (!wentBefore || there.has(uid) ? [uid] : []));
      if (due.length > 0) await this.#journal.insertJob(retry, { sink: this.#sink, code, uids: due });
    });
  }

  async #orTell(code: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log.error({ err: error, code }, 'dead letters do not go again by themselves; run penstock dead-letters retry');
    }
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
