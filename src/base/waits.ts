import type { Clock } from './clock.ts';

type Words = string | (() => string);

/** Something that work stands still for; it ends when it is disposed of. */
export interface Wait extends Disposable {
  /** Says anew what is waited for, as in `waits for ...`; how long it lasts goes on. `isAgreed`: it is to last, and no news. */
  at(what: Words, isAgreed?: boolean): void;
  /** The same is tried again, because of this. */
  again(error: Error): void;
}

/** A wait as it is told. */
interface WaitFacts {
  readonly what: string;
  readonly ms: number;
  readonly isAgreed: boolean;
  /** Why it is tried again; absent for a first try. */
  readonly error?: Error;
}

/** What the work of one source waits for outside of this process, and for how long. */
export class Waits {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #open = new Set<() => WaitFacts>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  begin(): Wait {
    const since = this.#clock.monotonic();
    let [what, isAgreed, error]: [Words, boolean, Error?] = ['', false];
    const facts = (): WaitFacts => ({
      what: typeof what === 'string' ? what : what(),
      ms: this.#clock.monotonic() - since,
      isAgreed,
      ...(error !== undefined && { error }),
    });
    this.#open.add(facts);
    return {
      at: (...[words, agreed = false]) => ([what, isAgreed] = [words, agreed]),
      again: (fault) => (error = fault),
      [Symbol.dispose]: () => void this.#open.delete(facts),
    };
  }

  /** The wait that lasts longest; undefined while none does. */
  longest(): WaitFacts | undefined {
    const [first] = this.#open;
    return first?.();
  }
}
