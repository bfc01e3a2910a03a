// Virtual time of one run. It moves only while nothing real is under way: promises, immediates and the journal's work (SQLite, thread pool,
// files) are waited for first, so that a day of collecting takes as long as its work and a seed gives the same history every time.
import type { Clock } from '../../src/base/clock.ts';

/** The clock of one simulated process: dies with it, and takes its timers along. */
export interface ProcessClock extends Clock {
  kill(): void;
  /** No timer fires until `resume`; those that were due fire then, late and in their order. */
  pause(): void;
  resume(): void;
}

export interface SimTime {
  /** The true time, milliseconds since the epoch: vendors and receivers live by it. */
  now(): number;
  /** Milliseconds since the run began. */
  readonly elapsed: number;
  /** How far the wall clock of the machine that runs Penstock is off, milliseconds. */
  wallOffMs: number;
  /** Waits on the world's own account: no crash of a process ends it. */
  wait(ms: number): Promise<void>;
  at(ms: number, callback: () => void): void;
  /** Opens the clock of a process; `offMs` says how far its wall clock is off besides, milliseconds. */
  process(offMs?: () => number): ProcessClock;
  /** Time stands still until the promise settles. */
  track<T>(promise: Promise<T>): Promise<T>;
  /** Goes on until the run is `elapsed` milliseconds old, or `stop` says so. */
  until(elapsed: number, stop?: () => boolean): Promise<void>;
  settle(): Promise<void>;
  /** Skips a time; timers that were due in it fire late, in their order. */
  leap(ms: number): void;
  /** Timers that fired so far. */
  readonly fired: number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** A binary heap: a day holds hundreds of thousands of timers. */
class Timers {
  readonly #heap: Timer[] = [];

  get first(): Timer | undefined {
    return this.#heap[0];
  }

  add(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Timer;
      if (!before(timer, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = timer;
  }

  pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer)) child += 1;
      if (!before(heap[child] as Timer, last)) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = last;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Turns of the event loop without any news after which nothing more is to be expected. */
const quietTurns = 3;

/** Time that begins at `startMs` (milliseconds since the epoch). */
export function simTime(startMs: number): SimTime {
  const timers = new Timers();
  let elapsed = 0;
  let order = 0;
  let fired = 0;
  let inFlight = 0;
  let news = 0;

  const add = (ms: number, callback: () => void): Timer => {
    news += 1;
    order += 1;
    const timer: Timer = { at: elapsed + Math.max(0, ms), order, callback };
    timers.add(timer);
    return timer;
  };
  const drop = (timer: Timer): void => {
    timer.callback = undefined;
  };

  async function settle(): Promise<void> {
    for (let quiet = 0; quiet < quietTurns; ) {
      const known = news;
      await turn();
      quiet = inFlight === 0 && news === known ? quiet + 1 : 0;
    }
  }

  const time: SimTime = {
    wallOffMs: 0,
    now: () => Math.floor(startMs + elapsed),
    get elapsed() {
      return elapsed;
    },
    get fired() {
      return fired;
    },
    wait: (ms) => new Promise((resolve) => void add(ms, resolve)),
    at: (ms, callback) => void add(ms - elapsed, callback),
    process(offMs = () => 0) {
      const own = new Set<Timer>();
      let dead = false;
      let late: (() => void)[] | undefined;
      return {
        now: () => Math.floor(startMs + elapsed + time.wallOffMs + offMs()),
        monotonic: () => elapsed,
        timer(ms, callback) {
          if (dead) return { [Symbol.dispose]: () => undefined };
          let isDropped = false;
          const timer = add(ms, () => {
            own.delete(timer);
            const fire = (): void => {
              if (!dead && !isDropped) callback();
            };
            if (late === undefined) fire();
            else late.push(fire);
          });
          own.add(timer);
          return {
            [Symbol.dispose]() {
              isDropped = true;
              own.delete(timer);
              drop(timer);
            },
          };
        },
        pause() {
          late ??= [];
        },
        resume() {
          for (const fire of late ?? []) add(0, fire);
          late = undefined;
        },
        kill() {
          dead = true;
          for (const timer of own) drop(timer);
          own.clear();
        },
      };
    },
    async track(promise) {
      inFlight += 1;
      try {
        return await promise;
      } finally {
        inFlight -= 1;
        news += 1;
      }
    },
    async until(end, stop = () => false) {
      await settle();
      while (!stop()) {
        const timer = timers.first;
        if (timer === undefined || timer.at > end) {
          elapsed = Math.max(elapsed, end);
          return;
        }
        timers.pop();
        if (timer.callback === undefined) continue;
        elapsed = Math.max(elapsed, timer.at);
        fired += 1;
        timer.callback();
        await settle();
      }
    },
    leap(ms) {
      elapsed += ms;
    },
    settle,
  };
  return time;
}
