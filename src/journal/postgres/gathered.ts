import type { Clock } from '../../base/clock.ts';

interface Question<Key, Answer> {
  readonly key: Key;
  readonly answer: (answer: Answer | undefined) => void;
  readonly fail: (error: unknown) => void;
}

const mostAtOnce = 500;

/** How long others are waited for, milliseconds: for each that came with the one before, and at most. */
const patience = { each: 50, most: 250 };
/** So many are not kept waiting for more. */
const enough = 32;

/**
 * Puts what is asked at the same time, of many sources say, into one statement; what is asked while it runs goes into the next. A question
 * is answered by a statement that began after it was asked, so it sees all that was stored by then.
 */
export class Gathered<Key, Answer> {
  readonly #read: (keys: readonly Key[]) => Promise<readonly (Answer | undefined)[]>;
  readonly #clock: Clock | undefined;
  #asked: Question<Key, Answer>[] = [];
  #isReading = false;
  #began = Number.NEGATIVE_INFINITY;
  #together = 0;
  #enough: (() => void) | undefined;

  /**
   * `read` gives the answers in the order of the keys. With a clock, a statement waits for others for a moment where there were others lately:
   * who asks alone never waits, and of thousands that ask within a minute some dozens share one.
   */
  constructor(read: (keys: readonly Key[]) => Promise<readonly (Answer | undefined)[]>, clock?: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  ask(key: Key): Promise<Answer | undefined> {
    const { promise, resolve: answer, reject: fail } = Promise.withResolvers<Answer | undefined>();
    this.#asked.push({ key, answer, fail });
    if (this.#asked.length >= enough) this.#enough?.();
    if (!this.#isReading) void this.#readAll();
    return promise;
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    while (this.#asked.length > 0) {
      // Others ask in the same turn of the event loop.
      await new Promise(setImmediate);
      await this.#othersCame();
      const questions = this.#asked.splice(0, mostAtOnce);
      try {
        const answers = await this.#read(questions.map(({ key }) => key));
        for (const [index, { answer }] of questions.entries()) answer(answers[index]);
      } catch (error) {
        for (const { fail } of questions) fail(error);
      }
    }
    this.#isReading = false;
  }

  async #othersCame(): Promise<void> {
    const clock = this.#clock;
    if (clock === undefined) return;
    const ms = this.#began + Math.min(patience.most, patience.each * (this.#together - 1)) - clock.monotonic();
    if (ms > 0 && this.#asked.length < enough) {
      await new Promise<void>((resolve) => {
        const timer = clock.timer(ms, resolve);
        this.#enough = () => {
          timer[Symbol.dispose]();
          resolve();
        };
      });
      this.#enough = undefined;
    }
    this.#began = clock.monotonic();
    this.#together = this.#asked.length;
  }
}
