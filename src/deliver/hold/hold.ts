// open -> held (a sink or deliver asks for it; durable note, one error line) -> probing (one batch at a time may pass) -> held again, or
// open (info line, note ended). `release` lets the next probe pass at once.
import type { Clock } from '../../base/clock.ts';
import { Hold } from '../../base/hold.ts';
import type { Log } from '../../base/log.ts';
import type { Signal } from '../../base/signal.ts';
import type { HoldNote } from '../../journal/journal.ts';
import type { SinkSettings } from '../../sinks/sink-settings.ts';
import type { DeadLetters } from '../dead-letters.ts';
import type { DeliverDeps } from '../deps.ts';
import type { RefusalRate } from './refusal-rate.ts';

/** Why a sink is on hold: it refused us, it could not be opened, one code hit too many events, or the dead letters are full. */
export type HoldCause =
  | {
      readonly kind: 'refused' | 'open' | 'letters';
      readonly reason: string;
      readonly fix: string;
      readonly untilReleased?: boolean;
    }
  | { readonly kind: 'systematic'; readonly code: string; readonly reason: string; readonly fix: string };

const metSince = '; since then, at the last probe: ';

/** `open`: go on; `probe`: this batch shows whether the hold may end; `aside`: what is new goes first; `stop`: the loop ends. */
export type Pass = 'open' | 'probe' | 'aside' | 'stop';

/** How a batch waits for the end of a hold. */
interface PassInTurn {
  /** Milliseconds for which the receiver asked not to be probed. */
  readonly rest: () => number;
  /** It was never sent, and the hold is one that it may end. */
  readonly isNew?: () => boolean;
  /** True where something new cannot even wait before this one is out of its way. */
  readonly stepsAside?: () => boolean;
}

const isOld = (): boolean => false;

/** The hold of one sink, and who may probe it. */
export class SinkHold {
  readonly #hold: Hold;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #changed: Signal;
  readonly #refusals: RefusalRate;
  readonly #deadLetters: DeadLetters;
  #cause: HoldCause | undefined;
  #isProbing = false;
  /** The probe under way met something else than what the hold is for. */
  #hasMet = false;
  #wasReleased = false;
  readonly #newcomers = new Set<() => boolean>();

  constructor(
    { name, holdProbeMs }: SinkSettings,
    { journal, log, seams }: DeliverDeps,
    changed: Signal,
    refusals: RefusalRate,
    deadLetters: DeadLetters,
  ) {
    this.#hold = new Hold(seams.clock, holdProbeMs, (note) => journal.setHold('sink', name, note));
    this.#log = log;
    this.#clock = seams.clock;
    this.#changed = changed;
    this.#refusals = refusals;
    this.#deadLetters = deadLetters;
  }

  get note(): HoldNote | undefined {
    return this.#hold.note;
  }

  get cause(): HoldCause | undefined {
    return this.#cause;
  }

  /** True for the probe that a person asked for. */
  get wasReleased(): boolean {
    return this.#wasReleased;
  }

  /**
   * Waits while the sink is on hold; at most one caller at a time gets `probe` and must end with `probed`. `rest`: milliseconds for which the
   * receiver asked not to be probed.
   */
  async pass(signal: AbortSignal, rest: () => number = () => 0): Promise<Exclude<Pass, 'aside'>> {
    const pass = await this.#pass(signal, { rest });
    return pass === 'aside' ? 'stop' : pass;
  }

  /** As {@link pass}, for a hold that something new may end as well as anything else: what is new goes first, after the first wait. */
  passInTurn(signal: AbortSignal, turn: PassInTurn): Promise<Pass> {
    return this.#pass(signal, turn);
  }

  async #pass(signal: AbortSignal, { rest, isNew = isOld, stepsAside = () => false }: PassInTurn): Promise<Pass> {
    if (!signal.aborted && this.#hold.note === undefined) return 'open';
    using _counted = this.#count(isNew);
    while (!signal.aborted) {
      if (this.#hold.note === undefined) return 'open';
      const isPassedBy = !isNew() && [...this.#newcomers].some((each) => each());
      if (!isPassedBy && stepsAside()) return 'aside';
      const { probeInMs, firstProbeInMs } = this.#hold;
      const waitMs =
        this.#isProbing || isPassedBy ? Number.POSITIVE_INFINITY : Math.max(isNew() ? firstProbeInMs : probeInMs, rest());
      if (waitMs === 0) {
        this.#isProbing = true;
        return 'probe';
      }
      if (Number.isFinite(waitMs)) await this.#changed.waitAtMost(this.#clock, waitMs, signal);
      else await this.#changed.wait(signal);
    }
    return 'stop';
  }

  /** One that may be new waits in {@link pass}. */
  #count(isNew: () => boolean): Disposable {
    if (isNew === isOld) return { [Symbol.dispose]: () => undefined };
    this.#newcomers.add(isNew);
    return {
      [Symbol.dispose]: () => {
        this.#newcomers.delete(isNew);
        this.#changed.notify();
      },
    };
  }

  /** Begins a hold, or renews what it says. */
  async enter(cause: HoldCause): Promise<void> {
    const { reason, fix } = cause;
    this.#cause = cause;
    const begins = this.#hold.note === undefined;
    const kept = this.#hold.begin(reason, fix);
    if (begins) {
      if (waitsForRelease(cause)) this.#hold.postpone('forever');
      this.#log.error({ reason, fix }, 'sink on hold; its events stay in the journal');
    }
    await this.#noted(kept);
  }

  /** The probe's answer: `ended`, `refused` (wait twice as long), or `unclear` (wait as long as at first). */
  async probed(answer: 'ended' | 'refused' | 'unclear'): Promise<void> {
    const cause = this.#cause;
    this.#wasReleased = false;
    if (cause === undefined) return;
    if (answer === 'ended') {
      await this.#end(cause);
      return;
    }
    this.#isProbing = false;
    const hasMet = this.#hasMet;
    this.#hasMet = false;
    // Before anything is waited for: another probe, or a release, may come meanwhile.
    this.#hold.postpone(waitsForRelease(cause) ? 'forever' : answer);
    // What an earlier probe met is over.
    if (!hasMet) await this.#noted(this.#hold.begin(cause.reason, cause.fix));
    this.#changed.notify();
  }

  /** By hand: the next batch probes at once, and what was refused systematically becomes dead letters. */
  release(): void {
    if (this.#cause?.kind === 'systematic') this.#refusals.forgive(this.#cause.code);
    this.#wasReleased = this.#hold.note !== undefined;
    this.#hold.release();
    this.#changed.notify();
  }

  /** A probe met something else than what the hold is for, which may be over or not: the hold says both. `now` is scrubbed. */
  async met(now: string): Promise<void> {
    const cause = this.#cause;
    // A cause says more than the answer that it is for: `many different events are refused: ...`.
    if (cause === undefined || cause.reason.endsWith(now)) return;
    this.#hasMet = true;
    await this.#noted(this.#hold.begin(`${cause.reason}${metSince}${now}`, cause.fix));
  }

  /** Takes over a hold that an earlier process noted: the first batch probes at once. What it was for is known only from its words. */
  restore(note: HoldNote): void {
    const { fix = '' } = note;
    const [reason = ''] = note.reason.split(metSince);
    const code = systematicReason.exec(reason)?.[1];
    this.#hold.restore(note);
    this.#cause = code === undefined ? { kind: 'refused', reason, fix } : { kind: 'systematic', code, reason, fix };
  }

  async #end(cause: HoldCause): Promise<void> {
    if (cause.kind === 'systematic') await this.#retryLetters(cause.code);
    const note = this.#hold.note;
    this.#cause = undefined;
    this.#isProbing = false;
    this.#hasMet = false;
    const kept = this.#hold.end();
    if (note !== undefined) this.#log.info({ heldMs: this.#clock.now() - note.since, reason: note.reason }, 'hold ended');
    await this.#noted(kept);
    this.#changed.notify();
  }

  async #retryLetters(code: string): Promise<void> {
    this.#refusals.clear();
    await this.#deadLetters.retryLater(code);
  }

  async #noted(kept: Promise<unknown>): Promise<void> {
    try {
      await kept;
    } catch (error) {
      this.#log.warn({ err: error }, 'hold not noted in the journal; a restart will find out again');
    }
  }
}

function waitsForRelease(cause: HoldCause): boolean {
  return 'untilReleased' in cause && (cause.untilReleased ?? false);
}

/** The cause of a sink that could not be opened; `reason` is scrubbed. */
export function cannotOpen(reason: string): HoldCause {
  return { kind: 'open', reason, fix: 'correct what the reason names; the sink is opened again by itself' };
}

const systematicReason = /^many different events are refused with one code, "(.*?)": /s;

/** Too many different events are refused with one code. */
export function systematic(code: string, text: string): HoldCause {
  const fix =
    'correct what the receiver names (index, mapping, permissions), or release the hold to have these events as dead letters';
  return { kind: 'systematic', code, reason: `many different events are refused with one code, "${code}": ${text}`, fix };
}

/** The dead letters are full; `code` is what the next one would say. */
export function lettersFull(count: number, code: string): HoldCause {
  const fix = 'look at them with penstock dead-letters list, then retry or discard them';
  return { kind: 'letters', reason: `the dead letters are full (${count}); the next one has code "${code}"`, fix };
}
