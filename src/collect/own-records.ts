import type { RecordFacts } from '../connectors/connector.ts';
import type { SourceContext } from './context.ts';

/**
 * Which records that our own requests left in the vendor's log are left out: at most as many as requests were made in the window, give or
 * take the overlap, because anybody can write our User-Agent. One per reading of a window.
 */
export class OwnRecords {
  readonly #context: SourceContext;
  readonly #from: number;
  readonly #to: number;
  readonly #left = new Set<string>();
  #warned = false;

  /** For a window in milliseconds. */
  constructor(context: SourceContext, from: number, to: number) {
    this.#context = context;
    this.#from = from;
    this.#to = to;
  }

  /** True for a record that is left out as our own doing. */
  leavesOut(facts: RecordFacts): boolean {
    const { settings, userAgent, memory } = this.#context;
    if (!facts.isSelfMade(userAgent)) return false;
    if (settings.selfEvents === 'forward') return false;
    if (this.#left.has(facts.uid)) return true;
    const made = memory.requests.count(this.#from - settings.window.overlapMs, this.#to + settings.window.overlapMs);
    if (this.#left.size >= made) {
      this.#warn(made);
      return false;
    }
    this.#left.add(facts.uid);
    return true;
  }

  #warn(requests: number): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#context.log.warn(
      { requests },
      'more records claim to be made by our own requests than we made; the excess is forwarded',
    );
  }
}
