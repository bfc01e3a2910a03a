import type { Clock } from '../../base/clock.ts';
import { clip } from '../../base/foreign.ts';
import type { Log } from '../../base/log.ts';
import type { Journal } from '../../journal/journal.ts';

// A vendor, or whoever writes its records, must not be able to fill the memory or the log with invented actions.
const mostActions = 1000;
const longestAction = 200;
const overflow = '(others)';

// The sinks of one journal log an action once among them.
const loggedOf = new WeakMap<object, Set<string>>();

interface NewAction {
  readonly source: string;
  readonly table: string;
  readonly action: string;
}

/** Counts, for one sink, the events whose action no row of a table knows, and logs each new action once: a note in the journal outlives a restart. */
export class UnknownActions {
  /** Events by action; 1,000 names at most, then `(others)`. */
  readonly counts: Record<string, number> = Object.create(null) as Record<string, number>;
  readonly #journal: Pick<Journal, 'note' | 'setNote'>;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #logged: Set<string>;
  #names = 0;
  #fresh = new Map<string, NewAction>();

  constructor(journal: Pick<Journal, 'note' | 'setNote'>, log: Log, clock: Clock) {
    this.#journal = journal;
    this.#log = log;
    this.#clock = clock;
    this.#logged = loggedOf.get(journal) ?? new Set();
    loggedOf.set(journal, this.#logged);
  }

  add(source: string, table: string, wholeAction: string): void {
    const action = clip(wholeAction, longestAction);
    const known = this.counts[action];
    if (known !== undefined) {
      this.counts[action] = known + 1;
      return;
    }
    const isListed = this.#names < mostActions;
    const key = isListed ? action : overflow;
    if (isListed) this.#names += 1;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
    const name = `${table}/${key}`;
    if (!this.#logged.has(name)) this.#fresh.set(name, { source, table, action: key });
  }

  /** Logs what was new since the last call; for each page, never for each event. */
  async report(): Promise<void> {
    if (this.#fresh.size === 0) return;
    const fresh = this.#fresh;
    this.#fresh = new Map();
    for (const [name, action] of fresh) await this.#logOnce(name, action);
  }

  async #logOnce(name: string, { source, table, action }: NewAction): Promise<void> {
    if (this.#logged.has(name) || this.#logged.size >= mostActions) return;
    this.#logged.add(name);
    const note = `unknown_action:${name}`;
    try {
      if ((await this.#journal.note('', note)) !== undefined) return;
      this.#log.warn({ source, table, action }, 'unknown action; its events go out as Base Event');
      await this.#journal.setNote('', note, { source, first: this.#clock.now() });
    } catch (error) {
      this.#log.warn({ err: error }, 'unknown action not noted in the journal; a restart logs it again');
    }
  }
}
