interface Question<Key, Answer> {
  readonly key: Key;
  readonly answer: (answer: Answer | undefined) => void;
  readonly fail: (error: unknown) => void;
}

const mostAtOnce = 500;

/**
 * Puts what is asked at the same time, of many sources say, into one statement; what is asked while it runs goes into the next. A question
 * is answered by a statement that began after it was asked, so it sees all that was stored by then.
 */
export class Gathered<Key, Answer> {
  readonly #read: (keys: readonly Key[]) => Promise<readonly (Answer | undefined)[]>;
  #asked: Question<Key, Answer>[] = [];
  #isReading = false;

  /** `read` gives the answers in the order of the keys. */
  constructor(read: (keys: readonly Key[]) => Promise<readonly (Answer | undefined)[]>) {
    this.#read = read;
  }

  ask(key: Key): Promise<Answer | undefined> {
    const { promise, resolve: answer, reject: fail } = Promise.withResolvers<Answer | undefined>();
    this.#asked.push({ key, answer, fail });
    if (!this.#isReading) void this.#readAll();
    return promise;
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    while (this.#asked.length > 0) {
      // Others ask in the same turn of the event loop.
      await new Promise(setImmediate);
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
}
