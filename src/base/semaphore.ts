interface Waiting {
  readonly go: () => void;
  readonly end: (error: Error) => void;
}

/** Turns at what there are only so many of: who finds none free waits, first come first served, however long that takes. */
export class Semaphore {
  /** How many there are. */
  limit: number;
  #taken = 0;
  #waiting: Waiting[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Rejects with the signal's reason where it aborts before there is a turn. */
  async take(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#taken < this.limit) {
      this.#taken += 1;
      return;
    }
    const { promise, resolve: go, reject: end } = Promise.withResolvers<void>();
    const waiting = { go, end };
    this.#waiting.push(waiting);
    const leave = (): void => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      end(signal?.reason as Error);
    };
    signal?.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  give(): void {
    this.#taken -= 1;
    this.next();
  }

  /** Gives a turn back and takes another, behind all who wait; where that is in vain, the turn still is to be given back. */
  async takeAnother(): Promise<void> {
    this.give();
    try {
      await this.take();
    } catch (error) {
      this.#taken += 1;
      throw error;
    }
  }

  /** Lets those go for whom there is a turn by now. */
  next(): void {
    while (this.#taken < this.limit) {
      const first = this.#waiting.shift();
      if (first === undefined) return;
      this.#taken += 1;
      first.go();
    }
  }

  /** Whoever waits does so in vain. */
  drop(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { end } of waiting) end(error);
  }
}
