// What was written to a connection that knows no acknowledgement, until it may be called sent. States of an entry: written -> taken (the
// peer's kernel has it) -> sent (old enough, or enough later messages taken, or the connection ended cleanly); or from either to whatever
// the broken connection means (uncertain).
import type { Clock } from '../../base/clock.ts';
import type { Verdict, Verdicts } from '../sink.ts';
import { confirmAfterMs } from './connection.ts';

/** Octets that must follow a message per message of the window: the receiver's own buffer must be full of later ones. */
const bytesPerMessage = 1024;
// Pause before a window whose oldest entry is not taken looks again.
const recheckMs = 1000;

interface Entry {
  readonly writtenAt: number;
  /** Messages and octets written to the connection up to and with this entry. */
  readonly messages: number;
  readonly bytes: number;
  readonly settle: (verdicts: Verdicts) => void;
}

export interface ReplayWindow {
  /** Enters messages about to be written; resolves when they are settled. */
  add(messages: number, bytes: number): Promise<Verdicts>;
  /** Settles what later messages have pushed out of the window; to be called after each write. */
  review(): Promise<void>;
  /** Settles all that is open and what is added later: the connection has ended. */
  end(verdict: Verdict): void;
  /** Messages not settled yet. */
  readonly unconfirmed: number;
}

/**
 * Opens the window of one connection: `maxMessages` later messages, or {@link confirmAfterMs}, make a message `sent`.
 *
 * `outstanding` returns how many octets the peer's machine has not taken yet; undefined where that cannot be known.
 */
export function openReplayWindow(
  clock: Clock,
  maxMessages: number,
  outstanding: () => Promise<number | undefined>,
): ReplayWindow {
  return new Window(clock, maxMessages, outstanding);
}

class Window implements ReplayWindow {
  readonly #clock: Clock;
  readonly #maxMessages: number;
  readonly #outstanding: () => Promise<number | undefined>;
  readonly #entries: Entry[] = [];
  #messages = 0;
  #bytes = 0;
  #settled = 0;
  #timer: Disposable | undefined;
  #ended: Verdict | undefined;

  constructor(clock: Clock, maxMessages: number, outstanding: () => Promise<number | undefined>) {
    this.#clock = clock;
    this.#maxMessages = maxMessages;
    this.#outstanding = outstanding;
  }

  get unconfirmed(): number {
    return this.#messages - this.#settled;
  }

  add(messages: number, bytes: number): Promise<Verdicts> {
    if (this.#ended !== undefined) return Promise.resolve({ all: this.#ended });
    this.#messages += messages;
    this.#bytes += bytes;
    const { promise, resolve } = Promise.withResolvers<Verdicts>();
    this.#entries.push({ writtenAt: this.#clock.monotonic(), messages: this.#messages, bytes: this.#bytes, settle: resolve });
    this.#schedule();
    return promise;
  }

  async review(): Promise<void> {
    const first = this.#entries[0];
    if (first !== undefined && this.#isPushedOut(first, this.#messages, this.#bytes)) await this.#settleTaken();
  }

  end(verdict: Verdict): void {
    this.#ended ??= verdict;
    this.#timer?.[Symbol.dispose]();
    this.#settleFirst(this.#entries.length, this.#ended);
  }

  #isPushedOut(entry: Entry, messages: number, bytes: number): boolean {
    return messages - entry.messages >= this.#maxMessages && bytes - entry.bytes >= this.#maxMessages * bytesPerMessage;
  }

  async #settleTaken(): Promise<void> {
    // Taken at once: what is written meanwhile counts as not taken.
    const written = this.#bytes;
    const taken = written - ((await this.#outstanding()) ?? 0);
    if (this.#ended !== undefined) return;
    const messages = this.#entries.findLast(({ bytes }) => bytes <= taken)?.messages ?? 0;
    const horizon = this.#clock.monotonic() - confirmAfterMs;
    const open = this.#entries.findIndex(
      (entry) => entry.bytes > taken || !(entry.writtenAt <= horizon || this.#isPushedOut(entry, messages, taken)),
    );
    this.#settleFirst(open === -1 ? this.#entries.length : open, { kind: 'sent' });
  }

  #settleFirst(count: number, verdict: Verdict): void {
    for (const entry of this.#entries.splice(0, count)) {
      this.#settled = entry.messages;
      entry.settle({ all: verdict });
    }
  }

  #schedule(leastMs = 0): void {
    const first = this.#entries[0];
    if (this.#timer !== undefined || first === undefined || this.#ended !== undefined) return;
    const waitMs = Math.max(leastMs, first.writtenAt + confirmAfterMs - this.#clock.monotonic());
    this.#timer = this.#clock.timer(waitMs, () => void this.#settleOld());
  }

  async #settleOld(): Promise<void> {
    await this.#settleTaken();
    this.#timer = undefined;
    this.#schedule(recheckMs);
  }
}
