// Every few seconds each sink looks which lanes have something pending; of thousands of sources few do. What had nothing has something only
// after a commit with records, which of an owned source only this process makes: so a look is at what was pending at the one before and at
// what was stored since. All is looked at where sources were gained, lost, renamed or registered, and once a minute: a database that failed
// over may have less settled than it said.

const wholeEveryMs = 60_000;

interface Look {
  /** When all lanes were looked at, by the monotonic clock. */
  readonly wholeAt: number;
  /** Commits that had ended when it began: those that come after it are not in it. */
  readonly after: number;
  readonly pending: readonly string[];
}

/** A look that has begun. */
interface BegunLook {
  /** Sources to look at; undefined: all. */
  readonly sources: readonly string[] | undefined;
  /** Takes what was pending of each sink. */
  end(pending: ReadonlyMap<string, readonly string[]>): void;
}

export class LaneLooks {
  #commits = 0;
  /** By source: the number of its last commit with records. */
  #stored = new Map<string, number>();
  /** By sink. */
  #looks = new Map<string, Look>();

  /** A commit with records of a source has ended; where its answer was lost, it may be stored. */
  ended(source: string): void {
    this.#commits += 1;
    this.#stored.set(source, this.#commits);
  }

  /** What is owned is another's by now, or has another name. */
  forget(): void {
    this.#stored = new Map();
    this.#looks = new Map();
  }

  /** Begins a look of several sinks at once. */
  begin(sinks: readonly string[], now: number): BegunLook {
    const looks = this.#looks;
    const after = this.#commits;
    const last = sinks.flatMap((sink) => looks.get(sink) ?? []);
    const isWhole = last.length < sinks.length || last.some(({ wholeAt }) => now >= wholeAt + wholeEveryMs);
    return {
      sources: isWhole ? undefined : [...new Set(last.flatMap((look) => [...look.pending, ...this.#storedAfter(look.after)]))],
      // Where all was forgotten meanwhile, this goes nowhere.
      end: (pending) => {
        for (const sink of sinks)
          looks.set(sink, { wholeAt: isWhole ? now : (looks.get(sink)?.wholeAt ?? 0), after, pending: pending.get(sink) ?? [] });
      },
    };
  }

  #storedAfter(commit: number): string[] {
    return [...this.#stored].flatMap(([source, last]) => (last > commit ? [source] : []));
  }
}
