// open -> held (a sink or deliver asks for it; durable note, one error line) -> probing (one batch at a time may pass) -> held again, with
// twice the time up to 5 min, or open (info line, note ended). `release` lets the next probe pass at once.
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Signal } from '../base/signal.ts';
import type { HoldNote, Journal } from '../journal/journal.ts';

/** Why a sink is on hold: it refused us, it could not be opened, one code hit too many events, or the dead letters are full. */
export type HoldCause =
  | {
      readonly kind: 'refused' | 'open' | 'letters';
      readonly reason: string;
      readonly fix: string;
      readonly untilReleased?: boolean;
    }
  | { readonly kind: 'systematic'; readonly code: string; readonly reason: string; readonly fix: string };

/** The cause of a sink that could not be opened; `reason` is scrubbed. */
export function cannotOpen(reason: string): HoldCause {
  return { kind: 'open', reason, fix: 'correct what the reason names; the sink is opened again by itself' };
}

/** `open`: go on; `probe`: this batch tells whether the hold may end; `stop`: the loop ends. */
export type Pass = 'open' | 'probe' | 'stop';

export interface HoldGate {
  readonly note: HoldNote | undefined;
  readonly cause: HoldCause | undefined;
  /** Waits while the sink is on hold; at most one caller at a time gets `probe` and must end with `probed`. */
  pass(signal: AbortSignal): Promise<Pass>;
  /** Begins a hold, or renews what it says. */
  enter(cause: HoldCause): Promise<void>;
  /** The probe's answer: `ended`, `refused` (wait twice as long), or `unclear` (wait as long as at first). */
  probed(answer: 'ended' | 'refused' | 'unclear'): Promise<void>;
  release(): void;
  /** Takes over a hold that an earlier process noted: the first batch probes at once. */
  restore(note: HoldNote): void;
}

export interface HoldGateDeps {
  readonly sink: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Pick<Journal, 'setHold'>;
  readonly changed: Signal;
  readonly probeMs: number;
  /** Before the hold's note is ended; what it was for. */
  onEnd(cause: HoldCause): Promise<void>;
  onRelease(cause: HoldCause): void;
}

interface Held {
  cause: HoldCause;
  note: HoldNote;
  waitMs: number;
  /** Monotonic milliseconds; infinity waits for `release`. */
  probeAt: number;
  probing: boolean;
  timer: Disposable | undefined;
}

const longestProbeMs = 300_000;
// What a hold noted by an earlier process was for is known only in words.
const earlier = (note: HoldNote): HoldCause => ({ kind: 'refused', reason: note.reason, fix: note.fix ?? '' });

class Gate implements HoldGate {
  readonly #deps: HoldGateDeps;
  #held: Held | undefined;

  constructor(deps: HoldGateDeps) {
    this.#deps = deps;
  }

  get note(): HoldNote | undefined {
    return this.#held?.note;
  }

  get cause(): HoldCause | undefined {
    return this.#held?.cause;
  }

  async pass(signal: AbortSignal): Promise<Pass> {
    for (;;) {
      if (signal.aborted) return 'stop';
      const held = this.#held;
      if (held === undefined) return 'open';
      if (!held.probing && held.probeAt <= this.#deps.clock.monotonic()) {
        held.probing = true;
        return 'probe';
      }
      await this.#deps.changed.wait(signal);
    }
  }

  async enter(cause: HoldCause): Promise<void> {
    const { reason, fix } = cause;
    const held = this.#held;
    if (held !== undefined) {
      held.cause = cause;
      if (held.note.reason === reason && held.note.fix === fix) return;
      held.note = { since: held.note.since, reason, fix };
      await this.#write(held.note);
      return;
    }
    const note = { since: this.#deps.clock.now(), reason, fix };
    this.#held = { cause, note, waitMs: this.#deps.probeMs, probeAt: 0, probing: false, timer: undefined };
    this.#schedule(this.#held);
    this.#deps.log.error({ reason, fix }, 'sink on hold; its events stay in the journal');
    await this.#write(note);
  }

  async probed(answer: 'ended' | 'refused' | 'unclear'): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    if (answer === 'ended') {
      await this.#end(held);
      return;
    }
    const { probeMs, changed } = this.#deps;
    held.probing = false;
    held.waitMs = answer === 'refused' ? Math.min(longestProbeMs, held.waitMs * 2) : probeMs;
    this.#schedule(held);
    changed.notify();
  }

  release(): void {
    if (this.#held === undefined) return;
    this.#deps.onRelease(this.#held.cause);
    this.#held.probeAt = 0;
    this.#deps.changed.notify();
  }

  restore(note: HoldNote): void {
    this.#held = { cause: earlier(note), note, waitMs: this.#deps.probeMs, probeAt: 0, probing: false, timer: undefined };
  }

  #schedule(held: Held): void {
    const { clock, changed } = this.#deps;
    held.timer?.[Symbol.dispose]();
    // A timer may fire a little before its time by the clock, so it says itself that the time has come.
    const due = (): void => {
      held.probeAt = 0;
      changed.notify();
    };
    const waits = 'untilReleased' in held.cause && (held.cause.untilReleased ?? false);
    held.probeAt = waits ? Number.POSITIVE_INFINITY : clock.monotonic() + held.waitMs;
    held.timer = waits ? undefined : clock.timer(held.waitMs, due);
  }

  async #end(held: Held): Promise<void> {
    const { log, clock, changed } = this.#deps;
    await this.#deps.onEnd(held.cause);
    held.timer?.[Symbol.dispose]();
    this.#held = undefined;
    log.info({ heldMs: clock.now() - held.note.since, reason: held.note.reason }, 'hold ended');
    await this.#write(null);
    changed.notify();
  }

  async #write(note: HoldNote | null): Promise<void> {
    const { journal, sink, log } = this.#deps;
    try {
      await journal.setHold('sink', sink, note);
    } catch (error) {
      log.warn({ err: error }, 'hold not noted in the journal; a restart will find out again');
    }
  }
}

/** A gate that is open. */
export function createHoldGate(deps: HoldGateDeps): HoldGate {
  return new Gate(deps);
}
