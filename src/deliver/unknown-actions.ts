import type { Log } from '../base/log.ts';
import type { Journal } from '../journal/journal.ts';
import type { UnknownAction } from './settings.ts';

/** Counts actions that no row of a table knows, and tells each new one once. */
export interface UnknownActions {
  add(source: string, table: string, action: string): void;
  /** Tells what was added since the last report; called once per page, never per event. */
  report(): Promise<void>;
  readonly counts: Readonly<Record<string, number>>;
}

// A vendor, or whoever writes its records, must not be able to fill the memory or the log with invented actions.
const mostActions = 1000;
const overflow = '(others)';

// Sinks of one journal tell an action once among them.
const told = new WeakMap<object, Set<string>>();

interface Fresh extends UnknownAction {
  count: number;
}

class Unknown implements UnknownActions {
  readonly counts: Record<string, number> = Object.create(null) as Record<string, number>;
  readonly #deps: UnknownActionsDeps;
  readonly #known: Set<string>;
  #fresh = new Map<string, Fresh>();

  constructor(deps: UnknownActionsDeps) {
    this.#deps = deps;
    this.#known = told.get(deps.journal) ?? new Set();
    told.set(deps.journal, this.#known);
  }

  add(source: string, table: string, action: string): void {
    const isListed = this.counts[action] !== undefined || Object.keys(this.counts).length < mostActions;
    const key = isListed ? action : overflow;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
    const id = `${source}\n${table}\n${key}`;
    const entry = this.#fresh.get(id);
    if (entry === undefined) this.#fresh.set(id, { source, table, action: key, count: 1 });
    else entry.count += 1;
  }

  async report(): Promise<void> {
    if (this.#fresh.size === 0) return;
    const news = [...this.#fresh.values()];
    this.#fresh = new Map();
    for (const entry of news) {
      this.#deps.tell?.(entry);
      await this.#logOnce(entry);
    }
  }

  async #logOnce({ source, table, action }: UnknownAction): Promise<void> {
    const { journal, log, now } = this.#deps;
    const name = `unknown_action:${table}/${action}`;
    if (this.#known.has(name) || this.#known.size >= mostActions) return;
    this.#known.add(name);
    try {
      if ((await journal.note('', name)) !== undefined) return;
      log.warn({ source, table, action }, 'unknown action; its events go out as Base Event');
      await journal.setNote('', name, { source, first: now() });
    } catch (error) {
      log.warn({ err: error }, 'unknown action not noted in the journal; a restart tells it again');
    }
  }
}

export interface UnknownActionsDeps {
  readonly journal: Pick<Journal, 'note' | 'setNote'>;
  readonly log: Log;
  readonly now: () => number;
  readonly tell: ((news: UnknownAction) => void) | undefined;
}

/** Counts for one sink; a note in the journal keeps a restart from telling again. */
export function createUnknownActions(deps: UnknownActionsDeps): UnknownActions {
  return new Unknown(deps);
}
