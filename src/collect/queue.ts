/** One at a time, in the order of asking. */
export interface Lock {
  /** Runs the work when everything before it is done; passes on what it returns or throws. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** A lock within this process. */
export function createLock(): Lock {
  let tail: Promise<unknown> = Promise.resolve();
  return {
    run(work) {
      const result = tail.then(work, work);
      // The next in line waits for the end, whatever it was; whoever asked hears of the error.
      tail = result.then(
        () => undefined,
        () => undefined,
      );
      return result;
    },
  };
}
