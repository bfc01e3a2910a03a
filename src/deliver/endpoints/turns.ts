// An endpoint that fails bears one try at a time: what had failed before and what was never sent take turns there, and of all that is under way
// who waits longest is first. Otherwise who tried last would be the first to see that the endpoint may be tried again, and so the only one.

/** Whose the next try is. */
export class Turns {
  /** Who waits for an endpoint, the longest first. */
  readonly #queue = new Set<Disposable>();
  readonly #waiting = new Set<object>();
  readonly #entered = new Set<object>();
  #wasOld = false;

  /** Somebody waits for an endpoint from now on. */
  queue(): Disposable {
    const place = { [Symbol.dispose]: () => void this.#queue.delete(place) };
    this.#queue.add(place);
    return place;
  }

  isFirst(place: Disposable): boolean {
    return this.#queue.values().next().value === place;
  }

  /** A batch that was never sent waits for its first try, or has to wait until less has failed. */
  waits(batch: object, isNext: boolean): void {
    if (isNext) this.#waiting.add(batch);
    else this.#waiting.delete(batch);
  }

  /** It has room, and its first try is to come. */
  entered(batch: object): void {
    this.#waiting.delete(batch);
    this.#entered.add(batch);
  }

  /** A try begins; `isOld`: of what had failed before. */
  began(batch: object, isOld: boolean): void {
    this.#wasOld = isOld;
    this.left(batch);
  }

  /** It comes to no try now. */
  left(batch: object): void {
    this.#waiting.delete(batch);
    this.#entered.delete(batch);
  }

  /** True when something new waits for room. */
  get hasNew(): boolean {
    return this.#waiting.size > 0;
  }

  /** True when the last try was of what had failed before, and something new is there. */
  get isOfNew(): boolean {
    return this.#wasOld && this.#waiting.size + this.#entered.size > 0;
  }
}
