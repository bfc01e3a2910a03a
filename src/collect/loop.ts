// The life of a source: starting -> idle <-> polling (<-> waiting_for_room), after a failure shown as failing, on a refusal as hold, until
// stopped. No error ends it; only disposing does.
import { sleep } from '../base/clock.ts';
import { asPenstockError, consequenceOf, type PenstockError } from '../base/errors.ts';
import { fullJitterMs } from '../base/random.ts';
import type { Reader } from '../connectors/connector.ts';
import { type Halt, restoreMemory, type SourceContext } from './context.ts';
import { createHold, type Hold } from './hold.ts';
import { type Due, dueAfter, earlier, openSchedule } from './schedule.ts';
import type { SourceLoop, SourceStatus } from './source.ts';
import { type LoopFacts, newFacts, statusOf } from './status.ts';
import { createWatch, warningsOf } from './warnings.ts';

/** What a poll may ask of the loop that it runs in. */
export interface PollSession {
  readonly halt: Halt;
  /** True for `run --once`: the poll ends when nothing more comes, even where it would go on for ever. */
  readonly once: boolean;
  /** Resolves when the journal has room. */
  waitForRoom(): Promise<void>;
  /** Told where the cursor stands, milliseconds. */
  onCursor(time: number): void;
  /** Told that the source answers, so that a hold or a failure is over before the poll is. */
  onAnswer(): void;
  /** True when the next poll should begin; what is optional then waits. */
  isPollDue(): boolean;
}

/** What differs between kinds of sources. */
export interface KindLoop<R extends Reader = Reader> {
  poll(reader: R, session: PollSession): Promise<void>;
  /** False where there is no window that could fall behind. */
  readonly hasWindows: boolean;
  /** True where a poll goes on for ever: every answer is then a success. */
  readonly isEndless?: boolean;
  details(): Readonly<Record<string, unknown>>;
  warnings(): readonly string[];
}

const roomCheckMs = 1_000;
const watchMs = 60_000;
const longestSliceMs = 30_000;
/** What a request in flight gets when the loop is stopped; a page that does not come in time is asked for again after the next start. */
const graceMs = 500;
const retryBaseMs = 30_000;
const retryMaxMs = 600_000;

/** The loop of one source, whatever its kind. */
export class PollLoop implements SourceLoop {
  readonly name: string;
  readonly #c: SourceContext;
  readonly #kind: KindLoop;
  readonly #hold: Hold;
  readonly #facts: LoopFacts;
  readonly #soft = new AbortController();
  readonly #hard = new AbortController();
  readonly #nextDue: () => Due;
  readonly #watch: ReturnType<typeof createWatch>;
  #reader: Reader | undefined;
  #running: Promise<void> | undefined;
  #due: Due;
  #wake: (() => void) | undefined;
  #isReleased = false;

  constructor(c: SourceContext, kind: KindLoop) {
    const { clock, random } = c.deps.seams;
    this.name = c.settings.name;
    this.#c = c;
    this.#kind = kind;
    this.#hold = createHold(c);
    this.#facts = newFacts(clock.now());
    this.#nextDue = openSchedule(c.settings.schedule, clock);
    this.#watch = createWatch(c);
    const isCron = 'cron' in c.settings.schedule;
    this.#due = isCron ? this.#nextDue() : dueAfter(clock, random.float() * (c.deps.startJitterMs ?? 400));
  }

  start(): void {
    this.#running ??= this.#run();
  }

  status(): SourceStatus {
    const dueInMs = this.#running === undefined ? undefined : this.#due.dueIn();
    return statusOf(this.#c, this.#facts, { kind: this.#kind, hold: this.#hold.note, dueInMs });
  }

  release(): void {
    this.#isReleased = true;
    this.#wake?.();
  }

  async pollOnce(signal: AbortSignal): Promise<void> {
    const halt = { soft: signal, hard: signal };
    await this.#hold.restore();
    try {
      await this.#poll(halt, true);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asPenstockError(thrown);
      await this.#decide(error);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#soft.abort(new DOMException('the source is stopped', 'AbortError'));
    this.#wake?.();
    {
      using _grace = this.#c.deps.seams.clock.timer(graceMs, () => this.#hard.abort(this.#soft.signal.reason));
      await this.#running;
    }
    this.#hard.abort(this.#soft.signal.reason);
    await this.#closeReader();
    this.#facts.phase = 'stopped';
  }

  async #run(): Promise<void> {
    const halt = { soft: this.#soft.signal, hard: this.#hard.signal };
    const watching = this.#watchOver(halt.soft);
    while (!halt.soft.aborted) {
      try {
        await this.#wait(halt.soft);
        const next = this.#nextDue();
        const retryMs = await this.#attempt(halt);
        this.#due = this.#afterwards(next, retryMs);
      } catch (error) {
        if (halt.soft.aborted) break;
        this.#c.log.error({ err: error }, 'the loop met an error of our own, it goes on after a pause');
        this.#due = dueAfter(this.#c.deps.seams.clock, retryBaseMs);
      }
    }
    await watching;
  }

  #afterwards(next: Due, retryMs: number | undefined): Due {
    if (retryMs === undefined) return next;
    const retry = dueAfter(this.#c.deps.seams.clock, retryMs);
    return this.#hold.note === undefined ? earlier(next, retry) : retry;
  }

  /** Polls; returns undefined when all went well, else in how many milliseconds to try again. */
  async #attempt(halt: Halt): Promise<number | undefined> {
    try {
      if (this.#facts.phase === 'starting') await this.#hold.restore();
      await this.#poll(halt, false);
      return undefined;
    } catch (thrown) {
      if (halt.soft.aborted) return undefined;
      return await this.#decide(asPenstockError(thrown));
    }
  }

  async #poll(halt: Halt, once: boolean): Promise<void> {
    const { clock } = this.#c.deps.seams;
    this.#facts.phase = 'polling';
    this.#facts.lastPoll = clock.now();
    await restoreMemory(this.#c);
    const session = this.#session(halt, once);
    const wasHeld = this.#hold.note !== undefined;
    try {
      await this.#kind.poll(await this.#openReader(wasHeld), session);
    } catch (error) {
      // A secret may have been rotated: read the files again and try once more before a person is called.
      if (wasHeld || halt.soft.aborted || !isCredentialError(error)) throw error;
      this.#c.log.warn({ err: error }, 'credential refused, secrets are read again');
      await this.#kind.poll(await this.#openReader(true), session);
    } finally {
      this.#facts.phase = 'idle';
    }
    this.#facts.lastSuccess = clock.now();
    await this.#answered();
  }

  #session(halt: Halt, once: boolean): PollSession {
    const next = this.#nextDue();
    return {
      halt,
      once,
      waitForRoom: () => this.#waitForRoom(halt.soft),
      onCursor: (time) => {
        this.#facts.cursor = time;
      },
      onAnswer: () => {
        if (this.#kind.isEndless === true) this.#facts.lastSuccess = this.#c.deps.seams.clock.now();
        if (this.#hold.note === undefined && this.#facts.failures === 0) return;
        this.#answered().catch((error: unknown) =>
          this.#c.log.warn({ err: error }, 'the end of a hold could not be written, it is tried again'),
        );
      },
      isPollDue: () => next.dueIn() <= 0,
    };
  }

  async #answered(): Promise<void> {
    if (this.#facts.failures > 0) this.#c.log.info({ failures: this.#facts.failures }, 'source answers again');
    this.#facts.failures = 0;
    await this.#hold.end();
  }

  async #decide(error: PenstockError): Promise<number> {
    const { clock, random } = this.#c.deps.seams;
    const isNews = this.#facts.lastError?.message !== error.message || this.#facts.failures === 0;
    this.#facts.failures += 1;
    this.#facts.lastError = {
      at: clock.now(),
      code: error.code,
      message: error.message,
      ...(error.fix === undefined ? {} : { fix: error.fix }),
    };
    if (consequenceOf(error).source === 'hold') return this.#hold.begin(error);
    this.#c.log[isNews ? 'warn' : 'debug']({ err: error, failures: this.#facts.failures }, 'poll failed, the cursor stays');
    const backOffMs = retryBaseMs / 2 + fullJitterMs(random, this.#facts.failures, retryBaseMs / 2, retryMaxMs);
    return Math.max(error.retryAfterMs ?? 0, backOffMs);
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    const { journal, seams } = this.#c.deps;
    if (journal.hasRoom()) return;
    this.#facts.phase = 'waiting_for_room';
    this.#c.log.warn(
      { cursor: this.#facts.cursor },
      'the journal is full, collection pauses; the vendor keeps the events meanwhile',
    );
    while (!journal.hasRoom()) await sleep(seams.clock, roomCheckMs, signal);
    this.#facts.phase = 'polling';
    this.#c.log.info('the journal has room again, collection goes on');
  }

  async #openReader(fresh: boolean): Promise<Reader> {
    if (fresh) await this.#closeReader();
    this.#reader ??= await this.#c.deps.openReader();
    return this.#reader;
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    try {
      await reader?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#c.log.warn({ err: error }, 'the reader did not close cleanly');
    }
  }

  /** Waits until the next poll is due, release() calls, or the loop is stopped. */
  async #wait(signal: AbortSignal): Promise<void> {
    // In slices, because the wall clock of a cron schedule may step and timers have a longest time.
    for (let left = this.#due.dueIn(); left > 0 && !this.#isReleased && !signal.aborted; left = this.#due.dueIn()) {
      await this.#slice(Math.min(left, longestSliceMs));
    }
    this.#isReleased = false;
    signal.throwIfAborted();
  }

  #slice(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#c.deps.seams.clock.timer(ms, resolve);
      this.#wake = () => {
        timer[Symbol.dispose]();
        resolve();
      };
    });
  }

  async #watchOver(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#look();
      try {
        await sleep(this.#c.deps.seams.clock, watchMs, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  #look(): void {
    try {
      this.#watch(warningsOf(this.#c, { ...this.#facts, hasWindows: this.#kind.hasWindows }));
    } catch (error) {
      this.#c.log.error({ err: error }, 'the source could not be watched, collection goes on');
    }
  }
}

function isCredentialError(error: unknown): boolean {
  const { code, status } = asPenstockError(error);
  return code === 'PEN_SOURCE_REFUSED' && (status === 401 || status === 403);
}
