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
  const entries: Entry[] = [];
  let written = 0;
  let settled = 0;
  let timer: Disposable | undefined;
  let ended: Verdict | undefined;

  const settleFirst = (count: number, verdict: Verdict): void => {
    for (const entry of entries.splice(0, count)) {
      settled = entry.upTo;
      entry.settle({ all: verdict });
    }
  };
  const schedule = (): void => {
    const first = entries[0];
    if (timer !== undefined || first === undefined) return;
    timer = clock.timer(Math.max(0, first.writtenAt + confirmAfterMs - clock.monotonic()), confirmOld);
  };
  const confirmOld = (): void => {
    timer = undefined;
    const horizon = clock.monotonic() - confirmAfterMs;
    const young = entries.findIndex((entry) => entry.writtenAt > horizon);
    settleFirst(young === -1 ? entries.length : young, { kind: 'sent' });
    schedule();
  };

  return {
    add(messages) {
      if (ended !== undefined) return Promise.resolve({ all: ended });
      written += messages;
      const { promise, resolve } = Promise.withResolvers<Verdicts>();
      entries.push({ writtenAt: clock.monotonic(), upTo: written, settle: resolve });
      const old = entries.findIndex((entry) => written - entry.upTo < maxMessages);
      settleFirst(old, { kind: 'sent' });
      schedule();
      return promise;
    },
    end(verdict) {
      ended ??= verdict;
      timer?.[Symbol.dispose]();
      settleFirst(entries.length, ended);
    },
    get unconfirmed() {
      return written - settled;
    },
  };
}
