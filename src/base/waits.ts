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
  /** Why it is tried again, for people; absent for a first try. */
  readonly after?: string;
}

/** What the work of one source waits for outside of this process, and for how long. */
export class Waits {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #tell: (text: string) => string;
  readonly #open = new Set<() => WaitFacts>();

  /** `tell` makes of what a vendor said what people may see: it comes from within a reader, where nobody has scrubbed it yet. */
  constructor(clock: Pick<Clock, 'monotonic'>, tell: (text: string) => string) {
    this.#clock = clock;
    this.#tell = tell;
  }

  begin(): Wait {
    const since = this.#clock.monotonic();
    let [what, isAgreed, after]: [Words, boolean, string?] = ['', false];
    const facts = (): WaitFacts => ({
      what: typeof what === 'string' ? what : what(),
      ms: this.#clock.monotonic() - since,
      isAgreed,
      ...(after !== undefined && { after }),
    });
    this.#open.add(facts);
    return {
      at: (...[words, agreed = false]) => ([what, isAgreed] = [words, agreed]),
      again: ({ message }) => (after = this.#tell(message)),
      [Symbol.dispose]: () => void this.#open.delete(facts),
    };
  }

  /** The wait that lasts longest; undefined while none does. */
  longest(): WaitFacts | undefined {
    const [first] = this.#open;
    return first?.();
  }
}
