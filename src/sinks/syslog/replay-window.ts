// What was written to a connection that knows no acknowledgement, until it may be called sent. States of an entry: written -> sent
// (old enough, or enough later messages, or the connection ended cleanly) or -> whatever the broken connection means (uncertain).
import type { Clock } from '../../base/clock.ts';
import type { Verdict, Verdicts } from '../sink.ts';

/** How long a written message waits on a healthy connection before it is called sent. */
export const confirmAfterMs = 60_000;

interface Entry {
  readonly writtenAt: number;
  /** Messages written to the connection up to and with this entry. */
  readonly upTo: number;
  readonly settle: (verdicts: Verdicts) => void;
}

export interface ReplayWindow {
  /** Enters messages about to be written; resolves when they are settled. */
  add(messages: number): Promise<Verdicts>;
  /** Settles all that is open and what is added later: the connection has ended. */
  end(verdict: Verdict): void;
  /** Messages not settled yet. */
  readonly unconfirmed: number;
}

/** Opens the window of one connection: `maxMessages` later messages, or {@link confirmAfterMs}, make a message `sent`. */
export function openReplayWindow(clock: Clock, maxMessages: number): ReplayWindow {
  return new Window(clock, maxMessages);
}

class Window implements ReplayWindow {
  readonly #clock: Clock;
  readonly #maxMessages: number;
  readonly #entries: Entry[] = [];
  #written = 0;
  #settled = 0;
  #timer: Disposable | undefined;
  #ended: Verdict | undefined;

  constructor(clock: Clock, maxMessages: number) {
    this.#clock = clock;
    this.#maxMessages = maxMessages;
  }

  get unconfirmed(): number {
    return this.#written - this.#settled;
  }

  add(messages: number): Promise<Verdicts> {
    if (this.#ended !== undefined) return Promise.resolve({ all: this.#ended });
    this.#written += messages;
    const { promise, resolve } = Promise.withResolvers<Verdicts>();
    this.#entries.push({ writtenAt: this.#clock.monotonic(), upTo: this.#written, settle: resolve });
    this.#settleFirst(
      this.#entries.findIndex(({ upTo }) => this.#written - upTo < this.#maxMessages),
      { kind: 'sent' },
    );
    this.#schedule();
    return promise;
  }

  end(verdict: Verdict): void {
    this.#ended ??= verdict;
    this.#timer?.[Symbol.dispose]();
    this.#settleFirst(this.#entries.length, this.#ended);
  }

  #settleFirst(count: number, verdict: Verdict): void {
    for (const entry of this.#entries.splice(0, count)) {
      this.#settled = entry.upTo;
      entry.settle({ all: verdict });
    }
  }

  #schedule(): void {
    const first = this.#entries[0];
    if (this.#timer !== undefined || first === undefined) return;
    const waitMs = Math.max(0, first.writtenAt + confirmAfterMs - this.#clock.monotonic());
    this.#timer = this.#clock.timer(waitMs, () => this.#confirmOld());
  }

  #confirmOld(): void {
    this.#timer = undefined;
    const horizon = this.#clock.monotonic() - confirmAfterMs;
    const young = this.#entries.findIndex((entry) => entry.writtenAt > horizon);
    this.#settleFirst(young === -1 ? this.#entries.length : young, { kind: 'sent' });
    this.#schedule();
  }
}
