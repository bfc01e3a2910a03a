// What the replies of all sources and sinks may take together. In memory: whoever needs more waits a moment for others to end, then the reply
// that has taken the most for the longest is given up. Of the event loop: large replies are worked on one by one, the smallest first but none for ever last,
// with a rest after each that is as long as its work. So neither slow nor large replies make a healthy source wait long.
import { setTimeout as rest, setImmediate } from 'node:timers/promises';
import { PenstockError } from '../base/errors.ts';

/** All replies of the process together. */
const replyMemoryBytes = 64 * 1024 * 1024;
/** Needs no share: small replies always go on. */
const freeBytes = 256 * 1024;
const usualPatienceMs = 1_000;
const lookMs = 100;
/** What was read is parsed and stored before its share is free again. */
const digestMs = 1_000;
const longestRestMs = 1_000;

/** The share of one reply. */
export class Share {
  bytes = 0;
  /** Read to its end; it is being worked on and cannot be given up. */
  isRead = false;
  readonly since = performance.now();
  readonly #memory: ReplyMemory;
  readonly #giveUp: (error: Error) => void;

  constructor(memory: ReplyMemory, giveUp: (error: Error) => void) {
    this.#memory = memory;
    this.#giveUp = giveUp;
  }

  /** Makes the share this large; resolves once there is room. Undefined when there is room now. */
  grow(bytes: number): Promise<void> | undefined {
    return bytes <= Math.max(this.bytes, freeBytes) ? undefined : this.#memory.take(this, bytes);
  }

  /** Ends the share: at once, or after the time in which a reply is worked on. */
  end(isRead = false): void {
    this.isRead = isRead;
    if (isRead && this.bytes > 0) setTimeout(() => this.#memory.free(this), digestMs).unref();
    else this.#memory.free(this);
  }

  /** Ends the reply to make room for others. */
  evict(): void {
    const what = `the reply was given up at ${this.bytes} bytes: all replies together may take ${this.#memory.bytes}`;
    this.#memory.free(this);
    this.#giveUp(new PenstockError('PEN_HTTP_TOO_LARGE', what, { fix: 'ask for smaller pages, or for fewer sources at once' }));
  }
}

interface Waiting {
  readonly share: Share;
  readonly bytes: number;
  readonly since: number;
  readonly go: () => void;
}

interface Turn {
  readonly bytes: number;
  /** How often another one had its turn while it waited. */
  passed: number;
  readonly go: () => void;
}

/** Smaller replies that may go before one that waits: it has a time limit, and would be asked for again and again. */
const mostPassed = 4;

/** The budget. */
export class ReplyMemory {
  readonly bytes: number;
  readonly #patienceMs: number;
  readonly #shares = new Set<Share>();
  #waiting: Waiting[] = [];
  #turns: Turn[] = [];
  #isWorking = false;
  #timer: NodeJS.Timeout | undefined;

  /** `patienceMs`: how long a reply waits before others are given up for it. */
  constructor(bytes: number = replyMemoryBytes, patienceMs: number = usualPatienceMs) {
    this.bytes = bytes;
    this.#patienceMs = patienceMs;
  }

  take(share: Share, bytes: number): Promise<void> | undefined {
    if (this.#fits(share, bytes)) {
      this.#grant(share, bytes);
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ share, bytes, since: performance.now(), go: resolve });
    this.#timer ??= setInterval(() => this.#makeRoom(), lookMs).unref();
    return promise;
  }

  /** Resolves when a reply of so many bytes may be parsed, at once and in one go; undefined for a small one, which may be now. */
  turn(bytes: number): Promise<void> | undefined {
    if (bytes <= freeBytes) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turns.push({ bytes, passed: 0, go: resolve });
    if (!this.#isWorking) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    while (this.#turns.length > 0) {
      const smallest = this.#turns.reduce((least, one) => (one.bytes < least.bytes ? one : least));
      const next = this.#turns.find(({ passed }) => passed >= mostPassed) ?? smallest;
      this.#turns.splice(this.#turns.indexOf(next), 1);
      for (const turn of this.#turns) turn.passed += 1;
      const began = performance.now();
      next.go();
      // The work is done before anything else gets its turn.
      await setImmediate();
      await rest(Math.min(performance.now() - began, longestRestMs), undefined, { ref: false });
    }
    this.#isWorking = false;
  }

  free(share: Share): void {
    share.bytes = 0;
    this.#shares.delete(share);
    const ended = this.#waiting.filter((one) => one.share === share);
    this.#waiting = this.#waiting.filter((one) => one.share !== share);
    // Whoever waits for a share of a reply that has ended finds that out by itself.
    for (const { go } of ended) go();
    this.#serve();
  }

  /** A reply larger than the whole budget is read alone. */
  #fits(share: Share, bytes: number): boolean {
    let others = 0;
    for (const one of this.#shares) if (one !== share) others += one.bytes;
    return others === 0 || others + bytes <= this.bytes;
  }

  #grant(share: Share, bytes: number): void {
    share.bytes = bytes;
    this.#shares.add(share);
  }

  #serve(): void {
    for (const one of this.#waiting) if (this.#fits(one.share, one.bytes)) this.#release(one);
    if (this.#waiting.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #release(one: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other !== one);
    this.#grant(one.share, one.bytes);
    one.go();
  }

  /** Gives up the replies that weigh most, those that wait included, until the lighter ones that have waited long enough fit. */
  #makeRoom(): void {
    const now = performance.now();
    const due = this.#waiting.filter(({ since }) => now - since >= this.#patienceMs);
    for (const one of due.toSorted((a, b) => weight(a.share, now) - weight(b.share, now))) {
      while (this.#waiting.includes(one) && !this.#fits(one.share, one.bytes)) {
        const worst = heaviest([...this.#shares, one.share], now);
        if (worst === undefined) break;
        worst.evict();
      }
    }
    this.#serve();
  }
}

const weight = ({ bytes, since }: Share, now: number): number => bytes * (now - since);

function heaviest(shares: readonly Share[], now: number): Share | undefined {
  let worst: Share | undefined;
  for (const share of shares)
    if (!share.isRead && (worst === undefined || weight(share, now) > weight(worst, now))) worst = share;
  return worst;
}
