// What the replies of all sources and sinks may take together. While they come: whoever needs more waits a moment for others to end, then the reply
// that has taken the most for the longest is given up. While they are worked on, where each may become several times its bytes: as many at a time as
// have a few MiB together, the smallest first but none for ever last. So neither slow nor large replies take all memory, or make a healthy source wait long.
import { PenstockError } from '../base/errors.ts';

/** All replies of the process together. */
const replyMemoryBytes = 64 * 1024 * 1024;
/** Needs no share: small replies always go on. */
const freeBytes = 256 * 1024;
const usualPatienceMs = 1_000;
const lookMs = 100;
/** A reply that nobody says the end of is worked on for about so long. */
const digestMs = 1_000;
/** Replies that are worked on at a time, bytes: large ones, and the others beside them. One alone may have more. */
const workBytes = 16 * 1024 * 1024;
const largeBytes = 2 * 1024 * 1024;

/** The share of one reply. */
export class Share {
  bytes = 0;
  /** Bytes of it that are worked on: it cannot be given up any more. */
  working = 0;
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

  /** Resolves when the reply, which has come whole, may be worked on; undefined for a small one, which may be now. Rejects with the signal's reason. */
  turn(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    return bytes <= freeBytes ? undefined : this.#memory.turn(this, bytes, signal);
  }

  /** The reply is done with. */
  end(): void {
    this.#memory.free(this);
  }

  /** The same after the time that work on a reply takes, where nobody says its end. */
  endSoon(): void {
    if (this.bytes > 0 || this.working > 0) setTimeout(() => this.end(), digestMs).unref();
    else this.end();
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
  readonly share: Share;
  readonly bytes: number;
  /** How often another one had its turn while it waited. */
  passed: number;
  readonly go: () => void;
}

const isLarge = (bytes: number): boolean => bytes > largeBytes;

/** Smaller replies that may go before one that waits: it has a time limit, and would be asked for again and again. */
const mostPassed = 4;

/** The budget. */
export class ReplyMemory {
  readonly bytes: number;
  readonly #patienceMs: number;
  readonly #shares = new Set<Share>();
  #waiting: Waiting[] = [];
  #turns: Turn[] = [];
  readonly #working = new Set<Share>();
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

  async turn(share: Share, bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve: go, reject } = Promise.withResolvers<void>();
    const turn = { share, bytes, passed: 0, go };
    const leave = (): void => {
      this.#turns = this.#turns.filter((one) => one !== turn);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#turns.push(turn);
    this.#startWork();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #startWork(): void {
    for (const large of [true, false]) {
      for (let next = this.#nextTurn(large); next !== undefined; next = this.#nextTurn(large)) {
        this.#turns.splice(this.#turns.indexOf(next), 1);
        for (const turn of this.#turns) if (isLarge(turn.bytes) === large) turn.passed += 1;
        next.share.working = next.bytes;
        this.#working.add(next.share);
        next.go();
      }
    }
  }

  /** Whose turn it is of those of a size, where there is room beside what is worked on. */
  #nextTurn(large: boolean): Turn | undefined {
    const turns = this.#turns.filter(({ bytes }) => isLarge(bytes) === large);
    const smallest = turns.reduce<Turn | undefined>(
      (least, one) => (least !== undefined && least.bytes <= one.bytes ? least : one),
      undefined,
    );
    const next = turns.find(({ passed }) => passed >= mostPassed) ?? smallest;
    let under = 0;
    for (const { working } of this.#working) if (isLarge(working) === large) under += working;
    return next === undefined || (under > 0 && under + next.bytes > workBytes) ? undefined : next;
  }

  free(share: Share): void {
    share.bytes = 0;
    share.working = 0;
    this.#shares.delete(share);
    this.#working.delete(share);
    const ended = this.#waiting.filter((one) => one.share === share);
    this.#waiting = this.#waiting.filter((one) => one.share !== share);
    // Whoever waits for a share of a reply that has ended finds that out by itself.
    for (const { go } of ended) go();
    this.#serve();
    this.#startWork();
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
    if (share.working === 0 && (worst === undefined || weight(share, now) > weight(worst, now))) worst = share;
  return worst;
}
