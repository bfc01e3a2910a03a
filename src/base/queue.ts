/** Lets one piece of work run at a time, in the order of asking. Knows no time. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  /** Passes on what the work returns or throws. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    // The next in line waits for the end, whatever it was; whoever asked hears of the error.
    this.#last = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
