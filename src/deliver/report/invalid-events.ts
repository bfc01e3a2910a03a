import { clip } from '../../base/foreign.ts';
import type { Log } from '../../base/log.ts';

// A vendor, or whoever writes its records, must not be able to fill memory, log and status with invented actions.
const mostActions = 200;
const longestAction = 200;
const overflow = '(others)';
const unreadable = '(unreadable)';

/** The events of one action that are not valid by OCSF. */
export interface InvalidEvents {
  readonly source: string;
  readonly action: string;
  readonly count: number;
  /** What was wrong with the first. */
  readonly fault: string;
}

// The sinks of one journal log an action once among them.
const loggedOf = new WeakMap<object, Set<string>>();

/** Counts, for one sink, the events that are not valid by OCSF, and logs the first of each action. */
export class InvalidEventCounts {
  readonly #log: Log;
  readonly #logged: Set<string>;
  readonly #counts = new Map<string, InvalidEvents>();

  constructor(journal: object, log: Log) {
    this.#log = log;
    this.#logged = loggedOf.get(journal) ?? new Set();
    loggedOf.set(journal, this.#logged);
  }

  add(source: string, key: string | undefined, faults: readonly string[]): void {
    const action = clip(key ?? unreadable, longestAction);
    const name = `${source}\n${action}`;
    const known = this.#counts.get(name);
    if (known === undefined && this.#counts.size >= mostActions && action !== overflow) {
      this.add(source, overflow, faults);
      return;
    }
    const { count, fault } = known ?? { count: 0, fault: faults[0] ?? '' };
    this.#counts.set(name, { source, action, count: count + 1, fault });
    if (known === undefined) this.#logOnce(name, source, action, faults);
  }

  list(): readonly InvalidEvents[] {
    return [...this.#counts.values()];
  }

  #logOnce(name: string, source: string, action: string, faults: readonly string[]): void {
    if (this.#logged.has(name)) return;
    this.#logged.add(name);
    this.#log.warn({ source, action, faults: faults.slice(0, 10) }, 'event is not valid OCSF; it is delivered all the same');
  }
}
