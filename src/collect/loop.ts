// The life of a source: starting -> idle <-> polling (<-> waiting_for_room), after a failure shown as failing, on a refusal as hold, until
// stopped. No error ends it; only disposing does.
import { asPenstockError, consequenceOf } from '../base/errors.ts';
import { Signal } from '../base/signal.ts';
import type { Reader } from '../connectors/connector.ts';
import type { Halt, SourceContext } from './context.ts';
import type { Kind } from './kind.ts';
import { type Due, dueAfter, earlier, openSchedule } from './schedule.ts';
import type { SourceLoop, SourceStatus } from './source.ts';
import { statusOf } from './status.ts';
import { watchWarnings } from './warnings.ts';

/** What a request in flight gets when the loop is stopped; a page that does not come in time is asked for again after the next start. */
const graceMs = 500;
/** A first poll that takes longer lets others begin beside it. */
const longestBeginMs = 1000;
/** After an error of our own. */
const pauseMs = 30_000;

/** The loop of one source, whatever its kind. */
export class PollLoop implements SourceLoop {
  readonly name: string;
  readonly #context: SourceContext;
  readonly #kind: Kind;
  readonly #soft = new AbortController();
  readonly #hard = new AbortController();
  readonly #nextDue: () => Due;
  #reader: Reader | undefined;
  #running: Promise<void> | undefined;
  #due: Due;
  readonly #released = new Signal();
  #isReleased = false;

  constructor(context: SourceContext, kind: Kind) {
    const { clock, random } = context.seams;
    const { name, schedule } = context.settings;
    this.name = name;
    this.#context = context;
    this.#kind = kind;
    this.#nextDue = openSchedule(schedule, clock);
    this.#due = 'cron' in schedule ? this.#nextDue() : dueAfter(clock, random.float() * (context.startJitterMs ?? 400));
  }

  start(): void {
    this.#running ??= this.#run();
  }

  status(): SourceStatus {
    return statusOf(this.#context, this.#kind, this.#running === undefined ? undefined : this.#due.dueIn());
  }

  release(): void {
    this.#isReleased = true;
    this.#released.notify();
  }

  async pollOnce(signal: AbortSignal): Promise<void> {
    const { health } = this.#context;
    await health.restore();
    try {
      await this.#poll({ soft: signal, hard: signal }, true);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asPenstockError(thrown);
      await health.failed(error);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#soft.abort(new DOMException('the source is stopped', 'AbortError'));
    {
      using _grace = this.#context.seams.clock.timer(graceMs, () => this.#hard.abort(this.#soft.signal.reason));
      await this.#running;
    }
    this.#hard.abort(this.#soft.signal.reason);
    await this.#closeReader();
    this.#context.state.phase = 'stopped';
  }

  async #run(): Promise<void> {
    const halt = { soft: this.#soft.signal, hard: this.#hard.signal };
    const watching = watchWarnings(this.#context, this.#kind, halt.soft);
    while (!halt.soft.aborted) {
      try {
        await this.#wait(halt.soft);
        const next = this.#nextDue();
        this.#due = this.#dueAfterwards(next, await this.#attempt(halt));
      } catch (error) {
        if (halt.soft.aborted) break;
        this.#context.log.error({ err: error, waitMs: pauseMs }, 'the loop met an error of our own, it goes on');
        this.#due = dueAfter(this.#context.seams.clock, pauseMs);
      }
    }
    await watching;
  }

  /** A failed poll is tried again before the schedule says so; a hold is probed at its own pace. */
  #dueAfterwards(next: Due, retryMs: number | undefined): Due {
    if (retryMs === undefined) return next;
    const { seams, health } = this.#context;
    const retry = dueAfter(seams.clock, retryMs);
    return health.hold === undefined ? earlier(next, retry) : retry;
  }

  /** Polls; returns undefined when all went well, else in how many milliseconds to try again. */
  async #attempt(halt: Halt): Promise<number | undefined> {
    const { state, health } = this.#context;
    using turn = new DisposableStack();
    try {
      if (state.phase === 'starting') turn.use(await this.#turnToBegin(halt.soft));
      if (state.phase === 'starting') await health.restore();
      await this.#poll(halt, false);
      return undefined;
    } catch (thrown) {
      if (halt.soft.aborted) return undefined;
      if (consequenceOf(thrown).source === 'end') {
        this.#context.log.info({ err: thrown }, 'another replica has the source now, the loop ends here');
        this.#soft.abort(new DOMException('the source is owned elsewhere', 'AbortError'));
        return undefined;
      }
      return await health.failed(asPenstockError(thrown));
    }
  }

  /** A first poll reads what is stored of the source: of thousands that begin at once some do at a time. A slow vendor keeps nobody waiting. */
  async #turnToBegin(signal: AbortSignal): Promise<Disposable> {
    const { beginnings, seams } = this.#context;
    await beginnings?.take(signal);
    const end = new DisposableStack();
    end.defer(() => beginnings?.give());
    end.use(seams.clock.timer(longestBeginMs, () => end.dispose()));
    return end;
  }

  async #poll(halt: Halt, once: boolean): Promise<void> {
    const { state, health, memory, seams, journal, log } = this.#context;
    state.phase = 'polling';
    state.lastPoll = seams.clock.now();
    const poll = { halt, once, next: this.#nextDue() };
    const wasHeld = health.hold !== undefined;
    try {
      await memory.restore(journal, this.name, seams.clock);
      await this.#kind.poll(await this.#openReader(wasHeld), poll);
    } catch (error) {
      // A secret or certificate may have been rotated: read the files again and try once more before a person is called.
      if (wasHeld || halt.soft.aborted || !(isCredentialError(error) || (await this.#reader?.isOutdated?.()))) throw error;
      log.warn({ err: error }, 'poll failed, secrets and certificates are read again');
      await this.#kind.poll(await this.#openReader(true), poll);
    } finally {
      state.phase = 'idle';
    }
    await health.succeeded();
  }

  async #openReader(fresh: boolean): Promise<Reader> {
    if (fresh) await this.#closeReader();
    this.#reader ??= await this.#context.openReader();
    return this.#reader;
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    try {
      await reader?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#context.log.warn({ err: error }, 'the reader did not close cleanly');
    }
  }

  /** Waits until the next poll is due, release() calls, or the loop is stopped. */
  async #wait(signal: AbortSignal): Promise<void> {
    for (let left = this.#due.dueIn(); left > 0 && !this.#isReleased && !signal.aborted; left = this.#due.dueIn()) {
      await this.#released.waitAtMost(this.#context.seams.clock, Math.min(left, this.#due.askAgainMs), signal);
    }
    this.#isReleased = false;
    signal.throwIfAborted();
  }
}

function isCredentialError(error: unknown): boolean {
  const { code, status } = asPenstockError(error);
  return code === 'PEN_SOURCE_REFUSED' && (status === 401 || status === 403);
}
